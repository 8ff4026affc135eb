"""What the command line takes, and the help that teaches it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

TABLES = "CSV, TSV, Parquet, Arrow or JSON lines; a folder or a pattern of such files"
SHELLS = ("bash", "zsh")
CODES = "Exit codes: 0 done, 2 bad input (said in one line), 130 interrupted."
EXAMPLES = {
    "demo": """
  jdl demo                                  train, score and save; half a minute
  jdl predict adult-model people.csv        what it predicts of other people""",
    "schema": """
  jdl schema train.csv                      what each column is, and why
  jdl schema train.csv --target price --out schema.json
  jdl fit train.csv --schema schema.json    after editing it by hand""",
    "fit": """
  jdl fit train.csv --target price
  jdl fit train.csv --target price --model realmlp --out prices
  jdl fit train.csv --target price epochs=20 widths=256,256
  jdl fit train.csv --target price --show-config > fit.toml
  jdl fit train.csv --config fit.toml dropout=0.3

key=value words are hyper-parameters of the network; --config takes them from the table [hyper] of a TOML
file, which may hold target, model, task and seed as well. What the command line says goes before the file,
and the file before the network's own defaults.""",
    "sweep": """
  jdl sweep train.csv --target price
  jdl sweep train.csv --target price --configs 32 --folds 10 --time-budget 600
  jdl sweep train.csv --target price 'learning_rate=log_uniform(1e-4, 1e-2)' 'widths=choice(64,64 | 256,256)'
  jdl sweep train.csv --target price --search halving epochs=50

All configurations are trained on all folds of the training rows in one go, the network's defaults among
them (but with --search optuna, which proposes its own). The best is then trained and scored on held-out rows
as jdl fit does. key=value words fix a hyper-parameter or say what to try: uniform(low, high),
log_uniform(low, high), integer(low, high), choice(a | b | …). Without a range, the learning rate, the weight
decay, the dropout and others of the network's that are continuous are tried around their defaults.""",
    "predict": """
  jdl predict model new.csv                 CSV to standard output
  jdl predict model new.parquet --out predictions.parquet""",
    "report": """
  jdl report model labelled.csv             a page of HTML: how good it is, and where it is weak""",
    "serve": """
  jdl serve model                           http://127.0.0.1:8000 shows what it takes; needs jdl[serve]
  jdl serve model --port 9000""",
    "export": """
  jdl export model                          one StableHLO file: needs JAX, not jdl
  jdl export model --out model.onnx         one file for ONNX Runtime; writing it needs jdl[onnx]""",
    "completion": """
  jdl completion bash > ~/.local/share/bash-completion/completions/jdl      needs jdl[completion]
  jdl completion zsh > ~/.zfunc/_jdl                                        where fpath has ~/.zfunc""",
}


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    whole = argparse.ArgumentParser(
        prog="jdl",
        description="Honest models of tables, from one command.",
        epilog="jdl COMMAND --help tells more, with examples. " + CODES,
    )
    commands = whole.add_subparsers(dest="command", required=True)

    demo = _command(commands, "demo", "train on the Adult census table and score the official test rows")
    demo.add_argument(
        "--out", type=Path, default=Path("adult-model"), help="folder of the model (adult-model)"
    )
    fit = _command(commands, "fit", "train on a table", "[key=value …]")
    sweep = _command(
        commands, "sweep", "try many configurations of a network by cross-validation", "[key=value …]"
    )
    for command in (fit, sweep):
        _of_training(command)
    fit.add_argument(
        "--show-config", action="store_true", help="print what would be trained as TOML, and train nothing"
    )
    _of_sweep(sweep)

    schema = _command(commands, "schema", "tell what the columns of a table are, and why")
    schema.add_argument("table", type=Path, metavar="TABLE", help=TABLES)
    schema.add_argument("--target", nargs="+", metavar="COLUMN", help="the column to predict, or several")
    schema.add_argument("--out", type=Path, metavar="FILE", help="write it as JSON, to be edited by hand")
    schema.add_argument("--json", action="store_true", help="print it as JSON")

    for command in (demo, fit, sweep):
        command.add_argument(
            "--seed", type=_whole(0, 0xFFFFFFFF), metavar="N", help="of all random choices (0)"
        )
        command.add_argument(
            "--model",
            metavar="NAME",
            help="the network: realmlp, tabm, … ('?' names all; the best default)",
        )
        command.add_argument("--epochs", type=_whole(1), metavar="N", help="passes over the training rows")
        command.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    report = _command(commands, "report", "judge a saved model on labelled rows, as a page of HTML")
    report.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    report.add_argument("table", type=Path, metavar="TABLE", help=f"with the target: {TABLES}")
    report.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write it (report.html in the model's folder)"
    )

    export = _command(commands, "export", "write a saved model as one file that runs without jdl")
    export.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    export.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write it (model.stablehlo in the model's folder)"
    )

    serve = _command(commands, "serve", "answer requests for predictions over HTTP")
    serve.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    serve.add_argument(
        "--port", type=_whole(0, 65535), default=8000, metavar="N", help="0 takes a free one (8000)"
    )
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="of this machine (127.0.0.1)")

    completion = _command(commands, "completion", "print what makes a shell complete jdl's commands")
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))

    predict = _command(commands, "predict", "apply a saved model to a table")
    predict.add_argument("model", type=Path, metavar="DIR", help="folder of the model")
    predict.add_argument("table", type=Path, metavar="TABLE", help=TABLES)
    predict.add_argument(
        "--out", type=Path, metavar="FILE", help=".csv or .parquet; CSV to standard output unless given"
    )
    return whole


def _command(commands: Any, name: str, purpose: str, more: str = "") -> argparse.ArgumentParser:
    """Add a command whose help gives examples."""
    made = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"Examples:{EXAMPLES[name]}\n\n{CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if more:
        made.usage = f"jdl {name} TABLE --target COLUMN [options] {more}"
    return made


def _of_training(command: argparse.ArgumentParser) -> None:
    command.add_argument("table", type=Path, metavar="TABLE", help=TABLES)
    goal = command.add_mutually_exclusive_group()
    goal.add_argument("--target", nargs="+", metavar="COLUMN", help="the column to predict, or several")
    goal.add_argument(
        "--schema", type=Path, metavar="FILE", help="what the columns are, as jdl schema --out wrote it"
    )
    command.add_argument("--task", choices=("classification", "regression"), help="inferred unless given")
    command.add_argument("--config", type=Path, metavar="FILE", help="TOML of options and hyper-parameters")
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the model (TABLE's name and -model)"
    )


def _of_sweep(command: argparse.ArgumentParser) -> None:
    command.add_argument("--configs", type=_whole(1), default=16, metavar="N", help="configurations (16)")
    command.add_argument("--folds", type=_whole(2), default=5, metavar="N", help="of the training rows (5)")
    command.add_argument(
        "--seeds", type=_whole(1), default=1, metavar="N", help="runs of each on each fold (1)"
    )
    command.add_argument(
        "--search",
        choices=("random", "halving", "optuna"),
        default="random",
        help="all to the end; the poor ones given up early; or proposed by what the others scored (random)",
    )
    command.add_argument("--time-budget", type=_whole(1), metavar="S", help="seconds for the configurations")
    command.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep what is trained, so that a killed sweep goes on"
    )


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Make the reader of a whole number within bounds."""
    needed = f"of at least {low}" if high is None else f"from {low} to {high}"

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"found {text!r}, needs a whole number {needed}")
        return int(text)

    return read
