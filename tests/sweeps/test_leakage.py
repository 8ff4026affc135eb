"""Leaks put into rows, folds and preparations, all of which are found; honest rows, in which none is."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

import jdl
from jdl import features
from jdl.features.prepare import Prepare
from jdl.sweeps import LeakageError, splits
from jdl.sweeps.leak_captured import captured
from jdl.sweeps.leak_columns import derived
from jdl.sweeps.leak_noise import _correlation
from jdl.sweeps.leak_rows import copies
from jdl.train.recipe import RecipeError

ROWS, LEVELS = 120, 30
EARLY, LATE = np.arange(60), np.arange(60, ROWS)
HALVES = [(EARLY, LATE), (LATE, EARLY)]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).astype(np.float32)
CODES = RNG.integers(0, LEVELS, size=ROWS)
MANY = RNG.normal(size=(ROWS, 300)).astype(np.float32)


def recipe(hyper):
    """Train a linear model for a few epochs: one program for all numbers, one for all classes."""
    loss = jdl.losses.cross_entropy if hyper["classes"] else jdl.losses.squared_error
    return jdl.Recipe(jdl.nn.dense(max(hyper["classes"], 1)), loss, jdl.optim.adamw(0.1), 20, 3)


def checked(data, **more):
    y = more["target"] if callable(data) else data["y"]
    hyper = {"classes": 0 if np.ndim(y) == 2 else 3}
    given = {"hyper": hyper, "folds": HALVES, "stop": 0.0, "schedule": "map"}
    return jdl.assert_no_leakage(recipe, data, **given | more)


def numbers(noise=0.5, x=X, **more):
    y = x[:, :1] - x[:, 1:2] + noise * np.random.default_rng(1).normal(size=(len(x), 1))
    return {"x": x, "y": y.astype(np.float32), **more}


def classes(x=X, **more):
    score = x[:, 0] + np.random.default_rng(1).normal(size=len(x))
    return {"x": x, "y": np.searchsorted([-0.6, 0.6], score), **more}


def with_column(data, column, at=2):
    x = data["x"].copy()
    x[:, at] = column
    return data | {"x": x}


def doubled(data, rows):
    """Copy some of the first half's rows into the second."""
    target = data["y"].copy()
    x = data["x"].copy()
    x[60 : 60 + rows], target[60 : 60 + rows] = x[:rows], target[:rows]
    return {"x": x, "y": target}


def encoded(target):
    """Encode levels by their mean target over all rows, before any fold is cut."""
    means = np.bincount(CODES, target.ravel(), LEVELS) / np.maximum(np.bincount(CODES, minlength=LEVELS), 1)
    return {"x": np.stack([means[CODES]] * 4, 1).astype(np.float32), "y": target}


def selected(target):
    """Keep the columns that go best with the target over all rows: noise, all of them."""
    best = np.argsort(-np.abs(np.corrcoef(MANY.T, target.ravel())[-1, :-1]))[:4]
    return {"x": MANY[:, best], "y": target}


def indicators():
    data = classes()
    for label in range(3):
        data = with_column(data, data["y"] == label, label + 1)
    return data


