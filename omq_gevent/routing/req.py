"""REQ: one request, then its reply, and only from the peer that was asked (RFC 28)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from typing import Any, Callable

from zope.interface import implementer, provider

from omq_gevent.errors import ProtocolError, ReceiveTimeout, RequestLost, SendTimeout, StateError
from omq_gevent.flow.deadline import Deadline, Timeout
from omq_gevent.flow.outlet import Outlet
from omq_gevent.flow.wait_queue import WaitQueue
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.pattern import Cancel, when_ready
from omq_gevent.routing.peer_queues import PeerQueues

READY = "ready"
ASKED = "asked"
ANSWERED = "answered"
LOST = "lost"

NOT_A_REPLY = "a reply has an empty delimiter frame, and a body after it"
UNASKED = "no request waits for this reply"
REQUEST_ID_SIZE = 4


@provider(IRoutingFactory)
@implementer(IRouting)
class Req(PeerQueues):
    """ready → asked → answered → ready; asked → lost where the peer leaves with the request.

    Peers are asked in strict rotation. A request waits here while nobody can take it, and returns
    here when its peer leaves without having got all of it.
    """

    name = "REQ"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._state = READY
        self._request: Any = None  # the latest one, as it goes on the wire, while it is asked
        self._request_id = b""  # of the latest one; empty without req_correlate
        self._counter = int.from_bytes(os.urandom(REQUEST_ID_SIZE), "big")
        self._asked: Any = None  # the connection that was given the latest one
        self._reply: list[bytes] = []
        self._waiting: deque[list[bytes]] = deque()  # requests for which there is no peer yet
        self._rotation: list[Outlet] = []
        self._next = 0
        self._room = WaitQueue(lambda: self._has_room() or self._failure)
        self._outcomes = WaitQueue(lambda: self._state != ASKED or self._failure)

    # -- requests --------------------------------------------------------------------------

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        """Ask the next peer; with nobody there, the first that comes.

        :raises StateError: while a request waits for its reply, unless ``req_relaxed``.
        :raises SendTimeout: when, with ``immediate``, nobody came in time.
        """
        self._patience.pace()
        self._check_turn()
        if not self._has_room():
            self._wait_room(timeout)
        if self._options.req_correlate:
            self._counter = (self._counter + 1) % 2 ** (8 * REQUEST_ID_SIZE)
            self._request_id = self._counter.to_bytes(REQUEST_ID_SIZE, "big")
            request = [self._request_id, b"", *message]
        else:
            self._request_id = b""
            request = [b"", *message]
        self._state = ASKED
        self._request = request
        self._asked = None
        self._reply = []
        self._waiting.append(request)
        self._assign()

    def _check_turn(self) -> None:
        if self._state in (ASKED, ANSWERED) and not self._options.req_relaxed:
            raise StateError("a REQ socket receives the reply before it sends the next request")

    def _has_room(self) -> bool:
        if not self._rotation and self._options.immediate:
            return False
        return len(self._waiting) < (self._options.send_hwm or float("inf"))

    def _wait_room(self, timeout: Timeout) -> None:
        deadline = Deadline(timeout, self._write_timeout())
        while not self._has_room():
            if deadline.over or not self._room.wait(deadline.remaining()):
                if self._has_room():
                    break
                raise SendTimeout(f"no peer was ready for the request within {deadline.seconds} s")
            if self._failure is not None:
                raise self._failure()
        self._check_turn()

    def _assign(self) -> None:
        while self._waiting:
            outlet = self._next_outlet()
            if outlet is None:
                return
            request = self._waiting.popleft()
            if request is self._request:
                self._asked = outlet.connection
            outlet.push(request)

    def _next_outlet(self) -> Outlet | None:
        rotation = self._rotation
        for _ in rotation:
            outlet = rotation[self._next % len(rotation)]
            self._next = (self._next + 1) % len(rotation)
            if not outlet.full:
                return outlet
        return None

    def writable(self) -> bool:
        if self._failure is not None:
            return True
        in_turn = self._state in (READY, LOST) or self._options.req_relaxed
        return bool(in_turn and self._has_room())

    # -- replies ---------------------------------------------------------------------------

    def receive(self, timeout: Timeout) -> list[bytes]:
        """The reply to the latest request.

        :raises StateError: when nothing was asked.
        :raises RequestLost: when the peer left after it had got the request; ask again.
        """
        if self._state == ASKED and self._failure is None:
            self._wait_outcome(timeout)
        if self._failure is not None:
            raise self._failure()
        if self._state == READY:
            raise StateError("a REQ socket sends a request before it receives the reply")
        outcome, self._state = self._state, READY
        self._turns.notify()
        if outcome == LOST:
            raise RequestLost("the peer that had the request left without an answer; send it again")
        reply, self._reply = self._reply, []
        return reply

    def give_back(self, message: list[bytes]) -> None:
        if self._state == READY:  # else it is no longer the reply to the latest request
            self._reply = message
            self._settle(ANSWERED)

    def _wait_outcome(self, timeout: Timeout) -> None:
        deadline = Deadline(timeout, self._read_timeout())
        while self._state == ASKED and self._failure is None:
            if deadline.over or not self._outcomes.wait(deadline.remaining()):
                if self._state != ASKED or self._failure is not None:
                    return
                raise ReceiveTimeout(f"no reply within {deadline.seconds} s")

    def _arrived(self, connection: Any, messages: list[list[bytes]]) -> None:
        for message in messages:
            request_id = b""
            if len(message[0]) == REQUEST_ID_SIZE:
                request_id, *message = message
            if len(message) < 2 or message[0]:
                if not connection.direct:
                    raise ProtocolError(NOT_A_REPLY)
                self.drops.add(connection, NOT_A_REPLY)
            elif connection is not self._asked or request_id != self._request_id:
                self.drops.add(connection, UNASKED)
            else:
                self._reply = message[1:]
                self._settle(ANSWERED)

    def _settle(self, outcome: str) -> None:
        self._state = outcome
        self._request = self._asked = None
        self._outcomes.notify()
        self._turns.notify()

    def readable(self) -> bool:
        return self._state in (ANSWERED, LOST) or self._failure is not None

    def call_when_readable(self, function: Callable[[], None]) -> Cancel:
        return when_ready(self._outcomes, function)

    # -- peers -----------------------------------------------------------------------------

    def connection_added(self, connection: Any) -> None:
        if self._options.probe_router:
            connection.send_ahead([b""])
        connection.deliver = lambda messages: self._arrived(connection, messages)
        super().connection_added(connection)
        self._rotation.append(connection.outlet)
        self._assign()
        self._room.notify()

    def connection_removed(self, connection: Any) -> None:
        outlet = self._outlets.get(connection)
        if outlet is not None:
            index = self._rotation.index(outlet)
            del self._rotation[index]
            if index < self._next:
                self._next -= 1
        super().connection_removed(connection)

    def _not_sent(self, connection: Any, messages: Sequence[Any]) -> None:
        self._waiting.extendleft(reversed(messages))
        if connection is self._asked:
            self._asked = None
            if not any(message is self._request for message in messages):
                self._settle(LOST)
        self._assign()

    def _room_made(self) -> None:
        super()._room_made()
        self._assign()
        self._room.notify()

    def option_changed(self, name: str) -> None:
        super().option_changed(name)
        if name == "immediate":
            self._room_made()

    def drained(self) -> bool:
        return not self._waiting and super().drained()

    def fail(self, failure: Callable[[], BaseException]) -> None:
        super().fail(failure)
        self._outcomes.notify()
        self._room.notify()
