"""A proxy that ends, however and wherever, has passed on each message or not taken it."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Callable

import gevent
import pytest
from gevent import GreenletExit

import omq_gevent as omq
from omq_gevent.flow import patience

Steps = Generator[Any, Any, None]
MESSAGES = 12


def read(sock: Any, got: list[bytes], count: int) -> None:
    while len(got) < count:
        got.append(sock.receive(timeout=5)[-1])


def rest(sock: Any, got: list[bytes], count: int, proxying: Callable[[], Any]) -> None:
    """Another proxy passes on what the disturbed one has left."""
    running = gevent.spawn(proxying)
    try:
        read(sock, got, count)
    finally:
        running.kill()


class OneWay:
    """PUSH → PULL · PUSH → PULL, with small queues, and what was captured if that is wanted."""

    def __init__(self, rig: Any, scheme: str, capture: bool = False, control: str = "") -> None:
        self.rig = rig
        self.source, self.front = rig.pair(scheme, "PUSH", "PULL", peer={"recv_hwm": 3})
        self.back, self.sink = rig.pair(
            scheme, "PUSH", "PULL", peer={"recv_hwm": 2}, send_hwm=2, linger=0
        )
        self.capture = self.captured = self.control = self.commander = None
        if capture:
            # It gives others a turn after every other message.
            rig.patch.setattr(patience, "YIELD_EVERY", 2)
            self.captured, self.capture = rig.pair("inproc", "SUB", "PUB", subscribe=b"")
            self.capture.wait_subscribed(timeout=5)
        if control:
            self.commander, self.control = rig.pair(
                "inproc", "REQ" if control == "REP" else control, control, linger=0
            )
        self.sent = [b"%d" % number for number in range(MESSAGES)]
        self.got: list[bytes] = []
        for body in self.sent:
            self.source.send(body)

    def proxy(self, control: bool = True) -> None:
        omq.proxy(self.front, self.back, self.capture, self.control if control else None)

    def command(self, word: bytes) -> None:
        if self.commander is not None:
            self.commander.send(word)
            if self.commander.socket_type == "REQ":
                assert self.commander.receive(timeout=5) == [b""]

    def check(self) -> None:
        rest(self.sink, self.got, MESSAGES, partial(self.proxy, control=False))
        assert self.got == self.sent
        with pytest.raises(omq.ReceiveTimeout):
            self.sink.receive(timeout=0.001)
        if self.captured is not None:
            assert [self.captured.receive(timeout=1)[0] for _ in self.sent] == self.sent
            with pytest.raises(omq.ReceiveTimeout):
                self.captured.receive(timeout=0)


def killed(scheme: str, capture: bool, rig: Any) -> Steps:
    """The victim is who called ``proxy``; in the end a closed socket makes it return."""
    way = OneWay(rig, scheme, capture)

    def meanwhile() -> None:
        for count in range(1, 6):
            if not victim_is_over():
                read(way.sink, way.got, count)

    def victim_is_over() -> bool:
        gevent.sleep(0.001)
        return not way.sink.poll(0.01)

    def proxy_for_a_while() -> None:
        with gevent.Timeout(0.03, False):
            way.proxy()

    yield rig.disturb(proxy_for_a_while, meanwhile)
    way.check()


def controlled(kind: str, rig: Any) -> Steps:
    """PAUSE, RESUME and TERMINATE while messages pass."""
    way = OneWay(rig, "inproc", capture=True, control=kind)

    def steer() -> None:
        for word in (b"PAUSE", b"RESUME", b"TERMINATE"):
            gevent.sleep(0)
            if finished:
                return
            way.commander.send(word)
            if kind == "REP":
                try:
                    way.commander.receive(timeout=0.05)
                except omq.ReceiveTimeout:
                    return

    finished: list[bool] = []

    def proxy() -> None:
        try:
            way.proxy()
        finally:
            finished.append(True)

    yield rig.disturb(proxy, steer)
    way.check()


def pump_paused(capture: bool, rig: Any) -> Steps:
    """The greenlet of a direction ends at any place, as PAUSE ends it; RESUME starts another."""
    way = OneWay(rig, "inproc", capture, control="PAIR")
    running = gevent.spawn(way.proxy)

    def pass_on() -> None:
        while len(way.got) < MESSAGES and not running.dead:
            if way.sink.poll(0.005):
                way.got.append(way.sink.receive()[0])
            else:
                way.command(b"RESUME")

    outcome = yield rig.disturb(pass_on, victim=is_pump)
    if isinstance(outcome.thrown, (GreenletExit, type(None))):
        way.command(b"TERMINATE")
        running.get(timeout=5)
    else:
        with pytest.raises(type(outcome.thrown)) as caught:
            running.get(timeout=5)
        assert caught.value is outcome.thrown
    way.check()


def is_pump(greenlet: Any) -> bool:
    args = getattr(greenlet, "args", ())
    return bool(args) and getattr(args[0], "__name__", "") == "_pump"


def both_ways(rig: Any) -> Steps:
    """ROUTER and DEALER: requests one way, replies the other."""
    front, back = rig.socket("ROUTER"), rig.socket("DEALER")
    front.bind(rig.endpoint("inproc"))
    back.bind(rig.endpoint("inproc"))
    rep = rig.socket("REP")
    rep.connect(back.last_endpoint)
    reqs = [rig.socket("REQ") for _ in range(3)]
    for req in reqs:
        req.connect(front.last_endpoint)

    def proxy_for_a_while() -> None:
        with gevent.Timeout(0.02, False):
            omq.proxy(front, back)

    def answer() -> None:
        while True:
            rep.send(rep.receive())

    def talk() -> None:
        for number, req in enumerate(reqs):
            req.send(b"%d" % number)

    serving = gevent.spawn(answer)
    try:
        yield rig.disturb(proxy_for_a_while, talk)
        running = gevent.spawn(omq.proxy, front, back)
        try:
            for number, req in enumerate(reqs):
                assert req.receive(timeout=5) == [b"%d" % number]
                req.send(b"again")
                assert req.receive(timeout=5) == [b"again"]
        finally:
            running.kill()
    finally:
        serving.kill()


SCENARIOS: dict[str, Callable[[Any], Steps]] = {
    "proxy, inproc": partial(killed, "inproc", False),
    "proxy, ipc": partial(killed, "ipc", False),
    "proxy, capture": partial(killed, "inproc", True),
    "proxy, both ways": both_ways,
    **{f"proxy, control {kind}": partial(controlled, kind) for kind in ("PAIR", "REP")},
    "proxy, pump": partial(pump_paused, False),
    "proxy, pump, capture": partial(pump_paused, True),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_proxy(name: str, at_every_switch: Any) -> None:
    assert at_every_switch(SCENARIOS[name], name).found
