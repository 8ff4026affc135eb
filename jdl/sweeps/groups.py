"""Members that one program trains: the same fixed hyper-parameters, and folds of about one size."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps.member import Parts, stacked
from jdl.sweeps.splits import Fold
from jdl.train.hyper import identified, parted
from jdl.train.recipe import RecipeError

Config = Mapping[str, Any]
Members = NDArray[np.int32]  # (members, 3): numbers of configuration, fold and seed

SPREAD = 1.05  # folds whose sizes differ by less are padded to one


class Member(NamedTuple):
    """What tells a member from the others of its group; all have a leading axis before they are mapped."""

    ids: Any  # (3,): configuration, fold, seed
    place: Any  # of its fold among those of the group
    traced: dict[str, Any]


class Group(NamedTuple):
    """Members that train by one program, and their numbers among all."""

    fixed: dict[str, Any]
    members: Member
    numbers: NDArray[np.int64]
    parts: Parts


def grouped(configs: Sequence[Config], members: Members, folds: Sequence[Fold]) -> list[Group]:
    """Part members into groups, in the order of their first ones.

    Raises:
        RecipeError: a fixed hyper-parameter that cannot be hashed.
    """
    signatures = [_signature(i, config) for i, config in enumerate(configs)]
    cluster = _clusters(folds)
    found: dict[Any, list[int]] = {}
    for number, (config, fold, _) in enumerate(members):
        found.setdefault((signatures[config], cluster[fold]), []).append(number)
    return [_group(configs, members, folds, numbers) for numbers in found.values()]


def _group(configs: Sequence[Config], members: Members, folds: Sequence[Fold], numbers: list[int]) -> Group:
    ids = members[numbers]
    own, place = np.unique(ids[:, 1], return_inverse=True)
    fixed, traced = parted(configs[ids[0, 0]])
    values = {name: column(name, configs, ids[:, 0]) for name in traced}
    each = Member(ids, place.ravel().astype(np.int32), values)
    return Group(fixed, each, np.asarray(numbers), stacked([folds[fold] for fold in own]))


def column(name: str, configs: Sequence[Config], ids: NDArray) -> NDArray:
    """Stack a traced hyper-parameter of configurations."""
    values = np.stack([np.asarray(configs[config][name]) for config in ids])
    return values.astype(jax.dtypes.canonicalize_dtype(values.dtype))


def _signature(number: int, config: Config) -> Any:
    try:
        fixed, traced = parted(config)
        shapes = tuple(
            (name, np.shape(value), np.asarray(value).dtype.kind) for name, value in traced.items()
        )
        return identified(fixed), tuple(sorted(shapes))
    except RecipeError as error:
        raise RecipeError(f"space: configuration {number}: {error}") from None


def _clusters(folds: Sequence[Fold]) -> list[int]:
    """Number folds by size: those of one number are padded to the longest of them."""
    sizes = [tuple(len(part) for part in fold) for fold in folds]
    firsts: list[tuple[int, ...]] = []
    number = [0] * len(folds)
    for i in sorted(range(len(folds)), key=lambda i: sizes[i]):
        alike = [k for k, first in enumerate(firsts) if _alike(first, sizes[i])]
        if not alike:
            firsts.append(sizes[i])
        number[i] = alike[0] if alike else len(firsts) - 1
    return number


def _alike(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    return all(
        max(a, b) <= SPREAD * min(a, b) + 1 and (a == 0) == (b == 0) for a, b in zip(left, right, strict=True)
    )
