"""How long `import jdl` takes beyond `import jax, optax`.

Run `python benchmarks/import_time.py`. Pairs of fresh interpreters in turn: a busy machine slows both.
It prints the medians in seconds, and exits with 1 where the promise is broken.
"""

import json
import statistics
import subprocess
import sys

ROUNDS = 15
MEASURE = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def seconds(statement: str) -> float:
    """Time one statement in a fresh interpreter."""
    command = [sys.executable, "-c", MEASURE.format(statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    """Print the medians and whether the promise of 0.3 s holds."""
    base, both = "import jax, optax", "import jax, optax, jdl"
    seconds(both)  # once, so that bytecode and disk caches are warm
    pairs = [(seconds(base), seconds(both)) for _ in range(ROUNDS)]
    beyond = statistics.median(whole - part for part, whole in pairs)
    result = {
        "jax_optax": round(statistics.median(part for part, _ in pairs), 3),
        "jax_optax_jdl": round(statistics.median(whole for _, whole in pairs), 3),
        "beyond": round(beyond, 4),
        "limit": 0.3,
    }
    print(json.dumps(result))
    return 0 if beyond <= result["limit"] else 1


if __name__ == "__main__":
    sys.exit(main())
