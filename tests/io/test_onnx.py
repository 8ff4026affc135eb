"""ONNX: what ONNX Runtime makes of an exported function or model is what JAX makes of it."""

import importlib.util
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
import scipy.special

from jdl import nn
from jdl.data import infer_schema
from jdl.io import ModelError, export_onnx, load, save
from jdl.io.onnx import convert, portable, walker
from jdl.io.onnx.convert import model_of, run
from jdl.io.onnx.ndtri import ndtri
from jdl.io.onnx.products import RULES

HALF = np.float32(0.5)
LAYERS = {
    "dense": (nn.chain(nn.dense(4), nn.gelu, nn.dense(2)), (3,)),
    "norms": (nn.chain(nn.layer_norm(), nn.dense(4), nn.rms_norm()), (3,)),
    "conv": (
        nn.chain(nn.conv(4), nn.batch_norm(), nn.relu, nn.max_pool(2), nn.flatten, nn.dense(2)),
        (6, 6, 2),
    ),
    "attention": (nn.chain(nn.dense(8), nn.attention(2, causal=True), nn.dense(2)), (5, 3)),
    "lstm": (nn.lstm(4), (5, 3)),
    "repeat": (nn.chain(nn.dense(4), nn.repeat(3, nn.residual(nn.chain(nn.dense(4), nn.tanh)))), (3,)),
}
FUNCTIONS = {
    "arithmetic": (lambda x: (x + 1) * x / (jnp.abs(x) + 2) - x**3, (4,)),
    "logs": (lambda x: jnp.log1p(jnp.exp(-jnp.abs(x))) + jax.lax.erf(x) + jnp.tanh(x), (4,)),
    "reductions": (lambda x: (x.max(0), x.sum(1), x.mean(), jnp.cumsum(x, 0), jnp.argmax(x, 1)), (3, 4)),
    "shapes": (lambda x: jnp.concatenate([x.T.reshape(-1), x[1], jnp.pad(x[:, 0], (1, 2))]), (3, 4)),
    "choices": (lambda x: jnp.where(x > 0, jnp.clip(x, 0.1, 0.5), jnp.sign(x)), (4,)),
    "gathers": (lambda x: x[jnp.array([2, 0, 2])] + jnp.take(x, jnp.argsort(x)[:3]), (4,)),
    "matrices": (lambda x: (x @ x.T, jnp.einsum("ij,kj->ik", x, 2 * x), jax.nn.softmax(x)), (3, 4)),
    "loops": (lambda x: jax.lax.scan(lambda c, row: (c + row, c * row), x[0], x), (5, 2)),
    "whiles": (lambda x: jax.lax.fori_loop(0, 3, lambda i, v: v * 0.5 + i, x), (4,)),
}


