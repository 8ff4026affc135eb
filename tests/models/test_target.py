"""A numeric target's mean and spread, learned in one go or from parts of a table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import features
from jdl.models.target import with_target

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("targets", [(), (2,)])
@pytest.mark.parametrize("limits", [False, True])
def test_parts_of_a_table_give_what_its_rows_give(targets: tuple[int, ...], limits: bool) -> None:
    prepare = with_target(features.standard(), limits=limits)
    rows, target = RNG.normal(size=(60, 3)), 1e3 + RNG.normal(size=(60, *targets))
    weight = (np.arange(60) % 7 > 0).astype(np.float32)
    rows, target = rows.astype(np.float32), np.where(weight.reshape(60, *[1] * len(targets)), target, 1e9)
    target = target.astype(np.float32)

    @jax.jit
    def both(rows, target, weight):
        of = lambda cut: prepare.summary.part(None, rows[cut], target[cut], weight[cut], cut.start)
        parts = prepare.summary.merge(of(slice(0, 20)), of(slice(20, 60)))
        return prepare.fit(None, rows, target, weight), prepare.summary.finish(parts)

    whole, merged = both(jnp.asarray(rows), jnp.asarray(target), jnp.asarray(weight))
    assert jax.tree.structure(whole) == jax.tree.structure(merged)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(merged), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(merged["target"]["mean"], target[weight > 0].mean(0), rtol=1e-6)
