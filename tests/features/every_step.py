"""Every step there is, as one preparation of one set of rows, so that each test compiles once for all."""

from typing import Any

import jax
import numpy as np

from jdl import features
from jdl.features.prepare import Prepare, Summary

ROWS = 48
COLUMNS = features.Columns((7, 4, 30), classes=3)


def coding(step: features.CategoryStep) -> Prepare:
    return step(COLUMNS).prepare


STEPS = {
    "numbers": {
        "standard": features.standard(),
        "min_max": features.min_max(),
        "robust": features.robust(),
        "winsorise": features.winsorise(0.1, 0.9),
        "quantile_normal": features.quantile_normal(10),
        "power": features.power(),
        "impute_mean": features.impute_mean(),
        "impute_median": features.impute_median(),
        "piecewise": features.piecewise(4),
    },
    "categories": {
        "ordinal": coding(features.ordinal()),
        "most": coding(features.ordinal(most=2, rare=2.0)),
        "one_hot": coding(features.one_hot(most=5)),
        "hashed": coding(features.hashed(5)),
        "frequency": coding(features.frequency()),
        "target_encoding": coding(features.target_encoding(3)),
        "by_cardinality": coding(
            features.by_cardinality(
                features.ordinal(), features.together(features.one_hot(), features.hashed(4)), 5
            )
        ),
    },
    "dates": {"calendar": features.calendar()(("date", "datetime"))},
    "texts": {"ngrams": features.ngrams(8)},
}
FLAT = [(kind, name, step) for kind, steps in STEPS.items() for name, step in steps.items()]


def everything() -> Prepare:
    """All of them by name."""

    def fit(key: Any, rows: Any, target: Any, weight: Any) -> Any:
        return {name: step.fit(key, rows[kind], target, weight) for kind, name, step in FLAT}

    def apply(stats: Any, row: Any, fold: Any = None, key: Any = None) -> Any:
        return {name: step.apply(stats[name], row[kind], fold, key) for kind, name, step in FLAT}

    def part(key: Any, rows: Any, target: Any, weight: Any, first: Any = 0) -> Any:
        return {name: step.summary.part(key, rows[kind], target, weight, first) for kind, name, step in FLAT}

    def merge(left: Any, right: Any) -> Any:
        return {name: step.summary.merge(left[name], right[name]) for _, name, step in FLAT}

    def finish(parts: Any) -> Any:
        return {name: step.summary.finish(parts[name]) for _, name, step in FLAT}

    return Prepare(fit, apply, Summary(part, merge, finish), 3)


def rows(seed: int = 0, count: int = ROWS) -> dict[str, np.ndarray]:
    """Numbers normal, skewed, far away, tiny, constant, with gaps; codes, dates and texts of every sort."""
    rng = np.random.default_rng(seed)
    numbers = np.stack(
        [
            rng.normal(size=count),
            np.exp(2 * rng.normal(size=count)),
            1e4 + rng.integers(0, 3, count),
            1e-20 * rng.normal(size=count),
            np.full(count, 0.1),
        ],
        1,
    ).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.15] = np.nan
    dates = np.stack([rng.integers(-30_000, 30_000, (count, 2)), rng.integers(0, 86_400, (count, 2))], 2)
    dates[rng.random((count, 2)) < 0.1, 0] = -(2**31)
    return {
        "numbers": numbers,
        "categories": rng.integers(0, COLUMNS.sizes, (count, 3)).astype(np.int32),
        "dates": dates.astype(np.int32),
        "texts": (rng.integers(1, 2**31 - 1, (count, 2, 4)) * rng.integers(0, 2, (count, 2, 4))).astype(
            np.int32
        ),
    }


def target(seed: int = 0, count: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed + 1).integers(0, 3, count).astype(np.int32)


def weights(seed: int = 0, count: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed + 2).choice([0, 1, 2], count).astype(np.float32)


EVERY = everything()
KEY = jax.random.key(3)
fits = jax.jit(jax.vmap(EVERY.fit, (None, None, None, 0)))  # over the weights of two folds
apply = jax.jit(jax.vmap(EVERY.apply, (None, 0, 0)))
