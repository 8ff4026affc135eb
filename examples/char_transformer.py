"""A causal transformer over characters learns the Zen of Python by heart, and recites it.

Its blocks are one function; `nn.repeat` scans over their stacked parameters, so depth costs no compile time.
"""

import contextlib
import io

import jax
import jax.numpy as jnp

import jdl
from jdl import nn

with contextlib.redirect_stdout(io.StringIO()):
    import this  # prints the text, and holds it in rot13

text = "".join(this.d.get(letter, letter) for letter in this.s)
title = text.splitlines()[0]
letters = sorted(set(text))
codes = jnp.array([letters.index(letter) for letter in text])
LENGTH, WIDTH = len(title), 48


@nn.layer
def positions(my, x):
    return x + my.param("w", x.shape, nn.init.normal(0.02))


@nn.constructor
def block(heads, rate):
    mlp = nn.chain(nn.dense(4 * WIDTH), nn.gelu, nn.dropout(rate), nn.dense(WIDTH))

    @nn.layer(norm1=nn.layer_norm(), attend=nn.attention(heads, causal=True), norm2=nn.layer_norm(), mlp=mlp)
    def block(my, x):
        x = x + my.attend(my.norm1(x))
        return x + my.mlp(my.norm2(x))

    return block


network = nn.chain(
    nn.embed(len(letters), WIDTH),
    positions,
    nn.repeat(2, block(heads=4, rate=0.1)),
    nn.layer_norm(),
    nn.dense(len(letters)),
)

# An example is a window of the text; its target the same window one character on, at every position.
starts = jnp.arange(len(text) - LENGTH)
windows = codes[starts[:, None] + jnp.arange(LENGTH + 1)]
data = {"x": windows[:, :-1], "y": windows[:, 1:]}


optimizer = jdl.optim.adamw(jdl.optim.warmup_cosine(5e-3, warmup=50, steps=16 * 26))
recipe = jdl.Recipe(network, jdl.losses.cross_entropy, optimizer, batch_size=32, epochs=16)
run = jax.jit(jdl.fit, static_argnums=0)(recipe, jax.random.key(0), data)

share = jnp.bincount(codes) / len(codes)
print(f"{len(text)} characters, {nn.count(run.params):,} parameters")
print(f"loss of the characters' frequencies: {-jnp.sum(share * jnp.log(share)):.2f} nats a character")
print(f"loss of the transformer: {run.history['loss'][-1]:.2f}")


@jax.jit
def recite(window, keys):
    def one(window, key):
        logits = network(run.params, window)[-1]
        letter = jax.random.categorical(key, logits / 0.3)  # a low temperature: few surprises
        return jnp.append(window[1:], letter), letter

    return jax.lax.scan(one, window, keys)[1]


recited = recite(codes[:LENGTH], jax.random.split(jax.random.key(1), 300))
print(f"\n{title}" + "".join(letters[code] for code in recited))
