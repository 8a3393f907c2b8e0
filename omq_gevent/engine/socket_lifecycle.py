"""The socket's own states, above all its connections."""

from __future__ import annotations

from typing import Any, Callable

from gevent.event import AsyncResult
from zope.interface import implementer

from omq_gevent.engine.barrier import Barrier
from omq_gevent.errors import InvalidTransition
from omq_gevent.flow.deadline import Deadline
from omq_gevent.flow.wait_queue import WaitQueue
from omq_gevent.interfaces import ISocketLifecycle

TRANSITIONS: dict[str, frozenset[str]] = {
    "new": frozenset({"open", "closed"}),
    "open": frozenset({"closing", "closed"}),
    "closing": frozenset({"closed"}),
    "closed": frozenset(),
}


@implementer(ISocketLifecycle)
class SocketLifecycle:
    """new → open → closing → closed, the first-peer and last-peer signals, the socket's barrier.

    Scope: what concerns the socket as a whole. One link's arc is its `ConnectionLifecycle`'s.
    """

    def __init__(self) -> None:
        self.state = "new"
        self.barrier = Barrier()
        self.reconnect_enabled = True
        self.first_peer: AsyncResult[Any] = AsyncResult()
        self.last_peer_gone: AsyncResult[Any] = AsyncResult()
        self._changes = WaitQueue(lambda: True)

    @property
    def alive(self) -> bool:
        return self.state in ("new", "open")

    def transition(self, state: str) -> None:
        """Move to *state*.

        :raises InvalidTransition: where `TRANSITIONS` has no such move.
        """
        if state not in TRANSITIONS[self.state]:
            raise InvalidTransition(f"a socket cannot go from {self.state} to {state}")
        self.state = state
        self.changed()

    def peer_joined(self, connection: Any) -> None:
        if not self.first_peer.ready():
            self.first_peer.set(connection)
        self.changed()

    def peer_left(self, remaining: int) -> None:
        if not remaining and self.first_peer.ready() and not self.last_peer_gone.ready():
            self.last_peer_gone.set(True)
        self.changed()

    def changed(self) -> None:
        """Let every ``wait_until`` look at its condition again."""
        self._changes.wake_all()

    def wait_until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Switch away until *condition* holds; False when *timeout* seconds were over first."""
        deadline = Deadline(timeout, None)
        while not condition():
            if deadline.over or not self._changes.wait(deadline.remaining()):
                return condition()
        return True
