"""A problem for optimizers: parameters in two layers, and a gradient with more than one minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

RNG = np.random.default_rng(0)
PARAMS = {
    "dense": {"w": RNG.normal(size=(3, 4)).astype(np.float32), "b": RNG.normal(size=4).astype(np.float32)},
    "head": {"w": RNG.normal(size=(4, 2)).astype(np.float32), "b": RNG.normal(size=2).astype(np.float32)},
}
CENTRE = jax.tree.map(lambda p: RNG.normal(size=p.shape).astype(np.float32), PARAMS)


def gradient(params):
    return jax.tree.map(lambda p, c: jnp.sin(3.0 * (p - c)) + (p - c), params, CENTRE)


def train(optimizer, steps=20, params=PARAMS):
    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(gradient(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), None, steps)[0][0]


def assert_close(found, expected, rtol=1e-5, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)
