"""Who is compared at sweeps; a line here adds a contender.

Each module has ``build(case, **options) -> train``, where ``train() -> Trained`` gives the mean held-out
accuracy of every configuration. ``build`` reads and imports; everything from the rows in memory on is done by
``train``, again at every call, preparation included. All start from the same rows and the same folds, and
train the same networks (64-64 rectified units or 128) by Adam for the same epochs in batches of the same
size, each drawn anew in every epoch, each package with its own starting values; the last epoch is kept.

- jdl: ``jdl.sweep`` as it comes, with ``stop=0``.
- Loops, which train one member after the other in two processes at once, each of one thread:
  scikit-learn's and skorch's under ``GridSearchCV``, a plain loop of PyTorch and one of Keras on JAX. What a
  loop of one's own can share among members it shares: the prepared rows of a fold, and with Keras the
  compiled network, which is set back to new starting values.
- PyTorch stacked: ``torch.func`` (``vmap`` of ``grad``), or batched products written by hand; Adam on the
  stacked parameters with a learning rate for each member; so many members at once, by one process on all
  cores or by two of one thread.
- On a machine with a GPU, jdl, PyTorch and JAX compute there; the plain loop then is one process.
- JAX by hand: ``jit(vmap(train))`` over all members with optax.
- For information, ``jit(vmap(jdl.fit))`` over all members.
"""

import importlib
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep_peers.cases import Case
from sweep_peers.cost import NOTHING, Cost


class Trained(NamedTuple):
    """Mean held-out accuracy of every configuration, and the cost that does not grow with their number."""

    accuracy: NDArray[np.float64]
    fixed: Cost = NOTHING


class Contender(NamedTuple):
    """A module of this package, and what its process needs."""

    module: str
    kind: str
    packages: tuple[str, ...]
    options: dict[str, Any] = {}
    environment: dict[str, str] = {}

    def build(self, case: Case) -> Callable[[], Trained]:
        """Give the function that trains all members of a case."""
        return importlib.import_module(f"sweep_peers.{self.module}").build(case, **self.options)


LOOP, STACKED = "loop", "stacked PyTorch"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
QUIET = {"PYTHONWARNINGS": "ignore"}  # that epochs are few, in every worker


def _stacked() -> dict[str, Contender]:
    """So many members at once, on two threads or in two processes of one thread each."""
    found = {}
    for way, at_once, place in product(("func", "bmm"), (32, 64, None), ("threads", "processes")):
        options = {"way": way, "at_once": at_once, "processes": 1 if place == "threads" else 2}
        name = f"torch-{way}:{at_once or 'all'}:{place}"
        found[name] = Contender("torch_stacked", STACKED, ("torch", "joblib"), options)
    return found


CONTENDERS = {
    "jdl": Contender("jdl_sweep", "jdl", ("jdl", "jax")),
    "sklearn-grid": Contender("sklearn_grid", LOOP, ("scikit-learn",), environment=ONE_THREAD | QUIET),
    "torch-loop": Contender("torch_loop", LOOP, ("torch", "joblib"), environment=ONE_THREAD),
    "skorch-grid": Contender("skorch_grid", LOOP, ("skorch", "torch"), environment=ONE_THREAD | QUIET),
    "keras-loop": Contender(
        "keras_loop", LOOP, ("keras", "jax", "joblib"), environment=ONE_THREAD | {"KERAS_BACKEND": "jax"}
    ),
    **_stacked(),
    "jax-vmap": Contender("jax_vmap", "naive vmap", ("jax", "optax")),
    "jdl-fit-vmap": Contender("jdl_vmap", "information", ("jdl", "jax")),
}
