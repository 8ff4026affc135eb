"""Compile a test's own tiny program fast: code that is quick to make, not to run."""

import functools
from typing import Any

import jax

OPTIONS = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
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
