"""The rows of a fold prepared once for all its members, where they are the same for each of them."""

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np
from jax.extend.core import Jaxpr, Literal

from jdl.sweeps.groups import Member
from jdl.sweeps.member import Prepared
from jdl.sweeps.program import Shared, member_key, rows_of
from jdl.train.hyper import identified, of_identity
from jdl.train.recipe import Recipe

CACHED = 32  # answers kept
PART_OF_MEMORY = 1 / 8  # that prepared rows may take


def shareable(
    recipe: Callable[[dict], Recipe], fixed: dict[str, Any], member: Member, shared: Shared
) -> int | None:
    """Give the bytes of a fold's prepared rows; None where they depend on more of a member than its fold."""
    leaves, tree = jax.tree.flatten((member, shared))
    shapes = tuple(jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for leaf in leaves)
    return _size_of_alike(recipe, identified(fixed), tree, shapes)


def room(limit: int | None) -> float:
    """Give the bytes that prepared rows may take: not of what is free, which differs from call to call."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return PART_OF_MEMORY * (total if limit is None else min(limit, total))


def prepare(
    recipe: Callable[[dict], Recipe], fixed: dict[str, Any], member: Member, shared: Shared
) -> Prepared:
    """Prepare the rows of one fold, by a program that is the same however many folds there are."""
    return _program(recipe, identified(fixed))(member, shared)


@lru_cache(CACHED)
def _program(recipe: Callable[[dict], Recipe], identity: tuple) -> Callable[[Member, Shared], Prepared]:
    return jax.jit(partial(_prepared, recipe, of_identity(identity)))


def _prepared(
    recipe: Callable[[dict], Recipe], fixed: dict[str, Any], member: Member, shared: Shared
) -> Prepared:
    made, key = recipe(fixed | member.traced), member_key(shared.key, member.ids)
    return rows_of(made, key, member, shared)


@lru_cache(CACHED)
def _size_of_alike(
    recipe: Callable[[dict], Recipe], identity: tuple, tree: Any, shapes: tuple[Any, ...]
) -> int | None:
    member, shared = jax.tree.unflatten(tree, shapes)

    def of_own(ids: Any, traced: Any, place: Any, shared: Shared) -> Prepared:
        return _prepared(recipe, of_identity(identity), Member(ids, place, traced), shared)

    traced = jax.make_jaxpr(of_own)(member.ids, member.traced, member.place, shared)
    own = len(jax.tree.leaves((member.ids, member.traced)))
    if _depends(traced.jaxpr, own):
        return None
    return sum(aval.size * aval.dtype.itemsize for aval in traced.out_avals)


def _depends(jaxpr: Jaxpr, own: int) -> bool:
    """Whether an output may depend on one of the first ``own`` inputs."""
    reached = set(jaxpr.invars[:own])
    for equation in jaxpr.eqns:
        if any(not isinstance(value, Literal) and value in reached for value in equation.invars):
            reached.update(equation.outvars)
    return any(not isinstance(value, Literal) and value in reached for value in jaxpr.outvars)
