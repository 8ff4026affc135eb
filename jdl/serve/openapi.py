"""What the service does, as an OpenAPI 3.1 description of the model's own columns."""

from typing import Any

import jdl
from jdl.data import Category, Date, Number, Schema
from jdl.data.columns import Column
from jdl.data.encode import needs
from jdl.data.targets import shown
from jdl.io import Model
from jdl.serve.body import ARROW, JSON
from jdl.serve.limits import Limits

_REFUSALS = {
    400: "The body is not what its content type says.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The content type is none of those that are read.",
    422: "A column or value cannot be used, or there are too many rows: the error names column and row.",
    429: "Too many requests are waiting: come again.",
}


def description(model: Model, limits: Limits) -> dict[str, Any]:
    """Give the description, as plain data."""
    schema = model.schema
    goal = ", ".join(repr(part.name) for part in schema.targets)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Predictions of {goal}",
            "version": jdl.__version__,
            "description": f"{model!r}. A request may have {limits.rows:,} rows and {limits.body:,} bytes.",
        },
        "paths": {
            "/predict": {"post": _predict(model, limits)},
            "/schema": {"get": _get("schema", "What the columns are, and why", JSON, {"type": "object"})},
            "/health": {"get": _get("health", "Whether the service works", JSON, _HEALTH)},
            "/openapi.json": {"get": _get("description", "This description", JSON, {"type": "object"})},
            "/": {"get": _get("page", "A page about the service", "text/html", {"type": "string"})},
        },
        "components": {
            "schemas": {
                "Row": _row(schema),
                "Columns": _columns(schema, limits),
                "Prediction": _prediction(schema),
                "Error": _ERROR,
            }
        },
    }


_HEALTH = {
    "type": "object",
    "properties": {"status": {"const": "ok"}, "model": {"type": "string"}, "waiting": {"type": "integer"}},
    "required": ["status", "model", "waiting"],
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "column": {"type": ["string", "null"]},
                "row": {"type": ["integer", "null"], "description": "counted from 1"},
            },
            "required": ["message", "column", "row"],
        }
    },
    "required": ["error"],
}


def _get(name: str, summary: str, kind: str, schema: Any) -> dict[str, Any]:
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer}}


def _predict(model: Model, limits: Limits) -> dict[str, Any]:
    rows = {"type": "array", "minItems": 1, "maxItems": limits.rows, "items": _reference("Row")}
    asked = {"oneOf": [_only("rows", rows), _only("columns", _reference("Columns"))]}
    prediction = _prediction(model.schema)
    lists = {name: {"type": "array", "items": part} for name, part in prediction["properties"].items()}
    found = {"type": "object", "properties": lists, "required": list(lists)}
    given = {
        "oneOf": [
            _only("rows", {"type": "array", "items": _reference("Prediction")}),
            _only("columns", found),
        ]
    }
    binary = {"schema": {"type": "string", "format": "binary", "description": "an Arrow IPC stream"}}
    error = {"content": {JSON: {"schema": _reference("Error")}}}
    return {
        "operationId": "predict",
        "summary": "Predict rows",
        "description": "Unknown columns are ignored. No row's answer depends on another.",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": asked, "example": {"rows": [_example(model.schema)]}},
                ARROW: binary,
            },
        },
        "responses": {
            "200": {
                "description": "The predictions, in the order and form of the request",
                "content": {JSON: {"schema": given}, ARROW: binary},
            },
            **{str(status): {"description": said, **error} for status, said in _REFUSALS.items()},
        },
    }


def _only(name: str, part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: part}, "required": [name], "additionalProperties": False}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _row(schema: Schema) -> dict[str, Any]:
    parts = {part.name: _value(part) for part in schema.columns}
    return {"type": "object", "properties": parts, "required": list(parts)}


def _columns(schema: Schema, limits: Limits) -> dict[str, Any]:
    size = {"type": "array", "minItems": 1, "maxItems": limits.rows}
    parts = {part.name: {**size, "items": _value(part)} for part in schema.columns}
    return {
        "type": "object",
        "properties": parts,
        "required": list(parts),
        "description": "All of one length.",
    }


def _value(part: Column) -> dict[str, Any]:
    """Say what a column's value may be in JSON, and what is made of it."""
    anything: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
    if isinstance(part, Category):
        levels = ", ".join(map(repr, part.levels[:20])) + (", …" if len(part.levels) > 20 else "")
        return {**anything, "description": f"One of {levels}; any other counts as missing."}
    if isinstance(part, Number) and part.kind in ("number", "boolean"):
        return {**anything, "description": f"{needs(part).capitalize()}; text is read as such, or refused."}
    if isinstance(part, Number | Date):
        whole = isinstance(part, Date) and part.format.startswith(("%s", "%Y%m%d"))
        kinds = ["string", "number", "null"] if whole else ["string", "null"]
        return {"type": kinds, "description": f"{needs(part).capitalize()}."}
    return {**anything, "description": "Free text."}


def _prediction(schema: Schema) -> dict[str, Any]:
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    parts: dict[str, Any] = {}
    for part in schema.targets:
        ending = f"_{part.name}" if len(schema.targets) > 1 else ""
        parts[f"prediction{ending}"] = {"enum": list(part.classes)} if part.classes else {"type": "number"}
        if part.classes and ending:
            parts[f"probability{ending}"] = probability
        elif part.classes:
            parts |= {f"probability_{shown(value)}": probability for value in part.classes}
    return {"type": "object", "properties": parts, "required": list(parts)}


def _example(schema: Schema) -> dict[str, Any]:
    """Give a row that is not surprising; what is not known of a column is missing."""
    row: dict[str, Any] = {}
    for part in schema.columns:
        row[part.name] = None
        if isinstance(part, Category) and part.levels:
            row[part.name] = part.levels[0]
        elif isinstance(part, Number) and part.kind == "boolean":
            row[part.name] = True
        elif isinstance(part, Number) and part.kind == "number" and part.low is not None:
            row[part.name] = int(part.low) if part.low.is_integer() else part.low
        elif isinstance(part, Date):
            row[part.name] = part.low if not part.format else None
    return row
