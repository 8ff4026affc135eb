"""The command ``jdl``: try it, see what a table holds, fit a model of it, predict with it."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from jdl.cli.parser import parser

FLAGS = ("--json", "--show-config", "--help")  # options without a value
WORD = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)=(.*)", re.DOTALL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0, or 2 for bad input, or 130 where it was interrupted.

    What is wrong with the input goes to standard error in one line. Any other exception is a defect of jdl
    and is raised.

    >>> main(["predict", "nowhere", "table.csv"])
    2
    """
    given = list(sys.argv[1:] if argv is None else argv)
    rest, words = _parted(given) if given[:1] in (["fit"], ["sweep"]) else (given, {})
    options = parser().parse_args(rest, argparse.Namespace(hyper=words))
    options.typed = shlex.join(["jdl", *given])
    try:
        import_module(f"jdl.cli.{options.command}").run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("jdl: interrupted; no model was saved", file=sys.stderr)
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


def _parted(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Part ``key=value`` words from the other arguments: neither an option's value, nor a file that is there.

    >>> _parted(["fit", "a.csv", "epochs=3", "--target", "y=z"])
    (['fit', 'a.csv', '--target', 'y=z'], {'epochs': '3'})
    """
    rest: list[str] = []
    words: dict[str, str] = {}
    for word in argv:
        match = WORD.fullmatch(word)
        of_option = bool(rest) and rest[-1].startswith("--") and "=" not in rest[-1] and rest[-1] not in FLAGS
        if match and not of_option and not Path(word).exists():
            words[match[1]] = match[2]
        else:
            rest.append(word)
    return rest, words


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
