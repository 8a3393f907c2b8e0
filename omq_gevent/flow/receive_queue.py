"""What has arrived and waits for a user greenlet: one queue per socket, filled by all its peers."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Callable

from omq_gevent.errors import ReceiveTimeout
from omq_gevent.flow.deadline import Deadline, Timeout
from omq_gevent.flow.wait_queue import WaitQueue


class ReceiveQueue:
    """Messages in order of arrival.

    Putting never blocks: whoever fills the queue looks at ``full`` afterwards and, if so, waits
    for room before it reads on. So a peer overshoots the high-water mark by what one read from
    its stream held, and the kernel's buffers push back from there.

    A direct writer (inproc) never overshoots. What it cannot put it keeps, and enrolls a function
    that is called, with the number of messages that it may put, when half of the queue is free.
    """

    __slots__ = (
        "_default_timeout",
        "_enrolled",
        "_failure",
        "_getters",
        "_low",
        "awaited",
        "ceiling",
        "hwm",
        "items",
        "room",
    )

    def __init__(
        self, hwm: int | None, default_timeout: Callable[[], float | None], conflate: bool
    ) -> None:
        self.items: deque[Any] = deque(maxlen=1 if conflate else None)
        self._default_timeout = default_timeout
        self._failure: Callable[[], BaseException] | None = None
        self._getters = WaitQueue(lambda: self.items or self._failure)
        self.room = WaitQueue(lambda: not self.full)
        self._enrolled: deque[Callable[[int], None]] = deque()
        self.awaited = False  # perhaps somebody waits for room; ``resume`` knows for sure
        self.set_hwm(hwm)

    def set_hwm(self, hwm: int | None) -> None:
        if self._failure is not None:
            return
        # What is conflated is never full.
        self.hwm = sys.maxsize if self.items.maxlen else hwm or sys.maxsize
        self.ceiling = self.hwm  # for direct writers
        # Who waits resumes at half the mark: one switch then brings many messages.
        self._low = self.hwm // 2
        self.resume()

    def put(self, message: Any) -> None:
        self.items.append(message)
        if self._getters.waiting:
            self._getters.notify()

    def extend(self, messages: Iterable[Any]) -> None:
        self.items.extend(messages)
        if self._getters.waiting:
            self._getters.notify()

    def get(self, timeout: Timeout) -> Any:
        """Take the oldest message.

        :raises ReceiveTimeout: when *timeout* seconds are over.
        """
        try:
            message = self.items.popleft()
        except IndexError:
            message = self._wait_and_get(timeout)
        if self.awaited and len(self.items) <= self._low:
            self.resume()
        return message

    def _wait_and_get(self, timeout: Timeout) -> Any:
        deadline = Deadline(timeout, self._default_timeout())
        while True:
            if self._failure is not None:
                raise self._failure()
            if self.awaited:
                self.resume()
            if self.items:
                return self.items.popleft()
            if deadline.over or not self._getters.wait(deadline.remaining()):
                if self.items:
                    return self.items.popleft()
                raise ReceiveTimeout(f"no message within {deadline.seconds} s")

    def give_back(self, message: Any) -> None:
        """Put *message*, which ``get`` returned, before everything that waits."""
        if self._failure is not None or (self.items.maxlen and self.items):
            return  # nobody can take it any more; or conflated, and something newer is there
        self.items.appendleft(message)
        self._getters.notify()

    def retain(self, wanted: Callable[[list[Any]], list[Any]]) -> None:
        """Keep what *wanted* returns of all that is queued, and drop the rest."""
        kept = wanted(list(self.items))
        if len(kept) < len(self.items):
            self.items.clear()
            self.items.extend(kept)
            self.resume_if_low()

    @property
    def full(self) -> bool:
        return len(self.items) >= self.hwm and self._failure is None

    def wait_room(self) -> None:
        """Switch away until half of the high-water mark is free."""
        while self.full:
            self.awaited = True
            self.room.wait(None)

    def enroll(self, put: Callable[[int], None]) -> None:
        """Have *put* called once, with a number of messages, when there is room."""
        self._enrolled.append(put)
        self.awaited = True

    def withdraw(self, put: Callable[[int], None]) -> None:
        """Forget *put*; harmless when it was called already."""
        with suppress(ValueError):
            self._enrolled.remove(put)

    def resume(self) -> None:
        """Let those who wait use the room there is, shared among them evenly; never switches.

        Ends with the queue more than half full, or with nobody enrolled.
        """
        enrolled = self._enrolled
        while enrolled and len(self.items) < self.ceiling:
            waiting = len(enrolled) + len(self.room.waiting)
            share = max(1, (self.ceiling - len(self.items)) // waiting)
            for _ in range(len(enrolled)):
                if len(self.items) >= self.ceiling:
                    break
                enrolled.popleft()(share)
            if len(self.items) > self._low:
                break
        self.room.notify()
        self.awaited = bool(enrolled or self.room.waiting)

    def resume_if_low(self) -> None:
        """As ``resume``, but only when half of the queue is free; for who was enrolled although
        the queue was not full, and must not wait for a ``get`` that may never come."""
        if len(self.items) <= self._low:
            self.resume()

    def readable(self) -> bool:
        return bool(self.items) or self._failure is not None

    @property
    def arrivals(self) -> WaitQueue:
        return self._getters

    def fail(self, failure: Callable[[], BaseException]) -> None:
        """Drop what is queued; every present and future getter raises what *failure* makes."""
        self._failure = failure
        # Pumps read on, so as to notice the end of their links; what they bring disappears. Direct
        # writers keep what they have, for another peer.
        self.items = deque(maxlen=0)
        self.ceiling = 0
        self._low = -1
        self._enrolled.clear()
        self._getters.notify()
        self.room.notify()
