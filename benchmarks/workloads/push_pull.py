"""Throughput of one PUSH to one PULL, measured where it arrives."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.engines.base import Engine, Socket
from benchmarks.processes import Pair
from benchmarks.workloads.point import CPU, Metric, Outcome, Point, warm_up

CPU_SIZE = 128


class PushPull(Point):
    first_count = 2000

    def __init__(self, size: int) -> None:
        self.size = size
        self.key = f"push_pull_{size}"
        self.title = f"PUSH/PULL {size} B"
        rate = Metric("rate", "throughput", "/s", True)
        self.metrics = (rate, CPU) if size == CPU_SIZE else (rate,)

    def prepare(self, pair: Pair) -> None:
        pair.open(self.size, "PULL", "PUSH")

    def run(self, pair: Pair, count: int, deadline: float) -> Outcome:
        warm = warm_up(count)
        pair.server.start("push_pull.receive", deadline, warm=warm, count=count)
        pair.client.call("push_pull.send", deadline, size=self.size, count=warm + count)
        seconds = pair.server.result(deadline)
        return Outcome(seconds, warm + count, {"rate": (count - 1) / seconds})


def send(_engine: Engine, sockets: Sequence[Socket], size: int, count: int) -> None:
    sockets[0].send_many(b"x" * size, count)


def receive(_engine: Engine, sockets: Sequence[Socket], warm: int, count: int) -> float:
    """Seconds from the first measured message to the last."""
    [socket] = sockets
    socket.receive_many(warm + 1)
    start = time.perf_counter()
    socket.receive_many(count - 1)
    return time.perf_counter() - start


def points(sizes: Sequence[int], quick: bool) -> list[Point]:
    return [PushPull(size) for size in sizes]
