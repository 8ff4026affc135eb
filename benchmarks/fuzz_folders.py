"""Corrupted model folders: is each refused with a clear error, quickly and in little memory?

python benchmarks/fuzz_folders.py [--cases 100000] [--seed 0]

A model's three files are truncated, grown, flipped, spliced, swapped and replaced by hostile ones; a part of
the descriptions is then sealed again, as a forger would, with values of any kind put anywhere. A case is
right where `jdl.io.load` raises a ModelError, or where what it gives is the saved model (a change that
changes nothing, or a sealed one that is valid). Anything else, a case of more than five seconds or more than
2 GiB of memory in all is a failure, printed with its number; the exit code is then 1.
"""

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jax

import jdl
from jdl import models
from jdl.data import infer_schema, read_table
from jdl.io import Model, ModelError, files, load, save

NAMES = (files.DESCRIPTION, files.WEIGHTS, files.METRICS)
SLOW, MEMORY = 5.0, 2 * 2**30
VALUES = (
    None, True, -1, 0, 3, 2**31, 10**30, 1e308, -0.5, "", "mlp", "../x", "__import__('os')", [], [1],
    [[[[]]]], {}, {"a": 1}, "\x00", "é" * 1000, [10**9], "1" * 5000,
)  # fmt: skip

Change = Callable[[random.Random, dict[str, bytes]], None]


def main() -> int:
    """Run the cases, print what they came to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as work:
        whole = Path(work) / "whole"
        save(made(), whole)
        content = {name: (whole / name).read_bytes() for name in NAMES}
        expected = load(whole)
        began = time.perf_counter()
        for case in range(options.cases):
            counts[
                one(random.Random(f"{options.seed} {case}"), case, content, Path(work) / "case", expected)
            ] += 1
    for outcome, count in counts.most_common():
        print(f"{count:8,}  {outcome}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{options.cases:,} cases in {time.perf_counter() - began:.0f} s, {peak:.0f} MiB at the peak")
    return int(any(outcome.startswith("FAILED") for outcome in counts) or peak * 2**20 > MEMORY)


def made(widths: tuple[int, ...] = (4,)) -> Model:
    """Train a small model of numbers and categories."""
    frame = read_table(
        {"x": [0.5 * i for i in range(40)], "c": ["a", "b", "c", "d"] * 10, "y": ["n", "y"] * 20}
    )
    schema = infer_schema(frame, "y")
    recipe, hyper = models.recipe(schema, 40, "mlp")
    hyper |= {"widths": widths, "epochs": 3}
    data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    return Model.of(schema, "mlp", hyper, jdl.run(recipe, hyper, jax.random.key(0), data))


def one(draw: random.Random, case: int, content: dict[str, bytes], folder: Path, expected: Model) -> str:
    """Make one folder, try to load it, and say what came of it."""
    changed = dict(content)
    kind = draw.choices(list(CHANGES), [weight for _, weight in CHANGES.values()])[0]
    CHANGES[kind][0](draw, changed)
    lay(folder, changed)
    hostile(draw, folder)
    began = time.perf_counter()
    try:
        found = load(folder)
    except ModelError as error:
        outcome = f"{kind}: refused" if str(error).startswith(str(folder)) else f"FAILED {kind}: {error}"
    except BaseException as error:
        outcome = f"FAILED {kind}: {type(error).__name__}: {error}"
    else:
        outcome = f"{kind}: the same model" if same(found, expected) else f"{kind}: {taken(kind)}"
    if time.perf_counter() - began > SLOW:
        outcome = f"FAILED {kind}: {time.perf_counter() - began:.1f} s"
    if outcome.startswith("FAILED"):
        print(f"case {case}: {outcome[:300]}", file=sys.stderr)
    return outcome[:100]


def same(found: Model, expected: Model) -> bool:
    """Whether two models hold the same arrays and schema."""
    left, right = (jax.tree.leaves((m.params, m.state, m.stats)) for m in (found, expected))
    return found.schema == expected.schema and all(
        a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True)
    )


def taken(kind: str) -> str:
    """What it means that a changed model was loaded."""
    return "a valid model of other words" if kind == "forged" else "FAILED: loaded though changed"


def lay(folder: Path, content: dict[str, bytes]) -> None:
    """Put files in an empty folder."""
    folder.mkdir(exist_ok=True)
    for entry in folder.iterdir():
        entry.unlink()
    for name, part in content.items():
        (folder / name).write_bytes(part)


def hostile(draw: random.Random, folder: Path) -> None:
    """Now and then put a link, a pipe or a folder, or nothing, in a file's place."""
    if draw.random() > 0.02:
        return
    name = draw.choice(NAMES)
    (folder / name).unlink()
    match draw.randrange(3):
        case 0:
            (folder / name).symlink_to(draw.choice(["/etc/passwd", "/dev/zero", f"../whole/{name}", name]))
        case 1:
            os.mkfifo(folder / name)


