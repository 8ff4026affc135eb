"""``jdl export``: a saved model as one file that runs without jdl."""

import argparse

from jdl import io


def run(options: argparse.Namespace) -> None:
    """Write the artefact, and what its columns and classes are called beside it."""
    out = options.out or options.model / "model.stablehlo"
    io.export(io.load(options.model), out)
    print(f"written to {out}, its columns and classes to {out}.json")
