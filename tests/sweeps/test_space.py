"""Spaces of hyper-parameters: grids, random and Sobol samples, conditions, and what is wrong with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, qmc

from jdl.sweeps import choice, grid, integer, log_uniform, random, sobol, traced, uniform, when
from jdl.train.hyper import parted
from jdl.train.recipe import RecipeError

SAMPLERS = [random, sobol]
SPACE = {
    "rate": log_uniform(1e-4, 1.0),
    "dropout": uniform(0.0, 0.5),
    "width": choice(16, 32, 64),
    "depth": integer(1, 4),
    "optimizer": ["sgd", "adam"],
    "momentum": when({"optimizer": "sgd"}, uniform(0.0, 1.0)),
    "nesterov": when({"momentum_kind": ["heavy", "light"]}, choice(True, False)),
    "momentum_kind": when({"optimizer": "sgd"}, choice("heavy", "light", "none")),
    "steps": traced(integer(1, 9)),
    "batch": 64,
}
seeds, counts = st.integers(0, 2**40), st.integers(1, 40)
bounds = (
    st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)).map(sorted).filter(lambda pair: pair[0] < pair[1])
)


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(seed=seeds, count=counts)
@settings(max_examples=10)
def test_values_are_of_the_space(sampler, seed, count):
    configs = sampler(SPACE, count, seed)
    assert len(configs) == count
    for config in configs:
        assert list(config) == [name for name in SPACE if name in config]
        assert 1e-4 <= config["rate"] <= 1 and type(config["rate"]) is float
        assert 0 <= config["dropout"] <= 0.5
        assert config["width"] in (16, 32, 64) and config["depth"] in (1, 2, 3, 4) and config["batch"] == 64
        assert ("momentum" in config) == ("momentum_kind" in config) == (config["optimizer"] == "sgd")
        assert ("nesterov" in config) == (config.get("momentum_kind", "none") != "none")
        fixed, varied = parted(config)
        assert {"rate", "dropout", "steps"} <= set(varied) and {"width", "depth", "optimizer"} <= set(fixed)
        assert config["steps"].shape == () and 1 <= config["steps"] <= 9


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(seed=seeds, count=counts)
@settings(max_examples=10)
def test_others_and_more_change_nothing(sampler, seed, count):
    configs = sampler(SPACE, count, seed)
    assert configs == sampler(SPACE, count, seed)
    assert configs == sampler(SPACE, count + 7, seed)[:count]
    more = sampler(SPACE | {"decay": uniform(0.0, 1.0)}, count, seed)
    assert configs == [{name: config[name] for name in config if name != "decay"} for config in more]


@given(seed=seeds)
def test_random_does_not_mind_the_order(seed):
    turned = dict(reversed(SPACE.items()))
    assert random(SPACE, 9, seed) == random(turned, 9, seed)


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(pair=bounds, seed=seeds)
def test_ranges_keep_to_their_bounds(sampler, pair, seed):
    low, high = pair
    for distribution in (uniform(low, high), log_uniform(low, high)):
        assert all(low <= config["a"] <= high for config in sampler({"a": distribution}, 16, seed))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_distributions_are_even(sampler):
    configs = sampler(
        {"a": uniform(-2.0, 3.0), "b": log_uniform(0.1, 10.0), "c": integer(1, 7, log=True)}, 2048
    )
    a, b, c = (np.array([config[name] for config in configs]) for name in "abc")
    assert kstest((a + 2) / 5, "uniform").pvalue > 0.01
    assert kstest((np.log10(b) + 1) / 2, "uniform").pvalue > 0.01
    expected = np.log1p(1 / np.arange(1, 8)) / np.log(8)
    assert np.abs(np.bincount(c, minlength=8)[1:] / 2048 - expected).max() < 0.03


@given(seed=seeds)
@settings(max_examples=5)
def test_sobol_is_as_even_as_scipys(seed):
    """A net: boxes of area 1 / 64 with sides of powers of two hold as many points as the plain sequence's."""
    configs = sobol({name: uniform(0.0, 1.0) for name in "abcde"}, 64, seed)
    points = np.array([list(config.values()) for config in configs])
    plain = qmc.Sobol(5, scramble=False).random_base2(6)
    for i, j in [(0, 1), (1, 2), (3, 4)]:
        for power in range(7):
            boxes = [np.floor(some[:, [i, j]] * [2**power, 2 ** (6 - power)]) for some in (points, plain)]
            most, expected = (np.unique(some, axis=0, return_counts=True)[1] for some in boxes)
            assert sorted(most) == sorted(expected)


def test_grid_of_conditions():
    space = {"a": [1, 2], "b": when({"c": "x"}, traced([1, 2.5])), "c": choice("x", "y"), "d": None}
    found = grid(space)
    assert [[*map(str, config.values())] for config in found] == [
        ["1", "1.0", "x", "None"],
        ["1", "2.5", "x", "None"],
        ["1", "y", "None"],
        ["2", "1.0", "x", "None"],
        ["2", "2.5", "x", "None"],
        ["2", "y", "None"],
    ]
    assert {config["b"].dtype for config in found if "b" in config} == {np.dtype(float)}


@pytest.mark.parametrize(
    "values, message",
    [
        (uniform(1.0, 1.0), "found the bounds 1.0 and 1.0"),
        (uniform(0.0, float("inf")), "found the bound inf, needs a finite number"),
        (log_uniform(0.0, 1.0), "found the bound 0.0, needs one above 0"),
        (integer(1.0, 2), "found the bound 1.0, needs an integer"),
        (integer(3, 2), "found the bounds 3 and 2"),
        (integer(0, 2, log=True), "found the bound 0, needs one above 0"),
        (choice(), "has no values"),
        ([], "has no values"),
        (traced(choice(1, "a")), "'a' cannot be traced, needs a number"),
        (traced(None), "None cannot be traced"),
        (traced(when({"b": 1}, 2)), "found when"),
        (when({"b": 1}, when({"b": 1}, 2)), "found when"),
        (when({}, 1), "found the condition {}"),
        (when({"other": 1}, 1), r"names 'other', which is not in the space, needs one of \['a', 'b', 'u'\]"),
        (when({"b": 3}, 1), "needs 'b' to be 3, which it never is"),
        (when({"b": True}, 1), "needs 'b' to be True, which it never is"),
        (when({"b": []}, 1), "has no values of 'b'"),
        (when({"u": 0.5}, 1), "names 'u', which may be any number"),
        (when({"a": 1}, 1), "leads back to itself: a → a"),
    ],
)
def test_bad_values_are_named(values, message):
    for sampler in (grid, lambda space: random(space, 2), lambda space: sobol(space, 2)):
        with pytest.raises(RecipeError, match=rf"space\['a'\]: .*{message}"):
            sampler({"a": values, "b": [1, 2], "u": uniform(0.0, 1.0)})


def test_bad_arguments():
    circle = {"a": when({"b": 1}, 1), "b": when({"c": 1}, 1), "c": when({"b": 1}, 1)}
    with pytest.raises(RecipeError, match=r"space\['b'\]: its condition leads back to itself: b → c → b"):
        grid(circle)
    with pytest.raises(RecipeError, match="a range has no grid"):
        grid({"a": integer(1, 2)})
    with pytest.raises(RecipeError, match=r"space\[1\]: the name is a int"):
        grid({1: 2})
    with pytest.raises(RecipeError, match="space: found a list"):
        random([1], 2)
    with pytest.raises(RecipeError, match="count: found 0"):
        random(SPACE, 0)
    with pytest.raises(RecipeError, match="seed: found -1"):
        sobol(SPACE, 1, -1)
