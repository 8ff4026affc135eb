"""Keras 3 on JAX: a loop over members, in two processes by joblib."""

import functools
from collections.abc import Callable

import keras
from joblib import Parallel, delayed
from keras import layers
from numpy.typing import NDArray

from sweep_peers import Trained
from sweep_peers.cases import Case
from sweep_peers.cost import now
from sweep_peers.prepared import prepared

PROCESSES = 2


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
    """Train a network and give its accuracy on the rows held out."""
    keras.utils.set_random_seed(seed)
    model = restarted((rows.shape[1], *case.widths, case.classes), -(-len(train) // case.batch))
    model.optimizer.learning_rate = rate
    model.fit(rows[train], case.y[train], batch_size=case.batch, epochs=case.epochs, verbose=0)
    found = model.predict_on_batch(rows[held]).argmax(1)
    return (found == case.y[held]).mean()


def restarted(widths: tuple[int, ...], steps: int) -> keras.Model:
    """Give this process's compiled network with new starting values; it compiles once for all members."""
    model = compiled(widths, steps)
    model.set_weights(network(widths).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
    return model


@functools.cache
def compiled(widths: tuple[int, ...], steps: int) -> keras.Model:
    """Make the network and its training step; an epoch in one execution halves what it costs."""
    model = network(widths)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, steps_per_execution=steps)
    model.optimizer.build(model.trainable_variables)
    return model


def network(widths: tuple[int, ...]) -> keras.Model:
    """Make a network of rectified units."""
    first, *hidden, last = widths
    body = [layers.Dense(width, "relu") for width in hidden]
    return keras.Sequential([keras.Input((first,)), *body, layers.Dense(last)])
