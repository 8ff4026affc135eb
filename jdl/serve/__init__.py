"""A saved model behind HTTP: rows in, predictions out. Needs the extra ``serve``."""

from importlib.util import find_spec

for _package in ("starlette", "uvicorn"):
    if find_spec(_package) is None:
        raise ImportError(f"serve: needs {_package}, which is not installed: pip install 'jdl[serve]'")

from jdl.serve.app import application  # noqa: E402
from jdl.serve.limits import Limits  # noqa: E402
from jdl.serve.run import serve  # noqa: E402

__all__ = ["Limits", "application", "serve"]
