"""A group's members as one compiled program: mapped on each device, and shared among the devices."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jdl.sweeps.groups import Member
from jdl.sweeps.member import Parts, Prepared, Trained, prepared, trained
from jdl.train.fit import Data
from jdl.train.hyper import identified
from jdl.train.recipe import Recipe

AXIS = "member"
EACH, SAME = PartitionSpec(AXIS), PartitionSpec()
CACHED = 32  # compiled programs kept


class Layout(NamedTuple):
    """How many members go through a program at once.

    Each of ``devices`` trains up to ``depth`` times ``width`` members in a call, ``width`` of them at once
    by ``vmap`` and one after the other.
    """

    devices: int
    width: int
    depth: int

    @property
    def members(self) -> int:
        """How many members a call trains at most."""
        return self.devices * self.width * self.depth


class Shared(NamedTuple):
    """What all members of a group read: either its folds' prepared rows, or what they are prepared of."""

    first: Any  # epoch to train
    last: Any  # epoch to train, and one
    key: Any
    data: Data | None
    parts: Parts | None
    prepared: Prepared | None = None


@dataclass(frozen=True)
class Program:
    """A compiled program: ``program(members, shared, count)``, and what it takes."""

    layout: Layout
    call: Callable[..., Any]
    bytes: int  # on all devices, while it runs, without what the members share
    operations: float  # of a step, about: those of a loop count once

    def __call__(self, members: Any, shared: Shared) -> Any:
        """Train members, of which no more are given than the layout has places."""
        devices, width, depth = self.layout
        number = len(jax.tree.leaves(members)[0])
        count = -(-number // (devices * width))
        place = np.arange(devices * depth * width).reshape(devices, depth * width)
        used = place[:, : count * width]  # by each device; what lies in its other places is not looked at
        order = np.zeros(place.size, int)
        order[used.ravel()] = np.minimum(np.arange(used.size), number - 1)
        given = jax.tree.map(lambda leaf: leaf[order], members)
        found = self.call(placed(np.int32(count), devices), placed(given, devices, EACH), shared)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[used.ravel()[:number]], jax.device_get(found))


def mesh(devices: int) -> Mesh:
    """The first devices of this process, along the members' axis."""
    return Mesh(jax.local_devices()[:devices], (AXIS,))


def placed(values: Any, devices: int, spec: PartitionSpec = SAME) -> Any:
    """Put arrays on the devices: by default the same ones on each."""
    return jax.device_put(values, NamedSharding(mesh(devices), spec))


def member_key(root: Any, ids: Any) -> Any:
    """The key of a member: of its configuration, fold and seed, and of nothing else."""
    for i in range(3):
        root = jax.random.fold_in(root, ids[i])
    return root


def spread(one: Callable[..., Any], layout: Layout) -> Callable[..., Any]:
    """Make ``f(count, members, shared)``, ``one(member, shared)`` of the first ``count`` rounds a device."""

    def on_device(count: Any, members: Any, shared: Any) -> Any:
        width = layout.width

        def at(i: Any) -> Any:
            if width == 1:
                member = jax.tree.map(lambda leaf: leaf[i], members)
                return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], one(member, shared))
            some = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, i * width, width), members)
            return jax.vmap(lambda member: one(member, shared))(some)

        def body(i: Any, found: Any) -> Any:
            put = lambda all, some: jax.lax.dynamic_update_slice_in_dim(all, some, i * width, 0)
            return jax.tree.map(put, found, at(i))

        shapes = jax.eval_shape(at, jnp.int32(0))
        empty = lambda leaf: jnp.zeros((width * layout.depth, *leaf.shape[1:]), leaf.dtype)
        return jax.lax.fori_loop(0, count, body, jax.tree.map(empty, shapes))

    if layout.devices == 1:
        return on_device
    specs = (SAME, EACH, SAME)
    return jax.shard_map(
        on_device, mesh=mesh(layout.devices), in_specs=specs, out_specs=EACH, check_vma=False
    )


def whole_run(recipe: Callable[[dict], Recipe], fixed: dict[str, Any]) -> Callable[[Member, Shared], Trained]:
    """Make the function that trains a member from its start to its end."""

    def one(member: Member, shared: Shared) -> Trained:
        made, key = recipe(fixed | member.traced), member_key(shared.key, member.ids)
        return trained(made, key, rows_of(made, key, member, shared), shared.last)

    return one


def rows_of(recipe: Recipe, key: Any, member: Member, shared: Shared, stats: Any = None) -> Prepared:
    """Give a member's prepared rows; where its fold's are not shared, prepare them."""
    at_place = lambda tree: jax.tree.map(lambda leaf: leaf[member.place], tree)
    if shared.prepared is not None:
        return at_place(shared.prepared)
    assert shared.data is not None and shared.parts is not None
    return prepared(recipe, key, shared.data, at_place(shared.parts), stats)


_programs: OrderedDict[Any, Program] = OrderedDict()


def compiled(
    make: Callable[[Callable, dict], Callable],
    recipe: Callable[[dict], Recipe],
    fixed: dict[str, Any],
    layout: Layout,
    members: Any,
    shared: Shared,
) -> Program:
    """Give the compiled program ``make(recipe, fixed)``, from the cache where it is there."""
    shapes = _shapes(members, 1), _shapes(shared, 0), jax.tree.structure((members, shared))
    identity = (make, recipe, identified(fixed), layout, shapes)
    if identity not in _programs:
        _programs[identity] = _compile(make(recipe, fixed), layout, members, shared)
        while len(_programs) > CACHED:
            _programs.popitem(last=False)
    _programs.move_to_end(identity)
    return _programs[identity]


def cached() -> tuple[Program, ...]:
    """Give the compiled programs that are kept."""
    return tuple(_programs.values())


def _shapes(values: Any, skip: int) -> tuple:
    return tuple((leaf.shape[skip:], leaf.dtype.name) for leaf in jax.tree.leaves(values))


def _compile(one: Callable, layout: Layout, members: Any, shared: Shared) -> Program:
    each = NamedSharding(mesh(layout.devices), EACH)
    given = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((layout.members, *leaf.shape[1:]), leaf.dtype, sharding=each),
        members,
    )
    count = placed(np.int32(0), layout.devices)
    call = jax.jit(spread(one, layout)).lower(count, given, shared).compile()
    memory: Any = call.memory_analysis()
    taken = (memory.temp_size_in_bytes + memory.output_size_in_bytes) * layout.devices
    return Program(layout, call, taken, float((call.cost_analysis() or {}).get("flops", 0.0)))
