"""``jdl export``: a saved model as one file that runs without jdl."""

import argparse

from jdl import io


def run(options: argparse.Namespace) -> None:
    """Write the artefact: ONNX where its name ends so, else StableHLO, its columns and classes beside it."""
    out = options.out or options.model / "model.stablehlo"
    model = io.load(options.model)
    if out.suffix.lower() == ".onnx":
        io.export_onnx(model, out)
        print(f"written to {out}; its columns and classes are in its metadata")
    else:
        io.export(model, out)
        print(f"written to {out}, its columns and classes to {out}.json")
