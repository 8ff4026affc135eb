"""Every layer of the catalogue: under transforms, in all precisions, with rows without weight, saved."""

import copy
import gc
import pickle
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import numpy as safetensors

from jdl import nn, tree
from jdl.nn.constructor import is_constructor
from jdl.nn.layer import as_layer
from jdl.nn.trees import nest
from tests.nn.catalogue import CATALOGUE, ELSEWHERE
from tests.nn.measured import STEP, floats_to, loss, measure

# Those that take the most to compile: most are made of others, which have tests of their own.
SLOW = {"attention", "bidirectional", "bottleneck_block", "convnext_block", "decoder_block", "encoder_block"}
SLOW |= {"encoder_decoder_block", "graph_attention", "graph_conv", "gru", "inverted_residual", "lstm"}
SLOW |= {"linear_recurrence", "mixture_of_experts", "parallel", "periodic", "resnet_block", "rnn"}

NAMES = {**vars(jnp), **vars(nn.init), **vars(nn)}


def close(found, expected, tolerance=1e-9):
    def compare(a, b):
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)

    jax.tree.map(compare, found, expected)


def same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def inner(one, other):
    return np.float64(sum(jax.tree.leaves(jax.tree.map(np.vdot, one, other))))


def dtypes(values, kind=jnp.floating):
    return {str(leaf.dtype) for leaf in jax.tree.leaves(values) if jnp.issubdtype(leaf.dtype, kind)}


def vmap_over_parameters(m):
    here, member = m.at["here"], m.at["member"]
    for i, alone in enumerate((here, member)):
        found = jax.tree.map(lambda leaf: leaf[i], here["members"])  # noqa: B023
        close(found, (alone["value"], alone["gradient"].params))


def repeat(m):
    together, alone = m.at["here"]["repeat"]
    close(together, alone)


def remat(m):
    here = m.at["here"]
    within, alone = [*here["remat"], (here["value"], here["gradient"])][:2]
    close(within, alone)


def determinism(m):
    same(m.at["here"], m.at["again"])
    one, other = (m.at[key]["outputs"] for key in ("here", "other key"))
    equal = jax.tree.leaves(jax.tree.map(np.array_equal, one, other))
    assert all(equal) != m.case.noisy


def first_derivatives(m):
    ahead, behind, here = (m.at[name] for name in ("ahead", "behind", "here"))
    numeric = (ahead["value"] - behind["value"]) / (2 * STEP)
    close(here["slope"], numeric, 1e-6)
    close(inner(here["gradient"], m.start.direction), numeric, 1e-6)


def second_derivatives(m):
    ahead, behind, here = (m.at[name] for name in ("ahead", "behind", "here"))
    numeric = jax.tree.map(lambda a, b: (a - b) / (2 * STEP), ahead["gradient"], behind["gradient"])
    found = here["hessian by direction"]
    if m.case.order > 1:
        close(found, numeric, 1e-6)
    close(here["curvature"], inner(found, m.start.direction), 1e-6)


def rows_without_weight(m):
    one, other = m.at["row without weight"], m.at["row without weight, NaN"]
    for name in ("value", "state", "gradient"):
        same(one[name], other[name])
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(other[name]))
    assert not any(np.any(leaf[-1]) for leaf in other["gradient"].floats)


def precision(m):
    assert dtypes((m.start.params, m.start.state)) <= {"float32"}
    assert dtypes(m.at["here"]["outputs"]) <= {"float64"}
    assert dtypes(m.single) <= {"float32"} and dtypes(m.half) <= {"float32"}
    for rough, exact in zip(*map(jax.tree.leaves, (m.half, m.single)), strict=True):
        np.testing.assert_allclose(rough, exact, atol=0.05 * float(np.abs(exact).max(initial=0)), rtol=0.05)


def leaks(m):
    gc.freeze()  # the check collects garbage: of what this trace made alone
    try:
        with jax.checking_leaks():
            given = floats_to(np.float32, (m.start.point, m.start.rest))
            jax.eval_shape(jax.grad(partial(loss, m.case.net), has_aux=True), *given)
            m.case.net.specs(*m.start.example, **m.case.keywords)
    finally:
        gc.unfreeze()


def eager(m):
    first = lambda leaf: leaf[0]
    point, rest = floats_to(np.float32, (m.start.point, m.start.rest._replace(key=None)))
    floats = iter(point.floats)
    inputs = [next(floats) if other is None else other for other in rest.others]
    params, inputs, keywords = jax.tree.map(
        jnp.asarray, (point.params, *jax.tree.map(first, (inputs, rest.keywords)))
    )
    outputs, state = m.case.net.apply(params, m.start.state, *inputs, **keywords)
    close(outputs, jax.tree.map(first, m.single), 1e-5)
    same(state, m.start.state)


def identity(m):
    net = m.case.net
    assert pickle.loads(pickle.dumps(net)) is net
    assert copy.deepcopy(net) is net
    assert as_layer(eval(repr(net), NAMES)) is net
    hash(net)


def summary(m):
    rows = nn.summary(m.case.net, *m.start.example, **m.case.keywords)
    assert rows[0].parameters == nn.count(m.start.params)
    assert rows[0].layer == repr(m.case.net) and str(rows)


def saving(m):
    whole = {"params": m.start.params, "state": m.start.state}
    arrays = {path: np.ascontiguousarray(leaf).reshape(leaf.shape) for path, leaf in tree.items(whole)}
    loaded = {"params": {}, "state": {}} | nest(safetensors.load(safetensors.save(arrays)))
    same(loaded, whole)
    specs = m.case.net.specs(*m.start.example, **m.case.keywords)
    needed = {f"{kind}/{path}": spec for kind in specs for path, spec in specs[kind].items()}
    assert {path: (leaf.shape, leaf.dtype) for path, leaf in tree.items(loaded)} == {
        path: (spec.shape, np.dtype(spec.dtype)) for path, spec in needed.items()
    }


CHECKS = (
    vmap_over_parameters, repeat, remat, determinism, first_derivatives, second_derivatives,
    rows_without_weight, precision, leaks, eager, identity, summary, saving,
)  # fmt: skip


def marked(case):
    return pytest.param(
        case, id=case.constructor, marks=[pytest.mark.slow] if case.constructor in SLOW else []
    )


@pytest.mark.parametrize("case", map(marked, CATALOGUE))
def test_layer(case, subtests):
    with warnings.catch_warnings(), jax.debug_key_reuse(True):
        warnings.simplefilter("error")
        measured = measure(case)
        for check in CHECKS:
            with subtests.test(check.__name__):
                check(measured)


def test_every_constructor_is_in_the_catalogue():
    public = {name for name, value in vars(nn).items() if is_constructor(value)}
    assert public == {case.constructor for case in CATALOGUE} | set(ELSEWHERE)
    assert not {case.constructor for case in CATALOGUE} & set(ELSEWHERE)
    for case in CATALOGUE:
        assert case.net.origin.constructor is getattr(nn, case.constructor)
