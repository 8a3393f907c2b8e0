"""receive, poll, the wait_ methods and monitors: whoever stops waiting takes nothing along."""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import partial
from typing import Any, Callable

import gevent
import pytest

import omq_gevent as omq

Steps = Generator[Any, Any, None]
SENDERS = {
    "PULL": "PUSH",
    "DEALER": "DEALER",
    "PAIR": "PAIR",
    "ROUTER": "DEALER",
    "SUB": "PUB",
    "XSUB": "XPUB",
    "XPUB": "XSUB",
    "REP": "REQ",
}


def ready(rig: Any, scheme: str, kind: str) -> tuple[Any, Any, Callable[[bytes], None]]:
    """A socket, its peer, and what has the peer send one message."""
    options: dict[str, Any] = {"SUB": {"subscribe": b""}, "XSUB": {"subscribe": b""}}.get(kind, {})
    peer_options = {"identity": b"D"} if kind == "ROUTER" else {}
    if kind == "REP":
        peer_options["req_relaxed"] = True
    peer, sock = rig.pair(scheme, SENDERS[kind], kind, peer=options, **peer_options)
    if kind in ("SUB", "XSUB"):
        peer.wait_subscribed(timeout=5)
    return sock, peer, peer.send


def body_of(message: list[bytes]) -> bytes:
    return message[-1]


def receiving(kind: str, scheme: str, timeout: float | None, rig: Any) -> Steps:
    sock, _peer, send = ready(rig, scheme, kind)
    outcome = yield rig.disturb(partial(sock.receive, timeout=timeout), partial(send, b"first"))
    if not outcome.completed:
        assert body_of(sock.receive(timeout=5)) == b"first"
    else:
        assert body_of(outcome.value) == b"first"
    if kind == "REP":
        sock.send(b"answered")
    send(b"after")
    assert body_of(sock.receive(timeout=5)) == b"after"


def two_receive(kind: str, scheme: str, rig: Any) -> Steps:
    """There is one message, and another greenlet waits for it, too."""
    sock, _peer, send = ready(rig, scheme, kind)
    other: list[Any] = []

    def meanwhile() -> None:
        # Without a time limit: when that is over, who waits looks once more.
        other.append(gevent.spawn(sock.receive))
        gevent.sleep(0)
        send(b"first")

    outcome = yield rig.disturb(sock.receive, meanwhile)
    if outcome.completed:
        assert body_of(outcome.value) == b"first"
        send(b"second")
    # Whoever was hit has taken no wake-up along: nothing more is sent for the other one.
    expected = b"second" if outcome.completed else b"first"
    assert body_of(other[0].get(timeout=2)) == expected
    assert not sock.poll(0)


def a_reply(scheme: str, rig: Any) -> Steps:
    req, rep = rig.pair(scheme, "REQ", "REP")
    req.send(b"question")

    def answer() -> None:
        rep.receive(timeout=5)
        rep.send(b"answer")

    outcome = yield rig.disturb(req.receive, answer)
    reply = outcome.value if outcome.completed else req.receive(timeout=5)
    assert reply == [b"answer"]
    req.send(b"next", timeout=5)
    assert rep.receive(timeout=5) == [b"next"]


def iterating(scheme: str, rig: Any) -> Steps:
    """An iterator goes on after a time limit, it does not end as if the socket was closed."""
    sock, _peer, send = ready(rig, scheme, "PULL")
    messages = iter(sock)

    def meanwhile() -> None:
        for number in range(4):
            send(b"%d" % number)
            gevent.sleep(0.001)

    got: list[Any] = []

    def iterate() -> None:
        while len(got) < 4:
            got.append(next(messages))

    yield rig.disturb(iterate, meanwhile)
    with gevent.Timeout(5):
        while len(got) < 4:
            got.append(next(messages))
    assert got == [[b"%d" % number] for number in range(4)]


def full_input(scheme: str, rig: Any) -> Steps:
    """The receiver makes room for a sender, and for a pump, that wait at the high-water mark."""
    sender, sock = rig.pair(scheme, "PUSH", "PULL", peer={"recv_hwm": 2}, send_hwm=2, linger=0)
    sending = gevent.spawn(lambda: [sender.send(b"%d" % n, timeout=5) for n in range(40)])
    got: list[Any] = []

    def receive_many() -> None:
        while len(got) < 40:
            got.append(sock.receive())

    yield rig.disturb(receive_many)
    while len(got) < 40:
        got.append(sock.receive(timeout=5))
    assert got == [[b"%d" % n] for n in range(40)]
    sending.get(timeout=5)


# -- poll ----------------------------------------------------------------------------------


def polling(how: str, timeout: float | None, rig: Any) -> Steps:
    sock, _peer, send = ready(rig, "inproc", "PULL")
    reader, writer = os.pipe()
    outcome = yield rig.disturb(partial(POLLS[how], sock, reader, timeout), partial(send, b"first"))
    os.close(reader)
    os.close(writer)
    if outcome.completed:
        assert outcome.value == sock
    assert sock.receive(timeout=5) == [b"first"]
    assert not sock._engine.routing.received.arrivals.waiting, "nobody polls any more"


def _poller(sock: Any, reader: int, timeout: float | None) -> Any:
    poller = omq.Poller()
    poller.register(sock, omq.POLLIN)
    poller.register(reader, omq.POLLIN)
    [(ready, _events)] = poller.poll(timeout)
    return ready


POLLS: dict[str, Callable[..., Any]] = {
    "poll": lambda sock, _reader, timeout: sock.poll(timeout) and sock,
    "select": lambda sock, reader, timeout: omq.select([sock, reader], [], [], timeout)[0][0],
    "Poller": _poller,
}


