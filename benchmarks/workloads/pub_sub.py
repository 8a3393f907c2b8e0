"""Deliveries of one PUB to several SUB sockets of one process, none of them dropped."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.engines.base import Engine, Socket
from benchmarks.processes import PATIENCE, Failed, Pair
from benchmarks.workloads.point import Metric, Outcome, Point, warm_up

SIZE = 128
SUBSCRIBERS = (1, 10)
PROBE_INTERVAL = 0.01


class PubSub(Point):
    first_count = 1000

    def __init__(self, size: int, subscribers: int) -> None:
        self.size = size
        self.subscribers = subscribers
        self.key = f"pub_sub_{size}_to_{subscribers}"
        self.title = f"PUB to {subscribers} SUB {size} B"
        self.metrics = (Metric("rate", "deliveries", "/s", True),)

    def prepare(self, pair: Pair) -> None:
        pair.open(self.size, "PUB", "SUB", self.subscribers)
        # Not every engine can tell when a subscription has arrived: publish until it shows.
        end = time.monotonic() + PATIENCE
        pair.client.start("pub_sub.join")
        while not pair.client.finished(PROBE_INTERVAL):
            if time.monotonic() > end:
                raise Failed(f"subscribers got nothing within {PATIENCE:.0f} s")
            pair.server.call("pub_sub.publish", body="probe", size=self.size, count=1)
        pair.client.result(0.0)
        pair.server.call("pub_sub.publish", body="start", size=self.size, count=1)
        pair.client.call("pub_sub.skip_to_start", size=self.size)

    def run(self, pair: Pair, count: int, deadline: float) -> Outcome:
        warm = warm_up(count)
        pair.client.start("pub_sub.receive", deadline, warm=warm, count=count)
        pair.server.call("pub_sub.publish", deadline, body="x", size=self.size, count=warm + count)
        seconds = pair.client.result(deadline)
        rate = (count - 1) * self.subscribers / seconds
        return Outcome(seconds, (warm + count) * self.subscribers, {"rate": rate})


def message(body: str, size: int) -> bytes:
    return body.encode().ljust(size)


def publish(_engine: Engine, sockets: Sequence[Socket], body: str, size: int, count: int) -> None:
    sockets[0].send_many(message(body, size), count)


def join(_engine: Engine, sockets: Sequence[Socket]) -> None:
    for socket in sockets:
        socket.receive()


def skip_to_start(_engine: Engine, sockets: Sequence[Socket], size: int) -> None:
    start = message("start", size)
    for socket in sockets:
        while socket.body(socket.receive()) != start:
            pass


def receive(engine: Engine, sockets: Sequence[Socket], warm: int, count: int) -> float:
    """Seconds from the moment all have their first measured message until all have the last."""
    engine.receive_from_all(sockets, warm + 1)
    start = time.perf_counter()
    engine.receive_from_all(sockets, count - 1)
    return time.perf_counter() - start


def points(sizes: Sequence[int], quick: bool) -> list[Point]:
    return [PubSub(SIZE, subscribers) for subscribers in SUBSCRIBERS[: 1 if quick else None]]
