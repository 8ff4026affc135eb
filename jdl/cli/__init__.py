"""The command ``jdl``: try it, see what a table holds, fit a model of it, predict with it."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

TABLES = "CSV, TSV, Parquet, Arrow or JSON lines; a folder or a pattern of such files"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0, or 2 for bad input, or 130 where it was interrupted.

    What is wrong with the input goes to standard error in one line. Any other exception is a defect of jdl
    and is raised.

    >>> main(["predict", "nowhere", "table.csv"])
    2
    """
    options = parser().parse_args(argv)
    options.typed = shlex.join(["jdl", *(sys.argv[1:] if argv is None else argv)])
    try:
        import_module(f"jdl.cli.{options.command}").run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("jdl: interrupted; nothing was saved", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not isinstance(error, _bad_input()):
            raise
        print(f"jdl: {_message(error)}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    whole = argparse.ArgumentParser(prog="jdl", description="Honest models of tables, from one command.")
    commands = whole.add_subparsers(dest="command", required=True)

    demo = commands.add_parser(
        "demo", help="train on the Adult census table and score the official test rows"
    )
    demo.add_argument(
        "--out", type=Path, default=Path("adult-model"), help="folder of the model (adult-model)"
    )

    fit = commands.add_parser("fit", help="train on a table")
    fit.add_argument(
        "table",
        type=Path,
        metavar="TABLE",
        help="CSV, TSV, Parquet, Arrow, JSON lines; a folder or pattern of them",
    )
    goal = fit.add_mutually_exclusive_group(required=True)
    goal.add_argument("--target", nargs="+", metavar="COLUMN", help="the column to predict, or several")
    goal.add_argument(
        "--schema", type=Path, metavar="FILE", help="what the columns are, as jdl schema --out wrote it"
    )
    fit.add_argument("--task", choices=("classification", "regression"), help="inferred unless given")
    fit.add_argument("--out", type=Path, metavar="DIR", help="folder of the model (TABLE's name and -model)")

    schema = commands.add_parser("schema", help="tell what the columns of a table are, and why")
    schema.add_argument("table", type=Path, metavar="TABLE", help=TABLES)
    schema.add_argument("--target", nargs="+", metavar="COLUMN", help="the column to predict, or several")
    schema.add_argument("--out", type=Path, metavar="FILE", help="write it as JSON, to be edited by hand")
    schema.add_argument("--json", action="store_true", help="print it as JSON")

    for command in (demo, fit):
        command.add_argument(
            "--seed", type=_natural, default=0, metavar="N", help="of all random choices (0)"
        )
        command.add_argument(
            "--model",
            metavar="NAME",
            help="the network: realmlp, tabm, … ('?' names all; the best default)",
        )
        command.add_argument("--epochs", type=_positive, metavar="N", help="passes over the training rows")
        command.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    report = commands.add_parser("report", help="judge a saved model on labelled rows, as a page of HTML")
    report.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    report.add_argument("table", type=Path, metavar="TABLE", help=f"with the target: {TABLES}")
    report.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write it (report.html in the model's folder)"
    )

    export = commands.add_parser("export", help="write a saved model as one file that runs without jdl")
    export.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    export.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write it (model.stablehlo in the model's folder)"
    )

    serve = commands.add_parser("serve", help="answer requests for predictions over HTTP")
    serve.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    serve.add_argument("--port", type=_port, default=8000, metavar="N", help="0 takes a free one (8000)")
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="of this machine (127.0.0.1)")

    predict = commands.add_parser("predict", help="apply a saved model to a table")
    predict.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    predict.add_argument("table", type=Path, metavar="TABLE", help=TABLES)
    predict.add_argument(
        "--out", type=Path, metavar="FILE", help=".csv or .parquet; CSV to standard output unless given"
    )
    return whole


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"found {text!r}, needs a whole number from 0 to 4294967295")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, needs a whole number of at least 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"found {text!r}, needs a whole number from 0 to 65535")
    return int(text)


def _bad_input() -> tuple[type[Exception], ...]:
    """Give the errors that say what to change in the input, and need no traceback."""
    from jdl.data import DataError
    from jdl.io import ModelError
    from jdl.nn import LayerError
    from jdl.train import RecipeError
    from jdl.train.checkpoint import CheckpointError
    from jdl.train.failure import TrainingError

    return DataError, ModelError, LayerError, RecipeError, CheckpointError, TrainingError, OSError


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
