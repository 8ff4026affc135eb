"""Write down how many of torch's cases apply: ``python -m tests.outside.torch_modules.record_oracle``.

It compares everything, prints the table, what differs and why cases are left out, and writes ``counts.json``.
"""

import json
from pathlib import Path

from tests.outside.torch_modules.cases_oracle import infos
from tests.outside.torch_modules.outcome_oracle import outcome
from tests.outside.torch_modules.table import table


def main() -> None:
    """Compare, print and write."""
    found = {name: outcome(name) for name in sorted(infos())}
    for name, each in found.items():
        print(*each.failures, sep="\n", end="\n" if each.failures else "")
        for reason, count in each.reasons.items():
            print(f"{name}: {count} left out: {reason}")
    print(table([each.row for each in found.values()]))
    counts = {name: [each.row.applicable, each.row.total] for name, each in found.items()}
    lines = (f"  {json.dumps(name)}: {json.dumps(pair)}" for name, pair in counts.items())
    Path(__file__).with_name("counts.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
