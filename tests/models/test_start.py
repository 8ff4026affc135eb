"""A start from training rows: the size of what comes out, which rows count, and the run it begins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import models, nn
from jdl.data import Category, Number, Schema, Target
from jdl.models import start as starts
from jdl.models.realmlp import defaults
from jdl.models.realmlp import recipe as realmlp_recipe
from jdl.models.start import draw_corners, start_from_rows
from jdl.train.objective import network

KEY = jax.random.key(0)
NET = models.realmlp(2, (6,), cardinalities=(12,), embedding=3, frequencies=4)


def rows(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    numbers, codes, flat = (
        rng.normal(size=(n, 2)),
        rng.integers(0, 12, (n, 1)),
        rng.normal(size=(n, 1)) * 9 + 5,
    )
    return {"numbers": np.float32(numbers), "categories": np.int32(codes), "flat": np.float32(flat)}


PARAMS, STATE = NET.init(KEY, jax.tree.map(lambda leaf: leaf[0], rows(1)))
begun = jax.jit(lambda rows, weight: start_from_rows(NET)(PARAMS, STATE, KEY, rows, weight)[0])


@jax.jit
def outputs(params: dict, rows: dict) -> dict:
    (_, taps), _ = nn.batched(nn.intermediates(NET, "body/*"))(params, STATE, rows)
    return {path: y for path, y in taps.items() if path.startswith(("body/ntk_dense", "body/head"))}


def test_units_have_variance_one_and_their_kinks_among_the_rows() -> None:
    found = outputs(begun(rows(80), jnp.ones(80)), rows(80))
    assert len(found) == 2
    for path, y in found.items():
        np.testing.assert_allclose(y.std(0), 1, rtol=1e-3, err_msg=path)
        assert (y.min(0) < 0).all() and (y.max(0) > 0).all(), path


def test_rows_of_weight_zero_have_no_part_in_it_and_others_their_weight() -> None:
    weight, data = jnp.where(jnp.arange(80) < 50, 1.0, 0.0), rows(80)
    other = jax.tree.map(lambda leaf: np.concatenate([leaf[:50], leaf[10:40]]), data)
    wanted = begun(data, weight)
    for found in (begun(other, weight), begun(data, 2 * weight)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, wanted)
    assert not np.allclose(begun(data, jnp.ones(80))["body"]["head"]["w"], wanted["body"]["head"]["w"])


def test_corners_are_drawn_by_weight() -> None:
    weight = jnp.array([0.0, 1.0, 3.0, 0.0])
    index, shares = jax.jit(draw_corners, static_argnums=2)(KEY, weight, 4000)
    counts = np.bincount(np.asarray(index).ravel(), minlength=4) / index.size
    np.testing.assert_allclose(counts, [0, 0.25, 0.75, 0], atol=0.02)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)


def test_constant_features_and_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jax.tree.map(np.zeros_like, rows(80))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(begun(data, jnp.ones(80))))
    monkeypatch.setattr(starts, "SAMPLE", 8)
    chosen, weight = starts.some_rows(KEY, np.arange(20), jnp.arange(20) % 2)
    assert chosen.shape == (8,) and (chosen % 2 == 1).all() and (weight == 1).all()


def test_a_run_of_a_table_learns_and_stays_within_what_it_has_seen() -> None:
    data = rows(300)
    numbers, codes = data["numbers"].copy(), data["categories"]
    y = np.float32(100 * np.maximum(numbers.sum(1), 0) + 1000)  # a limit that the rows reach
    numbers[::50, 0] = np.nan
    columns = tuple(Number(name, missing=1) for name in "ab")
    levels = (Category("c", tuple("abcdefghijk")), Category("d", ("no", "yes")))
    schema = Schema(Target("y", "regression"), columns, levels)
    x = {"numbers": numbers, "categories": np.concatenate([codes, codes % 3], 1)}
    part = lambda rows: {"x": jax.tree.map(lambda leaf: leaf[rows], x), "y": y[rows]}
    train, valid = part(slice(0, 200)), part(slice(200, 300))
    hyper = defaults(200, schema) | {"widths": (16,), "epochs": 30, "batch_size": 50}
    recipe = realmlp_recipe(schema, hyper)
    run = jax.jit(lambda key: jdl.fit(recipe, key, train, valid))(KEY)
    assert float(run.history["valid_r2"][int(run.history["best_epoch"])]) > 0.9
    predict = nn.batched(network(recipe, run.stats))
    found, _ = jax.jit(predict)(run.params, run.state, valid["x"])
    assert float(found.min()) == train["y"].min() == 1000
    assert float(found.max()) <= train["y"].max()
