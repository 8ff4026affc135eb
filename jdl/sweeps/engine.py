"""Train members group by group, call by call, as long as there is time."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps import once, schedule
from jdl.sweeps.groups import Config, Group, Members, grouped
from jdl.sweeps.journal import Journal
from jdl.sweeps.member import Prepared, Trained
from jdl.sweeps.program import Layout, Program, Shared, compiled, placed, whole_run
from jdl.sweeps.splits import Fold
from jdl.sweeps.watch import Watch
from jdl.train.fit import Data
from jdl.train.recipe import Recipe

CALL = 1.0  # seconds that a call should take: often enough to end in time, seldom enough to cost nothing
STAGE = "members"  # of the journal: those that are trained


class Study(NamedTuple):
    """What is trained: members of configurations, folds and seeds."""

    recipe: Callable[[dict], Recipe]
    configs: Sequence[Config]
    members: Members
    folds: tuple[Fold, ...]
    key: Any
    data: Data
    last: int | None = None  # epochs, where not all of the recipe's


class Done(NamedTuple):
    """Members that are trained, by their numbers, and how."""

    results: dict[int, Trained]
    reasons: tuple[str, ...]
    compile_seconds: float
    programs: int


def train(
    study: Study,
    plan: schedule.Plan,
    watch: Watch,
    journal: Journal | None,
    report: Callable[[dict[int, Trained]], None],
) -> Done:
    """Train all members, or as many as there is time for; what the journal has is not trained again.

    ``report`` is given all that is trained, after each call of a program.
    """
    groups = grouped(study.configs, study.members, study.folds)
    results = {} if journal is None else dict(journal.read(STAGE, partial(_shape, study, groups)))
    reasons, seconds, programs = [], 0.0, 0
    for group in groups:
        group = without(group, results)
        if not len(group.numbers) or watch.left <= seconds / max(programs, 1):
            continue
        began = watch.seconds
        program, shared, reason = _program(study, group, plan)
        seconds, programs = seconds + watch.seconds - began, programs + 1
        reasons.append(reason)
        for chosen, found in calls(program, group.members, shared, watch):
            numbers = group.numbers[chosen].tolist()
            if journal is not None:
                journal.write(STAGE, numbers, found)
            results |= dict(zip(numbers, unstacked(found, len(numbers)), strict=True))
            report(results)
    return Done(results, tuple(dict.fromkeys(reasons)), seconds, programs)


def calls(program: Program, members: Any, shared: Shared, watch: Watch) -> Iterator[tuple[slice, Any]]:
    """Call a program as often as it takes; the first call is of one round, to see how long one takes."""
    number = len(jax.tree.leaves(members)[0])
    first, rounds, pace = 0, 1, 0.0
    while first < number:
        if pace:
            rounds = int(min(max(CALL, pace) / pace, watch.left / pace, program.layout.depth))
        if rounds < 1 or watch.left <= 0:
            return
        chosen = slice(first, first + rounds * program.layout.devices * program.layout.width)
        began = time.perf_counter()
        found = program(jax.tree.map(lambda leaf: leaf[chosen], members), shared)  # noqa: B023
        pace = (time.perf_counter() - began) / rounds
        yield chosen, found
        first = chosen.stop


def shared_by(
    study: Study, group: Group, devices: int, first: int, last: int, rows: Prepared | None = None
) -> Shared:
    """Put what a group's members share on the devices: their folds' prepared rows where these are given."""
    data, parts = (study.data, group.parts) if rows is None else (None, None)
    return placed(Shared(np.int32(first), np.int32(last), study.key, data, parts, rows), devices)


def prepared_once(study: Study, group: Group, plan: schedule.Plan) -> Prepared | None:
    """Prepare each fold's rows where all its members have the same ones; None where each has its own.

    It does not depend on which of the study's members are trained, for a member's last bits must not either.
    """
    found = []
    for place in range(len(group.parts.train.index)):
        first = int(np.argmax(group.members.place == place))
        member = jax.tree.map(lambda leaf: leaf[first], group.members)._replace(place=np.int32(0))  # noqa: B023
        parts = jax.tree.map(lambda leaf: leaf[place : place + 1], group.parts)  # noqa: B023
        shared = Shared(np.int32(0), np.int32(0), study.key, study.data, parts)
        if not place:
            size = once.shareable(study.recipe, group.fixed, member, shared)
            copies = len(study.folds) * len(jax.local_devices())
            if size is None or size * copies > once.room(plan.memory_limit):
                return None
        found.append(once.prepare(study.recipe, group.fixed, member, shared))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(found))


def example(study: Study, group: Group) -> Recipe:
    """Give the recipe of a group's first member, to read its settings."""
    traced = {name: values[0] for name, values in group.members.traced.items()}
    return study.recipe(group.fixed | traced)


def unstacked(found: Any, count: int) -> list[Any]:
    """Cut a tree of arrays along their first axis."""
    leaves, tree = jax.tree.flatten(found)
    return [jax.tree.unflatten(tree, [leaf[i] for leaf in leaves]) for i in range(count)]


def without(group: Group, done: Any) -> Group:
    """Give a group without the members whose numbers are in ``done``."""
    return only(group, np.array([number not in done for number in group.numbers], bool))


def only(group: Group, which: NDArray) -> Group:
    """Give a group of some of its members."""
    members = jax.tree.map(lambda leaf: leaf[which], group.members)
    return group._replace(members=members, numbers=group.numbers[which])


def _program(study: Study, group: Group, plan: schedule.Plan) -> tuple[Program, Shared, str]:
    recipe = example(study, group)
    last = recipe.epochs if study.last is None else study.last
    rows = prepared_once(study, group, plan)

    def make(layout: Layout) -> tuple[Program, Shared]:
        shared = shared_by(study, group, layout.devices, 0, last, rows)
        return compiled(whole_run, study.recipe, group.fixed, layout, group.members, shared), shared

    return schedule.choose(plan, recipe, group, make)


def _shape(study: Study, groups: Sequence[Group], number: int) -> Any:
    """Give the shapes of a member's result without training it."""
    group = next(group for group in groups if number in group.numbers)
    member = jax.tree.map(lambda leaf: leaf[0], group.members)
    shared = Shared(np.int32(0), np.int32(1), study.key, study.data, group.parts)
    return jax.eval_shape(whole_run(study.recipe, group.fixed), member, shared)
