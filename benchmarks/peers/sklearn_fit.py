"""scikit-learn: ``MLPClassifier.fit``, whose only optimizer of this family is Adam with an L2 penalty."""

import warnings

from sizes import LEARNING_RATE, WEIGHT_DECAY, Size, make_data
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier


def build(size: Size):
    """Train from the start at each call."""
    x, y = make_data(size)
    warnings.simplefilter("ignore", ConvergenceWarning)  # it says that the epochs asked for are few

    def train(epochs: int) -> float:
        model = MLPClassifier(
            (size.width, size.width),
            batch_size=size.batch,
            learning_rate_init=LEARNING_RATE,
            alpha=WEIGHT_DECAY,
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            random_state=0,
        )
        return float(model.fit(x, y).loss_)

    return train