BLOCKS = np.arange(ROWS) // 10
COPIES, DERIVED = "duplicate rows", "target-derived columns"
NOISE = {"noise labels", "permuted target"}
LEAKS = {
    "copies": (
        (doubled(numbers(), 4), {}),
        (
            {COPIES},
            r"8 rows held out have a copy .* folds \[0, 1\], such as row 60, equal to row 0, in fold 0",
        ),
    ),
    "oversampled": (
        ({"x": np.tile(X[:40], (3, 1)), "y": np.tile(classes()["y"][:40], 3)}, {}),
        ({COPIES}, "120 rows held out have a copy"),
    ),
    "groups": (
        (numbers(group=np.arange(ROWS) % 60 // 5), {}),
        ({"groups"}, r"12 groups .* in folds \[0, 1\], such as group 0; give a number"),
    ),
    "time": (
        (numbers(time=np.arange(ROWS)), {}),
        ({"time order"}, r"60 training rows of folds \[1\] are later .* row 60 \(time 60\) in fold 1"),
    ),
    "scaled": (
        (with_column(numbers(), 3 * numbers()["y"][:, 0] + 1), {}),
        ({DERIVED}, r"x\[2\] tells .*allow=\['x\[2\]'\]"),
    ),
    "ranks": (
        (with_column(numbers(), -np.argsort(np.argsort(numbers()["y"][:, 0])) / 100), {}),
        ({DERIVED}, r"x\[2\] tells"),
    ),
    "codes": (
        (with_column(classes(), np.array([2, 0, 1])[classes()["y"]]), {}),
        ({DERIVED}, r"x\[2\] tells"),
    ),
    "indicators": ((indicators(), {}), ({DERIVED}, r"x\[1\], x\[2\], x\[3\] tell")),
    "encoded": (
        (encoded, {"target": numbers()["y"]}),
        (NOISE, "rank correlation of 0.[3-6].. ± 0.0.. over 20"),
    ),
    "selected": ((selected, {"target": numbers()["y"]}), (NOISE, "within Recipe.prepare")),
}

WHOLE = np.random.default_rng(2).integers(0, 3, size=(ROWS, 4)).astype(np.float32)
HONEST = {
    "numbers": (numbers(), {}),
    "classes": (classes(), {}),
    "strong column": (with_column(numbers(), numbers()["y"][:, 0] + 0.2 * X[:, 3]), {}),
    "strong class": (with_column(classes(), np.where(np.arange(ROWS) % 25, classes()["y"], 1)), {}),
    "one class of three": (with_column(classes(), classes()["y"] == 0), {}),
    "few values": (classes(x=WHOLE), {}),
    "repeated measurements": (numbers(x=np.tile(X[:60], (2, 1))), {}),
    "groups kept": (numbers(group=BLOCKS), {}),
    "windows": (numbers(time=np.arange(ROWS) // 3), {"folds": HALVES[:1] * 2}),
    "scaled without target": (lambda target: numbers() | {"x": (X - X.mean(0)) / X.std(0), "y": target},
                              {"target": numbers()["y"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAKS)
def test_every_leak_is_found(name):
    (data, more), (checks, message) = LEAKS[name]
    with pytest.raises(LeakageError, match=message) as caught:
        checked(data, **more)
    assert {leak.check for leak in caught.value.leaks} == checks


@pytest.mark.parametrize("name", HONEST)
def test_no_honest_rows_are(name):
    data, more = HONEST[name]
    measured = checked(data, **more)
    assert set(measured) == NOISE
    assert all(mean < 3 * error for mean, error in measured.values())


def naive(key, rows, target, weight):
    """Give the mean target of each level, each row's own included."""
    codes = rows[:, 0]
    return jnp.zeros(LEVELS).at[codes].add(target[:, 0]) / jnp.maximum(jnp.zeros(LEVELS).at[codes].add(1), 1)


def of_levels(prepare):
    network = jdl.nn.chain(lambda row: row["flat"], jdl.nn.dense(1))
    return lambda hyper: jdl.Recipe(
        network, jdl.losses.squared_error, jdl.optim.adamw(0.1), 20, 2, prepare=prepare
    )


@pytest.mark.parametrize("honest", [True, False])
def test_a_rows_own_label(honest):
    """A mean target that includes the row; the library's own, made of other inner folds, does not."""
    own = features.target_encoding(5)(features.Columns((LEVELS,))).prepare
    mean = Prepare(naive, lambda stats, row, fold=None, key=None: {"flat": stats[row]})
    data = {"x": CODES[:, None].astype(np.int32), "y": numbers()["y"]}
    given = {"hyper": {}, "folds": HALVES, "stop": 0.0, "schedule": "map"}
    if honest:
        assert jdl.assert_no_leakage(of_levels(own), data, **given)
        return
    with pytest.raises(
        LeakageError, match=r"1 leak found:\n  own labels: .*x/flat\[0\] \(\d+ times chance\)"
    ):
        jdl.assert_no_leakage(of_levels(mean), data, **given)


def found(check, x, y, **more):
    cut = splits({"x": x, "y": y}, 3, 0.0, jax.random.key(0))
    return list(check({"x": x, "y": y}, cut, **more))


def test_columns_made_of_the_target():
    rng = np.random.default_rng(0)
    y, noise = rng.normal(size=(300, 1)), rng.normal(size=300)
    assert found(derived, np.cos(noise)[:, None], noise) == []  # the other way round it is a function
    assert found(derived, noise[:, None], np.cos(noise))[0].check == DERIVED
    assert found(derived, {"a": y[:, 0] ** 3, "b": noise}, y)[0].found.startswith("x/a tells")
    assert found(derived, {"a": y[:, 0] ** 3, "b": noise}, y, allow=["x/a"]) == []
    label = rng.integers(0, 2, size=300)
    left = np.where(label, np.nan, noise)  # missing for one class, as a date of leaving is
    assert found(derived, np.stack([noise, left], 1), label)[0].found.startswith("x[1] tells")
    assert found(derived, np.where(label, np.inf, noise), label)[0].found.startswith("x tells")
    rare = (np.arange(300) % 50 == 0).astype(int)
    assert found(derived, np.zeros((300, 1)), rare) == []  # as accurate as 98 %, and of no use
    for strength, leaks in ((0.2, 0), (0.01, 1)):  # R² of 0.96, and of 0.9999
        assert len(found(derived, y + strength * noise[:, None], y)) == leaks


def test_arrays_made_of_the_target_outside():
    y = numbers()["y"]
    count = np.bincount(CODES, minlength=LEVELS)
    means = np.bincount(CODES, y[:, 0], LEVELS) / np.maximum(count, 1)
    known = np.random.default_rng(3).normal(size=LEVELS)
    data = {"x": CODES[:, None], "y": (y[:, 0] + known[CODES])[:, None]}
    honest = {"known": known, "count": count, "rows": np.random.default_rng(4).normal(size=ROWS)}
    shrunk = (known + means) * count / (count + 1.0)
    for name, table in honest.items():
        assert not list(captured(closing_over(table), closing_over(table)({}), data)), name
    for table, message in (
        (shrunk, r"'table', .* agrees with the mean targets of the levels of x\[0\]"),
        (jnp.asarray(shrunk), "agrees with the mean targets"),
        (data["y"] + X[:, :1], "one number a row"),
    ):
        (leak,) = captured(closing_over(table), closing_over(table)({}), data)
        assert leak.check == "captured arrays" and re.search(message, leak.found)


def closing_over(table):
    prepare = features.stateless(lambda row: jnp.asarray(table)[row])
    return lambda hyper: jdl.Recipe(
        jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(0.1), 20, 2, prepare=prepare
    )


def test_copies_among_rows_alike_by_nature():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=300)
    city = rng.integers(0, 20, size=300)
    for x in (
        np.stack([city, 3 * city], 1),  # of few values, one told by the other
        rng.integers(0, 2, size=(300, 8)),
        np.where(rng.random((300, 6)) < 0.9, 0.0, rng.normal(size=(300, 6))),  # most of them 0
    ):
        assert found(copies, x, y) == []
    x = rng.normal(size=(300, 3))
    x[200:] = x[:100]
    assert found(copies, x, rng.normal(size=(300, 1))) == []  # measured twice
    y[200:] = y[:100]
    assert found(copies, {"a": x, "b": y[:, None]}, y)[0].check == COPIES


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(0)
    output, y = rng.normal(size=(50, 1)), rng.integers(0, 9, size=(50, 1))
    expected = spearmanr(output[:, 0], y[:, 0]).statistic
    assert _correlation(output, y, False) == pytest.approx(expected)
    label = y[:, 0] % 2
    expected = spearmanr(output[:, 0], label).statistic
    assert _correlation(np.concatenate([-output, output], 1), label, True) == pytest.approx(expected)
    assert _correlation(np.ones((50, 1)), y, False) == 0


@pytest.mark.parametrize(
    "data, more, message",
    [
        (lambda target: {}, {}, "target: found None, needs the true target"),
        (numbers(), {"target": numbers()["y"]}, "target: is of no use"),
        (lambda target: numbers(), {"target": numbers()["y"]}, "data: 'y' is the same whatever target"),
        ([1], {}, "data: found a list"),
        ({"x": X, "y": {"a": X}}, {}, "data/y: is a tree"),
        (numbers(), {"repeats": 1}, "repeats: found 1, needs at least 2"),
        (numbers(), {"repeats": 0}, "repeats: found 0"),
        (numbers(group=np.arange(3)), {}, "data/group: has shape"),
    ],
)
def test_bad_arguments(data, more, message):
    with pytest.raises(RecipeError, match=message):
        jdl.assert_no_leakage(recipe, data, **{"hyper": {"classes": 0}, **more})
