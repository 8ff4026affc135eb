"""One XLA device per core on a CPU: XLA's own thread pool hardly parallelises a training step."""

import logging
import os
from collections.abc import Mapping

import jax

VARIABLE = "JDL_CPU_DEVICES"
_UNSET = -1  # the default of jax_num_cpu_devices


def cores() -> int:
    """Count the cores this process may use."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS or Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def wanted(environ: Mapping[str, str]) -> int | None:
    """Give the number of CPU devices to ask for; None leaves JAX's setting alone.

    The variable ``JDL_CPU_DEVICES`` goes first (a number; 0 or ``off``: leave alone), then what the user
    set for JAX itself, then one device per core.

    >>> wanted({"JDL_CPU_DEVICES": "3"})
    3
    >>> wanted({"JDL_CPU_DEVICES": "off"}) is None
    True
    """
    text = environ.get(VARIABLE, "").strip().lower()
    if text:
        if text == "off":
            return None
        if not text.isdecimal():
            needed = "needs a number of devices, or 0 or 'off' to leave JAX alone"
            raise ValueError(f"{VARIABLE}: found {text!r}, {needed}")
        return int(text) or None
    if jax.config.jax_num_cpu_devices != _UNSET:  # type: ignore[attr-defined]
        return None
    if "xla_force_host_platform_device_count" in environ.get("XLA_FLAGS", ""):
        return None
    return cores()


def configure() -> None:
    """Ask JAX for one CPU device per core; where JAX already runs with fewer, say so and go on."""
    number = wanted(os.environ)
    if number is None:
        return
    try:
        jax.config.update("jax_num_cpu_devices", number)
    except RuntimeError:  # JAX already runs; there is no public way to ask beforehand
        if jax.default_backend() == "cpu" and jax.local_device_count() < number:
            logging.getLogger("jdl").warning(
                "JAX was already running, with %d of %d CPU devices: training uses these. "
                "Import jdl before the first JAX computation to use all",
                jax.local_device_count(),
                number,
            )
