"""``jdl completion``: a shell's own script that completes commands, options, files and networks."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from jdl.cli.parser import parser
from jdl.data import DataError


def run(options: argparse.Namespace) -> None:
    """Print the script.

    Raises:
        DataError: shtab is not installed.
    """
    try:
        shtab = import_module("shtab")
    except ImportError as error:
        raise DataError("jdl completion needs the package shtab: pip install 'jdl[completion]'") from error
    whole = parser()
    commands = next(action.choices for action in whole._actions if action.dest == "command")
    for command in dict(commands or {}).values():
        for action in command._actions:
            _complete(action, shtab)
    print(shtab.complete(whole, options.shell))


def _complete(action: argparse.Action, shtab: Any) -> None:
    """Say what a shell offers for an argument: folders, files, or the names of networks."""
    if action.type is Path:
        action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
    elif action.metavar == "NAME":
        from jdl.models import NETWORKS

        action.choices = sorted(NETWORKS)
