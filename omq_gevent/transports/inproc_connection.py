"""The two ends of a link between two sockets of one thread: no pump, no codec, no copy."""

from __future__ import annotations

import sys
from typing import Any, Callable

from zope.interface import implementer

from omq_gevent.errors import ConnectionLost, ProtocolError
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IConnection
from omq_gevent.zmtp import command
from omq_gevent.zmtp.peer_facts import PeerFacts
from omq_gevent.zmtp.socket_type import SENDS_IDENTITY

BURST = 256
"""So many messages go straight to the peer without a turn of the hub; then they are kept until it
had one, so that in the end a loop of sends waits at a high-water mark like any other."""


def _ignore(_messages: list[Any]) -> None:
    """Deliver nowhere: nobody has asked for what this peer sends."""


def _not_yet_engaged(_reason: BaseException) -> None:
    """There is no link to end yet."""


def facts_of(host: Any) -> PeerFacts:
    """What the socket of *host* would tell a peer in a handshake."""
    socket_type = host.socket_type
    identity = host.options.identity if socket_type in SENDS_IDENTITY else b""
    properties = {"Socket-Type": socket_type.encode(), **host.options.metadata}
    if socket_type in SENDS_IDENTITY:
        properties["Identity"] = identity
    return PeerFacts(socket_type, identity, properties, "NULL", 3, 1, "")


@implementer(IConnection)
class InprocConnection:
    """One end: what the socket at this end sees of its peer.

    A message goes from this end's outlet straight to what the peer's strategy has set as
    ``deliver``, in the greenlet that sends, as long as the peer's ``intake`` has room. Otherwise
    the outlet is not idle, and this end is enrolled with the intake, which calls `_put` when
    there is room. Nothing here ever switches.
    """

    direct = True
    plaintext = False

    def __init__(self, host: Any, peer: PeerFacts, endpoint: str, dialed: bool) -> None:
        self.peer = peer
        self.identity = peer.identity
        self.assigned_identity = b""
        self.expel: Callable[[BaseException], None] = _not_yet_engaged
        self.endpoint = endpoint
        self.address = endpoint
        self.dialed = dialed
        self.dismissed = False
        self.outlet = Outlet(self, None)
        self.deliver: Callable[[list[Any]], None] = _ignore
        self.intake: Any = None
        self.on_command: Callable[[bytes, bytes], None] | None = None
        self._host = host
        self._run_callback = host.hub.loop.run_callback
        self._other: InprocConnection | None = None  # None again once the link has ended
        self._started = False
        self._live = False
        self._early: list[Callable[[InprocConnection], None]] = []
        self._their_deliver: Callable[[list[Any]], None] = _ignore
        self._their_intake: Any = None
        self._burst = BURST
        self._sent = 0  # messages since the hub's last turn
        self._enrolled = False

    @classmethod
    def pair(cls, dialing: Any, binding: Any, endpoint: str) -> tuple[Any, Any]:
        """The ends for the hosts *dialing* and *binding*."""
        near = cls(dialing, facts_of(binding), endpoint, dialed=True)
        far = cls(binding, facts_of(dialing), endpoint, dialed=False)
        near._other, far._other = far, near
        return near, far

    @property
    def closed(self) -> bool:
        return self._other is None

    def start(self) -> None:
        """Let messages flow as soon as both ends were started, early ones first."""
        self._started = True
        other = self._other
        if other is None or not other._started:
            return
        for end in (other, self):
            end._hand_over_early()
        for end in (other, self):
            end._open()

    def _hand_over_early(self) -> None:
        self._live = True
        for hand_over in self._early:
            if self._other is not None:
                hand_over(self._other)
        self._early.clear()

    def _open(self) -> None:
        if self._other is None:
            return
        self._their_deliver = self._other.deliver
        intake = self._their_intake = self._other.intake
        if intake is not None and intake.items.maxlen:
            self._burst = sys.maxsize  # the latest is wanted, and nothing piles up there
        outlet = self.outlet
        outlet.wake = self._wake
        outlet.flush = self._flush
        outlet.idle = True
        if outlet.queue:
            self._wake()

    # -- messages --------------------------------------------------------------------------

    def _wake(self) -> None:
        """Something was queued while the outlet was idle."""
        if not self._sent:
            self._run_callback(self._turn)
        self._sent += 1
        intake = self._their_intake
        if self._sent > self._burst:
            self._keep()
        elif intake is None:
            self._move(sys.maxsize)
        elif intake.awaited or len(intake.items) >= intake.ceiling:
            self._keep()
            intake.resume_if_low()
        else:
            self._move(intake.ceiling - len(intake.items))
            if self._enrolled:
                intake.resume_if_low()

    def _turn(self) -> None:
        self._sent = 0
        self._flush()

    def _flush(self) -> None:
        """Move what there is room for, though a batch may be small or the hub had no turn."""
        if self.outlet.idle or self._other is None:
            return
        if self._their_intake is None:
            self._move(sys.maxsize)
        else:
            self._their_intake.resume()

    def _put(self, limit: int) -> None:
        """The intake has room for *limit* messages."""
        self._enrolled = False
        if self._other is not None:
            self._move(limit)

    def _move(self, limit: int) -> None:
        outlet = self.outlet
        batch = outlet.take(limit)
        if batch:
            try:
                self._their_deliver(batch)  # type: ignore[arg-type]
            except Exception as error:  # must not reach who sends
                self._report(error)
            outlet.progress += 1
            outlet.landed()
        if not outlet.queue:
            outlet.idle = not outlet.closed
        else:
            self._keep()

    def _keep(self) -> None:
        self.outlet.idle = False
        if not self._enrolled and self._their_intake is not None:
            self._enrolled = True
            self._their_intake.enroll(self._put)

    # -- ahead of messages -----------------------------------------------------------------

    def send_command(self, body: bytes) -> None:
        """Hand a command to the peer before everything that waits in the outlet."""
        name, data = command.parse(body)
        self._ahead(lambda other: other._receive_command(name, data))

    def send_ahead(self, message: list[bytes]) -> None:
        """Hand a message to the peer before everything that waits in the outlet."""
        self._ahead(lambda other: other._receive_message(list(message)))

    def _ahead(self, hand_over: Callable[[InprocConnection], None]) -> None:
        if not self._live:
            self._early.append(hand_over)
        elif self._other is not None:
            hand_over(self._other)

    def _receive_command(self, name: bytes, data: bytes) -> None:
        if self.on_command is not None:
            try:
                self.on_command(name, data)
            except ProtocolError as error:
                self.expel(error)
            except Exception as error:
                self._host.fatal(error)

    def _receive_message(self, message: list[bytes]) -> None:
        try:
            self.deliver([message])
        except Exception as error:
            self._host.fatal(error)

    def _report(self, error: Exception) -> None:
        if self._other is not None:
            self._other._host.fatal(error)

    # -- the end ---------------------------------------------------------------------------

    def close(self) -> None:
        """End the link; the other side notices before this returns."""
        other = self._other
        if other is None:
            return
        self._other = other._other = None
        for end in (self, other):
            if end._enrolled:
                end._their_intake.withdraw(end._put)
                end._enrolled = False
        other._host.link_lost(other, ConnectionLost("the peer closed the connection"))
