"""What all messaging patterns have in common."""

from __future__ import annotations

from typing import Any, Callable, ClassVar

from omq_gevent.errors import WrongDirection
from omq_gevent.flow.deadline import Timeout
from omq_gevent.flow.receive_queue import ReceiveQueue
from omq_gevent.flow.wait_queue import WaitQueue
from omq_gevent.routing.drops import DropCounter
from omq_gevent.zmtp.socket_type import COMPATIBLE

Cancel = Callable[[], None]


def when_ready(queue: WaitQueue, function: Callable[[], None]) -> Cancel:
    """Have *function* called once by *queue*; what comes back cancels that."""
    callback = queue.call_when_ready(function)
    return lambda: queue.cancel(callback)


class Pattern:
    """A strategy that neither sends nor receives; the real ones add their halves."""

    name: ClassVar[str]
    compatible: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            cls.compatible = COMPATIBLE[cls.name]

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        self._options = options
        self._emit = emit
        self.drops = DropCounter(emit)
        self._failure: Callable[[], BaseException] | None = None
        self.emptied = WaitQueue(self.drained)
        self._failed = WaitQueue(lambda: self._failure)

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        raise WrongDirection(f"{self.name} sockets cannot send")

    def receive(self, timeout: Timeout) -> list[bytes]:
        raise WrongDirection(f"{self.name} sockets cannot receive")

    # A direction that the pattern lacks becomes ready at the end only: a poller must see that.

    def readable(self) -> bool:
        return self._failure is not None

    def writable(self) -> bool:
        return self._failure is not None

    def call_when_readable(self, function: Callable[[], None]) -> Cancel:
        return when_ready(self._failed, function)

    def call_when_writable(self, function: Callable[[], None]) -> Cancel:
        return when_ready(self._failed, function)

    def give_back(self, message: list[bytes]) -> None:
        """Nothing was received here, so nothing comes back."""

    def connection_added(self, connection: Any) -> None:
        if self._options.hello_message is not None:
            connection.send_ahead(list(self._options.hello_message))

    def connection_removed(self, connection: Any) -> None:
        """Nothing of this peer is kept here."""

    def option_changed(self, name: str) -> None:
        """Options that no queue depends on are read where they apply."""

    def drained(self) -> bool:
        return True

    def fail(self, failure: Callable[[], BaseException]) -> None:
        self._failure = failure
        self._failed.notify()
        self.drops.stop()

    def send_queued(self) -> int:
        """How many messages were accepted and not yet handed on whole."""
        return 0

    def receive_queued(self) -> int:
        """How many messages wait to be received."""
        return 0

    @property
    def dropped(self) -> int:
        """How many messages were dropped so far, for whatever reason."""
        return self.drops.dropped

    def _read_timeout(self) -> float | None:
        timeout: float | None = self._options.read_timeout
        return timeout

    def _write_timeout(self) -> float | None:
        timeout: float | None = self._options.write_timeout
        return timeout


class Receiving(Pattern):
    """One receive queue per socket, filled by all peers."""

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self.received = ReceiveQueue(options.recv_hwm, self._read_timeout, options.conflate)
        self.receive = self.received.get  # type: ignore[method-assign]

    def connection_added(self, connection: Any) -> None:
        super().connection_added(connection)
        connection.deliver = self._deliverer(connection)
        connection.intake = self.received

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)
        options = self._options
        parting = options.hiccup_message if connection.dialed else options.disconnect_message
        joined = connection.intake is not None  # else this peer was refused
        if parting is not None and joined and not connection.dismissed:
            connection.deliver([list(parting)])

    def _deliverer(self, connection: Any) -> Callable[[list[Any]], None]:
        """What takes the messages of *connection*; it never blocks."""
        return self.received.extend

    def readable(self) -> bool:
        return self.received.readable()

    def receive_queued(self) -> int:
        return len(self.received.items)

    def call_when_readable(self, function: Callable[[], None]) -> Cancel:
        return when_ready(self.received.arrivals, function)

    def give_back(self, message: list[bytes]) -> None:
        self.received.give_back(message)

    def option_changed(self, name: str) -> None:
        super().option_changed(name)
        if name == "recv_hwm":
            self.received.set_hwm(self._options.recv_hwm)

    def fail(self, failure: Callable[[], BaseException]) -> None:
        super().fail(failure)
        self.received.fail(failure)
