"""Models of older formats, brought to what this version reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jdl.io.errors import ModelError

FORMAT = "jdl model 2"

Body = dict[str, Any]


def migrated(path: Path, body: Body) -> Body:
    """Give the description of a model in today's format, whatever it was written in.

    Raises:
        ModelError: it was trained in a way that today's networks have no hyper-parameter for.
    """
    while body["format"] != FORMAT:
        body = MIGRATIONS[body["format"]](path, body)
    return body


def _from_1(path: Path, body: Body) -> Body:
    """Give ``mlp_plr`` the hyper-parameters that came after its first models, with what they were then."""
    hyper = body["hyper"]
    if body["network"] == "mlp_plr":
        numbers = body["schema"].get("numbers", ())
        missing = [part["name"] for part in numbers if isinstance(part, dict) and part.get("missing")]
        if "hide" not in hyper and missing:
            raise ModelError(
                f"{path}: column {missing[0]!r} may be missing, which its network takes as a number like any "
                "other, and today's does not; fit it again"
            )
        before = {"hide": 0.0, "members": 1, "numbers": "ranked", "label_smoothing": 0.0}
        hyper = before | hyper
    return body | {"format": FORMAT, "hyper": hyper}


MIGRATIONS: dict[str, Callable[[Path, Body], Body]] = {"jdl model 1": _from_1}
"""What brings a format to the next one."""
