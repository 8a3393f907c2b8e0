"""What a sender does about peers whose queues are full: wait for the slow, not for the dead."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Callable

import gevent

from omq_gevent.flow.deadline import Deadline
from omq_gevent.flow.outlet import Outlet
from omq_gevent.flow.wait_queue import WaitQueue

GRACE = 0.2
"""Seconds; a peer that takes not one byte for so long is no longer waited for."""

YIELD_EVERY = 256
"""So many sends that did not wait, and the hub gets a turn: a loop of sends must not starve the
pumps that empty the queues."""


class Patience:
    """One per socket that has a queue per peer (ROUTER, REP, PUB ...).

    Before a strategy accepts a message it calls `pace`, and `wait` with those of the message's
    outlets that are full. Whatever is full afterwards does not get the message. An outlet that
    stood still for `GRACE` is ``muted``, and costs later senders no time until it has room again.

    The strategy sets ``outlet.room_made`` to something that calls `look_again`, and calls
    that too when it has closed an outlet or raised a high-water mark.
    """

    def __init__(self) -> None:
        self._changes = WaitQueue(lambda: True)
        self._failure: Callable[[], BaseException] | None = None
        self._unpaused = 0

    def pace(self) -> None:
        """Count a send; one in `YIELD_EVERY` lets the hub run first.

        Raises what `fail` has set.
        """
        self._unpaused += 1
        if self._unpaused >= YIELD_EVERY:
            self._unpaused = 0
            gevent.sleep(0)
        if self._failure is not None:
            raise self._failure()

    def wait(self, full: Sequence[Outlet], deadline: Deadline, give_up: bool = True) -> bool:
        """Switch away until all of *full* have room or are closed; False if *deadline* was first.

        With *give_up* also those that are muted, or become so now, are not waited for: whether
        they have room is for the caller to see. Raises what `fail` has set.
        """
        self._unpaused = 0
        gevent.sleep(0)  # often their writers only need a turn
        seen: dict[Outlet, tuple[int, float]] = {}
        while True:
            if self._failure is not None:
                raise self._failure()
            now = time.monotonic()
            pending = 0
            wake_in = deadline.remaining()
            for outlet in full:
                if not outlet.full or outlet.closed or (give_up and outlet.muted):
                    seen.pop(outlet, None)
                    continue
                progress, since = seen.setdefault(outlet, (outlet.progress, now))
                if give_up and outlet.progress == progress and now - since >= GRACE:
                    outlet.muted = True
                    continue
                pending += 1
                if give_up:
                    if outlet.progress != progress:
                        since = now
                        seen[outlet] = (outlet.progress, now)
                    left = max(0.0, since + GRACE - now)
                    wake_in = left if wake_in is None else min(left, wake_in)
            if not pending:
                return True
            if deadline.over:
                return False
            self._changes.wait(wake_in)

    def look_again(self) -> None:
        """Some outlet has room, or is closed: let those who wait see for themselves."""
        self._changes.wake_all()

    def fail(self, failure: Callable[[], BaseException]) -> None:
        """Every present and future sender gets the exception that *failure* makes."""
        self._failure = failure
        self.look_again()
