"""Round trips of one REQ and one REP, one at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.engines.base import Engine, Socket
from benchmarks.processes import Pair
from benchmarks.workloads.point import Metric, Outcome, Point, warm_up

SIZE = 128


class ReqRep(Point):
    first_count = 200

    def __init__(self, size: int) -> None:
        self.size = size
        self.key = f"req_rep_{size}"
        self.title = f"REQ/REP {size} B"
        self.metrics = (
            Metric("p50", "round trip p50", " us", False),
            Metric("p99", "round trip p99", " us", False),
        )

    def prepare(self, pair: Pair) -> None:
        pair.open(self.size, "REP", "REQ")

    def run(self, pair: Pair, count: int, deadline: float) -> Outcome:
        warm = warm_up(count)
        pair.server.start("req_rep.answer", deadline, count=warm + count)
        values = pair.client.call("req_rep.ask", deadline, size=self.size, warm=warm, count=count)
        pair.server.result(deadline)
        return Outcome(values.pop("seconds"), warm + count, values)


def answer(_engine: Engine, sockets: Sequence[Socket], count: int) -> None:
    send = sockets[0].send
    receive = sockets[0].receive
    for _ in range(count):
        send(receive())


def ask(
    _engine: Engine, sockets: Sequence[Socket], size: int, warm: int, count: int
) -> dict[str, float]:
    send = sockets[0].send
    receive = sockets[0].receive
    now = time.perf_counter
    message = b"x" * size
    for _ in range(warm):
        send(message)
        receive()
    trips = []
    for _ in range(count):
        start = now()
        send(message)
        receive()
        trips.append(now() - start)
    seconds = sum(trips)
    trips.sort()
    return {
        "seconds": seconds,
        "p50": trips[count // 2] * 1e6,
        "p99": trips[count * 99 // 100] * 1e6,
    }


def points(sizes: Sequence[int], quick: bool) -> list[Point]:
    return [ReqRep(SIZE)]
