"""Successive halving: all configurations begin, and rung by rung the better ones go on."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jdl.sweeps import schedule as schedules
from jdl.sweeps.engine import Study, calls, example, only, prepared_once, shared_by, unstacked
from jdl.sweeps.groups import Config, Group, Member, grouped
from jdl.sweeps.journal import Journal
from jdl.sweeps.member import Prepared, Started, Trained, advanced, finished, started
from jdl.sweeps.program import Layout, Program, Shared, compiled, member_key, rows_of
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.splits import splits
from jdl.sweeps.sweep import checked_rows, configurations, header, product, trimmed
from jdl.sweeps.watch import Watch, watching
from jdl.train.fit import greater, steps_key
from jdl.train.recipe import Recipe, RecipeError, check_count, check_key


class Rung(NamedTuple):
    """A rung that was climbed, for ``report``."""

    epochs: int  # that every member on it has trained
    configs: tuple[int, ...]  # on it, the best first
    scores: tuple[float, ...]  # of the rows that choose epochs, the mean over folds and seeds
    seconds: float


def halving(
    recipe: Callable[[dict], Recipe],
    space: Sequence[Config] | Mapping[str, Any],
    key: Any,
    data: Mapping[str, Any],
    *,
    folds: Any = 5,
    seeds: int = 1,
    stop: float = 0.1,
    eta: int = 3,
    first: int | None = None,
    schedule: str | int = "auto",
    devices: int | None = None,
    memory_limit: int | None = None,
    time_budget: float | None = None,
    folder: Any = None,
    report: Callable[[Rung], Any] | None = None,
) -> Runs:
    r"""Sweep as ``jdl.sweep`` does, but train only the better configurations to the end.

    Rungs are at :math:`E/\eta^k` of the recipe's :math:`E` epochs. On each rung configurations are compared
    by the best value so far of ``Recipe.monitor`` on the rows that choose epochs, averaged over folds and
    seeds; the best :math:`1/\eta` of them go on, from where they were. Held-out rows take no part in it: at
    the end every member is scored on them, with what it had when it stopped.

    Args:
        recipe: as in ``jdl.sweep``, and so are all arguments not named here.
        space: the configurations.
        key: a JAX key.
        data: the rows.
        folds: how they are cut.
        seeds: runs of each configuration on each fold.
        stop: the part of the training rows by which configurations are compared; not 0.
        eta: of how many configurations one goes on.
        first: epochs to the first rung, at least; unless given a part :math:`1/\eta^2` of all, with which for
            :math:`\eta = 3` about a quarter of the epochs of a whole sweep are trained.
        schedule: how many members are trained at once.
        devices: how many to use.
        memory_limit: bytes to stay below.
        time_budget: seconds after which no further rung is begun.
        folder: where to keep what members carry from rung to rung, so that the same call goes on after it was
            killed.
        report: ``report(rung)`` after each.

    Source: Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943.

    >>> import jax, numpy as np, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["rate"]), 8, 4)
    >>> x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    >>> space = {"rate": [0.001, 0.01, 0.1]}
    >>> runs = jdl.sweeps.halving(recipe, space, jax.random.key(0), {"x": x, "y": 3 * x}, folds=2)
    >>> runs.configs[runs.best()], [runs.epochs(i) for i in range(3)]
    ({'rate': 0.1}, [1, 1, 4])
    """
    plan = schedules.checked(schedule, devices, memory_limit)
    check_key(key)
    check_count("seeds", seeds)
    if not isinstance(eta, int) or eta < 2:
        raise RecipeError(f"eta: found {eta!r}, needs an integer of at least 2")
    if stop == 0:
        raise RecipeError("stop: found 0, needs rows to compare configurations by; give a part, such as 0.1")
    configs = configurations(space)
    rows = checked_rows(recipe, configs, data)
    cut = splits(data, folds, stop, key)
    study = Study(recipe, configs, product(len(configs), len(cut), seeds), cut, key, rows)
    ends = rungs(recipe(dict(configs[0])).epochs, len(configs), eta, first)
    journal = None if folder is None else Journal(folder, header(study, seeds) | {"eta": eta, "rungs": ends})
    with watching(time_budget) as watch:
        race = _Race(study, plan, watch, journal)
        ended = race.run(ends, eta, report)
        results = race.finish()
        facts = Facts(
            watch.seconds, race.compile_seconds, len(race.programs), tuple(dict.fromkeys(race.reasons)), ended
        )
    trimmed_results = {number: trimmed(study, number, found) for number, found in sorted(results.items())}
    return Runs(recipe, configs, cut, seeds, study.members, trimmed_results, key, rows, facts)


def rungs(epochs: int, configs: int, eta: int, first: int | None = None) -> list[int]:
    """Give the epochs of the rungs, the last one of all epochs.

    >>> rungs(81, 128, 3), rungs(50, 2, 3), rungs(50, 100, 3, first=2)
    ([9, 27, 81], [50], [2, 6, 17, 50])
    """
    smallest = epochs / eta**2 if first is None else first
    found = [epochs]
    while eta ** len(found) <= configs and round(epochs / eta ** len(found)) >= max(1, round(smallest)):
        found.insert(0, round(epochs / eta ** len(found)))
    return list(dict.fromkeys(found))


class _Race:
    """Members on their way: what each carries from rung to rung."""

    def __init__(self, study: Study, plan: schedules.Plan, watch: Watch, journal: Journal | None) -> None:
        self.study, self.plan, self.watch, self.journal = study, plan, watch, journal
        self.groups = grouped(study.configs, study.members, study.folds)
        self.rows: dict[int, Prepared | None] = {}
        self.layouts: dict[int, Layout] = {}
        self.carried: dict[int, Started] = {}
        self.programs: set[Any] = set()
        self.reasons: list[str] = []
        self.compile_seconds = 0.0

    def run(self, ends: list[int], eta: int, report: Callable[[Rung], Any] | None) -> str:
        """Climb the rungs; say why it ended where that was before the last."""
        alive = list(range(len(self.study.configs)))
        for first, last in zip([0, *ends[:-1]], ends, strict=True):
            began = self.watch.seconds
            if not self._climb(alive, first, last):
                return self.watch.ended
            order, scores = self._ranked(alive)
            if report is not None:
                report(Rung(last, tuple(order), tuple(scores), self.watch.seconds - began))
            alive = order[: max(1, len(order) // eta)]
        return ""

    def finish(self) -> dict[int, Trained]:
        """Score every member that has begun on its held-out rows."""
        results: dict[int, Trained] = {}
        for number, group in enumerate(self.groups):
            some = only(group, np.array([n in self.carried for n in group.numbers], bool))
            if len(some.numbers):
                results |= self._call(_end, number, some, 0, 0, Watch(None))
        return results

    def _climb(self, alive: list[int], first: int, last: int) -> bool:
        """Train the members of some configurations from one epoch to another; False without time for it."""
        stage = f"epoch-{last:05d}"
        kept = {} if self.journal is None else dict(self.journal.read(stage, self._shape))
        self.carried |= kept
        for number, group in enumerate(self.groups):
            ahead = np.isin(self.study.members[group.numbers, 0], alive) & ~np.isin(group.numbers, list(kept))
            some = only(group, ahead)
            if not len(some.numbers):
                continue
            if first == 0:
                self.carried |= self._call(_start, number, some, 0, 0, self.watch)
            moved = self._call(_advance, number, some, first, last, self.watch, stage)
            self.carried |= moved
            if len(moved) < len(some.numbers):
                return False
        return True

    def _shape(self, number: int) -> Any:
        """Give the shapes of what a member carries."""
        group = next(group for group in self.groups if number in group.numbers)
        member = jax.tree.map(lambda leaf: leaf[0], group.members)
        shared = Shared(np.int32(0), np.int32(0), self.study.key, self.study.data, group.parts)
        return jax.eval_shape(_start(self.study.recipe, group.fixed), member, shared)

    def _ranked(self, alive: list[int]) -> tuple[list[int], list[float]]:
        recipe = self.study.recipe(dict(self.study.configs[0]))
        sign = -1.0 if greater(recipe) else 1.0
        mean = np.zeros(len(self.study.configs))
        for number, begun in self.carried.items():
            assert begun.progress.best is not None
            value = float(begun.progress.best.value)
            mean[self.study.members[number, 0]] += value if np.isfinite(value) else sign * np.inf
        mean /= np.bincount(self.study.members[:, 0], minlength=len(mean))
        order = sorted(alive, key=lambda config: sign * mean[config])
        return order, mean[order].tolist()

    def _call(
        self, make: Callable, number: int, group: Group, first: int, last: int, watch: Watch, stage: str = ""
    ) -> dict[int, Any]:
        """Call one of the programs for some members of a group; give what it made of each it had time for.

        With a ``stage`` it is kept in the journal, where there is one.
        """
        members: Any = group.members
        if make is not _start:
            begun = [self.carried[int(n)] for n in group.numbers if int(n) in self.carried]
            group = only(group, np.array([int(n) in self.carried for n in group.numbers], bool))
            if not begun:
                return {}
            members = group.members, jax.tree.map(lambda *leaves: np.stack(leaves), *begun)
        program, shared = self._program(make, number, group, members, first, last)
        found: dict[int, Any] = {}
        for chosen, made in calls(program, members, shared, watch):
            numbers = group.numbers[chosen].tolist()
            if stage and self.journal is not None:
                self.journal.write(stage, numbers, made)
            found |= dict(zip(numbers, unstacked(made, len(numbers)), strict=True))
        return found

    def _program(
        self, make: Callable, number: int, group: Group, members: Any, first: int, last: int
    ) -> tuple[Program, Shared]:
        def at(layout: Layout) -> tuple[Program, Shared]:
            shared = shared_by(self.study, group, layout.devices, first, last, self.rows[number])
            return compiled(make, self.study.recipe, group.fixed, layout, members, shared), shared

        began = time.perf_counter()
        if number not in self.rows:
            self.rows[number] = prepared_once(self.study, self.groups[number], self.plan)
        if number in self.layouts:
            program, shared = at(self.layouts[number])
        else:
            program, shared, reason = schedules.choose(self.plan, example(self.study, group), group, at)
            self.layouts[number] = program.layout
            self.reasons.append(reason)
        self.compile_seconds += time.perf_counter() - began
        self.programs.add((number, make))
        return program, shared


def _start(recipe: Callable[[dict], Recipe], fixed: dict[str, Any]) -> Callable:
    def one(member: Member, shared: Shared) -> Started:
        made, key = recipe(fixed | member.traced), member_key(shared.key, member.ids)
        return _keyless(started(made, key, rows_of(made, key, member, shared)))

    return one


def _advance(recipe: Callable[[dict], Recipe], fixed: dict[str, Any]) -> Callable:
    def one(given: tuple[Member, Started], shared: Shared) -> Started:
        member, begun = given
        made, key = recipe(fixed | member.traced), member_key(shared.key, member.ids)
        rows = rows_of(made, key, member, shared, begun.progress.stats)
        return _keyless(advanced(made, _keyed(begun, key), rows, shared.first, shared.last))

    return one


def _end(recipe: Callable[[dict], Recipe], fixed: dict[str, Any]) -> Callable:
    def one(given: tuple[Member, Started], shared: Shared) -> Trained:
        member, begun = given
        made, key = recipe(fixed | member.traced), member_key(shared.key, member.ids)
        rows = rows_of(made, key, member, shared, begun.progress.stats)
        return finished(made, _keyed(begun, key), rows.held, 0)

    return one


def _keyless(begun: Started) -> Started:
    """Leave out the key, which is no plain array and follows from the member."""
    return begun._replace(progress=begun.progress._replace(train=begun.progress.train._replace(key=None)))


def _keyed(begun: Started, key: Any) -> Started:
    train = begun.progress.train._replace(key=steps_key(key))
    return begun._replace(progress=begun.progress._replace(train=train))
