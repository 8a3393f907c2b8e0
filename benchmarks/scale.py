"""``python -m benchmarks.scale``: one server and thousands of peers, ours beside zmq.green's."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.processes import Child, Failed
from benchmarks.results import OURS

PEERS_PER_PROCESS = 2500
PATIENCE = 120.0
MATCHES = 20_000


class Figure(NamedTuple):
    """One line of the table; *at_most* is the target for omq_gevent with 10 000 peers."""

    title: str
    unit: str
    at_most: float | None = None


CONNECTED = Figure("all connected", "s", 6.0)
MEMORY = Figure("memory per idle connection", "KiB", 20.0)
ECHO = Figure("one echo to each", "s", 1.5)
IDLE = Figure("CPU while idle", "%", 1.0)
WAKE_UPS = Figure("wake-ups while idle", "1/s")
BACK = Figure("all back after a restart", "s")
PROBE_MEDIAN = Figure("a probe's round trip meanwhile, median", "ms")
PROBE_WORST = Figure("a probe's round trip meanwhile, longest", "ms")
FAN_OUT = Figure("deliveries of a publisher to all", "1/s")
FEW = Figure("PUB send with 100 subscriptions", "us")
MANY = Figure("PUB send with 100 000 subscriptions", "us")

Found = dict[Figure, float]


class Crowd:
    """Client processes that are told to do the same at the same time."""

    def __init__(self, peers: int) -> None:
        count = math.ceil(peers / PEERS_PER_PROCESS)
        self._shares = [peers // count + (index < peers % count) for index in range(count)]
        self._children: list[Child] = []

    def __enter__(self) -> Crowd:
        for _ in self._shares:
            self._children.append(start(OURS))
        return self

    def __exit__(self, *_exc: object) -> None:
        for child in self._children:
            child.kill()

    def connect(self, pattern: str, endpoint: str) -> float:
        each = [{"count": share} for share in self._shares]
        return self.all_do("connect", each, pattern=pattern, endpoint=endpoint)

    def all_do(self, step: str, each: Sequence[dict[str, Any]] = (), **arguments: Any) -> float:
        """Seconds until all processes have done *step*."""
        start_time = time.monotonic()
        self.begin(step, each, **arguments)
        self.wait()
        return time.monotonic() - start_time

    def begin(self, step: str, each: Sequence[dict[str, Any]] = (), **arguments: Any) -> None:
        for index, child in enumerate(self._children):
            own = each[index] if each else {}
            child.start(f"crowd.{step}", PATIENCE, **arguments, **own)

    def done(self) -> bool:
        """Whether all have done what they began."""
        return all(child.finished(0) for child in self._children)

    def wait(self) -> list[Any]:
        """What each has answered."""
        return [child.result(PATIENCE) for child in self._children]


def start(engine: str) -> Child:
    child = Child("benchmarks.child", engine)
    try:
        child.version()
        child.call("crowd.raise_limit")
    except BaseException:
        child.kill()
        raise
    return child


@contextmanager
def server(engine: str, pattern: str, endpoint: str = "tcp://127.0.0.1:*") -> Iterator[Any]:
    """A process with one bound socket, and where it is bound."""
    child = start(engine)
    try:
        yield child, child.call("open", size=16, pattern=pattern, bind=endpoint)
    finally:
        child.kill()


def measure_router(engine: str, peers: int, seconds: float, found: Found) -> None:
    with Crowd(peers) as crowd, Crowd(1) as prober:
        with server(engine, "ROUTER") as (child, endpoint):
            child.call("crowd.start_echo")
            before = child.call("crowd.memory")
            found[CONNECTED] = crowd.connect("DEALER", endpoint)
            found[MEMORY] = (child.call("crowd.memory") - before) / peers / 1024
            found[ECHO] = crowd.all_do("ask_each")
            cpu, switches = child.call("crowd.idle", seconds + PATIENCE, length=seconds)
            found[IDLE] = 100 * cpu / seconds
            found[WAKE_UPS] = switches / seconds
        crowd.all_do("wait_disconnected")
        with server(engine, "ROUTER", endpoint) as (child, _):
            child.call("crowd.start_echo")
            began = time.monotonic()
            crowd.begin("wait_connected")
            prober.connect("DEALER", endpoint)
            prober.begin("probe", length=seconds)
            crowd.wait()
            found[BACK] = time.monotonic() - began
            [times] = prober.wait()
            found[PROBE_MEDIAN] = sorted(times)[len(times) // 2] * 1000
            found[PROBE_WORST] = max(times) * 1000


def measure_fan_out(engine: str, peers: int, messages: int, found: Found) -> None:
    with Crowd(peers) as crowd, server(engine, "PUB") as (child, endpoint):
        crowd.connect("SUB", endpoint)
        _wait_subscribed(crowd, child)
        began = time.monotonic()
        crowd.begin("receive_all")
        child.call("crowd.publish", PATIENCE, count=messages, body="x" * 16)
        child.call("crowd.publish_last")
        crowd.wait()
        found[FAN_OUT] = peers * messages / (time.monotonic() - began)


def measure_subscriptions(engine: str, found: Found) -> None:
    for figure, count in ((FEW, 100), (MANY, 100_000)):
        with Crowd(1) as crowd, server(engine, "PUB") as (child, endpoint):
            crowd.connect("SUB", endpoint)
            crowd.all_do("unsubscribe_all")
            crowd.all_do("subscribe", count=count)
            _wait_subscribed(crowd, child)
            taken = child.call("crowd.publish", PATIENCE, count=MATCHES, body="nobody wants this")
            found[figure] = taken / MATCHES * 1e6


def _wait_subscribed(crowd: Crowd, publisher: Child) -> None:
    """Return when every subscriber has got something, and nothing is under way any more."""
    crowd.begin("receive_all")
    while not crowd.done():
        publisher.call("crowd.publish_last", PATIENCE)
        time.sleep(0.2)
    crowd.wait()
    time.sleep(0.5)
    crowd.all_do("discard")


def show(columns: dict[str, Found]) -> None:
    print(f"{'':42}" + "".join(f"{engine:>14}" for engine in columns))
    for figure in dict.fromkeys(figure for found in columns.values() for figure in found):
        values = [found.get(figure, math.nan) for found in columns.values()]
        line = f"{figure.title + ', ' + figure.unit:42}"
        line += "".join(f"{value:14.4g}" for value in values)
        print(line if figure.at_most is None else f"{line}   (target: {figure.at_most:g})")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of idling, and of probing")
    parser.add_argument("--messages", type=int, default=20, help="that are published to all")
    parser.add_argument("--engines", default=f"{OURS},zmq.green")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a target is missed")
    options = parser.parse_args()
    columns: dict[str, Found] = {}
    good = True
    for engine in options.engines.split(","):
        found = columns[engine] = {}
        for measure, arguments in (
            (measure_router, (options.peers, options.seconds)),
            (measure_fan_out, (options.peers, options.messages)),
            (measure_subscriptions, ()),
        ):
            try:
                measure(engine, *arguments, found)
            except Failed as error:
                print(f"{engine}: {measure.__name__}: {error}", file=sys.stderr)
                good = good and engine != OURS
    print(f"{options.peers} peers")
    show(columns)
    for figure, value in columns.get(OURS, {}).items():
        if figure.at_most is not None and value > figure.at_most:
            print(f"MISSED {figure.title}: {value:.4g} {figure.unit}, target {figure.at_most:g}")
            good = False
    return 1 if options.check and not good else 0


if __name__ == "__main__":
    sys.exit(main())
