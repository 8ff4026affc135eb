"""Requests that wait for the one thread that predicts: it takes all that are there at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from jdl.serve.answer import Answer
from jdl.serve.body import Request
from jdl.serve.refused import Refused

TOGETHER = 256  # requests predicted at once at most

Answers = Callable[[list[Request]], list[Answer | Refused]]


class Waiting:
    """A line with ``most`` places. While some requests are predicted others come, and go together next."""

    def __init__(self, answers: Answers, most: int) -> None:
        self._answers, self._most, self._taken = answers, most, 0
        self._line: deque[tuple[Request, asyncio.Future[Answer]]] = deque()
        self._came = asyncio.Event()

    def __len__(self) -> int:
        return self._taken

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place, from before the body is read; raises ``Refused`` with 429 where none is free."""
        if self._taken >= self._most:
            message = f"{self._taken} requests are waiting; come again in a second"
            raise Refused(429, message, headers={"Retry-After": "1"})
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def ask(self, request: Request) -> Answer:
        """Wait for the answer; raises ``Refused`` for a request that has none."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._line.append((request, answer))
        self._came.set()
        return await answer

    async def work(self) -> None:
        """Answer until cancelled; the event loop is free meanwhile."""
        with ThreadPoolExecutor(1, "jdl-predict") as thread:
            while True:
                await self._came.wait()
                self._came.clear()
                while self._line:
                    await self._answer_some(thread)

    async def _answer_some(self, thread: ThreadPoolExecutor) -> None:
        taken = [self._line.popleft() for _ in range(min(len(self._line), TOGETHER))]
        asked = [request for request, _ in taken]
        try:
            loop = asyncio.get_running_loop()
            found: list = await loop.run_in_executor(thread, self._answers, asked)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a defect, or polars' panic, which is no Exception: others go on
            defect = RuntimeError("the requests could not be answered")
            defect.__cause__ = error
            found = [defect] * len(taken)
        for (_, answer), one in zip(taken, found, strict=True):
            if answer.done():  # whoever asked has gone
                continue
            if isinstance(one, Exception):
                answer.set_exception(one)
            else:
                answer.set_result(one)
