"""The record that monitors receive, and what kinds of it there are.

======================= ==================================================== ===================
kind                    when                                                 facts beside it
======================= ==================================================== ===================
listening               ``bind`` succeeded                                   endpoint (resolved)
bind_failed             ``bind`` raised                                      endpoint, error
unbound                 ``unbind`` is through                                endpoint
accepted                a peer came in; no handshake yet                     endpoint, address
accept_failed           a peer could not be taken, or one too many came      endpoint, error
connect_delayed         ``connect`` was called; dialing begins               endpoint
connect_retried         a dial failed or a link was lost; another will be    endpoint, interval,
                        tried                                                attempt, error
connected               the transport is connected; no handshake yet         endpoint, address
handshake_succeeded     a link is ready, inproc too; messages may follow     endpoint, address, peer
handshake_failed        it ended before that: an error of the protocol, of   endpoint, address,
                        the transport, or time was over                      error
authentication_failed   the same, because we do not accept who the peer is   endpoint, address,
                                                                             error
disconnected            a link ended, ready or not; no error if we closed it endpoint, address,
                                                                             peer, error
subscribed              a peer's subscription came in                        endpoint, peer, detail
unsubscribed            and was taken back                                   endpoint, peer, detail
message_dropped         messages went to nobody: a full queue, no such peer  count, detail, peer
socket_dead             an internal error made the socket unusable           error
closed                  the socket is closed
monitor_stopped         the last event: no more for this monitor
message_sent            ``send`` accepted a message (verbose monitors only)  message
message_received        ``receive`` returned one (verbose monitors only)     message
======================= ==================================================== ===================

A bound endpoint tells listening, then for each peer accepted, handshake_succeeded, disconnected.
A connected one tells connect_delayed, connect_retried for each failure, then connected,
handshake_succeeded, disconnected, and begins again with connect_retried. Where a handshake fails,
handshake_failed or authentication_failed stands in the place of handshake_succeeded. inproc has
neither accepted nor connected. The end is closed, monitor_stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zope.interface import implementer

from omq_gevent.interfaces import IMonitorEvent

KINDS = frozenset(
    {
        "listening",
        "bind_failed",
        "unbound",
        "accepted",
        "accept_failed",
        "connect_delayed",
        "connect_retried",
        "connected",
        "handshake_succeeded",
        "handshake_failed",
        "authentication_failed",
        "disconnected",
        "subscribed",
        "unsubscribed",
        "message_dropped",
        "socket_dead",
        "closed",
        "monitor_stopped",
        "message_sent",
        "message_received",
    }
)


@implementer(IMonitorEvent)
@dataclass(frozen=True)
class MonitorEvent:
    """One thing that happened, immutable.

    ``kind`` names it, ``socket_type`` the type of the socket; ``endpoint`` is ours (bound or
    dialed), ``address`` the peer's as far as known. ``error`` is the exception behind a failure,
    ``interval`` the seconds until the next attempt to dial and ``attempt`` how many there were
    since the last success, ``peer`` the facts of the handshake, ``count`` how many messages it
    concerns, ``message`` the frames of one, ``detail`` whatever else there is to say. ``time`` is
    when it happened, in seconds since the epoch.
    """

    kind: str
    endpoint: str | None = None
    address: str = ""
    error: BaseException | None = None
    interval: float | None = None
    peer: Any = None
    count: int | None = None
    detail: Any = None
    attempt: int | None = None
    message: Sequence[bytes] | None = None
    socket_type: str = ""
    time: float = field(default_factory=time.time, compare=False)

    @property
    def reason(self) -> str:
        """The error in words; empty when there is none."""
        return "" if self.error is None else str(self.error) or type(self.error).__name__

    def __str__(self) -> str:
        """One line; of a message only its size, because logs are no place for its content."""
        words = [f"{self.socket_type} {self.kind}" if self.socket_type else self.kind]
        if self.endpoint:
            words.append(self.endpoint)
        if self.address:
            words.append(f"peer {self.address}")
        if self.interval is not None:
            words.append(f"next attempt in {self.interval:.3f} s")
        if self.count is not None:
            words.append(f"{self.count} messages")
        if self.message is not None:
            words.append(f"{len(self.message)} frames, {sum(map(len, self.message))} bytes")
        if self.detail is not None:
            words.append(str(self.detail))
        if self.error is not None:
            words.append(f"({self.reason})")
        return " ".join(words)
