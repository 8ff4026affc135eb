"""Functions from tree to tree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl import nn
from jdl.nn.trees import nest, replaced, subtree

names = st.sampled_from(["a", "b", "w", "dense", "dense_1"])
trees = st.recursive(
    st.dictionaries(names, st.integers(), min_size=1, max_size=4),
    lambda inner: st.dictionaries(names, inner | st.integers(), min_size=1, max_size=4),
    max_leaves=12,
)


def leaves(tree, path=""):
    for name, value in tree.items():
        here = f"{path}/{name}".strip("/")
        yield from leaves(value, here) if isinstance(value, dict) else [(here, value)]


@given(trees)
def test_nest_undoes_flattening(tree):
    assert nest(dict(leaves(tree))) == tree


@given(trees, st.data())
def test_split_and_join_are_inverse(tree, data):
    paths = sorted(path for path, _ in leaves(tree))
    chosen = data.draw(st.lists(st.sampled_from(paths), unique=True, min_size=1))
    left, right = nn.split(tree, *chosen)
    assert sorted(path for path, _ in leaves(left)) == sorted(chosen)
    assert nn.join(left, right) == nn.join(right, left) == tree


@given(trees, st.data())
def test_replaced_changes_its_paths_and_leaves_the_given_tree(tree, data):
    before = dict(leaves(tree))
    path = data.draw(st.sampled_from(sorted(before)))
    assert dict(leaves(replaced(tree, {path: "new"}))) == before | {path: "new"}
    assert dict(leaves(tree)) == before
    assert subtree(tree, path) == before[path] and subtree(tree, f"{path}/none") == {}


def test_split_patterns_must_fit_and_join_must_not_overlap():
    tree = {"stem": {"w": 1}, "head": {"w": 2}}
    with pytest.raises(nn.LayerError, match=r"^no path fits 'tail/\*'; the paths are \['head/w', 'stem/w'\]"):
        nn.split(tree, "head/*", "tail/*")
    with pytest.raises(nn.LayerError, match="^stem/w: in two of the trees to join"):
        nn.join(tree, {"stem": {"w": 3}})
    assert nn.join() == {} and nn.split(tree) == ({}, tree)


def test_count_takes_arrays_and_shapes():
    net = nn.chain(nn.dense(4), nn.repeat(3, nn.dense(4)))
    params, _ = net.init(jax.random.key(0), jnp.zeros(2))
    assert nn.count(params) == nn.count(jax.eval_shape(lambda: params)) == 12 + 3 * 20
    assert nn.count({}) == 0 and nn.count(1.0) == 1


def test_ema_moves_each_leaf_and_may_be_traced():
    old, new = {"w": jnp.zeros(2), "b": {"c": jnp.ones(())}}, {"w": jnp.ones(2), "b": {"c": jnp.zeros(())}}
    moved = jax.jit(nn.ema)(old, new, 0.9)
    np.testing.assert_allclose(moved["w"], [0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(moved["b"]["c"], 0.9, rtol=1e-6)
