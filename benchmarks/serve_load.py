"""Clients of `jdl serve`: each asks again and again over one connection, and checks every answer."""

import asyncio
import json
import time
from collections.abc import Sequence

Bodies = Sequence[bytes]
Expected = Sequence[dict]

HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)
CLOSE = 2e-6  # how far a probability may be off that of the table: programs of other sizes round otherwise


def load(port: int, bodies: Bodies, expected: Expected, clients: int, rounds: int) -> dict[str, float]:
    """Let every client ask ``rounds`` times; give predictions a second, and percentiles in milliseconds."""
    began = time.perf_counter()
    taken = asyncio.run(_all(port, bodies, expected, clients, rounds))
    seconds = time.perf_counter() - began
    times = sorted(1000 * each for part in taken for each in part)
    at = lambda share: round(times[min(int(share * len(times)), len(times) - 1)], 2)
    return {
        "clients": clients,
        "predictions": len(times),
        "per_second": round(len(times) / seconds),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "most_ms": round(times[-1], 2),
    }


async def _all(
    port: int, bodies: Sequence[bytes], expected: Sequence[dict], clients: int, rounds: int
) -> list:
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(
                _client(port, bodies, expected, [(i * rounds + j) % len(bodies) for j in range(rounds)])
            )
            for i in range(clients)
        ]
    return [each.result() for each in running]


async def _client(
    port: int, bodies: Sequence[bytes], expected: Sequence[dict], asked: list[int]
) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for i in asked:
        began = time.perf_counter()
        writer.write(HEAD % len(bodies[i]) + bodies[i])
        said = await reader.readuntil(b"\r\n\r\n")
        length = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        content = await reader.readexactly(length)
        times.append(time.perf_counter() - began)
        _check(said, content, expected[i])
    writer.close()
    await writer.wait_closed()
    return times


def _check(said: bytes, content: bytes, expected: dict) -> None:
    if not said.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{said!r} {content!r}")
    (found,) = json.loads(content)["rows"]
    same = found.keys() == expected.keys() and all(
        abs(found[name] - value) <= CLOSE if isinstance(value, float) else found[name] == value
        for name, value in expected.items()
    )
    if not same:
        raise RuntimeError(f"found {found}, the table gives {expected}")
