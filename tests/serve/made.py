"""A model of every kind of column that nobody trained, and its application asked without a network."""

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from jdl.data import infer_schema
from jdl.io import Model
from jdl.serve.body import JSON
from tests.io.conftest import untrained

ROWS = 40
WORDS = ["big", "small", "dog", "cat", "house", "runs", "over", "and", "the"]


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(day)) for day in rng.integers(0, 900, ROWS)]
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(ROWS)]
    return pl.DataFrame(
        {
            "age": [None if i % 9 == 0 else float(i) + 0.5 for i in range(ROWS)],
            "old": [bool(i % 3) for i in range(ROWS)],
            "work": [("office", "shop", "<b>")[i % 3] for i in range(ROWS)],
            "day": days,
            "run": [f"{i % 12 + 25}:15:00" for i in range(ROWS)],
            "about": texts,
            "pay": ["low" if i % 2 else "high" for i in range(ROWS)],
        }
    )


def model() -> Model:
    frame = table()
    return untrained(infer_schema(frame, "pay"), frame, "mlp")


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them."""
    return json.loads(json.dumps(frame.to_dicts(), default=str))


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


async def ask(
    app: Any, method: str, path: str, body: bytes | Sequence[bytes] = b"", kind: str = JSON, **more: str
) -> Said:
    """Send one request; a body in parts has no length told beforehand, and None in it never arrives."""
    given = {"content-type": kind, **{name.replace("_", "-"): value for name, value in more.items()}}
    parts = [body] if isinstance(body, bytes) else list(body)
    if isinstance(body, bytes):
        given.setdefault("content-length", str(len(body)))
    sent: list[dict] = []

    async def receive() -> dict:
        part = parts.pop(0) if parts else b""
        if part is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in given.items()]
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "scheme": "http", "root_path": ""}
    scope |= {"method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    await app(scope | {"headers": headers}, receive, send)
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Said(sent[0]["status"], head, b"".join(each.get("body", b"") for each in sent[1:]))
