"""What waits to be written to one peer."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Callable

BATCH_MESSAGES = 1024
"""A writer takes at most so many messages at once; then its hub and its siblings get a turn."""


def _not_started() -> None:
    """Nobody writes yet: what is pushed waits for the writer."""


class Outlet:
    """The queue between a routing strategy and the one writer of a connection.

    The writer sets ``idle`` when it has nothing left to do and supplies ``wake``, which the
    routing calls after it has appended to ``queue`` while ``idle`` was true. ``in_flight`` holds
    what the writer has taken and the kernel has not wholly accepted.

    A direct writer (inproc) moves messages on only while the other side has room. It may hold some
    back although there is room again, so that they go in batches; ``flush`` has it move what goes
    now, without switching.

    ``progress`` changes with everything that the kernel takes, be it a part of a message only.
    ``muted`` belongs to `omq_gevent.flow.patience`, and means something only while the queue is
    full: the peer has stood still for so long that no sender waits for it.

    With ``encoded`` true the queue holds wire bytes instead of messages: a fan-out encodes a
    message once for all its plaintext peers.
    """

    __slots__ = (
        "__weakref__",
        "closed",
        "connection",
        "emptied",
        "encoded",
        "flush",
        "hwm",
        "idle",
        "in_flight",
        "muted",
        "progress",
        "queue",
        "rollback",
        "room_made",
        "wake",
    )

    def __init__(self, connection: Any, hwm: int | None, conflate: bool = False) -> None:
        self.connection = connection
        self.hwm = hwm or float("inf")
        self.queue: deque[Any] = deque(maxlen=1 if conflate else None)
        self.in_flight: Sequence[Any] = ()
        self.encoded = False
        self.idle = False
        self.closed = False
        self.muted = False
        self.progress = 0
        self.wake: Callable[[], None] = _not_started
        self.flush: Callable[[], None] = _not_started
        self.rollback: Callable[[], Sequence[Any]] = lambda: self.in_flight
        self.room_made: Callable[[], None] = _not_started
        self.emptied: Callable[[], None] = _not_started

    def push(self, message: Any) -> None:
        self.queue.append(message)
        if self.idle:
            self.wake()

    def take(self, limit: int = BATCH_MESSAGES) -> Sequence[Any]:
        """Move the next batch into flight; empty when there is none."""
        queue = self.queue
        if len(queue) <= limit:
            batch: list[Any] = list(queue)
            queue.clear()
        else:
            popleft = queue.popleft
            batch = [popleft() for _ in range(limit)]
        self.in_flight = batch
        if batch:
            self.muted = False
            self.room_made()
        return batch

    def landed(self) -> None:
        """The kernel (or the peer's queue) has all that was in flight."""
        self.in_flight = ()
        if not self.queue:
            self.emptied()

    @property
    def full(self) -> bool:
        if len(self.queue) < self.hwm:
            return False
        self.flush()
        return len(self.queue) >= self.hwm

    @property
    def drained(self) -> bool:
        return not self.queue and not self.in_flight

    @property
    def waiting(self) -> int:
        """How many messages are queued or in flight."""
        return len(self.queue) + len(self.in_flight)

    def close(self) -> list[Any]:
        """Take no more; give back, in order, what no peer can have received whole."""
        self.closed = True
        self.idle = False
        self.wake = self.flush = _not_started
        unsent = [*self.rollback(), *self.queue]
        self.in_flight = ()
        self.queue = deque()
        return unsent
