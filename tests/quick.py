"""Compile a test's own tiny program fast: code that is quick to make, not to run."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

VARIABLE = "JAX_DISABLE_MOST_OPTIMIZATIONS"
OPTIONS = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_cpu_use_fusion_emitters": False,  # by far the most of the time
}


@functools.cache
def options() -> dict[str, Any]:
    """Give those that the installed XLA has; newer ones have no other way than the emitters."""
    known = {}
    for name, value in OPTIONS.items():
        try:
            jax.jit(lambda x: x).lower(0.0).compile({name: value})
        except jax.errors.JaxRuntimeError as error:
            if "No such compile option" not in str(error):
                raise
        else:
            known[name] = value
    return known


def compiled(function: Any, *args: Any) -> Any:
    """Compile ``jax.jit(function)`` for arguments like ``args``."""
    return jax.jit(function, keep_unused=True).lower(*args).compile(options())


@contextmanager
def optimised() -> Iterator[None]:
    """Compile as users do, in processes begun here too.

    Without XLA's optimisation two programs that compute one sum may differ in its last bit.
    """
    quick = jax.config.read("jax_disable_most_optimizations")
    inherited = os.environ.get(VARIABLE, "0")
    jax.clear_caches()  # of what was compiled the other way
    jax.config.update("jax_disable_most_optimizations", False)
    os.environ[VARIABLE] = "0"
    try:
        yield
    finally:
        os.environ[VARIABLE] = inherited
        jax.config.update("jax_disable_most_optimizations", quick)
        jax.clear_caches()
