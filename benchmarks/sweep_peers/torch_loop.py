"""PyTorch: a loop over members, in two processes by joblib, or on a GPU one after the other."""

from collections.abc import Callable
from itertools import pairwise

import torch
from joblib import Parallel, delayed
from measure import torch_device
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from sweep_peers import Trained
from sweep_peers.cases import Case
from sweep_peers.cost import now
from sweep_peers.prepared import prepared

DEVICE = torch_device()
PROCESSES = 2 if DEVICE == "cpu" else 1


def build(case: Case) -> Callable[[], Trained]:
    """Prepare each fold once, then train every member."""

    def train() -> Trained:
        began = now()
        ready = prepared(case)
        fixed = now().since(began)
        jobs = (
            delayed(member)(case, ready.of(fold), *case.folds[fold], case.rates[config], seed)
            for config, fold, seed in case.members.tolist()
        )
        return Trained(case.by_configuration(Parallel(PROCESSES)(jobs)), fixed)

    return train


def member(case: Case, rows: NDArray, train: NDArray, held: NDArray, rate: float, seed: int) -> float:
    """Train a network and give its accuracy on the rows held out.

    Rows are shuffled at once and cut, which is faster than to gather every batch, and than a data loader.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y = put(rows[train]), put(case.y[train]).long()
    network = mlp((x.shape[1], *case.widths, case.classes)).to(DEVICE)
    optimizer = torch.optim.Adam(network.parameters(), rate, fused=True)
    for _ in range(case.epochs):
        order = torch.randperm(len(x), device=DEVICE)
        for inputs, target in zip(x[order].split(case.batch), y[order].split(case.batch), strict=True):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(network(inputs), target).backward()
            optimizer.step()
    with torch.inference_mode():
        found = network(put(rows[held])).argmax(1)
    return (found.cpu().numpy() == case.y[held]).mean()


def put(values: NDArray) -> torch.Tensor:
    """Put an array where PyTorch computes."""
    return torch.from_numpy(values).to(DEVICE)


def mlp(widths: tuple[int, ...]) -> nn.Sequential:
    """Make a network of rectified units from its number of columns up to that of classes."""
    layers = [part for sizes in pairwise(widths) for part in (nn.Linear(*sizes), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
