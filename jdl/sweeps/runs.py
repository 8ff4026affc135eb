"""What a sweep gives: every member's scores, curves, held-out predictions and parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps.engine import Study, train
from jdl.sweeps.groups import Config, Members
from jdl.sweeps.member import Trained
from jdl.sweeps.schedule import checked
from jdl.sweeps.splits import Fold, classes, whole
from jdl.sweeps.watch import watching
from jdl.train.fit import Data, greater
from jdl.train.recipe import Recipe, RecipeError, Run

if TYPE_CHECKING:  # takes a while to import
    import polars as pl
    from matplotlib.figure import Figure

    from jdl.sweeps.ensemble import Ensemble


class Facts(NamedTuple):
    """How a sweep went."""

    seconds: float
    compile_seconds: float
    programs: int  # compiled or found in the cache
    schedule: tuple[str, ...]  # of each program, and why
    ended: str  # "" where everything was trained, else why not


@dataclass(frozen=True, eq=False)
class Runs:
    """All runs of a sweep.

    Args:
        recipe: the recipe function.
        configs: the configurations, by number.
        folds: the rows of each fold.
        seeds: how many runs there are of each configuration on each fold.
        members: ``(members, 3)``: configuration, fold and seed.
        results: what came of each member, by number; one that was not trained is missing.
        key: the key of the sweep.
        data: the rows.
        facts: how it went.
    """

    recipe: Callable[[dict], Recipe] = field(repr=False)
    configs: Sequence[Config] = field(repr=False)
    folds: tuple[Fold, ...] = field(repr=False)
    seeds: int
    members: Members = field(repr=False)
    results: dict[int, Trained] = field(repr=False)
    key: Any = field(repr=False)
    data: Data = field(repr=False)
    facts: Facts

    def __repr__(self) -> str:
        """Say what there is, and the best of it."""
        return f"Runs({self._said()})\n{self.table()}"

    def _repr_html_(self) -> str:
        """Say the same in a notebook."""
        return f"<p>{escape(self._said())}</p>{self.table()._repr_html_()}"

    def _said(self) -> str:
        cut = f"{len(self.configs)} configurations × {len(self.folds)} folds × {self.seeds} seeds"
        done = f"{len(self.results)} of {len(self.members)} members trained in {self.facts.seconds:.1f} s"
        ended = f"; {self.facts.ended}" if self.facts.ended else ""
        return f"{cut}: {done}{ended}"

    @property
    def monitor(self) -> str:
        """The name of the score that configurations are compared by: the recipe's ``monitor``."""
        return self._example.monitor

    @property
    def greater(self) -> bool:
        """Whether a greater value of ``monitor`` is better."""
        return greater(self._example)

    @cached_property
    def _example(self) -> Recipe:
        return self.recipe(dict(self.configs[0]))

    @cached_property
    def classes(self) -> bool:
        """Whether the target holds classes, of which the outputs are logits."""
        return classes(self.data["y"])

    def scores(self, name: str | None = None) -> NDArray[np.float64]:
        """Give a held-out score (``monitor`` unless named) as ``(configurations, folds, seeds)``.

        NaN stands for a member that was not trained, or whose training failed.
        """
        name = self.monitor if name is None else name
        found = np.full((len(self.configs), len(self.folds), self.seeds), np.nan)
        for number, trained in self.results.items():
            if trained.scores is None or name not in trained.scores:
                raise RecipeError(f"scores: found {name!r}, needs one of {sorted(trained.scores or ())}")
            found[tuple(self.members[number])] = trained.scores[name]
        return found

    def mean(self, name: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r"""Give each configuration's mean score and its standard error, ``(configurations,)`` each.

        Seeds are averaged first; the error is that of the mean of the folds, :math:`s / \sqrt{k}`.
        """
        by_fold = self.scores(name).mean(2)
        count = by_fold.shape[1]
        error = by_fold.std(1, ddof=1) / np.sqrt(count) if count > 1 else np.full(len(by_fold), np.nan)
        return by_fold.mean(1), error

    def best(self, name: str | None = None) -> int:
        """Give the number of the configuration of the best mean held-out score, of those wholly trained.

        Raises:
            RecipeError: no configuration is wholly trained.
        """
        mean = self.mean(name)[0]
        if np.isnan(mean).all():
            raise RecipeError("best: no configuration was trained on all folds; give it more time")
        return int(np.nanargmax(mean) if self.upwards(name) else np.nanargmin(mean))

    def best_score(self) -> float:
        """Give the best mean ``monitor`` of the configurations that are wholly trained; NaN without one."""
        better = np.fmax if self.greater else np.fmin  # of NaN and a number, the number
        return float(better.reduce(self.mean()[0]))

    def upwards(self, name: str | None = None) -> bool:
        """Whether a greater value of a score (``monitor`` unless named) is better."""
        name = self.monitor if name is None else name
        return name != "loss" and self._example.metrics[name].greater

    def table(self) -> "pl.DataFrame":
        """Give a frame of one row a configuration, the best first.

        Columns: its number, its hyper-parameters, mean and standard error of every held-out score, the median
        best epoch, and the members trained.
        """
        import polars as pl

        names = sorted({name for config in self.configs for name in config})
        columns: dict[str, Any] = {"config": range(len(self.configs))}
        for name in names:
            columns[name] = [_plain(config.get(name)) for config in self.configs]
        for name in ["loss", *self._example.metrics]:
            columns[name], columns[f"{name}_se"] = self.mean(name) if self.results else (None, None)
        columns["best_epoch"] = [self.median_epoch(i) for i in range(len(self.configs))]
        counts = np.bincount(self.members[list(self.results), 0], minlength=len(self.configs))
        columns["members"] = counts
        frame = pl.DataFrame(columns, strict=False)
        order = frame[self.monitor].fill_nan(None)
        return frame.with_columns(order.alias(self.monitor)).sort(
            self.monitor, descending=self.greater, nulls_last=True
        )

    def median_epoch(self, config: int) -> int | None:
        """Give the median best epoch of a configuration's members, counted from 1; None without any."""
        found = [
            int(trained.run.history["best_epoch"]) + 1
            for number, trained in self.results.items()
            if self.members[number, 0] == config
        ]
        return int(np.median(found)) if found else None

    def epochs(self, config: int) -> int:
        """Give the epochs that a configuration's members have trained, the most of them."""
        trained = [t for number, t in self.results.items() if self.members[number, 0] == config]
        return max((int((~np.isnan(one.run.history["loss"])).sum()) for one in trained), default=0)

    def of(self, config: int) -> dict[int, Trained]:
        """Give a configuration's trained members by number.

        Raises:
            RecipeError: one of them was not trained.
        """
        numbers = np.flatnonzero(self.members[:, 0] == config)
        missing = [int(number) for number in numbers if number not in self.results]
        if missing:
            raise RecipeError(
                f"configuration {config}: {len(missing)} of its {len(numbers)} members are not trained"
            )
        return {int(number): self.results[int(number)] for number in numbers}

    def out_of_fold(self, config: int | None = None) -> NDArray[np.float32]:
        """Give what the best (or another) configuration predicts of each row it did not see: ``(n, …)``.

        Probabilities ``(n, classes)`` where the target holds classes, else the outputs as they are; averaged
        over seeds, and over folds that hold out the same row. A row that no fold holds out has NaN.
        """
        found = self.of(self.best() if config is None else config)
        total, count = None, np.zeros(len(self.data["y"]))
        for number, trained in found.items():
            held = self.folds[self.members[number, 1]].held
            values = self.predicted(trained.outputs[: len(held)])
            total = np.zeros((len(count), *values.shape[1:])) if total is None else total
            np.add.at(total, held, values)
            np.add.at(count, held, 1)
        assert total is not None
        with np.errstate(invalid="ignore"):
            return (total / count.reshape(-1, *[1] * (total.ndim - 1))).astype(np.float32)

    def predicted(self, outputs: Any) -> NDArray:
        """Turn outputs, logits where the target holds classes, into what is predicted: probabilities."""
        outputs = np.asarray(outputs)
        if not self.classes:
            return outputs
        if outputs.ndim == 1 or outputs.shape[-1] == 1:
            logit = outputs.reshape(len(outputs))
            return np.asarray(jax.nn.sigmoid(np.stack([-logit, logit], -1)))  # exact near 0 on both sides
        return np.asarray(jax.nn.softmax(outputs, -1))

    def refit(
        self, config: int | None = None, seeds: int = 1, given: Mapping[str, Any] | None = None
    ) -> list[Run]:
        """Train the best (or another) configuration on all rows, for its members' median best epoch.

        Gives a run for each seed. With ``seeds`` above 1 their predictions are to be averaged. What is in
        ``given`` takes the place of the configuration's own, such as what depends on the number of rows.
        """
        config = self.best() if config is None else config
        configs = list(self.configs)
        configs[config] = {**configs[config], **(given or {})}
        rows = whole(len(self.data["y"]))
        members = np.array([(config, len(self.folds), seed) for seed in range(seeds)], np.int32)
        folds = (*self.folds, *rows)  # a fold of its own, so that its key is that of no other
        study = Study(self.recipe, configs, members, folds, self.key, self.data, self.median_epoch(config))
        with watching(None) as watch:
            done = train(study, checked("auto", None, None), watch, None, lambda *_: None)
        if len(done.results) < seeds:
            raise RecipeError(f"refit: {watch.ended}; nothing is kept")
        return [done.results[number].run for number in range(seeds)]

    def ensemble(self, size: int = 50) -> "Ensemble":
        """Select an ensemble of the configurations by their out-of-fold predictions: ``sweeps.ensemble``."""
        from jdl.sweeps.ensemble import ensemble

        return ensemble(self, size)

    def plot(self, config: int | None = None, name: str | None = None) -> "Figure":
        """Draw learning curves of a configuration and the scores of all: ``sweeps.plot``."""
        from jdl.sweeps.curves import plot

        return plot(self, config, name)


def _plain(value: Any) -> Any:
    """Give what a frame can hold of a hyper-parameter."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return (
        np.asarray(value).item()
        if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biuf"
        else str(value)
    )
