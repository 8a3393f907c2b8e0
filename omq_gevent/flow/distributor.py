"""One bounded queue, dealt to many peers: the send side of every load-balanced pattern."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Callable

import gevent
from gevent import get_hub

from omq_gevent.errors import SendTimeout
from omq_gevent.flow.deadline import Deadline, Timeout
from omq_gevent.flow.outlet import Outlet
from omq_gevent.flow.wait_queue import WaitQueue

LANE_MESSAGES = 128
LANE_BYTES = 256 * 1024
"""What one of several peers may hold back while it does not read."""

YIELD_BACKLOG = 1000
YIELD_EVERY = 256
"""Beyond so many waiting messages a sender lets the hub run once in so many calls, even when the
queue is unbounded: a loop of sends that never blocks must not starve the pumps."""


class Distributor:
    """Deals messages one by one to the outlets in rotation, passing over those without room.

    A single outlet drains the backlog itself, so that nothing is dealt at all. With several,
    each holds a short lane: enough to write a good batch, little enough that a peer which stops
    reading holds back next to nothing. Dealing happens once per turn of the hub, so every ready
    peer has had its chance to make room and a burst is shared evenly.
    """

    def __init__(
        self,
        hwm: int | None,
        default_timeout: Callable[[], float | None],
        *,
        conflate: bool,
        needs_peer: Callable[[], bool],
        on_mute: Callable[[], str | None],
        dropped: Callable[[], None],
    ) -> None:
        self._loop = get_hub().loop
        self.backlog: deque[Any] = deque(maxlen=1 if conflate else None)
        self.outlets: list[Outlet] = []
        self._default_timeout = default_timeout
        self._needs_peer = needs_peer
        self._on_mute = on_mute
        self._dropped = dropped
        self._failure: Callable[[], BaseException] | None = None
        self._lane_bytes: dict[Outlet, int] = {}
        self._next = 0
        self._only: Outlet | None = None
        self._turn_scheduled = False
        self._unyielded = 0
        self.room = WaitQueue(self.writable)
        self.emptied = WaitQueue(self.drained)
        self.set_hwm(hwm)

    def set_hwm(self, hwm: int | None) -> None:
        self.hwm = float("inf") if self.backlog.maxlen else hwm or float("inf")
        # What is conflated never fills its queue, but its sender must yield all the same.
        self._mark = 0 if self.backlog.maxlen else min(self.hwm, YIELD_BACKLOG)
        # What is dealt counts no more, else a few peers that do not read would block the rest.
        self._lane_messages = 1 if self.backlog.maxlen else min(self.hwm, LANE_MESSAGES)
        self.room.notify()

    def put(self, message: Any, timeout: Timeout) -> None:
        """Accept *message*; once accepted, nothing here switches any more.

        :raises SendTimeout: when there was no room within *timeout* seconds.
        """
        if len(self.backlog) >= self._mark or not self.outlets or self._failure:
            self._pace()
            if self._on_mute() in (None, "block"):
                self._wait_room(timeout)
            elif not self._make_room():
                return
        self.backlog.append(message)
        outlet = self._only
        if outlet is not None:
            if outlet.idle:
                outlet.wake()
        elif not self._turn_scheduled and self.outlets:
            self._schedule_turn()
            self._deal()

    def _pace(self) -> None:
        if len(self.backlog) >= self._mark and self.writable():
            self._unyielded += 1
            if self._unyielded >= YIELD_EVERY:
                self._unyielded = 0
                gevent.sleep(0)

    def _wait_room(self, timeout: Timeout) -> None:
        if not self.writable():
            deadline = Deadline(timeout, self._default_timeout())
            while not self.writable():
                if deadline.over or not self.room.wait(deadline.remaining()):
                    if self.writable():
                        break
                    raise SendTimeout(self._why_full(deadline.seconds))
        if self._failure is not None:
            raise self._failure()

    def _make_room(self) -> bool:
        """Where messages may be dropped: whether there is room now, if need be for want of the
        oldest."""
        if not self.writable():
            gevent.sleep(0)  # nothing is dropped only because its writer had no turn
        if self._failure is not None:
            raise self._failure()
        if self.writable():
            return True
        self._dropped()
        if self._on_mute() == "drop_newest" or not self.backlog:
            return False
        self.backlog.popleft()
        return True

    def _why_full(self, seconds: float | None) -> str:
        if not self.outlets:
            return f"no peer was ready to take the message within {seconds} s"
        return f"the send queue stayed at its high-water mark ({self.hwm}) for {seconds} s"

    def writable(self) -> bool:
        """Whether ``put`` would return (or fail) at once."""
        if self._failure is not None:
            return True
        if not self.outlets and self._needs_peer():
            return False
        if len(self.backlog) < self.hwm:
            return True
        for outlet in self.outlets:
            outlet.flush()
        return len(self.backlog) < self.hwm

    def add(self, outlet: Outlet) -> None:
        """Let *outlet* take part."""
        self.outlets.append(outlet)
        outlet.emptied = self.emptied.notify
        self.room.notify()  # for those who wait for a first peer
        if len(self.outlets) == 1:
            self._only = outlet
            outlet.queue = self.backlog
            outlet.room_made = self.room.notify
            return
        if self._only is not None:
            self._give_lane(self._only)
            self._only = None
        self._give_lane(outlet)
        self._schedule_turn()

    def _give_lane(self, outlet: Outlet) -> None:
        outlet.queue = deque()
        self._lane_bytes[outlet] = 0
        outlet.room_made = lambda: self._lane_taken(outlet)

    def remove(self, outlet: Outlet) -> None:
        """Take *outlet* out; what it has not wholly written returns to the head of the queue."""
        index = self.outlets.index(outlet)
        del self.outlets[index]
        if index < self._next:
            self._next -= 1
        if outlet is self._only:
            outlet.queue = deque()  # the backlog stays here
            self._only = None
        else:
            del self._lane_bytes[outlet]
        self.give_back(outlet.close())
        if len(self.outlets) == 1:
            self._join_lane(self.outlets[0])
        elif self.outlets:
            self._schedule_turn()
        self.room.notify()

    def give_back(self, messages: Sequence[Any]) -> None:
        """Put *messages* before everything that waits."""
        if self.backlog.maxlen and self.backlog:
            return  # conflated: something newer is there already
        self.backlog.extendleft(reversed(messages))

    def _join_lane(self, outlet: Outlet) -> None:
        self.backlog.extendleft(reversed(outlet.queue))
        del self._lane_bytes[outlet]
        outlet.queue = self.backlog
        outlet.room_made = self.room.notify
        self._only = outlet
        self._next = 0
        if self.backlog and outlet.idle:
            outlet.wake()

    def _lane_taken(self, outlet: Outlet) -> None:
        self._lane_bytes[outlet] = 0
        if self.backlog:
            self._schedule_turn()

    def _schedule_turn(self) -> None:
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.run_callback(self._turn)

    def _turn(self) -> None:
        self._turn_scheduled = False
        if self._only is None:
            self._deal()

    def _deal(self) -> None:
        backlog = self.backlog
        outlets = self.outlets
        lane_bytes = self._lane_bytes
        count = len(outlets)
        touched: list[Outlet] = []
        passed_over = 0
        position = self._next
        while backlog and passed_over < count:
            if position >= count:
                position = 0
            outlet = outlets[position]
            position += 1
            if len(outlet.queue) >= self._lane_messages or lane_bytes[outlet] >= LANE_BYTES:
                passed_over += 1
                continue
            passed_over = 0
            message = backlog.popleft()
            if not outlet.queue:
                touched.append(outlet)
            outlet.queue.append(message)
            lane_bytes[outlet] += sum(map(len, message))
        self._next = position
        self.room.notify()
        for outlet in touched:
            if outlet.idle:
                outlet.wake()

    def waiting(self) -> int:
        """How many messages were accepted and not yet handed on whole."""
        waiting = sum(outlet.waiting for outlet in self.outlets)
        return waiting if self._only is not None else waiting + len(self.backlog)

    def drained(self) -> bool:
        """Whether the kernel (or an inproc peer) has everything that was accepted."""
        return not self.backlog and all(outlet.drained for outlet in self.outlets)

    def fail(self, failure: Callable[[], BaseException]) -> None:
        """Every present and future ``put`` raises what *failure* makes."""
        self._failure = failure
        self.room.notify()
