"""What `import jdl` loads, sets and promises; each import in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jdl

ROOT = Path(jdl.__file__).parent


def python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter, without any setting of devices but `environ`."""
    settings = {"JDL_CPU_DEVICES", "XLA_FLAGS", "JAX_NUM_CPU_DEVICES"}
    kept = {name: value for name, value in os.environ.items() if name not in settings}
    kept["PYTHONPATH"] = str(ROOT.parent)
    return subprocess.run(
        [sys.executable, "-c", code], env=kept | environ, capture_output=True, text=True, timeout=120
    )


def printed(code: str, **environ: str) -> str:
    result = python(code, **environ)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.strip()


CORES = "from jdl._devices import cores; "
COUNT = "import jax; print(jax.local_device_count('cpu'))"


def test_import_loads_nothing_beyond_jax_and_optax():
    code = "import sys, jax, optax; before = set(sys.modules); import jdl; print(*set(sys.modules) - before)"
    assert set(printed(code).split()) == {"jdl", "jdl._devices"}


def test_networks_load_nothing_heavy():
    heavy = "sklearn, polars, pyarrow, pandas, flax, matplotlib, rich, orbax, torch, tensorflow"
    code = (
        f"import sys, jdl; jdl.nn, jdl.losses, jdl.optim; print(*set({heavy.split(', ')}) & set(sys.modules))"
    )
    assert printed(code) == ""


def test_one_device_per_core():
    cores = printed(CORES + "print(cores())")
    assert cores == str(len(os.sched_getaffinity(0)))
    assert printed("import jdl; " + COUNT) == cores


def test_affinity_counts():
    one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); import jdl; "
    assert printed(one + COUNT) == "1"


@pytest.mark.parametrize("value, count", [("3", 3), ("off", 1), ("0", 1), (" OFF ", 1)])
def test_variable_sets_or_leaves_alone(value, count):
    assert printed("import jdl; " + COUNT, JDL_CPU_DEVICES=value) == str(count)


def test_variable_that_is_no_number():
    result = python("import jdl", JDL_CPU_DEVICES="many")
    assert result.returncode == 1
    message = "JDL_CPU_DEVICES: found 'many', needs a number of devices, or 0 or 'off' to leave JAX alone"
    assert result.stderr.splitlines()[-1] == f"ValueError: {message}"


def test_what_the_user_set_stays():
    assert printed("import jdl; " + COUNT, XLA_FLAGS="--xla_force_host_platform_device_count=5") == "5"
    assert printed("import jdl; " + COUNT, JAX_NUM_CPU_DEVICES="5") == "5"
    assert printed("import jax; jax.config.update('jax_num_cpu_devices', 5); import jdl; " + COUNT) == "5"


def test_running_already_is_said_once():
    run = (
        "import jax; jax.numpy.ones(3); import jdl; import importlib; importlib.import_module('jdl'); "
        + COUNT
    )
    result = python(run, JDL_CPU_DEVICES="3")
    assert (result.returncode, result.stdout.strip()) == (0, "1")
    assert result.stderr.strip() == (
        "JAX was already running, with 1 of 3 CPU devices: training uses these. "
        "Import jdl before the first JAX computation to use all"
    )


def test_running_already_with_enough_devices_is_silent():
    run = "import jax; jax.config.update('jax_num_cpu_devices', 4); jax.numpy.ones(3); import jdl; " + COUNT
    assert printed(run, JDL_CPU_DEVICES="3") == "4"


def test_every_public_name_resolves():
    assert set(jdl.__all__) <= set(dir(jdl))
    for name in jdl.__all__:
        assert getattr(jdl, name) is getattr(jdl, name)


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'jdl' has no attribute 'fitt'"):
        _ = jdl.fitt


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_public_jax(path):
    text = path.read_text()
    for private in ("jax._src", "jax.interpreters", "jnp.empty"):
        assert private not in text
