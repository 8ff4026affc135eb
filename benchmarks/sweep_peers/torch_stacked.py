"""PyTorch: members stacked along a leading axis, so many at once, in one process or in two."""

import math
import os
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from sweep_peers import Trained
from sweep_peers.cases import Case
from sweep_peers.prepared import prepared, rows
from sweep_peers.torch_loop import DEVICE, mlp, put

Tensors = list[torch.Tensor]
Network = tuple[Tensors, Callable[..., Tensors], Callable[..., torch.Tensor]]  # parameters, gradient, outputs


def build(case: Case, way: str, at_once: int | None, processes: int) -> Callable[[], Trained]:
    """Prepare each fold, then train one chunk of members after the other in each process."""
    make = {"func": by_func, "bmm": by_bmm}[way]

    def train() -> Trained:
        ready, members = prepared(case), case.members
        flat, begins = ready.flat, ready.begins(len(case.folds))
        size = at_once or -(-len(members) // processes)
        chunks = (members[i : i + size] for i in range(0, len(members), size))
        threads = max(1, len(os.sched_getaffinity(0)) // processes)
        jobs = (delayed(together)(case, flat, begins, chunk, make, threads) for chunk in chunks)
        found = Parallel(processes, mmap_mode="c")(jobs)  # PyTorch warns of arrays that it may not write
        return Trained(case.by_configuration(np.concatenate(found)))

    return train


def together(
    case: Case, flat: NDArray, begins: NDArray, members: NDArray, make: Callable[..., Network], threads: int
) -> NDArray:
    """Train members side by side; give their accuracies."""
    torch.set_num_threads(threads)
    torch.manual_seed(int(members[0] @ (1 << 20, 1 << 10, 1)))
    count, (config, fold, _) = len(members), members.T
    table, labels = put(flat), put(case.y).long()
    own, held, weight = (part[fold] for part in rows(case))
    own, shift = put(own), put(begins[fold])[:, None]
    rate = put(np.float32(case.rates)[config])
    params, gradient, outputs = make(count, (table.shape[1], *case.widths, case.classes))
    step = adam(params, rate)
    for _ in range(case.epochs):
        for chosen in own.gather(1, orders(*own.shape)).split(case.batch, 1):
            step(gradient(params, gathered(table, chosen + shift), gathered(labels, chosen)))
    with torch.inference_mode():
        held = put(held)
        found = outputs(params, gathered(table, held + shift)).argmax(2)
    right = (found == gathered(labels, held)).cpu().numpy()
    return (right * weight).sum(1) / weight.sum(1)


def orders(count: int, size: int) -> torch.Tensor:
    """Permute ``size`` rows for each member: one by one, or on a GPU all by one sort, in few launches."""
    if DEVICE == "cpu":
        return torch.stack([torch.randperm(size) for _ in range(count)])
    return torch.rand(count, size, device=DEVICE).argsort(1)


def gathered(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Give the table's rows at ``(members, batch)`` places."""
    return table.index_select(0, places.flatten()).view(*places.shape, *table.shape[1:])


def adam(params: Tensors, rate: torch.Tensor) -> Callable[[Tensors], None]:
    """Make the step of Adam with a learning rate for each member, in place and in few passes."""
    first, second = ([torch.zeros_like(leaf) for leaf in params] for _ in range(2))
    rates = [rate.view(-1, *[1] * (leaf.ndim - 1)) for leaf in params]
    count = 0

    @torch.no_grad()
    def step(grads: Tensors) -> None:
        nonlocal count
        count += 1
        correction = math.sqrt(1 - 0.999**count)
        torch._foreach_lerp_(first, grads, 0.1)
        torch._foreach_mul_(second, 0.999)
        torch._foreach_addcmul_(second, grads, grads, 0.001)
        scale = torch._foreach_sqrt(second)
        torch._foreach_add_(scale, 1e-8 * correction)
        change = torch._foreach_div(first, scale)
        factor = torch._foreach_mul(rates, -correction / (1 - 0.9**count))
        torch._foreach_addcmul_(params, change, factor)

    return step


def by_func(count: int, widths: tuple[int, ...]) -> Network:
    """Stack modules; the gradient of one member's loss is mapped over all."""
    base = mlp(widths)
    stacked, _ = stack_module_state([mlp(widths) for _ in range(count)])
    names = list(stacked)

    def apply(params: Tensors, x: torch.Tensor) -> torch.Tensor:
        return functional_call(base, dict(zip(names, params, strict=True)), (x,))

    def loss(params: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(apply(params, x), y)

    return [stacked[name].detach().to(DEVICE) for name in names], vmap(grad(loss)), vmap(apply)


def by_bmm(count: int, widths: tuple[int, ...]) -> Network:
    """Batched products by hand, with the starting values of ``nn.Linear``."""
    params = []
    for size, width in pairwise(widths):
        limit = 1 / math.sqrt(size)
        params.append(torch.empty(count, size, width, device=DEVICE).uniform_(-limit, limit).requires_grad_())
        params.append(torch.empty(count, 1, width, device=DEVICE).uniform_(-limit, limit).requires_grad_())

    def outputs(params: Tensors, x: torch.Tensor) -> torch.Tensor:
        *hidden, last = zip(params[::2], params[1::2], strict=True)
        for w, b in hidden:
            x = torch.baddbmm(b, x, w).relu_()
        return torch.baddbmm(last[1], x, last[0])

    def gradient(params: Tensors, x: torch.Tensor, y: torch.Tensor) -> Tensors:
        logits = outputs(params, x)
        loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum") / y.shape[1]
        return list(torch.autograd.grad(loss, params))

    return params, gradient, outputs
