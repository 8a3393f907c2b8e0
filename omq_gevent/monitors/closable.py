"""The half of a monitor that knows which sockets it is added to."""

from __future__ import annotations

from typing import Any, Callable


class ClosableMonitor:
    """Counts the sockets that will tell something, and can leave them all."""

    def __init__(self) -> None:
        self._detachers: list[Callable[[], None]] = []
        self._sources = 0

    def attached(self, detach: Callable[[], None]) -> None:
        """A socket tells this monitor its events until *detach* is called."""
        self._detachers.append(detach)
        self._sources += 1

    def close(self) -> None:
        """Leave every socket. What was told before is still there to be read."""
        detachers, self._detachers = self._detachers, []
        for detach in detachers:
            detach()

    def abandon(self) -> None:
        """One of the sockets tells nothing any more, not even its end."""
        self._one_source_less()

    def _count_stops(self, event: Any) -> None:
        if event.kind == "monitor_stopped":
            self._one_source_less()

    def _one_source_less(self) -> None:
        self._sources -= 1
        if not self._sources:
            self._detachers.clear()  # they would keep closed sockets in memory
