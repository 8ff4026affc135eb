"""Training on a table of any size: reading, statistics, an epoch paired with PyTorch, a kill and a resume.

python benchmarks/streaming.py --cache FOLDER [--rows 10_000_000] [--parts reader,statistics,train,resume]

Makes a Parquet table of float32 columns in FOLDER once, 200 bytes a row. Every measurement is a process of
its own that reports its peak memory, and its processors' time, which other processes hardly change; jdl and
PyTorch's hand-written loop take turns over the same files, and a ratio is the median over the turns.
``resume`` kills a run with SIGKILL in the middle of its epoch, takes it up again, and compares all bits with
the run that was never stopped.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

COLUMNS, WIDTH, TARGET = 50, 128, "y"
FILE_ROWS, GROUP_ROWS = 1_000_000, 2**17
PARTS = ("reader", "statistics", "train", "resume")


def options(argv=None):
    """Read the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--cache", type=Path, required=True, help="keeps the table, and runs for a while")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--dispatch", type=int, default=32, help="steps a dispatch")
    parser.add_argument("--devices", type=int, default=None)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def generate(cache: Path, rows: int) -> Path:
    """Write the table, unless it is there: a file a million rows, in row groups of 131,072."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    folder = cache / f"table-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        path = folder / f"{number:04d}.parquet"
        if path.exists():
            continue
        draw = np.random.default_rng(number)
        x = draw.standard_normal((COLUMNS, min(FILE_ROWS, rows - first)), np.float32)
        noise = draw.standard_normal(x.shape[1], np.float32)
        y = x[0] * x[1] + np.abs(x[2]) - x[3] + np.float32(0.1) * noise
        columns = {f"x{i}": column * (i + 1) + i for i, column in enumerate(x)} | {TARGET: y}
        begun = path.with_suffix(".unfinished")
        pa_parquet.write_table(pa.table(columns), begun, row_group_size=GROUP_ROWS)
        os.replace(begun, path)
    return folder


def read(table: Path, batch: int, key: int = 0):
    """Open the table as a stream of ours."""
    import jax

    import jdl

    schema = jdl.data.Schema(
        jdl.data.Target(TARGET, "regression"), tuple(jdl.data.Number(f"x{i}") for i in range(COLUMNS))
    )
    return jdl.data.stream(table, schema, batch, jax.random.key(key))


def standardise():
    """Standardise by the moments of all rows, which merge exactly as Chan, Golub and LeVeque say."""
    import jax.numpy as jnp

    from jdl.features.prepare import Summary, from_summary

    def part(key, rows, target, weight, first=0):
        x = rows["numbers"]
        total = weight.sum()
        mean = weight @ x / total
        return total, mean, weight @ (x - mean) ** 2

    def merge(left, right):
        total = left[0] + right[0]
        step = right[1] - left[1]
        mean = left[1] + step * (right[0] / total)
        return total, mean, left[2] + right[2] + step**2 * (left[0] * right[0] / total)

    def finish(parts):
        return parts[1], jnp.sqrt(parts[2] / parts[0])

    def apply(stats, row, fold=None, key=None):
        return (row["numbers"] - stats[0]) / stats[1]

    return from_summary(Summary(part, merge, finish), apply)


def recipe(batch: int, prepare):
    """The network and its training, as below in PyTorch."""
    import jdl
    from jdl import nn

    net = nn.chain(nn.dense(WIDTH), nn.relu, nn.dense(WIDTH), nn.relu, nn.dense(1), lambda x: x[0])
    return jdl.Recipe(net, jdl.losses.squared_error, jdl.optim.adamw(1e-3), batch, epochs=1, prepare=prepare)


def work_reader(given, table: Path) -> dict:
    """Read an epoch and do nothing with it."""
    batches = read(table, given.batch)
    begun = now()
    rows = sum(int(batch["weight"].sum()) for batch in batches)
    return rate(rows, begun, now())


def work_statistics(given, table: Path) -> dict:
    """Collect the statistics by one and by two threads; all must have the same bits."""
    import jax
    import numpy as np

    import jdl

    prepare, found, told = standardise(), [], {}
    stream = read(table, given.batch)
    jdl.features.collect(prepare, read(min(table.glob("*.parquet")), given.batch))  # compiles
    for partitions in (1, 2):
        begun = now()
        with ThreadPoolExecutor(partitions) as executor:
            found.append(jax.device_get(jdl.features.collect(prepare, stream, executor)))
        took = rate(given.rows, begun, now())
        told |= {f"{partitions} partitions: {name}": took[name] for name in ("s", "core us/row")}
    same = all(map(np.array_equal, *map(jax.tree.leaves, found)))
    return told | {"same bits": same}


def work_train(given, table: Path) -> dict:
    """Train an epoch; the clock runs from the first dispatch to the end, compiling apart."""
    import hashlib

    import jax
    import numpy as np

    import jdl

    prepare, stream = standardise(), read(table, given.batch)
    cached = table.parent / f"{table.name}-stats.npz"
    if not cached.exists():
        stats = jdl.features.collect(prepare, stream)
        np.savez(cached, *stats)
    stats = tuple(map(jax.numpy.asarray, np.load(cached).values()))
    clock = []

    def tell(step, row):
        clock.append((step, now()))
        if given.work == "killed":
            print(step, flush=True)

    done = jdl.loop(
        recipe(given.batch, prepare),
        jax.random.key(1),
        stream,
        stats=stats,
        directory=given.folder,
        steps_per_dispatch=given.dispatch,
        checkpoint_every=max(1, len(stream) // given.dispatch // 8),
        callbacks=(tell,),
        devices=given.devices,
    )
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves((done.params, done.history))]
    digest = hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()
    (first, begun), (last, ended) = clock[0], clock[-1]
    return rate((last - first) * given.batch, begun, ended) | {
        "loss": float(done.history["loss"][-1]),
        "digest": digest[:16],
    }


def work_torch(given, table: Path) -> dict:
    """The same with PyTorch by hand, without its DataLoader: row groups shuffled, and rows within four."""
    import numpy as np
    import pyarrow.parquet as pa_parquet
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Linear(COLUMNS, WIDTH), torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, 1)]
    net = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    mean, std = (torch.arange(COLUMNS) + shift for shift in (0.0, 1.0))
    files = [pa_parquet.ParquetFile(path) for path in sorted(table.glob("*.parquet"))]
    groups = [(file, i) for file in files for i in range(file.num_row_groups)]
    draw = np.random.default_rng(0)
    draw.shuffle(groups)
    names = [*(f"x{i}" for i in range(COLUMNS)), TARGET]
    total = rows = 0
    begun = now()
    for first in range(0, len(groups), 4):
        parts = []
        for file, i in groups[first : first + 4]:
            group = file.read_row_group(i, columns=names)
            parts.append(np.stack([group[name].to_numpy() for name in names], 1))
        window = torch.from_numpy(np.concatenate(parts))
        for chosen in torch.from_numpy(draw.permutation(len(window))).split(given.batch):
            batch = window[chosen]
            loss = ((net((batch[:, :-1] - mean) / std)[:, 0] - batch[:, -1]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
            rows += len(chosen)
    return rate(rows, begun, now()) | {"loss": total / rows}


def now() -> tuple[float, float]:
    """Seconds on the clock, and of all processors in this process."""
    return time.perf_counter(), time.process_time()


def rate(rows: int, begun: tuple[float, float], ended: tuple[float, float]) -> dict:
    """Give rows, seconds, rows a second, and microseconds of a processor a row."""
    seconds, busy = ended[0] - begun[0], ended[1] - begun[1]
    speed = {"rows": rows, "s": round(seconds, 2), "rows/s": round(rows / seconds)}
    return speed | {"core us/row": round(busy / rows * 1e6, 2)}


def command(given, work: str, folder: Path | None = None) -> list[str]:
    """The command of one measurement."""
    more = [] if folder is None else ["--folder", str(folder)]
    more += [] if given.devices is None else ["--devices", str(given.devices)]
    plain = ("cache", "rows", "batch", "dispatch")
    passed = [text for name in plain for text in (f"--{name}", str(getattr(given, name)))]
    return [sys.executable, __file__, "--work", work, *passed, *more]


def measure(given, work: str, folder: Path | None = None) -> dict:
    """Run one measurement in a process of its own, and print what it found."""
    done = subprocess.run(command(given, work, folder), check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{work:12}", "  ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    return found


def resumed(given) -> bool:
    """Whether a run that is killed in the middle of its epoch ends with the bits of one that is not."""
    import shutil

    given.devices = given.devices or 1  # a trial might choose otherwise for the second run
    runs = [given.cache / f"run-{os.getpid()}-{name}" for name in ("whole", "killed")]
    whole = measure(given, "train", runs[0])
    steps = -(-given.rows // given.batch)
    with subprocess.Popen(command(given, "killed", runs[1]), stdout=subprocess.PIPE, text=True) as child:
        while int(child.stdout.readline()) < steps // 2:
            pass
        os.kill(child.pid, signal.SIGKILL)
    found = measure(given, "train", runs[1])
    for run in runs:
        shutil.rmtree(run)
    if found["rows"] >= whole["rows"]:
        raise RuntimeError("the run was killed before its first checkpoint; give it more rows")
    return found["digest"] == whole["digest"]


def main() -> None:
    """Make the table and measure what is asked for."""
    given = options()
    table = generate(given.cache, given.rows)
    if given.work:
        done = globals()[f"work_{given.work.replace('killed', 'train')}"](given, table)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(done | {"peak MiB": peak}))
        return
    for part in ("reader", "statistics"):
        if part in given.parts:
            measure(given, part)
    if "train" in given.parts:
        turns = []
        for i in range(given.repeats):
            order = ("train", "torch") if i % 2 == 0 else ("torch", "train")
            turns.append({work: measure(given, work) for work in order})
        for name in ("rows/s", "core us/row"):
            ratio = median(turn["train"][name] / turn["torch"][name] for turn in turns)
            print(f"jdl / torch, {name}: {ratio:.2f}")
    if "resume" in given.parts:
        print("killed and resumed with the same bits:", resumed(given))


if __name__ == "__main__":
    main()
