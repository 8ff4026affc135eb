"""The ASGI application: a model's predictions, its schema, its health, and a page about them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Asked
from starlette.responses import Response
from starlette.routing import Route

from jdl.io import Model
from jdl.serve import openapi, page
from jdl.serve.answer import answering
from jdl.serve.body import ARROW, JSON, Request
from jdl.serve.limits import Limits
from jdl.serve.refused import Refused
from jdl.serve.waiting import Waiting


def application(model: Model, limits: Limits | None = None) -> Starlette:
    """Make the ASGI application of a model: ``/predict``, ``/schema``, ``/health``, ``/openapi.json``, ``/``.

    Its programs are compiled here, so no request waits for that. Needs the extra ``serve``.

    Raises:
        ModelError: a model whose answers are not finite numbers.
    """
    limits = limits or Limits()
    answers = answering(model, limits.rows)
    said = openapi.description(model, limits)
    about = {"status": "ok", "model": repr(model)}

    async def predict(asked: Asked) -> Response:
        kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (JSON, ARROW):
            raise Refused(415, f"content-type: found {kind[:80]!r}, needs {JSON} or {ARROW}")
        if asked.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "content-encoding: send the body as it is")
        waiting: Waiting = asked.app.state.waiting
        with waiting.place():
            kind, content = await waiting.ask(Request(kind, await _body(asked, limits)))
        return Response(content, media_type=kind)

    async def health(asked: Asked) -> Response:
        return _json(about | {"waiting": len(asked.app.state.waiting)})

    @asynccontextmanager
    async def working(app: Starlette) -> AsyncIterator[None]:
        app.state.waiting = Waiting(answers, limits.waiting)  # here, as it belongs to this event loop
        task = asyncio.create_task(app.state.waiting.work())
        yield
        task.cancel()

    content = model.schema.to_json().encode()
    routes = [
        Route("/predict", predict, methods=["POST"]),
        Route("/health", health),
        Route("/schema", lambda asked: Response(content, media_type=JSON)),
        Route("/openapi.json", lambda asked: _json(said)),
        Route("/", lambda asked: Response(page.html(said), media_type="text/html", headers=page.HEADERS)),
    ]
    handlers: Any = {Refused: _refused, HTTPException: _not_here, Exception: _defect}
    return Starlette(routes=routes, lifespan=working, exception_handlers=handlers)


async def _body(asked: Asked, limits: Limits) -> bytes:
    """Read the body, no longer than it may be and take."""
    too_large = Refused(413, f"the body: needs at most {limits.body} bytes")
    length = asked.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in asked.stream():
                size += len(part)
                if size > limits.body:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"the body: did not arrive within {limits.seconds:g} seconds") from None
    except ClientDisconnect:
        raise Refused(400, "the body: ended before its end") from None
    return b"".join(parts)


def _json(content: Any, status: int = 200, headers: Any = None) -> Response:
    return Response(json.dumps(content, allow_nan=False).encode(), status, headers, JSON)


def _refused(asked: Asked, error: Any) -> Response:
    return _json(error.body, error.status, error.headers)


def _not_here(asked: Asked, error: Any) -> Response:
    refused = Refused(error.status_code, f"{asked.method} {asked.url.path[:200]}: {error.detail}")
    return _json(refused.body, error.status_code, error.headers)


def _defect(asked: Asked, error: Exception) -> Response:
    """Say no more to the client; the traceback is logged by the server."""
    return _json(Refused(500, "a defect of the server").body, 500)
