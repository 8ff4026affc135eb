"""`jdl serve` asked by Schemathesis, which makes requests of its OpenAPI description, good and malformed.

python benchmarks/serve_fuzz.py [--model DIR] [--examples 1000]

It prints how many requests got which status, and exits with 1 for any answer of 5xx, any that is not as
described, and any malformed request that was answered. Needs the extra `bench-serve`.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from serve_process import served, trained

# Text is no more than described as text: 422 for one that is no number is as described.
CONFIG = "[checks]\npositive_data_acceptance.expected-statuses = [200, 422]\n"


def main() -> int:
    """Run it, print counts, give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--examples", type=int, default=1000)
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder, report = options.model or Path(scratch) / "adult", Path(scratch) / "report"
        if options.model is None:
            trained(folder, "--epochs", "3")
        config = Path(scratch) / "schemathesis.toml"
        config.write_text(CONFIG)
        with served(folder) as port:
            command = [Path(sys.executable).parent / "schemathesis", "--config-file", config, "run"]
            command += [f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--continue-on-failure"]
            command += ["--max-examples", str(options.examples), "--report", "ndjson", "--report-dir", report]
            done = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True, cwd=scratch
            )
        (events,) = report.glob("*.ndjson")
        statuses = Counter(
            status for line in events.read_text().splitlines() for status in _statuses(json.loads(line))
        )
    print(done.stdout[done.stdout.find("= SUMMARY") :] if done.returncode == 0 else done.stdout)
    print("answers by status:", dict(sorted(statuses.items())))
    return 1 if done.returncode or any(status >= 500 for status in statuses) else 0


def _statuses(event: Any) -> Iterator[int]:
    if isinstance(event, dict):
        if isinstance(event.get("status_code"), int):
            yield event["status_code"]
        for part in event.values():
            yield from _statuses(part)
    elif isinstance(event, list):
        for part in event:
            yield from _statuses(part)


if __name__ == "__main__":
    sys.exit(main())
