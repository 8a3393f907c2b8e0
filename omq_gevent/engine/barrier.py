"""The barrier: a group of greenlets that is torn down as one."""

from __future__ import annotations

from typing import Any

import gevent
from gevent.pool import Group

from omq_gevent.errors import InvalidTransition


class Barrier(Group):
    """A gevent `Group` that may be nested in another one and that can be stopped for good.

    What is spawned here is tracked by *parent* too, so stopping the parent takes down the whole
    tree in one call. No greenlet that stops a barrier may be a member of it.
    """

    def __init__(self, parent: Barrier | None = None) -> None:
        super().__init__()
        self._parent = parent
        self.stopped = False

    def add(self, greenlet: Any) -> None:
        """Track *greenlet*.

        :raises InvalidTransition: once the barrier was stopped.
        """
        if self.stopped:
            raise InvalidTransition("this barrier was stopped; it takes no new greenlets")
        if self._parent is not None:
            self._parent.add(greenlet)
        super().add(greenlet)

    def stop(self) -> None:
        """Kill every member without waiting; safe to call from the hub and more than once."""
        self.stopped = True
        if len(self):
            self.kill(block=False)

    def stop_others(self) -> None:
        """As ``stop``, but for the member that calls this, if it is one: it goes on."""
        current: Any = gevent.getcurrent()
        self.discard(current)
        self.stop()

    def stop_and_wait(self) -> None:
        """Kill every member and return when all are gone."""
        if gevent.getcurrent() in self.greenlets:
            raise InvalidTransition("a member of a barrier cannot wait for the barrier's end")
        self.stopped = True
        self.kill()

    def spawn_named(self, name: str, function: Any, *args: Any) -> Any:
        """Spawn *function* with a name that shows in tracebacks and `gevent.util` reports."""
        greenlet = self.greenlet_class(function, *args)
        greenlet.name = name
        self.start(greenlet)
        return greenlet
