"""A deep transformer's first step: its equations beside its shallow twin's, and its CPU time.

Run `python benchmarks/deep.py`. It prints both as JSON, and exits with 1 where a promise is broken.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import optax
from jax.extend.core import jaxprs_in_params

from jdl import nn

KEY = jax.random.key(0)
TEXTS = jax.random.randint(KEY, (8, 32), 0, 64)
LIMITS = {"ratio": 1.2, "seconds": 10.0}


def first_step(depth: int):
    """Give the step of a causal transformer, and what it begins with."""
    block = nn.decoder_block(4, dropout=0.1, rotary=10_000.0)
    net = nn.chain(nn.embed(64, 32), nn.repeat(depth, block), nn.layer_norm(), nn.dense(64))
    optimizer = optax.adam(1e-3)
    params, state = net.init(KEY, TEXTS[0])

    def loss(params, state):
        logits, state = nn.batched(net)(params, state, TEXTS, key=KEY)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, TEXTS)), state

    def step(params, state, opt_state):
        gradient, state = jax.grad(loss, has_aux=True)(params, state)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), state, opt_state

    return step, (params, state, optimizer.init(params))


def equations(jaxpr) -> int:
    """Count the equations of a jaxpr and of those inside it."""
    inner = [sub for equation in jaxpr.eqns for sub in jaxprs_in_params(equation.params)]
    return len(jaxpr.eqns) + sum(map(equations, inner))


def main() -> int:
    """Print the counts and the time, and say whether the promises hold."""
    step, given = first_step(48)
    began = time.process_time()  # of all cores: to trace, to compile and to run
    jax.block_until_ready(jax.jit(step)(*given))
    seconds = time.process_time() - began
    deep, shallow = (
        equations(jax.make_jaxpr(step)(*given).jaxpr) for step, given in map(first_step, (48, 12))
    )
    found = {"equations_48": deep, "equations_12": shallow, "seconds": round(seconds, 2), "limits": LIMITS}
    print(json.dumps(found))
    return 0 if deep <= LIMITS["ratio"] * shallow and seconds <= LIMITS["seconds"] else 1


if __name__ == "__main__":
    sys.exit(main())
