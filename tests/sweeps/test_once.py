"""Rows prepared once for a fold: only where no member could have its own."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import jdl
from jdl import features
from jdl.sweeps import engine, program, schedule
from jdl.sweeps.groups import grouped
from jdl.sweeps.splits import splits
from tests.sweeps.tiny import FOLDS, KEY, STOP, recipe, table
from tests.train.tiny import assert_close


def by_prepare(make):
    return lambda hyper: replace(recipe(hyper), prepare=make(hyper))


def noisy(hyper):
    """Learns a number that it draws."""
    draw = lambda key, rows, target, weight: jax.random.normal(key)
    return features.Prepare(draw, lambda stats, row, fold=None, key=None: row + stats)


def scaled(hyper):
    return features.stateless(lambda row: row * hyper["rate"])


def prepared(made, limit=None):
    configs = [{"rate": 0.01}, {"rate": 0.1}]
    members = np.stack(tuple(np.indices((2, FOLDS, 1))), -1).reshape(-1, 3).astype(np.int32)
    study = engine.Study(made, configs, members, splits(table(), FOLDS, STOP, KEY), KEY, table())
    (group,) = grouped(configs, members, study.folds)
    return engine.prepared_once(study, group, schedule.Plan(memory_limit=limit)), study.folds


@pytest.mark.parametrize("make", [noisy, scaled], ids=lambda make: make.__name__)
def test_members_that_differ_prepare_their_own(make):
    assert prepared(by_prepare(make))[0] is None


def test_rows_are_those_that_each_member_would_make():
    found, folds = prepared(by_prepare(lambda hyper: features.quantile_normal(8)))
    prepare = features.quantile_normal(8)
    fit = jax.jit(lambda key, rows: prepare.fit(key, rows, None, None))
    for i, fold in enumerate(folds):
        stats = fit(jax.random.key(i), table()["x"][fold.train])
        for rows, part in zip((found.train, found.stop, found.held), fold, strict=True):
            assert_close(rows["x"][i], jax.vmap(lambda row: prepare.apply(stats, row))(table()["x"][part]))  # noqa: B023
            assert np.array_equal(rows["y"][i], table()["y"][part])


def test_rows_that_do_not_fit_are_not_kept():
    made = by_prepare(lambda hyper: features.standard())
    assert prepared(made)[0] is not None and prepared(made, limit=1000)[0] is None


def test_a_hyper_parameter_of_the_preparation_reaches_it():
    given = {"folds": 2, "stop": 0, "devices": 2, "schedule": "map"}
    runs = jdl.sweep(by_prepare(scaled), {"rate": [0.01, 0.1]}, KEY, table(), **given)
    fold, key = runs.folds[1], program.member_key(KEY, (1, 1, 0))
    rows = {name: values[fold.train] for name, values in table().items()}
    expected = jdl.run(by_prepare(scaled), {"rate": 0.1}, key, rows)
    assert_close(runs.results[3].run.params, expected.params)
