"""Train members group by group, call by call, as long as there is time."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jdl.sweeps import schedule
from jdl.sweeps.groups import Config, Group, Members, grouped
from jdl.sweeps.journal import Journal
from jdl.sweeps.member import Trained
from jdl.sweeps.program import Layout, Program, Shared, compiled, placed, whole_run
from jdl.sweeps.splits import Fold
from jdl.sweeps.watch import Watch
from jdl.train.fit import Data
from jdl.train.recipe import Recipe

CALL = 1.0  # seconds that a call should take: often enough to end in time, seldom enough to cost nothing


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


Report = Callable[[int, dict[int, Trained]], Any]


def train(study: Study, plan: schedule.Plan, watch: Watch, journal: Journal | None, report: Report) -> Done:
    """Train all members, or as many as there is time for; what the journal has is not trained again."""
    groups = grouped(study.configs, study.members, study.folds)
    results = {} if journal is None else dict(journal.read(partial(_shape, study, groups)))
    reasons, seconds, programs = [], 0.0, 0
    for group in groups:
        group = _without(group, results)
        if not len(group.numbers) or watch.left <= seconds / max(programs, 1):
            continue
        program, shared, reason = _program(study, group, plan)
        seconds, programs = seconds + program.seconds, programs + 1
        reasons.append(reason)
        for numbers, found in _calls(program, group, shared, watch):
            if journal is not None:
                journal.write(numbers, found)
            results |= dict(zip(numbers.tolist(), unstacked(found, len(numbers)), strict=True))
            report(len(study.members), results)
    return Done(results, tuple(dict.fromkeys(reasons)), seconds, programs)


def unstacked(found: Any, count: int) -> list[Any]:
    """Cut a tree of arrays along their first axis."""
    leaves, tree = jax.tree.flatten(found)
    return [jax.tree.unflatten(tree, [leaf[i] for leaf in leaves]) for i in range(count)]


def _without(group: Group, results: dict[int, Trained]) -> Group:
    left = np.array([i for i, number in enumerate(group.numbers) if number not in results], int)
    members = jax.tree.map(lambda leaf: leaf[left], group.members)
    return group._replace(members=members, numbers=group.numbers[left])


def _shape(study: Study, groups: Sequence[Group], number: int) -> Any:
    """Give the shapes of a member's result without training it."""
    group = next(group for group in groups if number in group.numbers)
    member = jax.tree.map(lambda leaf: leaf[0], group.members)
    shared = Shared(np.int32(1), study.key, study.data, group.parts)
    return jax.eval_shape(whole_run(study.recipe, group.fixed), member, shared)


def _program(study: Study, group: Group, plan: schedule.Plan) -> tuple[Program, Shared, str]:
    example = study.recipe(group.fixed | {name: values[0] for name, values in group.members.traced.items()})
    last = example.epochs if study.last is None else study.last

    def make(layout: Layout) -> tuple[Program, Shared]:
        shared = Shared(*placed((np.int32(last), study.key, study.data, group.parts), layout.devices))
        program = compiled(whole_run, study.recipe, group.fixed, layout, group.members, shared)
        return program, shared

    return schedule.choose(plan, example, group, study.data, make)


def _calls(program: Program, group: Group, shared: Shared, watch: Watch) -> Iterator[tuple[Any, Trained]]:
    """Call the program as often as it takes: first for one round, to see how long one takes."""
    first, rounds, pace = 0, 1, 0.0
    while first < len(group.numbers):
        if pace:
            rounds = int(min(max(CALL, pace) / pace, watch.left / pace, program.layout.depth))
        if rounds < 1 or watch.left <= 0:
            return
        chosen = slice(first, first + rounds * program.layout.devices * program.layout.width)
        members = jax.tree.map(lambda leaf: leaf[chosen], group.members)  # noqa: B023
        began = time.perf_counter()
        found = program(members, shared)
        pace = (time.perf_counter() - began) / rounds
        yield group.numbers[chosen], found
        first = chosen.stop
