"""Notices a peer that has fallen silent (RFC 37, heartbeating)."""

from __future__ import annotations

import time
from typing import Callable

import gevent

from omq_gevent.engine.receive_pump import ReceivePump
from omq_gevent.errors import HeartbeatTimeout
from omq_gevent.zmtp import command


def ping_loop(
    pump: ReceivePump,
    send_command: Callable[[bytes], None],
    interval: float,
    ttl: float | None,
    timeout: float | None,
) -> None:
    """Send a PING every *interval* seconds; any traffic counts as an answer.

    :raises HeartbeatTimeout: when nothing came for *timeout* seconds after a PING.
    """
    ping = command.ping(interval if ttl is None else ttl)
    patience = interval if timeout is None else timeout
    unanswered_since: float | None = None
    next_ping = time.monotonic() + interval
    while True:
        wake_at = next_ping
        if unanswered_since is not None:
            wake_at = min(wake_at, unanswered_since + patience)
        gevent.sleep(max(0.0, wake_at - time.monotonic()))
        now = time.monotonic()
        if unanswered_since is not None:
            if pump.paused or pump.last_read_at >= unanswered_since:
                unanswered_since = None
            elif now - unanswered_since >= patience:
                raise HeartbeatTimeout(f"nothing came from the peer for {patience} s after a PING")
        if now >= next_ping:
            send_command(ping)
            next_ping = now + interval
            if unanswered_since is None:
                unanswered_since = now


class TimeToLive:
    """Holds the peer to the TTL that its own PINGs announce."""

    def __init__(self, pump: ReceivePump) -> None:
        self._pump = pump
        self.seconds = 0.0

    def watch(self) -> None:
        """Wait until the peer's announced TTL has passed without traffic.

        :raises HeartbeatTimeout: then.
        """
        while True:
            silent = 0.0 if self._pump.paused else time.monotonic() - self._pump.last_read_at
            if silent >= self.seconds:
                raise HeartbeatTimeout(
                    f"the peer was silent for longer than the {self.seconds} s it had announced"
                )
            gevent.sleep(self.seconds - silent)
