"""TabM of the package ``tabm``, trained by the recipe of its example notebook."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from measure import torch_device
from numpy.typing import NDArray
from tables import Table

from tabular_peers import Fitted, extrapolated, timed
from tabular_peers.rows import THREADS, codes, cut, numbers, targets

VALID, BATCH, PATIENCE, BINS = 0.2, 256, 16, 48
EVALUATED = 8096  # rows at once
TYPICAL = 60  # epochs, for an estimate: the example's own run took 62


class Data(NamedTuple):
    """Rows to train on, to validate with and to predict: pairs of numbers and codes of categories."""

    parts: dict[str, tuple[Any, Any]]
    target: Any
    valid: NDArray
    sizes: list[int]
    center: float
    spread: float


def fit(table: Table, seed: int, epochs: int | None = None, by_loss: bool = False) -> Fitted:
    """Train until the validation score has not risen for 16 epochs; predict by the best epoch."""
    import torch

    seconds: dict[str, float] = {}
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    with timed(seconds, "prepare"):
        data = _data(table, seed)
        model = _model(table, data)
    with timed(seconds, "fit"):
        done = _train(table, data, model, epochs, by_loss)
    with timed(seconds, "predict"):
        outputs = _predict(table, data, model, "test")
    return Fitted(outputs, seconds, done)


def estimate(table: Table, **options: Any) -> float:
    """Give the seconds of a typical number of epochs."""
    return extrapolated(table, lambda some, epochs: fit(some, 0, epochs, **options), TYPICAL)


def _data(table: Table, seed: int) -> Data:
    import torch
    from sklearn.preprocessing import QuantileTransformer

    kept, held = cut(table, seed, VALID)
    (x, test), (levels, test_levels, sizes), y = numbers(table), codes(table), targets(table)[0]
    varied = (x[kept] != x[kept][:1]).any(0)  # the bins need two values
    x, test = x[:, varied].astype(np.float32), test[:, varied].astype(np.float32)
    noise = np.random.default_rng(0).normal(0.0, 1e-5, x[kept].shape).astype(np.float32)
    quantiles = max(min(len(kept) // 30, 1000), 10)
    normal = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", subsample=10**9)
    normal.fit(x[kept] + noise)
    rows = {"train": (x[kept], levels[kept]), "valid": (x[held], levels[held]), "test": (test, test_levels)}
    put = partial(torch.as_tensor, device=torch_device())
    parts = {
        name: (put(normal.transform(a)).float(), put(b) if sizes else None) for name, (a, b) in rows.items()
    }
    center, spread = (0.0, 1.0) if table.classes else (float(y[kept].mean()), float(y[kept].std()))
    target = put((y[kept] - center) / spread).float()
    return Data(parts, target.long() if table.classes else target, y[held], sizes, center, spread)


def _model(table: Table, data: Data) -> Any:
    import rtdl_num_embeddings
    import tabm

    x = data.parts["train"][0]
    bins = rtdl_num_embeddings.compute_bins(x, n_bins=min(BINS, len(x) - 1))
    embeddings = rtdl_num_embeddings.PiecewiseLinearEmbeddings(
        bins, d_embedding=16, activation=False, version="B"
    )
    return tabm.TabM.make(
        n_num_features=x.shape[1],
        cat_cardinalities=data.sizes,
        d_out=len(table.classes) or 1,
        num_embeddings=embeddings,
    ).to(x.device)


def _train(table: Table, data: Data, model: Any, epochs: int | None, by_loss: bool) -> int:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=3e-4)
    loss_of: Callable = torch.nn.functional.cross_entropy if table.classes else torch.nn.functional.mse_loss
    best, kept, left, epoch = -np.inf, copy.deepcopy(model.state_dict()), PATIENCE, 0
    while left >= 0 and epoch != epochs:
        for rows in torch.randperm(len(data.target), device=data.target.device).split(BATCH):
            model.train()
            optimizer.zero_grad()
            outputs = _apply(data, model, "train", rows).flatten(0, 1)  # of each member apart
            loss = loss_of(outputs, data.target[rows].repeat_interleave(model.backbone.k))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        value = _validate(table, data, model, by_loss)
        left = PATIENCE if value > best else left - 1
        if value > best:
            best, kept = value, copy.deepcopy(model.state_dict())
        epoch += 1
    model.load_state_dict(kept)
    return epoch


def _apply(data: Data, model: Any, part: str, rows: Any) -> Any:
    x, levels = data.parts[part]
    return model(x[rows], None if levels is None else levels[rows]).squeeze(-1)


def _validate(table: Table, data: Data, model: Any, by_loss: bool) -> float:
    outputs = _predict(table, data, model, "valid")
    if table.classes and by_loss:
        return float(np.mean(np.log(outputs[np.arange(len(outputs)), data.valid] + 1e-12)))
    if table.classes:
        return float(np.mean(outputs.argmax(1) == data.valid))
    return -float(np.sqrt(np.mean((outputs - data.valid) ** 2)))


def _predict(table: Table, data: Data, model: Any, part: str) -> NDArray:
    """Give the members' mean, of classes in probability."""
    import torch

    model.eval()
    with torch.inference_mode():
        x = data.parts[part][0]
        rows = torch.arange(len(x), device=x.device)
        found = torch.cat([_apply(data, model, part, some) for some in rows.split(EVALUATED)])
        if table.classes:
            return torch.softmax(found, -1).mean(1).cpu().numpy()
        return found.mean(1).cpu().numpy() * data.spread + data.center
