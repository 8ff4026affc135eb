"""The application: its answers are those of the model to a table, or 4xx with the place."""

import asyncio
import json
import math
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import jax
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl.io import Model, ModelError
from jdl.serve import Limits, application
from jdl.serve.arrow import write
from jdl.serve.body import ARROW
from tests.serve.made import Said, ask, model, rows, table

LIMITS = Limits(body=20_000, rows=50, waiting=100, seconds=0.2)
CLOSE = 1e-6  # a program of another size may round otherwise

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def made() -> Model:
    return model()


@pytest.fixture(scope="module")
def app(made: Model) -> Any:
    return application(made, LIMITS)


@pytest.fixture(scope="module")
def run(app: Any) -> Iterator[Run]:
    """Run coroutines in one loop in which the application works."""
    with asyncio.Runner() as runner:
        life = app.router.lifespan_context(app)
        runner.run(life.__aenter__())
        yield runner.run
        runner.run(life.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def post(app: Any, run: Run) -> Callable[..., Said]:
    return lambda body, *kind, **more: run(ask(app, "POST", "/predict", body, *kind, **more))


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def same(found: list[dict], needed: list[dict]) -> None:
    assert [row.keys() for row in found] == [row.keys() for row in needed]
    for row, other in zip(found, needed, strict=True):
        for name, value in row.items():
            assert value == (
                pytest.approx(other[name], abs=CLOSE) if isinstance(value, float) else other[name]
            )


# What is answered.


@pytest.mark.parametrize("count", [1, 2, 40])
def test_rows_columns_and_arrow_are_answered_as_the_table(made: Model, post: Any, count: int) -> None:
    frame = table().drop("pay")[:count]
    needed = made.predict_table(frame).to_dicts()
    found = post(body(rows=rows(frame)))
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    same(found.json["rows"], needed)
    columns = {name: [row[name] for row in rows(frame)] for name in frame.columns}
    found = post(body(columns=columns)).json["columns"]
    same([dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)], needed)
    found = post(write(frame), ARROW)
    assert found.headers["content-type"] == ARROW
    same(pa.ipc.open_stream(found.content).read_all().to_pylist(), needed)


def test_many_at_once_each_get_their_own(made: Model, app: Any, run: Run) -> None:
    frame = table().drop("pay")
    needed = made.predict_table(frame).to_dicts()
    bodies = [body(rows=[row]) for row in rows(frame)]

    async def together() -> list[Said]:
        good = [ask(app, "POST", "/predict", each) for each in bodies]
        bad = [ask(app, "POST", "/predict", body(rows=[{"age": i}])) for i in range(len(bodies))]
        return await asyncio.gather(*(one for pair in zip(good, bad, strict=True) for one in pair))

    found = run(together())
    assert [each.status for each in found] == [200, 422] * len(bodies)
    same([each.json["rows"][0] for each in found if each.status == 200], needed)


def test_missing_unseen_and_unknown_are_treated_as_the_schema_says(made: Model, post: Any) -> None:
    row = {"age": None, "old": "?", "work": "new", "day": "", "run": None, "about": 12, "more": [{"a": 1}]}
    (found,) = post(body(rows=[row])).json["rows"]
    cells = {name: [value] for name, value in row.items() if name != "more"}
    same([found], made.predict_table(cells).to_dicts())


def test_what_else_can_be_asked(made: Model, app: Any, run: Run) -> None:
    get = lambda path: run(ask(app, "GET", path))
    assert get("/health").json == {"status": "ok", "model": repr(made), "waiting": 0}
    assert type(made.schema).from_json(get("/schema").content.decode()) == made.schema
    missing = get("/nowhere")
    assert (missing.status, missing.json["error"]["row"]) == (404, None)
    assert (refused := run(ask(app, "GET", "/predict"))).status == 405 and refused.headers["allow"] == "POST"


# What is refused.

GOOD = {"age": 1, "old": True, "work": "shop", "day": "2020-01-01", "run": "26:00:00", "about": "big dog"}

