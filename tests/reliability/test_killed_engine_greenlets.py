"""The engine's own greenlets, hit from outside: it costs a connection, never the socket.

But for an error that nobody foresaw, an ``Exception`` which is neither the system's nor the
peer's: that is a bug, and the socket says so from then on.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import partial
from typing import Any, Callable

import gevent
import gevent.socket
import pytest

import omq_gevent as omq
from omq_gevent.mechanisms.null import NULL
from omq_gevent.zmtp import command, frame
from omq_gevent.zmtp.decoder import Decoder
from omq_gevent.zmtp.handshake import Handshake
from omq_gevent.zmtp.socket_type import COMPATIBLE

Steps = Generator[Any, Any, None]
HEARTBEAT = {"heartbeat_interval": 0.004, "heartbeat_timeout": 1.0, "heartbeat_ttl": 1.0}
FAST = {"reconnect_interval": 0.001, "reconnect_jitter": False}


def named(kind: str, role: str) -> Callable[[Any], bool]:
    return lambda greenlet: str(getattr(greenlet, "name", "")).startswith(f"{kind} {role} ")


def is_bug(error: BaseException | None) -> bool:
    return isinstance(error, Exception) and not isinstance(error, OSError)


def is_dead(sock: Any, cause: BaseException) -> bool:
    use = partial(sock.receive, timeout=1) if sock.can_receive else partial(sock.send, b"x")
    with pytest.raises(omq.SocketDead) as caught:
        use()
    return caught.value.__cause__ is cause


# -- both ends are ours --------------------------------------------------------------------


def link(kind: str, role: str, scheme: str, options: dict[str, Any], rig: Any) -> Steps:
    """A link comes up and a few messages pass, one at a time."""
    pull = rig.socket("PULL", **options)
    push = rig.socket("PUSH", linger=0, **FAST, **options)
    endpoint = pull.bind(rig.endpoint(scheme))
    got: list[int] = []

    def receive(seconds: float) -> None:
        while pull.poll(seconds):
            got.append(int(pull.receive(timeout=0)[0]))
            seconds = 0

    def talk() -> None:
        try:
            push.connect(endpoint)
            for number in range(3):
                push.send(b"%d" % number, timeout=5)
                receive(0.03)
                gevent.sleep(options.get("heartbeat_interval") or 0)
        except omq.SocketDead:
            pass

    outcome = yield rig.disturb(talk, victim=named(kind, role))
    victim = {"PULL": pull, "PUSH": push}[kind]
    if outcome.thrown is not None and is_bug(outcome.thrown):
        assert is_dead(victim, outcome.thrown)
        return
    number = 3
    with gevent.Timeout(5, AssertionError("no exchange succeeds any more")):
        while not got or got[-1] < 3:
            push.send(b"%d" % number)
            number += 1
            receive(0.03)
    assert got == sorted(set(got)), "doubled, or out of order"
    if kind == "PUSH" or outcome.thrown is None:
        assert got[:3] == [0, 1, 2], "lost"
    check_one_link(push, pull, rig)


def check_one_link(push: Any, pull: Any, rig: Any) -> None:
    rig.until(lambda: len(pull.peers) == 1 and len(push.peers) == 1)
    rig.until(lambda: len(pull._engine.lifecycles) == 1 and len(push._engine.lifecycles) == 1)


def dialing_late(scheme: str, rig: Any) -> Steps:
    """It dials again and again until somebody listens."""
    push = rig.socket("PUSH", linger=0, **FAST)
    pull = rig.socket("PULL")
    endpoint = rig.endpoint(scheme)
    if scheme == "tcp":
        with omq.PULL.bind(endpoint) as free:
            endpoint = free.last_endpoint

    def connect_and_wait() -> None:
        push.connect(endpoint)
        gevent.sleep(0.008)

    outcome = yield rig.disturb(connect_and_wait, victim=named("PUSH", "dial"))
    pull.bind(endpoint)
    if is_bug(outcome.thrown):
        assert is_dead(push, outcome.thrown)
        return
    push.send(b"found", timeout=5)
    assert pull.receive(timeout=5) == [b"found"]
    check_one_link(push, pull, rig)


def refused_inproc(rig: Any) -> Steps:
    """A second PAIR is refused, and asks again from time to time."""
    endpoint = rig.endpoint("inproc")
    bound, first = rig.socket("PAIR"), rig.socket("PAIR")
    second = rig.socket("PAIR", **FAST)
    bound.bind(endpoint)
    first.connect(endpoint)

    def connect_and_wait() -> None:
        second.connect(endpoint)
        gevent.sleep(0.01)

    yield rig.disturb(connect_and_wait, victim=named("PAIR", "dial"))
    first.close()
    second.wait_connected(timeout=5)
    second.send(b"at last")
    assert bound.receive(timeout=5) == [b"at last"]


# -- a peer that counts every byte ---------------------------------------------------------


class RawPeer:
    """Listens, and keeps what each connection brought up to its end, byte by byte."""

    def __init__(self, socket_type: str, path: str) -> None:
        self._socket_type = socket_type
        self._path = path
        self._listener = gevent.socket.socket(gevent.socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(16)
        self.wires: list[bytes] = []
        self._reading = gevent.spawn(self._accept)
        self._connections: list[Any] = []
        self._sockets: list[Any] = []

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            self._sockets.append(sock)
            self._connections.append(gevent.spawn(self._read, sock, len(self.wires)))
            self.wires.append(b"")

    def _read(self, sock: Any, index: int) -> None:
        handshake = Handshake(
            socket_type=self._socket_type,
            compatible=frozenset(COMPATIBLE),
            identity=b"R",
            mechanism=NULL,
            as_server=False,
        )
        try:
            sock.sendall(handshake.start())
            while not handshake.done:
                data = sock.recv(4096)
                if not data:
                    return
                sock.sendall(handshake.receive(data))
            self.wires[index] = handshake.remainder
            if self._socket_type == "SUB":
                sock.sendall(frame.encode_command(command.subscribe(b"")))
            while data := sock.recv(16 * 1024):
                self.wires[index] += data
        except OSError:
            pass
        finally:
            sock.close()

    def messages(self) -> list[list[list[bytes]]]:
        return [Decoder(None).feed(wire) for wire in self.wires]

    def has(self, message: list[bytes]) -> bool:
        end = frame.encode_message(message)
        return any(wire.endswith(end) for wire in self.wires)

    def close(self) -> None:
        gevent.killall([self._reading, *self._connections])
        for sock in [self._listener, *self._sockets]:
            sock.close()
        os.unlink(self._path)


PEERS = {"PUSH": "PULL", "DEALER": "ROUTER", "PAIR": "PAIR", "PUB": "SUB", "ROUTER": "DEALER"}
SIZES = (40_000, 3, 60_000, 0, 300, 33_000, 1, 50_000)
LAST = [b"R", b"the last"]


def pumping(kind: str, role: str, peers: int, rig: Any) -> Steps:
    """What a connection brought is a beginning of whole messages, and the next one goes on with the
    first of them that was cut."""
    paths = [f"{rig.directory}/{rig.endpoint('inproc')[9:]}" for _ in range(peers)]
    raw = [RawPeer(PEERS[kind], path) for path in paths]
    sock = rig.socket(kind, linger=0, sndbuf=8192, **FAST)
    messages = [
        [b"R", b"%d" % number, os.urandom(4) * (size // 4)] for number, size in enumerate(SIZES)
    ]

    def all_connected() -> None:
        if kind == "PUB":
            rig.until(lambda: sock._engine.routing.subscribed_peers(b"R") == peers)
        else:
            sock.wait_connected(peers, timeout=5)

    def send_all() -> None:
        try:
            for path in paths:
                sock.connect(f"ipc://{path}")
            all_connected()
            for message in messages:
                sock.send(message, timeout=5)
            gevent.sleep(0.005)
        except omq.SocketDead:
            pass

    try:
        outcome = yield rig.disturb(send_all, victim=named(kind, role))
        if outcome.thrown is not None and is_bug(outcome.thrown):
            with pytest.raises(omq.SocketDead):
                sock.send(b"x")
            check_wires(raw, kind, messages)
            return
        with gevent.Timeout(5, AssertionError("the socket does not live")):
            while not any(peer.has(strip(kind, LAST)) for peer in raw):
                all_connected()
                sock.send(LAST)
                gevent.sleep(0.003)
        rig.until(lambda: not sock.stats.send_queued)
        gevent.sleep(0.001)
        numbers = check_wires(raw, kind, messages)
        if kind not in ("PUB", "ROUTER") or outcome.thrown is None:
            assert sorted(numbers) == list(range(len(messages)))
    finally:
        for peer in raw:
            peer.close()


def strip(kind: str, message: list[bytes]) -> list[bytes]:
    """What goes on the wire."""
    return message[1:] if kind == "ROUTER" else message


def check_wires(raw: list[RawPeer], kind: str, messages: list[list[bytes]]) -> list[int]:
    """The messages that have come whole, by number, in order for each peer."""
    sent = [strip(kind, message) for message in messages]
    encoded = [frame.encode_message(message) for message in [*sent, strip(kind, LAST)]]
    found: list[int] = []
    for peer in raw:
        of_peer: list[int] = []
        for wire, whole in zip(peer.wires, peer.messages()):
            rest = wire
            for message in whole:
                rest = rest[len(frame.encode_message(message)) :]
                if message != strip(kind, LAST):
                    of_peer.append(sent.index(message))
            assert any(one.startswith(rest) for one in encoded), "a message was cut and continued"
        # What comes back from one of several peers may come late to another.
        assert of_peer == sorted(set(of_peer)) or len(raw) > 1, "doubled, or out of order"
        found += of_peer
    if kind != "PUB":
        assert len(found) == len(set(found)), "doubled"
    return found


SCENARIOS: dict[str, Callable[[Any], Steps]] = {}
for _scheme in ("ipc", "tcp"):
    SCENARIOS[f"handshake and receive pump, accepted, {_scheme}"] = partial(
        link, "PULL", "receive", _scheme, {}
    )
    SCENARIOS[f"handshake and receive pump, dialed, {_scheme}"] = partial(
        link, "PUSH", "receive", _scheme, {}
    )
    SCENARIOS[f"accept, {_scheme}"] = partial(link, "PULL", "accept", _scheme, {})
    SCENARIOS[f"dial, nobody listens, {_scheme}"] = partial(dialing_late, _scheme)
SCENARIOS["dial, tcp"] = partial(link, "PUSH", "dial", "tcp", {})
SCENARIOS["dial, inproc, refused"] = refused_inproc
for _kind in ("PUSH", "PULL"):
    SCENARIOS[f"heartbeat, {_kind}"] = partial(link, _kind, "heartbeat", "ipc", HEARTBEAT)
SCENARIOS["time-to-live"] = partial(link, "PULL", "time-to-live", "ipc", HEARTBEAT)
for _kind in PEERS:
    SCENARIOS[f"send pump, {_kind}"] = partial(pumping, _kind, "send", 1)
    SCENARIOS[f"receive pump of a sender, {_kind}"] = partial(pumping, _kind, "receive", 1)
SCENARIOS["send pump, PUSH with two peers"] = partial(pumping, "PUSH", "send", 2)


@pytest.mark.parametrize("name", SCENARIOS)
def test_engine_greenlets(name: str, at_every_switch: Any) -> None:
    assert at_every_switch(SCENARIOS[name], name).found
