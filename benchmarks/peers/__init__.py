"""What is compared: each peer trains the same networks in the loop its own documentation shows."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from sizes import SIZES, Size

Train = Callable[[int], float]


class Peer(NamedTuple):
    """A module of this package with ``build(size, **options)``, and what its process needs."""

    module: str
    options: dict[str, object] = {}
    environment: dict[str, str] = {}
    sizes: tuple[str, ...] = tuple(SIZES)

    def build(self, size: Size) -> Train:
        """Give the function that trains for some epochs and returns the last loss, when all work is done."""
        return importlib.import_module(f"peers.{self.module}").build(size, **self.options)


PEERS = {
    "jdl": Peer("jdl_run"),
    "jax-step": Peer("handwritten", {"loop": "step"}),
    "jax-scan": Peer("handwritten", {"loop": "scan"}),
    "jax-scan-devices": Peer("handwritten", {"loop": "devices"}),
    "flax-nnx": Peer("flax_nnx"),
    "flax-linen": Peer("flax_linen"),
    "equinox": Peer("equinox_modules"),
    "haiku": Peer("haiku_transforms"),
    "keras": Peer("keras_fit", environment={"KERAS_BACKEND": "jax"}),
    "torch-1": Peer("torch_eager", {"threads": 1}, {"OMP_NUM_THREADS": "1"}),
    "torch-2": Peer("torch_eager", {"threads": 2}, {"OMP_NUM_THREADS": "2"}),
    "scikit-learn": Peer("sklearn_fit", sizes=("mlp32", "mlp128")),
}
HANDWRITTEN = ("jax-step", "jax-scan", "jax-scan-devices")
