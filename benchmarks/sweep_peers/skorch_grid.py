"""skorch: a module of PyTorch under ``GridSearchCV``."""

from collections.abc import Callable

import torch
from skorch import NeuralNetClassifier

from sweep_peers import Trained
from sweep_peers.cases import Case
from sweep_peers.sklearn_grid import searched
from sweep_peers.torch_loop import mlp


class Network(torch.nn.Module):
    """The network, whose starting values a seed draws, so that the grid can hold it."""

    def __init__(self, widths: tuple[int, ...], seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = mlp(widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        return self.body(x)


def build(case: Case) -> Callable[[], Trained]:
    """Two processes, no callbacks, no validation rows."""
    columns = case.numbers.shape[1] + sum(case.sizes)
    network = NeuralNetClassifier(
        Network,
        module__widths=(columns, *case.widths, case.classes),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        max_epochs=case.epochs,
        batch_size=case.batch,
        iterator_train__shuffle=True,
        iterator_valid__batch_size=-1,
        train_split=None,
        callbacks="disable",
        verbose=0,
    )
    labelled = case._replace(y=case.y.astype("int64"))
    return lambda: searched(labelled, network, "lr", {"module__seed": list(range(case.seeds))})
