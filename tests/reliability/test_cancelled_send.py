"""send, disturbed wherever it waits: either the message is accepted, or nothing has happened."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Callable

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.flow import patience

LARGE = bytes(200_000)  # a few of these fill the buffers of every kernel
Steps = Generator[Any, Any, None]


def wrap(kind: str, body: bytes) -> list[bytes]:
    return [b"D", body] if kind == "ROUTER" else [b"t" + body]


def unwrap(message: list[bytes]) -> bytes:
    return message[-1].lstrip(b"t")


def fill(sock: Any, kind: str, size: int) -> list[bytes]:
    """Send until another message would have to wait; what was sent."""
    sent: list[bytes] = []
    while True:
        body = b"%d " % len(sent)
        try:
            sock.send(wrap(kind, body.ljust(size, b".")), timeout=0)
        except omq.SendTimeout:
            gevent.sleep(0.002)  # the pumps may still find some room
            if not sock.poll(0, omq.POLLOUT):
                return sent
        else:
            sent.append(body)


def number(body: bytes) -> bytes:
    return body.rstrip(b".")


def drain(peer: Any, last: bytes) -> list[bytes]:
    """What the peer receives before *last*."""
    received: list[bytes] = []
    while (body := number(unwrap(peer.receive(timeout=5)))) != last:
        received.append(body)
    return received


def check(sock: Any, kind: str, peer: Any, sent: list[bytes], outcome: Any, taken: Any) -> None:
    """All that was accepted, and nothing else, arrives in order; and the socket still works."""
    reading = gevent.spawn(drain, peer, b"after")
    sock.send(wrap(kind, b"after"), timeout=5)
    expected = sent + [b"victim"] * outcome.completed
    assert taken + reading.get(timeout=5) == expected


PEERS = {
    "PUSH": "PULL",
    "DEALER": "DEALER",
    "PAIR": "PAIR",
    "ROUTER": "DEALER",
    "PUB": "SUB",
    "XPUB": "SUB",
    "XSUB": "XPUB",
}
BLOCKING: dict[str, dict[str, Any]] = {
    "ROUTER": {"router_mandatory": True},
    "PUB": {"on_mute": "block"},
    "XPUB": {"xpub_nodrop": True},
}


def peer_options(kind: str) -> dict[str, Any]:
    options: dict[str, Any] = {"recv_hwm": 2}
    if kind == "ROUTER":
        options["identity"] = b"D"
    elif kind in ("PUB", "XPUB"):
        options["subscribe"] = b""
    return options


def ready(rig: Any, scheme: str, kind: str, **options: Any) -> tuple[Any, Any]:
    sock, peer = rig.pair(
        scheme, kind, PEERS[kind], peer=peer_options(kind), send_hwm=2, linger=0, **options
    )
    if kind in ("PUB", "XPUB"):
        sock.wait_subscribed(timeout=5)
    return sock, peer


def at_the_mark(kind: str, scheme: str, rig: Any) -> Steps:
    """The peer does not read, and its queue is full."""
    sock, peer = ready(rig, scheme, kind, **BLOCKING.get(kind, {}))
    size = 10 if scheme == "inproc" else len(LARGE)
    sent = fill(sock, kind, size)
    taken: list[bytes] = []

    def make_room() -> None:
        while not sock.poll(0.01, omq.POLLOUT):
            taken.append(number(unwrap(peer.receive(timeout=5))))

    outcome = yield rig.disturb(partial(sock.send, wrap(kind, b"victim")), make_room)
    check(sock, kind, peer, sent, outcome, taken)


def patient(kind: str, scheme: str, rig: Any) -> Steps:
    """The same where messages may be dropped: the sender waits a moment for who reads slowly."""
    rig.patch.setattr(patience, "GRACE", 0.03)
    sock, peer = ready(rig, scheme, kind)
    size = 10 if scheme == "inproc" else len(LARGE)
    sent = fill_without_drops(sock, kind, size)
    taken: list[bytes] = []

    def make_room() -> None:
        for _ in range(3):
            taken.append(number(unwrap(peer.receive(timeout=5))))

    outcome = yield rig.disturb(partial(sock.send, wrap(kind, b"victim")), make_room)
    check(sock, kind, peer, sent, outcome, taken)
    assert not sock.stats.dropped


def fill_without_drops(sock: Any, kind: str, size: int) -> list[bytes]:
    [outlet] = sock._engine.routing._outlets.values()
    sent: list[bytes] = []
    while not outlet.full:
        sent.append(b"%d " % len(sent))
        sock.send(wrap(kind, sent[-1].ljust(size, b".")))
        if outlet.full:
            gevent.sleep(0.002)
    return sent


def without_peer(kind: str, scheme: str, rig: Any) -> Steps:
    """With ``immediate`` nothing is accepted while there is nobody."""
    sock = rig.socket(kind, immediate=True, reconnect_interval=0.001)
    sock.connect(endpoint := bindable(rig, scheme))
    peer = rig.socket(PEERS[kind])
    outcome = yield rig.disturb(
        partial(sock.send, wrap(kind, b"victim")), lambda: peer.bind(endpoint)
    )
    sock.wait_connected(timeout=5)
    check(sock, kind, peer, [], outcome, [])


def bindable(rig: Any, scheme: str) -> str:
    """Where somebody may bind later."""
    if scheme != "tcp":
        return str(rig.endpoint(scheme))
    with omq.PULL.bind(rig.endpoint(scheme)) as free:
        return free.last_endpoint


def full_without_peer(kind: str, scheme: str, rig: Any) -> Steps:
    """What was accepted before anybody came fills the queue."""
    sock = rig.socket(kind, send_hwm=3)
    sock.bind(rig.endpoint(scheme))
    sent = fill(sock, kind, 10)
    assert len(sent) == 3
    peer = rig.socket(PEERS[kind])
    outcome = yield rig.disturb(
        partial(sock.send, wrap(kind, b"victim")), lambda: peer.connect(sock.last_endpoint)
    )
    check(sock, kind, peer, sent, outcome, [])


def several_wait(kind: str, scheme: str, rig: Any) -> Steps:
    """Another sender waits for the same room: a victim that was woken takes no room with it."""
    sock, peer = ready(rig, scheme, kind, **BLOCKING.get(kind, {}))
    sent = fill(sock, kind, 10 if scheme == "inproc" else len(LARGE))
    others: list[Any] = []

    def make_room() -> None:
        # Without a time limit: when that is over, who waits looks once more.
        others.append(gevent.spawn(sock.send, wrap(kind, b"other"), None))
        gevent.sleep(0)
        others.append(gevent.spawn(drain, peer, b"after"))
        others[0].get(timeout=2)

    outcome = yield rig.disturb(partial(sock.send, wrap(kind, b"victim")), make_room)
    sock.send(wrap(kind, b"after"), timeout=5)
    received = others[1].get(timeout=5)
    assert received[: len(sent)] == sent
    assert sorted(received[len(sent) :]) == [b"other"] + [b"victim"] * outcome.completed


def paced(kind: str, scheme: str, rig: Any) -> Steps:
    """Now and then a sender that never waits lets the others run."""
    options = {"ROUTER": {"identity": b"D"}, "PUB": {"subscribe": b""}, "XPUB": {"subscribe": b""}}
    sock, peer = rig.pair(
        scheme, kind, PEERS[kind], peer={"recv_hwm": None, **options.get(kind, {})}, send_hwm=None
    )
    if kind in ("PUB", "XPUB"):
        sock.wait_subscribed(timeout=5)
    accepted: list[bytes] = []
    messages = 1800 if kind in ("PUSH", "DEALER", "PAIR") else 600

    def send_many() -> None:
        for index in range(messages):
            sock.send(wrap(kind, b"%d" % index))
            accepted.append(b"%d" % index)

    yield rig.disturb(send_many)
    sock.send(wrap(kind, b"after"), timeout=5)
    assert drain(peer, b"after") == accepted


def dropping(policy: str, rig: Any) -> Steps:
    """Before a message is dropped the writer gets a turn."""
    sock = rig.socket("PUSH", send_hwm=2, on_mute=policy)
    sock.bind(rig.endpoint("inproc"))
    sock.send(b"0")
    sock.send(b"1")
    outcome = yield rig.disturb(partial(sock.send, b"victim"))
    kept = {"drop_newest": [b"0", b"1"], "drop_oldest": [b"1", b"victim"]}[policy]
    peer = rig.socket("PULL")
    peer.connect(sock.last_endpoint)
    sock.send(b"after")
    assert drain(peer, b"after") == (kept if outcome.completed else [b"0", b"1"])
    assert sock.stats.dropped == outcome.completed


def a_question(scheme: str, rig: Any) -> Steps:
    """REQ with nobody to ask, and ``immediate``."""
    req = rig.socket("REQ", immediate=True, reconnect_interval=0.001)
    req.connect(endpoint := bindable(rig, scheme))
    rep = rig.socket("REP")
    outcome = yield rig.disturb(partial(req.send, b"victim"), lambda: rep.bind(endpoint))
    req.wait_connected(timeout=5)
    if not outcome.completed:
        req.send(b"after", timeout=5)  # it is still this side's turn
    asked = rep.receive(timeout=5)
    assert asked == [b"victim" if outcome.completed else b"after"]
    rep.send(asked)
    assert req.receive(timeout=5) == asked


def questions(rig: Any) -> Steps:
    """REQ and REP let others run now and then; a disturbed send leaves the turns as they were."""
    req, rep = rig.pair("inproc", "REQ", "REP")

    def ask_many() -> None:
        for _ in range(300):
            req.send(b"question")
            assert rep.receive(timeout=5) == [b"question"]
            rep.send(b"answer")
            assert req.receive(timeout=5) == [b"answer"]

    yield rig.disturb(ask_many)
    if not rep.poll(0, omq.POLLOUT):  # no question is open
        req.send(b"question", timeout=5)
        assert rep.receive(timeout=5) == [b"question"]
    rep.send(b"the last")
    assert req.receive(timeout=5) == [b"the last"]


def an_answer(scheme: str, rig: Any) -> Steps:
    """REP, when who asked does not read."""
    rig.patch.setattr(patience, "GRACE", 0.03)
    peer, rep = rig.pair(
        scheme, "DEALER", "REP", peer={"send_hwm": 2, "sndbuf": 4096}, recv_hwm=2, linger=0
    )
    [outlet] = rep._engine.routing._outlets.values()
    body = b"." * (10 if scheme == "inproc" else len(LARGE))
    sent: list[bytes] = []
    while not outlet.full:
        peer.send([b"", b"question"])
        rep.receive(timeout=5)
        sent.append(b"%d " % len(sent))
        rep.send(sent[-1] + body)
        if outlet.full:
            gevent.sleep(0.002)
    peer.send([b"", b"question"])
    rep.receive(timeout=5)
    taken: list[bytes] = []

    def make_room() -> None:
        for _ in range(3):
            taken.append(number(unwrap(peer.receive(timeout=5))))

    outcome = yield rig.disturb(partial(rep.send, b"victim"), make_room)
    reading = gevent.spawn(drain, peer, b"after")
    if not outcome.completed:
        rep.send(b"after", timeout=5)  # the question is still there to be answered
    else:
        peer.send([b"", b"question"])
        rep.receive(timeout=5)
        rep.send(b"after", timeout=5)
    expected = sent + [b"victim"] * outcome.completed
    assert taken + reading.get(timeout=5) == expected


SCENARIOS: dict[str, Callable[[Any], Steps]] = {}
for _scheme in ("inproc", "ipc"):
    for _kind in ("PUSH", "DEALER", "PAIR", "ROUTER", "PUB", "XPUB"):
        SCENARIOS[f"send, {_kind} at the mark, {_scheme}"] = partial(at_the_mark, _kind, _scheme)
    for _kind in ("PUSH", "DEALER", "PAIR"):
        SCENARIOS[f"send, {_kind} immediate, {_scheme}"] = partial(without_peer, _kind, _scheme)
        SCENARIOS[f"send, {_kind} full, no peer, {_scheme}"] = partial(
            full_without_peer, _kind, _scheme
        )
    for _kind in ("ROUTER", "PUB", "XPUB"):
        SCENARIOS[f"send, {_kind} patient, {_scheme}"] = partial(patient, _kind, _scheme)
    for _kind in ("PUSH", "ROUTER", "PUB"):
        SCENARIOS[f"send, two {_kind} wait, {_scheme}"] = partial(several_wait, _kind, _scheme)
    SCENARIOS[f"send, REQ immediate, {_scheme}"] = partial(a_question, _scheme)
    SCENARIOS[f"send, REP at the mark, {_scheme}"] = partial(an_answer, _scheme)
SCENARIOS["send, PUSH at the mark, tcp"] = partial(at_the_mark, "PUSH", "tcp")
SCENARIOS["send, PUSH immediate, tcp"] = partial(without_peer, "PUSH", "tcp")
for _kind in PEERS:
    SCENARIOS[f"send, {_kind} paced"] = partial(paced, _kind, "inproc")
for _policy in ("drop_newest", "drop_oldest"):
    SCENARIOS[f"send, PUSH {_policy}"] = partial(dropping, _policy)
SCENARIOS["send, REQ and REP paced"] = questions


@pytest.mark.parametrize("name", SCENARIOS)
def test_send(name: str, at_every_switch: Any) -> None:
    assert at_every_switch(SCENARIOS[name], name).found
