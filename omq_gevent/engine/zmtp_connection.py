"""A ready ZMTP link: a stream, its codec and its two pumps."""

from __future__ import annotations

from typing import Any, Callable

from zope.interface import implementer

from omq_gevent.engine.heartbeat import TimeToLive, ping_loop
from omq_gevent.engine.receive_pump import ReceivePump
from omq_gevent.engine.send_pump import SendPump
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IConnection
from omq_gevent.zmtp import command
from omq_gevent.zmtp.peer_facts import PeerFacts

PONG_BACKLOG = 16
"""PINGs of a peer that does not read our PONGs are answered no further than this."""


def _ignore(_messages: list[Any]) -> None:
    """Deliver nowhere: nobody has asked for what this peer sends."""


def _not_yet_engaged(_reason: BaseException) -> None:
    """Nothing to end: no lifecycle has taken the connection."""


@implementer(IConnection)
class ZmtpConnection:
    """Made when the handshake is over; the routing strategy then sets its ``outlet``, ``deliver``,
    ``intake`` and ``on_command``, and the lifecycle starts the pumps."""

    direct = False

    def __init__(
        self,
        stream: Any,
        codec: Any,
        peer: PeerFacts,
        endpoint: str,
        remainder: bytes,
        dialed: bool,
    ) -> None:
        self.peer = peer
        self.dialed = dialed
        self.dismissed = False
        self.endpoint = endpoint
        self.address: str = stream.remote
        self.identity = peer.identity
        self.assigned_identity = b""
        self.expel: Callable[[BaseException], None] = _not_yet_engaged
        self.plaintext: bool = codec.plaintext
        self.outlet = Outlet(self, None)
        self.deliver: Callable[[list[Any]], None] = _ignore
        self.intake: Any = None
        self.on_command: Callable[[bytes, bytes], None] | None = None
        self._stream = stream
        self._codec = codec
        self._remainder = remainder
        self._receive_pump = ReceivePump(stream, codec.decoder, self._command_received)
        self._send_pump: SendPump | None = None
        self._early: list[bytes] = []  # wire bytes from before the pumps started
        self._ttl: TimeToLive | None = None
        self._spawn: Callable[..., Any]

    def start(self, spawn: Callable[..., Any], on_error: Callable[[BaseException], None]) -> None:
        """Let messages flow out; *spawn(name, function, ...)* starts a pump on the barrier."""
        outlet = self.outlet
        codec = self._codec
        if outlet.encoded:
            encode, wire_size = codec.join, len
        else:
            encode, wire_size = codec.encode_batch, codec.wire_size
        pump = SendPump(self._stream, outlet, encode, wire_size, spawn, on_error)
        for wire in self._early:
            pump.send_control(wire)
        self._send_pump = pump
        self._spawn = spawn
        pump.wake()

    def start_heartbeat(self, interval: float, ttl: float | None, timeout: float | None) -> None:
        self._spawn(
            "heartbeat", ping_loop, self._receive_pump, self._send_ping, interval, ttl, timeout
        )

    def read(self) -> None:
        """Deliver what the peer sends until the connection ends; runs as the receive pump."""
        self._receive_pump.run(self._remainder, self.deliver, self.intake)

    def send_command(self, body: bytes) -> None:
        """Send a command before everything that waits in the outlet; never blocks."""
        self._send_wire(self._codec.encode_command(body))

    def send_ahead(self, message: list[bytes]) -> None:
        """Send a message before everything that waits in the outlet; never blocks."""
        self._send_wire(b"".join(self._codec.encode_batch([message])))

    def _send_wire(self, wire: bytes) -> None:
        if self._send_pump is None:
            self._early.append(wire)
        else:
            self._send_pump.send_control(wire)

    def close(self) -> None:
        if self._send_pump is not None:
            self._send_pump.stop()
        self._stream.close()
        # Not left to the garbage collector: it may be much, and peers may do it again and again.
        self._codec.decoder.abandon()
        self._codec.wipe()

    def _send_ping(self, body: bytes) -> None:
        # Behind a peer that does not read they would pile up, and one asks as much as many.
        if self._send_pump is not None and not self._send_pump.control_backlog:
            self.send_command(body)

    def _command_received(self, body: bytes) -> None:
        name, data = command.parse(body)
        if name == b"PING":
            self._answer_ping(data)
        elif name != b"PONG" and self.on_command is not None:
            self.on_command(name, data)

    def _answer_ping(self, data: bytes) -> None:
        ttl, context = command.parse_ping(data)
        pump = self._send_pump
        if pump is not None and pump.control_backlog < PONG_BACKLOG:
            self.send_command(command.pong(context))
        if self._ttl is not None:
            self._ttl.renew(ttl)
        elif ttl:
            self._ttl = TimeToLive(self._receive_pump)
            self._ttl.renew(ttl)
            self._spawn("time-to-live", self._ttl.watch)
