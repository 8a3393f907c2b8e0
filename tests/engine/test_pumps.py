"""The one writer and the one reader of a connection: when they write, how much, and their end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.event
import gevent.socket
import pytest

import omq_gevent as omq
from omq_gevent.engine.receive_pump import FAIR_BYTES, ReceivePump
from omq_gevent.engine.send_pump import SendPump
from omq_gevent.errors import ConnectionLost
from omq_gevent.flow.outlet import Outlet
from omq_gevent.mechanisms.null import NULL
from omq_gevent.testing.switching import no_switch
from omq_gevent.transports.stream import SocketStream
from omq_gevent.zmtp.decoder import Decoder
from omq_gevent.zmtp.frame import encode_batch, encode_command, encode_message, wire_size
from omq_gevent.zmtp.handshake import Handshake
from omq_gevent.zmtp.socket_type import COMPATIBLE

TCP = "tcp://127.0.0.1:0"
LARGE = bytes(range(256)) * 256 * 1024  # 64 MiB


class Kernel:
    """A stream whose buffer takes *room* bytes; what was written is in ``written``."""

    def __init__(self, room: int = 10**9, broken: bool = False) -> None:
        self.room = room
        self.broken = broken
        self.written = b""
        self.calls = 0
        self.writable = gevent.event.Event()

    def write_now(self, buffers: list[Any]) -> int:
        self.calls += 1
        taken = b"".join(buffers)[: self.room]
        if not taken and self.broken:
            raise ConnectionResetError("broken")
        self.room -= len(taken)
        self.written += taken
        return len(taken)

    def wait_writable(self) -> None:
        self.writable.clear()
        self.writable.wait()

    def make_room(self, size: int) -> None:
        self.room += size
        self.writable.set()


class Sender:
    """A send pump that writes to a `Kernel`."""

    def __init__(self, kernel: Kernel) -> None:
        self.errors: list[BaseException] = []
        self.greenlets: list[gevent.Greenlet] = []
        self.outlet = Outlet(None, None)
        self.pump = SendPump(
            kernel, self.outlet, encode_batch, wire_size, self._spawn, self.errors.append
        )
        self.outlet.idle = True

    def _spawn(self, _name: str, function: Any) -> None:
        self.greenlets.append(gevent.spawn(function))


@pytest.fixture
def sending() -> Iterator[Any]:
    made: list[Sender] = []

    def make(kernel: Kernel) -> Sender:
        made.append(Sender(kernel))
        return made[-1]

    yield make
    for sender in made:
        gevent.killall(sender.greenlets)


# -- writing ---------------------------------------------------------------------------------


def test_a_lone_message_is_in_the_kernel_when_send_returns(native_peer) -> None:
    with omq.PUSH.bind(TCP) as push:
        peer = native_peer(push, "PULL")
        for number in range(3):
            gevent.sleep(0)  # a lone one: the hub has had its turn
            with no_switch("send()"):
                push.send(b"%d" % number)
            assert peer.recv(100, socket.MSG_DONTWAIT) == b"\0\x01%d" % number


def test_a_burst_goes_out_as_a_batch_and_in_order(sending) -> None:
    kernel = Kernel()
    sender = sending(kernel)
    messages = [[b"%d" % number] for number in range(1000)]
    for message in messages:
        sender.outlet.push(message)
    assert kernel.written == encode_message(messages[0])
    gevent.sleep(0)
    gevent.sleep(0)
    assert kernel.written == b"".join(map(encode_message, messages))
    assert kernel.calls <= 3
    assert sender.outlet.drained
    gevent.sleep(0)
    assert sender.outlet.idle
    assert not sender.greenlets, "nothing had to be waited for"


def test_a_batch_is_bounded_so_that_others_get_their_turn(sending) -> None:
    kernel = Kernel(room=0)
    sender = sending(kernel)
    for number in range(5000):
        sender.outlet.push([b"%d" % number])
    assert len(sender.outlet.in_flight) <= 1024


def test_whatever_the_kernel_takes_at_a_time_the_bytes_are_the_same(sending) -> None:
    messages = [[b"a"], [b"b" * 300, b"", b"c"], [b"d" * 40_000], [b"e"]]
    wire = b"".join(map(encode_message, messages))
    for step in (1, 2, 7, 255, 4096, 39_999):
        kernel = Kernel(room=0)
        sender = sending(kernel)
        for message in messages:
            sender.outlet.push(message)
        while len(kernel.written) < len(wire):
            kernel.make_room(step if step > 100 or len(kernel.written) < 400 else 5000)
            gevent.sleep(0)
        gevent.sleep(0)
        assert kernel.written == wire
        assert sender.outlet.drained


def test_a_command_goes_between_messages_and_before_those_that_wait(sending) -> None:
    kernel = Kernel(room=3)
    sender = sending(kernel)
    sender.outlet.push([b"first"])
    sender.outlet.push([b"second"])
    pong = encode_command(b"\x04PONG")
    sender.pump.send_control(pong)
    kernel.make_room(1000)
    gevent.sleep(0)
    gevent.sleep(0)
    assert kernel.written == encode_message([b"first"]) + pong + encode_message([b"second"])


@pytest.mark.parametrize("command", [b"", encode_command(b"\x04PONG")])
def test_whatever_octet_a_link_breaks_at_what_is_not_wholly_written_comes_back(
    sending, command: bytes
) -> None:
    messages = [[b"one"], [b"two", b""], [b"x" * 300]]
    later = [b"later"]
    ends = []
    size = len(command)
    for message in messages:
        size += wire_size(message)
        ends.append(size)
    for cut in range(size + 1):
        kernel = Kernel(room=0)
        sender = sending(kernel)
        sender.outlet.idle = False  # all of it becomes one batch
        if command:
            sender.pump.send_control(command)
        for message in messages:
            sender.outlet.push(message)
        kernel.room = cut
        sender.pump.wake()
        sender.outlet.idle = False
        sender.outlet.push(later)
        expected = [message for message, end in zip(messages, ends) if end > cut]
        assert sender.outlet.close() == [*expected, later]


def test_a_link_that_breaks_is_the_connections_affair_and_not_the_senders(sending) -> None:
    sender = sending(Kernel(room=0, broken=True))
    sender.outlet.push([b"x"])
    assert [type(error) for error in sender.errors] == [ConnectionResetError]
    assert sender.outlet.close() == [[b"x"]]


def test_a_message_of_64_mib_travels_in_pieces(others_run) -> None:
    with (
        omq.PUSH.bind(TCP, sndbuf=65_536) as push,
        omq.PULL.connect(push.last_endpoint, rcvbuf=65_536) as pull,
    ):
        push.wait_connected(timeout=5)
        with others_run(0.5):
            push.send([b"head", LARGE])
            push.send(b"tail")
            head, body = pull.receive(timeout=20)
        assert (head, len(body)) == (b"head", len(LARGE))
        assert body == LARGE
        assert pull.receive(timeout=5) == [b"tail"]


def test_killing_the_send_pump_ends_the_connection_and_the_frame_is_not_continued(
    native_peer,
) -> None:
    body = b"x" * 30_000_000
    with omq.PUSH.bind(TCP) as push:
        broken = native_peer(push, "PULL")
        push.send([b"0", body])
        for number in range(1, 10):
            push.send(b"%d" % number)
        gevent.sleep(0.01)  # the kernel is full, the pump waits in the middle of the body
        (link,) = push._engine.lifecycles
        (pump,) = (greenlet for greenlet in link.barrier if " send " in greenlet.name)
        pump.kill()
        push.wait_disconnected(timeout=5)
        got = 0
        while data := _read(broken):
            got += len(data)
        assert 0 < got < len(body)
        with omq.PULL.connect(push.last_endpoint) as pull:
            assert pull.receive(timeout=10) == [b"0", body]
            for number in range(1, 10):
                assert pull.receive(timeout=5) == [b"%d" % number]


# -- reading ---------------------------------------------------------------------------------


class Flood:
    """A stream that always has something to read, and never waits."""

    def __init__(self, piece: bytes, pieces: int) -> None:
        self.piece = piece
        self.left = pieces

    def read(self, _size: int) -> bytes:
        self.left -= 1
        return self.piece if self.left >= 0 else b""


def test_a_peer_that_never_pauses_lets_others_run() -> None:
    flood = Flood(encode_message([b"x" * 1000]) * 60, 2000)
    messages: list[Any] = []
    pump = ReceivePump(flood, Decoder(), messages.append)
    reading = gevent.spawn(pump.run, b"", messages.extend, None)
    turns = 0
    while not reading.dead:
        turns += 1
        gevent.sleep(0)
    with pytest.raises(ConnectionLost):
        reading.get()
    assert len(messages) == 120_000
    assert turns >= 2000 * len(flood.piece) // (FAIR_BYTES + len(flood.piece)) - 1


def test_commands_keep_their_place_among_the_messages() -> None:
    seen: list[Any] = []
    ping = encode_command(b"\x04PING\0\0")
    wire = encode_message([b"1"]) + ping + encode_message([b"2"]) + encode_message([b"3"]) + ping
    pump = ReceivePump(Flood(b"", 0), Decoder(), lambda body: seen.append(bytes(body[1:5])))
    with pytest.raises(ConnectionLost):
        pump.run(wire, seen.extend, None)
    assert seen == [[b"1"], b"PING", [b"2"], [b"3"], b"PING"]


def test_a_pump_that_gets_one_more_turn_after_the_end_is_told_so() -> None:
    """Waiting on a closed descriptor would be the end of the event loop, and of the process."""
    ours, theirs = socket.socketpair()
    with theirs:
        stream = SocketStream(ours)
        theirs.sendall(b"x")
        assert stream.read(100) == b"x"
        stream.close()
        with gevent.Timeout(2):
            with pytest.raises(OSError, match="closed"):
                stream.read(100)
            with pytest.raises(OSError, match="closed"):
                stream.wait_writable()


# -- peers -----------------------------------------------------------------------------------


def _read(peer: socket.socket) -> bytes:
    gevent.socket.wait_read(peer.fileno(), timeout=5)
    try:
        return peer.recv(1_000_000)
    except ConnectionError:
        return b""


@pytest.fixture
def native_peer() -> Iterator[Any]:
    """A function that connects a plain socket, no greenlet's, as a peer of that type."""
    peers: list[socket.socket] = []

    def join(bound: Any, socket_type: str) -> socket.socket:
        host, _, port = bound.last_endpoint[len("tcp://") :].rpartition(":")
        peer = socket.create_connection((host, int(port)))
        peers.append(peer)
        handshake = Handshake(
            socket_type=socket_type,
            compatible=frozenset(COMPATIBLE),
            identity=b"",
            mechanism=NULL,
            as_server=False,
        )
        peer.sendall(handshake.start())
        while not handshake.done:
            peer.sendall(handshake.receive(_read(peer)))
        bound.wait_connected(timeout=5)
        return peer

    yield join
    for peer in peers:
        peer.close()


@pytest.fixture
def others_run() -> Any:
    """A context manager that fails when all other greenlets had to wait for so much CPU time."""
    from contextlib import contextmanager
    from time import process_time

    @contextmanager
    def ticking(longest: float) -> Iterator[None]:
        pauses = [0.0]

        def tick() -> None:
            last = process_time()
            while True:
                gevent.sleep(0.005)
                pauses.append(process_time() - last)
                last = process_time()

        ticker = gevent.spawn(tick)
        try:
            yield
        finally:
            ticker.kill()
        assert len(pauses) > 1
        assert max(pauses) < longest

    return ticking
