"""REP: each reply goes back the way its request came (RFC 28)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import MutableMapping
from typing import Any, Callable
from weakref import WeakKeyDictionary

from zope.interface import implementer, provider

from omq_gevent.errors import StateError
from omq_gevent.flow.caller import calling_greenlet
from omq_gevent.flow.deadline import Deadline, Timeout
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.pattern import Receiving
from omq_gevent.routing.peer_queues import PeerQueues

NOT_A_REQUEST = "a request without an empty delimiter frame and a body"
ASKER_LEFT = "the peer that asked is gone"


class _Request:
    """Where a reply goes: the connection (None once it is gone) and the envelope."""

    __slots__ = ("body", "connection", "envelope", "of_greenlet")

    def __init__(self, connection: Any, envelope: list[bytes], body: list[bytes]) -> None:
        self.connection = connection
        self.envelope = envelope
        self.body = body
        self.of_greenlet: deque[_Request] | None = None


@provider(IRoutingFactory)
@implementer(IRouting)
class Rep(Receiving, PeerQueues):
    """Any number of greenlets may each receive and answer: a reply belongs to the oldest request
    that the same greenlet has received, else to the oldest of all. Requests that nobody has
    received yet answer to nobody."""

    name = "REP"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self.receive = self._receive_request  # type: ignore[method-assign]
        self._unanswered: OrderedDict[_Request, None] = OrderedDict()
        self._by_greenlet: MutableMapping[Any, deque[_Request]] = WeakKeyDictionary()

    def _receive_request(self, timeout: Timeout) -> list[bytes]:
        request: _Request = self.received.get(timeout)
        greenlet = calling_greenlet()
        of_greenlet = self._by_greenlet.get(greenlet)
        if of_greenlet is None:
            of_greenlet = self._by_greenlet[greenlet] = deque()
        of_greenlet.append(request)
        request.of_greenlet = of_greenlet
        self._unanswered[request] = None
        if request.connection not in self._outlets:
            request.connection = None
        if self._turns.waiting:
            self._turns.notify()
        return request.body

    def give_back(self, message: list[bytes]) -> None:
        for request in reversed(self._by_greenlet.get(calling_greenlet(), ())):
            if request.body is message:
                self._answered(request)
                self.received.give_back(request)
                return

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        """Answer a request.

        :raises StateError: when there is none to answer.
        """
        self._patience.pace()
        request = self._next_to_answer()
        outlet = self._outlets.get(request.connection)
        if outlet is not None and outlet.full:
            deadline = Deadline(timeout, self._write_timeout())
            while outlet is not None and outlet.full and not outlet.muted:
                in_time = self._patience.wait([outlet], deadline)
                # Looked up anew: while we waited, another greenlet may have answered this one.
                request = self._next_to_answer()
                outlet = self._outlets.get(request.connection)
                if not in_time:
                    break
        self._answered(request)
        if outlet is None:
            self.drops.add(None, ASKER_LEFT)
        else:
            self._push(outlet, [*request.envelope, *message])

    def _next_to_answer(self) -> _Request:
        own = self._by_greenlet.get(calling_greenlet())
        if own:
            return own[0]
        if not self._unanswered:
            raise StateError("there is no request to answer: a REP socket receives before it sends")
        return next(iter(self._unanswered))

    def _answered(self, request: _Request) -> None:
        del self._unanswered[request]
        assert request.of_greenlet is not None
        request.of_greenlet.remove(request)

    def writable(self) -> bool:
        return bool(self._unanswered) or self._failure is not None

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)
        # These keep their place in the order, or every later reply would go to a wrong peer.
        for request in self._unanswered:
            if request.connection is connection:
                request.connection = None
                request.body = []

    def _deliverer(self, connection: Any) -> Callable[[list[Any]], None]:
        return lambda messages: self._requests_arrived(connection, messages)

    def _requests_arrived(self, connection: Any, messages: list[list[bytes]]) -> None:
        requests = []
        for message in messages:
            try:
                body_at = message.index(b"") + 1
            except ValueError:
                body_at = len(message)
            if body_at == len(message):
                self.drops.add(connection, NOT_A_REQUEST)
            else:
                requests.append(_Request(connection, message[:body_at], message[body_at:]))
        self.received.extend(requests)
