"""The cases of torch's own table of modules: constructor arguments and forward inputs, seeded."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch


class Case(NamedTuple):
    """One line of torch's table; ``build`` gives the module, its weights drawn from a fixed seed."""

    name: str  # nn.Conv2d
    number: int
    about: str
    build: Callable[[], torch.nn.Module]
    args: tuple
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name} {self.number} {self.about}"


@functools.cache
def infos() -> dict[str, Any]:
    """Give torch's table by module; imported only here, for it takes seconds."""
    from torch.testing._internal.common_modules import module_db

    return {info.name: info for info in module_db}


def cases(name: str) -> list[Case]:
    """List a module's cases: in training mode, and in prediction too where torch says that they differ."""
    info = infos()[name]
    found: list[Case] = []
    for training in (True, False) if info.train_and_eval_differ else (True,):
        torch.manual_seed(0)
        mode = "training" if training else "prediction"
        given = info.module_inputs_func(
            info, device="cpu", dtype=torch.float64, requires_grad=True, training=training
        )
        for each in given:
            number, about = len(found), f"({mode}) {each.desc}".strip()
            build = functools.partial(_build, info.module_cls, each.constructor_input, training, number)
            forward = each.forward_input
            found.append(Case(name, number, about, build, forward.args, forward.kwargs))
    return found


def _build(kind: Callable[..., Any], given: Any, training: bool, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    module = kind(*given.args, **given.kwargs).to(torch.float64).train(training)
    for parameter in module.parameters():  # those that torch begins at zero or one would hide a mistake
        if not isinstance(parameter, torch.nn.UninitializedParameter):
            torch.nn.init.normal_(parameter, std=0.5)
    for name, buffer in module.named_buffers():
        if buffer is not None and name.endswith(("running_mean", "running_var")):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return module
