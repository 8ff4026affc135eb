"""``jdl serve``: a saved model behind HTTP."""

import argparse

from jdl import io


def run(options: argparse.Namespace) -> None:
    """Load the model, compile its programs, and answer until the process is told to end."""
    try:
        from jdl.serve import serve
    except ImportError as error:
        raise io.ModelError(str(error)) from error
    serve(io.load(options.model), options.host, options.port)
