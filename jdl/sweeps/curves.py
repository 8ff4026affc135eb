"""Learning curves and scores of a sweep: as numbers, and drawn."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jdl.train.recipe import RecipeError

if TYPE_CHECKING:  # takes a while to import
    from matplotlib.figure import Figure

    from jdl.sweeps.runs import Runs

BAND = (0.1, 0.9)  # of the members


class Curve(NamedTuple):
    """A value after each epoch: its median over members, and the band of most of them, ``(epochs,)`` each."""

    median: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def curve(histories: NDArray) -> Curve:
    """Give median and band of members' histories ``(members, epochs)``, NaN where a member had stopped.

    >>> curve(np.array([[1.0, 2.0], [3.0, np.nan]])).median.tolist()
    [2.0, 2.0]
    """
    values = np.asarray(histories, np.float64)
    found = np.full((3, values.shape[1]), np.nan)
    there = ~np.isnan(values).all(0)
    found[:, there] = np.nanquantile(values[:, there], [0.5, *BAND], axis=0)
    return Curve(*found)


def histories(runs: "Runs", config: int, name: str) -> NDArray[np.float64]:
    """Give a configuration's members' histories of a quantity, ``(members, epochs)``.

    ``name`` is ``"loss"`` or a metric, as seen in training; with the prefix ``valid_`` on the rows that
    choose the epoch.

    Raises:
        RecipeError: no member was trained, or none has such a history.
    """
    found = [
        trained.run.history for number, trained in runs.results.items() if runs.members[number, 0] == config
    ]
    if not found:
        raise RecipeError(f"configuration {config}: none of its members is trained")
    there = sorted(key for key, values in found[0].items() if np.ndim(values) == 1)
    if name not in there:
        raise RecipeError(f"histories: found {name!r}, needs one of {there}")
    return np.stack([np.asarray(history[name], np.float64) for history in found])


def plot(runs: "Runs", config: int | None = None, name: str | None = None) -> "Figure":
    """Draw learning curves of the best (or another) configuration, and all configurations' scores.

    ``name`` is a score, ``monitor`` unless given. The figure belongs to nobody: save it with
    ``figure.savefig("sweep.svg")``; a notebook shows it.

    Raises:
        RecipeError: no configuration was wholly trained, or there is no such score.
    """
    from matplotlib.figure import Figure

    name = runs.monitor if name is None else name
    config = runs.best(name) if config is None else config
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_curves(left, runs, config, name)
    _draw_scores(right, runs, config, name)
    return figure


def _draw_curves(axes: Any, runs: "Runs", config: int, name: str) -> None:
    drawn = {"training": name, "choosing the epoch": f"valid_{name}"}
    history = next(
        trained.run.history for number, trained in runs.results.items() if runs.members[number, 0] == config
    )
    for label, key in drawn.items():
        if key in history:
            found = curve(histories(runs, config, key))
            epochs = np.arange(1, len(found.median) + 1)
            axes.plot(epochs, found.median, label=label)
            axes.fill_between(epochs, found.lower, found.upper, alpha=0.2, linewidth=0)
    epoch = runs.median_epoch(config)
    if epoch is not None:
        axes.axvline(epoch, color="grey", linewidth=0.8, linestyle=":", label="median best epoch")
    axes.set(xlabel="epoch", ylabel=name, title=f"configuration {config}")
    axes.legend(frameon=False)


def _draw_scores(axes: Any, runs: "Runs", config: int, name: str) -> None:
    mean, error = runs.mean(name)
    order = np.argsort(-mean if runs.upwards(name) else mean)
    order = order[~np.isnan(mean[order])]
    rank = np.arange(1, len(order) + 1)
    axes.errorbar(rank, mean[order], np.nan_to_num(error[order]), fmt="o", markersize=3, linewidth=0.8)
    own = np.flatnonzero(order == config)
    axes.plot(rank[own], mean[order[own]], "o", label=f"configuration {config}")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="configurations, best first", ylabel=name, title="held out: mean and standard error")
    axes.legend(frameon=False)
