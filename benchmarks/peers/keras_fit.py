"""Keras 3 on JAX: ``compile`` and ``fit``."""

import keras
from keras import layers
from sizes import (
    CLASSES,
    DEPTH,
    DROPOUT,
    HEADS,
    LEARNING_RATE,
    LENGTH,
    VOCABULARY,
    WEIGHT_DECAY,
    Size,
    make_data,
)


def build(size: Size):
    """Call ``fit``, which shuffles and batches."""
    x, y = make_data(size)
    keras.utils.set_random_seed(0)
    model = NETWORKS[size.kind](size)
    model.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def train(epochs: int) -> float:
        return float(model.fit(x, y, batch_size=size.batch, epochs=epochs, verbose=0).history["loss"][-1])

    return train


def mlp(size: Size) -> keras.Model:
    """Two hidden layers."""
    hidden = [layers.Dense(size.width, "relu") for _ in range(2)]
    return keras.Sequential([keras.Input((30,)), *hidden, layers.Dense(2)])


def cnn(size: Size) -> keras.Model:
    """Two convolutions with batch norm, a dense layer with dropout."""
    parts = []
    for width in (size.width, 2 * size.width):
        parts += [layers.Conv2D(width, 3, padding="same"), layers.BatchNormalization(momentum=0.9)]
        parts += [layers.ReLU(), layers.MaxPooling2D(2)]
    parts += [layers.Flatten(), layers.Dense(128, "relu"), layers.Dropout(DROPOUT), layers.Dense(CLASSES)]
    return keras.Sequential([keras.Input((28, 28, 1)), *parts])


class Positions(layers.Layer):
    """Add a learnt vector for each position."""

    def build(self, shape: tuple) -> None:
        self.vectors = self.add_weight(shape=shape[1:], initializer="random_normal")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x + self.vectors


def transformer(size: Size) -> keras.Model:
    """Pre-norm blocks over token and position embeddings."""
    width = size.width
    tokens = keras.Input((LENGTH,), dtype="int32")
    x = Positions()(layers.Embedding(VOCABULARY, width)(tokens))
    for _ in range(DEPTH):
        h = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.MultiHeadAttention(HEADS, width // HEADS)(h, h, use_causal_mask=True)
        h = layers.Dense(4 * width)(layers.LayerNormalization(epsilon=1e-5)(x))
        x = x + layers.Dense(width)(keras.ops.gelu(h, approximate=True))
    return keras.Model(tokens, layers.Dense(VOCABULARY)(layers.LayerNormalization(epsilon=1e-5)(x)))


NETWORKS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