def polling_for_room(rig: Any) -> Steps:
    sender, sock = rig.pair("inproc", "PUSH", "PULL", peer={"recv_hwm": 1}, send_hwm=1, linger=0)
    sender.send(b"0")
    sender.send(b"1")
    outcome = yield rig.disturb(partial(sender.poll, None, omq.POLLOUT), sock.receive)
    assert outcome.value in (None, omq.POLLOUT)
    assert not sender._engine.routing._queue.room.waiting
    sender.send(b"2", timeout=5)
    assert [sock.receive(timeout=5) for _ in range(2)] == [[b"1"], [b"2"]]


def polling_in_a_loop(rig: Any) -> Steps:
    """Who polls what is always ready lets others run now and then."""
    sock, _peer, send = ready(rig, "inproc", "PULL")
    send(b"first")

    def poll_often() -> None:
        for _ in range(200):
            assert sock.poll(1)

    yield rig.disturb(poll_often)
    assert sock.receive(timeout=5) == [b"first"]


# -- peers ---------------------------------------------------------------------------------


def coming(scheme: str, timeout: float | None, rig: Any) -> Steps:
    pull = rig.socket("PULL")
    pull.bind(rig.endpoint(scheme))
    push = rig.socket("PUSH")
    outcome = yield rig.disturb(
        partial(pull.wait_connected, 1, timeout), lambda: push.connect(pull.last_endpoint)
    )
    if outcome.completed:
        assert len(pull.peers) == 1
    pull.wait_connected(timeout=5)
    push.send(b"x")
    assert pull.receive(timeout=5) == [b"x"]


def leaving(scheme: str, rig: Any) -> Steps:
    push, pull = rig.pair(scheme, "PUSH", "PULL")
    outcome = yield rig.disturb(pull.wait_disconnected, push.stop)
    if outcome.completed:
        assert not pull.peers
    pull.wait_disconnected(timeout=5)
    again = rig.socket("PUSH")
    again.connect(pull.last_endpoint)
    again.send(b"x")
    assert pull.receive(timeout=5) == [b"x"]


def subscribing(topic: bytes | None, scheme: str, rig: Any) -> Steps:
    sub, pub = rig.pair(scheme, "SUB", "PUB")
    outcome = yield rig.disturb(partial(pub.wait_subscribed, topic), partial(sub.subscribe, b"a"))
    if not outcome.completed:
        pub.wait_subscribed(topic, timeout=5)
    pub.send(b"abc")
    assert sub.receive(timeout=5) == [b"abc"]


# -- monitors ------------------------------------------------------------------------------

EVENTS = 3


def monitoring(how: str, rig: Any) -> Steps:
    """No event is lost, doubled or out of order."""
    pull = rig.socket("PULL")
    monitor = pull.monitor()
    events = iter(monitor)
    take = {
        "get": monitor.get,
        "get with a limit": partial(monitor.get, 5),
        "iteration": partial(next, events),
    }[how]
    seen: list[Any] = []

    def watch() -> None:
        while len(seen) < EVENTS:
            seen.append(take())

    def happen() -> None:
        for number in range(EVENTS):
            pull._engine.emit(f"event {number}")
            gevent.sleep(0)
            gevent.sleep(0.0005)

    yield rig.disturb(watch, happen)
    with gevent.Timeout(5):
        while len(seen) < EVENTS:
            seen.append(take())
    assert [event.kind for event in seen] == [f"event {number}" for number in range(EVENTS)]
    pull.close()
    assert [event.kind for event in monitor] == ["closed", "monitor_stopped"]


SCENARIOS: dict[str, Callable[[Any], Steps]] = {}
for _scheme in ("inproc", "ipc"):
    for _kind in SENDERS:
        SCENARIOS[f"receive, {_kind}, {_scheme}"] = partial(receiving, _kind, _scheme, None)
        SCENARIOS[f"receive, two {_kind} wait, {_scheme}"] = partial(two_receive, _kind, _scheme)
    SCENARIOS[f"receive, REQ, {_scheme}"] = partial(a_reply, _scheme)
    SCENARIOS[f"receive, with a time limit, {_scheme}"] = partial(receiving, "PULL", _scheme, 5)
    SCENARIOS[f"receive, iteration, {_scheme}"] = partial(iterating, _scheme)
    SCENARIOS[f"receive, full queue, {_scheme}"] = partial(full_input, _scheme)
    SCENARIOS[f"wait_connected, {_scheme}"] = partial(coming, _scheme, None)
    SCENARIOS[f"wait_connected, with a time limit, {_scheme}"] = partial(coming, _scheme, 5)
    SCENARIOS[f"wait_disconnected, {_scheme}"] = partial(leaving, _scheme)
    SCENARIOS[f"wait_subscribed, {_scheme}"] = partial(subscribing, None, _scheme)
    SCENARIOS[f"wait_subscribed, a topic, {_scheme}"] = partial(subscribing, b"ab", _scheme)
for _how in POLLS:
    SCENARIOS[_how] = partial(polling, _how, None)
    SCENARIOS[f"{_how}, with a time limit"] = partial(polling, _how, 5)
SCENARIOS["poll for room"] = polling_for_room
SCENARIOS["poll in a loop"] = polling_in_a_loop
for _how in ("get", "get with a limit", "iteration"):
    SCENARIOS[f"monitor, {_how}"] = partial(monitoring, _how)


@pytest.mark.parametrize("name", SCENARIOS)
def test_waiting(name: str, at_every_switch: Any) -> None:
    assert at_every_switch(SCENARIOS[name], name).found