def checked(content: bytes, expected: object, x: np.ndarray) -> None:
    session = onnxruntime.InferenceSession(content)
    found = session.run(None, {"input_0": x})
    for one, other in zip(found, jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    function, shape = FUNCTIONS[name]
    x = np.random.default_rng(1).normal(size=(7, *shape)).astype(np.float32)
    checked(convert(function, x[0]), jax.vmap(function)(x), x)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    net, shape = LAYERS[name]
    x = np.random.default_rng(1).normal(size=(7, *shape)).astype(np.float32)
    params, state = net.init(jax.random.key(0), x[0])
    forward = lambda row: net.apply(params, state, row)[0]
    checked(convert(forward, x[0]), jax.jit(jax.vmap(forward))(x), x)


def test_normal_quantiles_by_arithmetic_equal_scipys() -> None:
    share = np.r_[np.linspace(-0.1, 1.1, 10_001), 10.0 ** -np.arange(1, 37), 1 - 2.0 ** -np.arange(1, 25)]
    share = share.astype(np.float32)
    expected = scipy.special.ndtri(share.astype(float))
    np.testing.assert_allclose(ndtri(jnp.asarray(share)), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_ranks_are_counted_in_blocks_as_by_halves(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    for count in (1, 2, 7, 1000):
        values = np.sort(rng.integers(0, count, (3, count)), 1).astype(np.float32)
        row = rng.choice([*range(-1, count + 1), -np.inf, np.nan], (*shape, 3)).astype(np.float32)
        expected = (values <= row[..., None]).sum(-1)
        np.testing.assert_array_equal(portable.at_most(jnp.asarray(values), jnp.asarray(row)), expected)


def test_a_function_is_replaced_by_its_place_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "waves.py").write_text(
        "import jax, jax.numpy as jnp\n@jax.jit\ndef sine(x): return jnp.tanh(x)\n"
    )
    place = importlib.util.spec_from_file_location("waves", tmp_path / "waves.py")
    place.loader.exec_module(own := importlib.util.module_from_spec(place))
    x = np.float32([[0.5], [2.0]])
    checked(convert(own.sine, x[0]), jnp.tanh(x), x)


def test_whole_numbers_are_shifted() -> None:
    x = np.array([[-(2**31), -7, -1, 0, 5, 2**31 - 1]], np.int32)
    by = jnp.array([0, 1, 3, 30, 2, 31])
    shifts = lambda row: (row >> 3, row >> by, row >> (row & 7), row << 2)
    checked(convert(shifts, x[0]), jax.vmap(shifts)(x), x)


@pytest.mark.parametrize("mode", ["clip", "fill", "promise_in_bounds"])
def test_slices_of_several_places(mode: str) -> None:
    numbers = jax.lax.GatherDimensionNumbers((1, 2), (0,), (0, 1))
    table, places = np.arange(72, dtype=np.float32).reshape(6, 4, 3), jnp.array([[5, 0], [2, 0]])
    gather = lambda x: jax.lax.gather(x, places, numbers, (1, 4, 3), mode=mode)
    checked(convert(gather, table), jax.vmap(gather)(table[None]), table[None])


def test_columns_may_have_any_name_but_an_outputs() -> None:
    specs = dict.fromkeys(["c0", "v1", "rows", "__c0", "_rows"], jax.ShapeDtypeStruct((), jnp.float32))
    double = lambda columns: {"sum": 2 * sum(columns.values()) + jnp.arange(3)[0]}
    rows = {name: np.float32([i, i + 0.5]) for i, name in enumerate(specs)}
    found = run(model_of(double, specs).SerializeToString(), rows)
    np.testing.assert_array_equal(found["sum"], double(rows)["sum"])
    with pytest.raises(ModelError, match="column 'sum' has the name of an output; rename it"):
        model_of(double, {"sum": specs["c0"]})


def test_what_has_no_translation_is_named() -> None:
    with pytest.raises(ModelError, match="ONNX has no complex numbers"):
        convert(lambda x: jnp.abs(x.astype(jnp.complex64) ** 2), np.zeros(3, np.float32))
    with pytest.raises(ModelError, match="primitive 'lu' .* has no translation"):
        convert(lambda x: jnp.linalg.det(x), np.zeros((5, 5), np.float32))


@pytest.mark.parametrize("network", ["mlp_plr", "tabm", "ft_transformer"])
def test_models_read_raw_texts(network: str, make, frame: pl.DataFrame, tmp_path: Path) -> None:
    table = frame.drop("pay")
    model = make(infer_schema(table, "old"), table, network)
    export_onnx(model, tmp_path / "model.onnx")
    if network == "mlp_plr":  # what is written for XLA has given way to a few nodes of ONNX's own
        nodes = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
        assert {"Cos", "Sin"} < set(nodes) and nodes.count("Mul") < 25 and len(nodes) < 300
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    other = table.head(5).with_columns(work=pl.Series(["a", "new", None, "", "c"]))
    rows = {
        "age": other["age"].fill_null(np.nan).to_numpy().astype(np.float32),
        "work": np.array([text or "" for text in other["work"]], object),
    }
    found = dict(zip([output.name for output in session.get_outputs()], session.run(None, rows), strict=True))
    expected = model.predict_table(other)
    np.testing.assert_allclose(found["probability"][:, 1], expected["probability_true"], atol=1e-5)
    said = json.loads(session.get_modelmeta().custom_metadata_map["jdl"])
    assert [str(said["classes"][i]).lower() for i in found["prediction"]] == [
        str(value).lower() for value in expected["prediction"]
    ]


def test_a_wrong_translation_is_not_written(
    make, frame: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = frame.drop("pay")
    model = make(infer_schema(table, "old"), table, "mlp")
    less = lambda graph, equation, *given: graph.op(
        "Mul", RULES["dot_general"](graph, equation, *given), HALF
    )
    monkeypatch.setitem(walker.RULES, "dot_general", less)
    with pytest.raises(ModelError, match="probability lies .* from what JAX gives, needs at most 0.0001"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_command(make, frame: pl.DataFrame, tmp_path: Path, capsys) -> None:
    from jdl.cli import main

    table = frame.drop("pay")
    save(make(infer_schema(table, "old"), table, "linear"), tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), "--out", str(tmp_path / "m.onnx")]) == 0
    assert "its metadata" in capsys.readouterr().out and (tmp_path / "m.onnx").stat().st_size > 100
    assert load(tmp_path / "model").network == "linear"
    lost = make(
        infer_schema(table.rename({"age": "prediction"}), "old"),
        table.rename({"age": "prediction"}),
        "linear",
    )
    save(lost, tmp_path / "lost")
    assert main(["export", str(tmp_path / "lost"), "--out", str(tmp_path / "n.onnx")]) == 2
    assert "column 'prediction' has the name of an output" in capsys.readouterr().err