BAD = {
    "nothing": (b"", 400, "not JSON", None, None),
    "not JSON": (b'{"rows": [', 400, "not JSON", None, None),
    "not UTF-8": (b"\xff\xfe\xfa", 400, "not JSON", None, None),
    "NaN": (b'{"rows": [{"age": NaN}]}', 400, "found NaN", None, None),
    "too deep": (b"[" * 10_000, 400, "too many levels", None, None),
    "digits": (b'{"rows": [{"age": ' + b"1" * 5000 + b"}]}", 400, "not JSON", None, None),
    "no object": (b"[1]", 422, "found a list; needs one field", None, None),
    "other field": (body(row=[]), 422, "an object of 'row'; needs one field", None, None),
    "both": (body(rows=[GOOD], columns={}), 422, "needs one field", None, None),
    "no list": (body(rows=GOOD), 422, "rows: found an object, needs a list", None, None),
    "no rows": (body(rows=[]), 422, "found 0 rows, needs 1 to 50", None, None),
    "many rows": (body(rows=[GOOD] * 51), 422, "found 51 rows, needs 1 to 50", None, None),
    "a row of text": (body(rows=[GOOD, "x"]), 422, "row 2: found text, needs an object", None, 2),
    "missing": (body(rows=[GOOD, {"age": 1}]), 422, "column 'old', row 2: is missing", "old", 2),
    "a list": (body(rows=[GOOD, GOOD | {"work": []}]), 422, "'work', row 2: found a list", "work", 2),
    "an object": (body(rows=[GOOD | {"about": {}}]), 422, "'about', row 1: found an object", "about", 1),
    "no number": (body(rows=[GOOD, GOOD | {"age": "x"}]), 422, "row 2: found 'x', needs a num", "age", 2),
    "too large": (body(rows=[GOOD]).replace(b"1,", b"1e400,", 1), 422, "beyond", "age", 1),
    "no truth": (body(rows=[GOOD | {"old": 2}]), 422, "column 'old', row 1: found 2, needs tr", "old", 1),
    "no day": (body(rows=[GOOD | {"day": "2020-02-30"}]), 422, "row 1: found '2020-02-30'", "day", 1),
    "a number as day": (body(rows=[GOOD | {"day": 3}]), 422, "holds Int64; needs a date", "day", 1),
    "only numbers as spans": (
        body(rows=[GOOD | {"run": None}, GOOD | {"run": 3.5}]),
        422,
        "column 'run': holds Float64; needs a duration",
        "run",
        2,
    ),
    "half a letter": (body(rows=[GOOD | {"about": "\ud800"}]), 422, "", "about", 1),
    "no columns": (body(columns=[]), 422, "columns: found a list", None, None),
    "no such column": (body(columns={"age": [1]}), 422, "column 'old': is missing", "old", None),
    "no values": (body(columns=GOOD), 422, "column 'age': found a number, needs a list", "age", None),
    "uneven": (
        body(columns={name: [value] for name, value in GOOD.items()} | {"run": [None] * 2}),
        422,
        "column 'run': has 2 values, column 'age' has 1",
        "run",
        None,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_are_refused_with_their_place(post: Any, name: str) -> None:
    content, status, message, column, row = BAD[name]
    said = post(content)
    error = said.json["error"]
    assert (said.status, error["column"], error["row"]) == (status, column, row), error
    assert message in error["message"]


def arrow(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def test_bad_arrow_streams_are_refused(post: Any) -> None:
    good = table().drop("pay").to_arrow()
    whole = arrow(good)
    assert post(whole, ARROW).status == 200
    for cut in range(0, len(whole) - 8, 97):
        assert post(whole[:cut], ARROW).status in (400, 422)
    nested = good.set_column(0, "age", pa.array([[1.0]] * len(good)))
    days = pa.array([0, 2**30] + [None] * 38, pa.int32()).cast(pa.date32())
    far = good.set_column(2, "work", days)
    cases = {
        "compressed": (arrow(good, compression="zstd"), 400, None),
        "nothing": (arrow(good[:0]), 422, None),
        "too many": (arrow(pa.table({name: pa.nulls(10**9) for name in good.column_names})), 422, None),
        "nested": (arrow(nested), 422, "age"),
        "missing": (arrow(good.drop_columns(["run"])), 422, "run"),
        "a name that is no text": (whole.replace(b"about", b"\x80bout"), 400, None),
        "a day too far": (arrow(far), 422, "work"),
        "twice": (arrow(good.append_column("age", good["age"])), 422, "age"),
    }
    for name, (content, status, column) in cases.items():
        said = post(content, ARROW)
        assert (said.status, said.json["error"]["column"]) == (status, column), (name, said)
    levels = good.set_column(2, "work", good["work"].cast(pa.string()).dictionary_encode())
    assert post(arrow(levels), ARROW).content == post(whole, ARROW).content


@settings(max_examples=150)
@given(st.data())
def test_damaged_arrow_streams_are_4xx_or_answered(post: Any, data: st.DataObject) -> None:
    content = bytearray(arrow(table().drop("pay").to_arrow()[:3]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert post(bytes(content), ARROW).status in (200, 400, 422)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
CELLS = {name: st.just(value) | JUNK for name, value in GOOD.items()}
COLUMNS = {name: st.lists(cell, max_size=2) | JUNK for name, cell in CELLS.items()}
ROW = st.fixed_dictionaries(CELLS) | st.fixed_dictionaries({}, optional=CELLS) | JUNK


@settings(max_examples=150)
@given(
    st.fixed_dictionaries({"rows": st.lists(ROW, max_size=3)})
    | st.fixed_dictionaries(
        {"columns": st.dictionaries(st.sampled_from(list(GOOD)), st.lists(JUNK, max_size=2))}
    )
    | JUNK
)
def test_whatever_is_asked_is_answered_or_refused(post: Any, asked: Any) -> None:
    said = post(json.dumps(asked).encode())
    if said.status == 200:
        assert all(math.isfinite(row["probability_high"]) for row in said.json["rows"])
    else:
        assert said.status in (400, 422) and set(said.json["error"]) == {"message", "column", "row"}


# Limits.


def test_limits_of_a_request(post: Any) -> None:
    assert post(b" " * 20_001).status == 413
    assert post([b" " * 10_000] * 3).status == 413
    assert post(b"{}", content_length="99999999").status == 413
    assert post([b"{", None]).status == 408
    assert post(b"{}", "text/plain").status == 415
    assert post(b"{}", content_encoding="gzip").status == 415


def test_a_full_line_tells_to_come_again(app: Any, run: Run) -> None:
    async def together() -> list[Said]:
        return await asyncio.gather(*(ask(app, "POST", "/predict", body(rows=[GOOD])) for _ in range(150)))

    found = run(together())
    assert [each.status for each in found] == [200] * 100 + [429] * 50
    assert found[-1].headers["retry-after"] == "1"


# Defects and odd models.


@pytest.mark.parametrize("error", [ZeroDivisionError, pl.exceptions.PanicException])
def test_a_defect_meets_no_later_request(app: Any, run: Run, error: type, monkeypatch: Any) -> None:
    def broken(self: Model, rows: Any) -> Any:
        raise error("broken")

    with monkeypatch.context() as patched:
        patched.setattr(Model, "predict_rows", broken)
        with pytest.raises(RuntimeError) as caught:  # raised again for the server's log
            run(ask(app, "POST", "/predict", body(rows=[GOOD])))
    assert isinstance(caught.value.__cause__, error)
    assert run(ask(app, "POST", "/predict", body(rows=[GOOD]))).status == 200


def test_answers_that_are_no_numbers_are_refused(made: Model, app: Any, run: Run, monkeypatch: Any) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Model, "predict_rows", lambda self, rows: np.array([[0.5, 0.5], [np.nan, 0.5]]))
        said = run(ask(app, "POST", "/predict", body(rows=[GOOD, GOOD])))
    assert (said.status, said.json["error"]["row"]) == (422, 2)
    broken = Model(
        made.schema,
        made.network,
        made.hyper,
        jax.tree.map(lambda x: x * np.nan, made.params),
        made.state,
        made.stats,
    )
    with pytest.raises(ModelError, match="no finite number"):
        application(broken)


# The description.


def test_the_description_says_what_is_done(app: Any, run: Run, post: Any) -> None:
    said = run(ask(app, "GET", "/openapi.json")).json
    text = json.dumps(said)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}:
        assert reference in said["components"]["schemas"]
    predict = said["paths"]["/predict"]["post"]
    example = predict["requestBody"]["content"]["application/json"]["example"]
    assert set(example["rows"][0]) == set(GOOD)
    (answer,) = post(json.dumps(example).encode()).json["rows"]
    assert set(answer) == set(said["components"]["schemas"]["Prediction"]["required"])
    assert {path for path in said["paths"]} == {route.path for route in app.routes}
    assert {status for _, status, *_ in BAD.values()} <= {int(status) for status in predict["responses"]}


def test_the_page_asks_for_nothing_from_elsewhere(app: Any, run: Run) -> None:
    said = run(ask(app, "GET", "/"))
    page = said.content.decode()
    assert "default-src 'none'" in said.headers["content-security-policy"]
    assert "&lt;b&gt;" in page and "<b>" not in page
    for asking in ("http:", "https:", "src=", "@import", "url("):
        assert asking not in page


def test_polars_does_not_hide_a_list(post: Any) -> None:
    """Mixed with text, polars would write a list as text."""
    assert pl.Series(["a", ["b"]], strict=False).to_list() == ["a", "[b]"]
    said = post(body(rows=[GOOD, GOOD | {"work": ["b"]}]))
    assert (said.status, said.json["error"]["row"]) == (422, 2)
