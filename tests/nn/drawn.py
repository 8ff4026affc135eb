"""Random numbers, parameters none of which is special, and the equations of a program."""

import jax
import jax.numpy as jnp
import numpy as np

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def random_params(net, *inputs):
    """Parameters none of which is zero or one, and the state."""
    params, state = net.init(KEY, *inputs)
    return jax.tree.map(lambda leaf: jnp.asarray(normal(*leaf.shape)), params), state


def equations(jaxpr):
    """Give every equation of a jaxpr and of those inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)
