"""The server's process."""

import gc
import signal
import socket
import sys

import uvicorn

from jdl.io import Model, ModelError
from jdl.serve.app import application
from jdl.serve.limits import Limits

_IDLE = 30  # seconds that a connection without a request is kept
_LAST = 10  # seconds that requests have to end in when the server does
_BACKLOG = 2048  # connections that wait to be taken


def serve(model: Model, host: str = "127.0.0.1", port: int = 8000, limits: Limits | None = None) -> None:
    """Answer requests until SIGTERM or SIGINT; those that were begun are answered before the process ends.

    Port 0 takes a free one. It must run in the main thread. Needs the extra ``serve``.

    Raises:
        ModelError: an address that cannot be used, or a model whose answers are not finite numbers.
    """
    with _bound(host, port) as listener:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        app = application(model, limits)
        gc.collect()
        gc.freeze()  # what is there now stays: to look through its millions of objects takes 0.2 s each time
        listener.listen(_BACKLOG)
        address = f"[{host}]" if ":" in host else host
        port = listener.getsockname()[1]
        print(f"{model!r}\nserved at http://{address}:{port}; Ctrl-C ends it", flush=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=_LAST,
            backlog=_BACKLOG,
        )
        uvicorn.Server(config).run([listener])


def _bound(host: str, port: int) -> socket.socket:
    """Take the address, before the time that compiling takes; nobody can connect yet."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ModelError(f"{host}:{port}: {reason}; choose another host or port") from None
    return listener
