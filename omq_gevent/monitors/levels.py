"""How loud each event is in a log."""

from __future__ import annotations

import time
from logging import DEBUG, ERROR, INFO, WARNING
from typing import Any

from omq_gevent.errors import ProtocolError

LEVELS = {
    "socket_dead": ERROR,
    "bind_failed": WARNING,
    "accept_failed": WARNING,
    "handshake_failed": WARNING,
    "authentication_failed": WARNING,
    "message_dropped": WARNING,
    "listening": INFO,
    "unbound": INFO,
    "handshake_succeeded": INFO,
    "disconnected": INFO,
}
"""Every other kind is DEBUG."""

QUIET_SECONDS = 10.0
"""After a warning that repeats by its nature, the next ones of its kind are DEBUG for so long."""

_REPEATING = frozenset({"accept_failed", "message_dropped"})


class Levels:
    """Chooses levels so that a fault shows, and shows once: what merely goes on is DEBUG."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}

    def level_of(self, event: Any) -> int:
        """The `logging` level for *event*, the next one of this log."""
        kind = event.kind
        if kind == "connect_retried":
            # The first one says that the peer is away and why; ten a second would follow.
            return INFO if event.attempt == 1 else DEBUG
        if kind == "disconnected" and event.peer is None:
            return DEBUG  # the failed handshake was told
        if kind == "disconnected" and isinstance(event.error, ProtocolError):
            return WARNING  # the peer broke the rules
        if kind == "handshake_failed" and isinstance(event.error, OSError):
            return DEBUG  # health checks and port scanners come and go like this
        level = LEVELS.get(kind, DEBUG)
        if kind in _REPEATING:
            now = time.monotonic()
            if now < self._quiet_until.get(kind, now):
                return DEBUG
            self._quiet_until[kind] = now + QUIET_SECONDS
        return level
