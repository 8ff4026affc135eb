"""When a sweep has to end: its time is up, or somebody asked it to."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Watch:
    """A clock with a budget of seconds (None: no end), and whether an interruption was asked for."""

    def __init__(self, budget: float | None) -> None:
        self.began = time.perf_counter()
        self.budget = budget
        self.interrupted = False

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left; none after an interruption."""
        if self.interrupted:
            return 0.0
        return float("inf") if self.budget is None else self.budget - self.seconds

    @property
    def ended(self) -> str:
        """Why a sweep that could not go on ended."""
        return "interrupted" if self.interrupted else f"the time budget of {self.budget} s is used up"


@contextmanager
def watching(budget: float | None) -> Iterator[Watch]:
    """Keep a watch; Ctrl-C and SIGTERM end what it watches after the work in hand, a second one at once."""
    watch = Watch(budget)

    def ask(number: int, frame: FrameType | None) -> None:
        if watch.interrupted:
            raise KeyboardInterrupt
        watch.interrupted = True

    if threading.current_thread() is not threading.main_thread():  # only there can signals be caught
        yield watch
        return
    before: dict[int, Any] = {
        number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
