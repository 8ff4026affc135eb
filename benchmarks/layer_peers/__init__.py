"""What ``layers.py`` compares: the same layer of each library, forward and backward in a loop."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from layer_peers.cases import CASES, Case

SIZES = CASES  # what ``worker.py`` looks sizes up in
Train = Callable[[int], float]


class Peer(NamedTuple):
    """A module of this package with ``build(case, **options)``, its process's environment, what it lacks."""

    module: str
    options: dict[str, object] = {}
    environment: dict[str, str] = {}
    lacks: tuple[str, ...] = ()

    def build(self, case: Case) -> Train:
        """Give the function that runs ``case.steps`` steps some times over, until all work is done."""
        return importlib.import_module(f"layer_peers.{self.module}").build(case, **self.options)


PEERS = {
    # All JAX peers have one device and XLA's thread pool.
    "jdl": Peer("jdl_layers", environment={"JDL_CPU_DEVICES": "1"}),
    "flax": Peer(
        "flax_layers", lacks=("attention_gqa", "attention_window", "lp_pool", "adaptive_average_pool")
    ),
    "equinox": Peer(
        "equinox_layers", lacks=("attention_gqa", "attention_window", "lp_pool", "instance_norm", "rnn")
    ),
    "torch-1": Peer("torch_layers", {"threads": 1}, {"OMP_NUM_THREADS": "1"}),
    "torch-2": Peer("torch_layers", {"threads": 2}, {"OMP_NUM_THREADS": "2"}),
}