def flipped(draw: random.Random, content: dict[str, bytes]) -> None:
    """Flip bits."""
    name = draw.choice(NAMES)
    part = bytearray(content[name])
    for _ in range(draw.choice([1, 1, 1, 2, 16])):
        part[draw.randrange(len(part))] ^= 1 << draw.randrange(8)
    content[name] = bytes(part)


def cut(draw: random.Random, content: dict[str, bytes]) -> None:
    """Cut a file off."""
    name = draw.choice(NAMES)
    content[name] = content[name][: draw.randrange(len(content[name]))]


def grown(draw: random.Random, content: dict[str, bytes]) -> None:
    """Let a file go on."""
    name = draw.choice(NAMES)
    content[name] += draw.randbytes(draw.choice([1, 8, 4096]))


def spliced(draw: random.Random, content: dict[str, bytes]) -> None:
    """Put a part of one file into another."""
    name, other = draw.choice(NAMES), draw.choice(NAMES)
    at, first = draw.randrange(len(content[name])), draw.randrange(len(content[other]))
    content[name] = (
        content[name][:at] + content[other][first : first + 64] + content[name][at + draw.randrange(64) :]
    )


def header(draw: random.Random, content: dict[str, bytes]) -> None:
    """Change the header of the arrays, and seal the folder again."""
    part = content[files.WEIGHTS]
    size = int.from_bytes(part[:8], "little")
    match draw.randrange(3):
        case 0:
            part = draw.choice([0, 1, size + 8, 2**40, 2**63]).to_bytes(8, "little") + part[8:]
        case 1:
            words = bytearray(part[8 : 8 + size])
            words[draw.randrange(size)] = draw.randrange(256)
            part = part[:8] + bytes(words) + part[8 + size :]
        case 2:
            entries = json.loads(part[8 : 8 + size])
            entry = entries[draw.choice(list(entries))]
            entry[draw.choice(list(entry))] = draw.choice(VALUES)
            words = json.dumps(entries).encode()
            part = len(words).to_bytes(8, "little") + words + part[8 + size :]
    content[files.WEIGHTS] = part
    sealed(content, json.loads(content[files.DESCRIPTION]))


def forged(draw: random.Random, content: dict[str, bytes]) -> None:
    """Put any value anywhere in the description, and seal it again."""
    body = json.loads(content[files.DESCRIPTION])
    place, step = body, draw.choice([name for name in body if name not in ("seal", "files")])
    while isinstance(place[step], dict | list) and place[step] and draw.random() < 0.9:
        place = place[step]
        step = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
    if isinstance(place, dict) and draw.random() < 0.2:
        del place[step]
    else:
        place[step] = draw.choice(VALUES)
    sealed(content, body)


def sealed(content: dict[str, bytes], body: dict) -> None:
    """Give a description the checksums of what it describes."""
    body.pop("seal", None)
    body["files"] = {name: files.seal(content[name]) for name in NAMES[1:]}
    content[files.DESCRIPTION] = files._json(body | {"seal": files.seal(files._json(body))})


CHANGES: dict[str, tuple[Change, float]] = {
    "flipped": (flipped, 30),
    "cut": (cut, 20),
    "grown": (grown, 20),
    "spliced": (spliced, 24),
    "header": (header, 3),
    "forged": (forged, 3),
}
"""Kinds of corruption, and how often each; sealed ones cost more, as their network has to be looked at."""


if __name__ == "__main__":
    raise SystemExit(main())
