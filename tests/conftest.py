"""Settings of every test run: four emulated devices, quick compiling, and the same examples each time."""

import gc
import os
from importlib.metadata import version
from typing import Any

# Read when jdl is imported; more devices than cores, so that sharding is exercised on any machine.
os.environ["JDL_CPU_DEVICES"] = "4"

# Also beside a GPU, which would be a single device; JAX_PLATFORMS=cuda asks for it.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Tests compile thousands of tiny programs and run each once: code that is quick to make takes half the time.
# Examples compile as users do, so do tests that compare programs bit for bit (``optimised``, tests/quick.py).
# The newest JAX's XLA may not know these flags.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
if version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}".strip()

# Tracing makes objects by the million, nearly all of which live on in caches: to look through them again and
# again for cycles takes an eighth of the time.
gc.set_threshold(100_000, 20, 100)

from hypothesis import settings  # noqa: E402

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=30)
settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what came of torch's modules, wherever they ran, and every other suite's ``summary``."""
    from tests.outside.torch_modules.table import Row, table

    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    for each in reports:
        for name, value in each.user_properties:
            if name == "summary" and each.when == "call":
                terminalreporter.write_line(value)
    rows = [Row(*value) for each in reports for name, value in each.user_properties if name == "torch module"]
    if rows:
        terminalreporter.section("torch's table of modules")
        terminalreporter.write_line(table(rows))
