"""Notices a peer that has fallen silent (RFC 37, heartbeating)."""

from __future__ import annotations

import time
from typing import Callable

import gevent
from gevent.event import Event

from omq_gevent.engine.receive_pump import ReceivePump
from omq_gevent.errors import HeartbeatTimeout
from omq_gevent.zmtp import command

DEFAULT_TTL_INTERVALS = 3
"""How many PINGs the peer may miss before it gives us up, unless ``heartbeat_ttl`` says otherwise.
A single interval would have it give us up just when the next PING is on its way."""


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
    ping = command.ping(DEFAULT_TTL_INTERVALS * interval if ttl is None else ttl)
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
            if now - unanswered_since >= patience:
                _let_readers_run()
            if pump.paused or pump.last_read_at >= unanswered_since:
                unanswered_since = None
            elif now - unanswered_since >= patience:
                raise HeartbeatTimeout(f"nothing came from the peer for {patience} s after a PING")
        if now >= next_ping:
            send_command(ping)
            next_ping = now + interval
            if unanswered_since is None:
                unanswered_since = now


def _let_readers_run() -> None:
    """Have what has arrived read before somebody is declared dead.

    When a greenlet has kept the hub waiting, timers are served before the sockets that became
    readable meanwhile.
    """
    gevent.sleep(0)


class TimeToLive:
    """Holds the peer to the TTL that its own PINGs announce."""

    def __init__(self, pump: ReceivePump) -> None:
        self._pump = pump
        self._seconds = 0.0
        self._changed = Event()

    def renew(self, seconds: float) -> None:
        """The peer's latest PING announces this TTL; 0 is for none."""
        if seconds != self._seconds:
            self._seconds = seconds
            self._changed.set()

    def watch(self) -> None:
        """Wait until the peer's announced TTL has passed without traffic.

        :raises HeartbeatTimeout: then.
        """
        while True:
            self._changed.clear()
            if not self._seconds:
                self._changed.wait()
                continue
            left = self._left()
            if left <= 0:
                _let_readers_run()
                left = self._left()
            if left <= 0 and not self._changed.is_set():
                raise HeartbeatTimeout(
                    f"the peer was silent for longer than the {self._seconds} s it had announced"
                )
            self._changed.wait(max(0.0, left))

    def _left(self) -> float:
        silent = 0.0 if self._pump.paused else time.monotonic() - self._pump.last_read_at
        return self._seconds - silent
