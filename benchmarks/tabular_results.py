"""The results of `tabular.py` on disk: every run as soon as it is made, and what was left out."""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from measure import machine

HERE = Path(__file__).parent

Run = dict[str, Any]


class Results:
    """Runs by ``(table, contender, seed)``, tables by name, notes by ``table/contender``."""

    def __init__(self, path: Path):
        self.path = path
        found = json.loads(path.read_text()) if path.exists() else {}
        self.tables: dict[str, dict] = found.get("tables", {})
        self.notes: dict[str, str] = found.get("notes", {})
        self.runs: list[Run] = found.get("runs", [])

    def of(self, table: str, contender: str) -> list[Run]:
        """Give the runs of a contender on a table, by seed."""
        found = [run for run in self.runs if (run["table"], run["contender"]) == (table, contender)]
        return sorted(found, key=lambda run: run["seed"])

    def holding(self, table: str, contender: str, versions: dict[str, str] | None) -> list[Run]:
        """Give those that were made of the same rows by the same versions (of any, for None)."""
        rows = self.tables[table]["sha256"]
        runs = [run for run in self.of(table, contender) if run["rows"] == rows]
        return [run for run in runs if versions in (None, run["versions"])]

    def add(self, run: Run) -> None:
        """Enter a run in the place of an older one of its seed, and write."""
        key = ("table", "contender", "seed")
        self.runs = [old for old in self.runs if any(old[name] != run[name] for name in key)]
        self.runs.append(run)
        self.write()

    def note(self, table: str, contender: str, text: str | None) -> None:
        """Say what was left out of a contender on a table, or that nothing was; write."""
        self.notes.pop(f"{table}/{contender}", None)
        self.notes |= {f"{table}/{contender}": text} if text else {}
        self.write()

    def write(self) -> None:
        """Write all of it, a run a line, so that no moment leaves half a file."""
        runs = sorted(self.runs, key=lambda run: (run["table"], run["contender"], run["seed"]))
        facts = {"machine": machine(()), "tables": self.tables, "notes": self.notes}
        lines = ",\n".join(f"  {json.dumps(run)}" for run in runs)
        text = json.dumps(facts, indent=1)[:-2] + f',\n "runs": [\n{lines}\n ]\n}}\n'
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(text)
        os.replace(part, self.path)


def versions(packages: Sequence[str]) -> dict[str, str] | None:
    """Give the packages' versions, jdl's with a hash of its source; None where one is not installed."""
    found = {}
    for either in packages:
        for package in either.split("|"):
            with contextlib.suppress(metadata.PackageNotFoundError):
                found[package] = metadata.version(package)
        if not any(package in found for package in either.split("|")):
            return None
    if "jdl" in found:
        found["jdl"] = f"{found['jdl']}+{_source()}"
    return found


def _source() -> str:
    """Give a hash of the library's code, its command line apart."""
    content = hashlib.sha256()
    folder = HERE.parent / "jdl"
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).parts[0] != "cli":
            content.update(path.read_bytes())
    return content.hexdigest()[:8]
