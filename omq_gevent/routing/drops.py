"""Messages that no peer will get: counted, and told without flooding monitors and the log."""

from __future__ import annotations

import time
from typing import Any, Callable

QUIET = 1.0
"""Seconds between two events for the same reason and the same peer."""


class _Tally:
    __slots__ = ("told_at", "untold")

    def __init__(self) -> None:
        self.told_at = float("-inf")
        self.untold = 0


class DropCounter:
    """Emits ``message_dropped`` with the peer, the count since the last event, and the reason."""

    def __init__(self, emit: Callable[..., None]) -> None:
        self.dropped = 0
        self._emit = emit
        self._tallies: dict[Any, dict[str, _Tally]] = {}

    def add(self, connection: Any, why: str, count: int = 1) -> None:
        """Count messages that were meant for *connection* (None: for nobody known)."""
        self.dropped += count
        reasons = self._tallies.setdefault(connection, {})
        tally = reasons.get(why)
        if tally is None:
            tally = reasons[why] = _Tally()
        tally.untold += count
        now = time.monotonic()
        if now - tally.told_at >= QUIET:
            tally.told_at = now
            self._tell(connection, why, tally)

    def connection_gone(self, connection: Any) -> None:
        """Tell what has not been told of *connection* yet, and forget it."""
        for why, tally in self._tallies.pop(connection, {}).items():
            self._tell(connection, why, tally)

    def stop(self) -> None:
        """Tell what has not been told yet of anyone."""
        for connection in list(self._tallies):
            self.connection_gone(connection)

    def _tell(self, connection: Any, why: str, tally: _Tally) -> None:
        count, tally.untold = tally.untold, 0
        if count:
            self._emit("message_dropped", connection, count=count, detail=why)
