"""A socket for all operating system threads: calls go to the thread that the socket belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Callable

from gevent.hub import Waiter

from omq_gevent.errors import ReceiveTimeout, SendTimeout, SocketClosed, WaitTimeout
from omq_gevent.flow import abandon
from omq_gevent.flow.cross_thread_call import CrossThreadCall
from omq_gevent.flow.deadline import DEFAULT, Deadline, Timeout
from omq_gevent.flow.readiness import POLLIN
from omq_gevent.message import Sendable, to_frames


class _Desk:
    """Takes calls in from all threads, and has them carried out in that of *engine*.

    Lives as long as the socket is open, and keeps its hub from taking itself for idle: work may
    come in at any time. It knows nothing of the socket, which may be dropped.
    """

    def __init__(self, engine: Any) -> None:
        self._requests: deque[Callable[[], object]] = deque()
        self._calls: set[CrossThreadCall] = set()
        self._closed = False
        self._socket_type = engine.socket_type
        self.hub = engine.hub
        self._watcher = self.hub.loop.async_()
        self._watcher.start(self._serve)
        attendant = engine.lifecycle.barrier.spawn(Waiter(self.hub).get)
        attendant.rawlink(lambda _greenlet: self._close())
        abandon.watch(self)

    def carry_out(
        self,
        function: Callable[[float | None], Any],
        deadline: Deadline,
        late: Callable[[], Any],
        undo: Callable[[Any], object] | None,
    ) -> Any:
        """Have *function* called in the other thread, and wait for what it returns or raises."""
        call = CrossThreadCall(function, deadline, undo, self._post)
        self._calls.add(call)
        try:
            self._post(call.begin)
            if self._closed:
                call.refuse(self._closed_error())
            return call.wait(late)
        finally:
            self._calls.discard(call)

    def _post(self, request: Callable[[], object]) -> None:
        self._requests.append(request)
        if not self._closed:
            try:
                self._watcher.send()
            except Exception:  # closed just now, or with a loop that was destroyed
                self._refuse_all(begun=False)

    def _serve(self) -> None:
        while self._requests:
            self._requests.popleft()()

    def _close(self) -> None:
        """The socket is closed. Calls that have begun learn that from it."""
        self._watcher.stop()
        self._watcher.close()
        self._refuse_all(begun=False)

    def abandon(self) -> None:
        """The thread has ended: nobody is there any more to carry out anything."""
        self._refuse_all(begun=True)

    def _refuse_all(self, begun: bool) -> None:
        self._closed = True
        for call in list(self._calls):
            call.refuse(self._closed_error(), begun)

    def _closed_error(self) -> SocketClosed:
        return SocketClosed(
            f"this {self._socket_type} socket is closed, or the thread that it belongs to has ended"
        )


class ThreadsafeSocket:
    """What `Socket.threadsafe` returns: its methods may be called from any thread.

    They are those of the socket, with the same arguments, results and errors. A caller whose
    thread has a hub waits as a greenlet, any other one as a thread; killing the greenlet that
    waits cancels the call. In the thread of the socket they are the socket's own methods.

    The work is done in the hub of that thread, so that has to run: a thread that sits in a
    blocking system call answers nobody. Time limits hold all the same.
    """

    def __init__(self, socket: Any) -> None:
        engine = socket._own_engine
        engine.open()
        self._socket = socket
        self._engine = engine
        self._desk = _Desk(engine)

    def send(self, data: Sendable, timeout: Timeout = DEFAULT) -> None:
        """As `Socket.send`."""
        frames = to_frames(data)  # now: what the caller has may change
        deadline = Deadline(timeout, self._socket.write_timeout)
        self._carry_out(lambda seconds: self._socket.send(frames, seconds), deadline, SendTimeout)

    def receive(self, timeout: Timeout = DEFAULT) -> list[bytes]:
        """As `Socket.receive`."""
        deadline = Deadline(timeout, self._socket.read_timeout)
        message: list[bytes] = self._carry_out(
            self._socket.receive, deadline, ReceiveTimeout, self._engine.give_back
        )
        return message

    def __iter__(self) -> Iterator[list[bytes]]:
        """Messages until the socket is closed."""
        iter(self._socket)  # refuses what cannot receive
        return self

    def __next__(self) -> list[bytes]:
        try:
            return self.receive()
        except SocketClosed:
            raise StopIteration from None

    def poll(self, timeout: float | None = None, events: int = POLLIN) -> int:
        """As `Socket.poll`."""
        ready: int = self._carry_out(
            lambda seconds: self._socket.poll(seconds, events), Deadline(timeout, None)
        )
        return ready or 0

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """What ``function(*args)`` returns, called in a greenlet of the socket's thread: for all
        that has no method here, such as ``call(setattr, socket, "linger", 0)``."""
        return self._carry_out(lambda _seconds: function(*args), Deadline(None, None))

    def bind(self, endpoint: str) -> str:
        """As ``bind`` of a socket."""
        resolved: str = self.call(self._socket.bind, endpoint)
        return resolved

    def connect(self, endpoint: str) -> str:
        """As ``connect`` of a socket."""
        resolved: str = self.call(self._socket.connect, endpoint)
        return resolved

    def unbind(self, endpoint: str) -> None:
        """As `Socket.unbind`."""
        self.call(self._socket.unbind, endpoint)

    def disconnect(self, endpoint: str) -> None:
        """As `Socket.disconnect`."""
        self.call(self._socket.disconnect, endpoint)

    def subscribe(self, prefix: Any = b"") -> None:
        """As ``subscribe`` of SUB, XSUB and XPUB."""
        self.call(self._socket.subscribe, prefix)

    def unsubscribe(self, prefix: Any = b"") -> None:
        """As ``unsubscribe`` of SUB, XSUB and XPUB."""
        self.call(self._socket.unsubscribe, prefix)

    def wait_connected(self, n: int = 1, timeout: float | None = None) -> None:
        """As `Socket.wait_connected`."""
        wait = self._socket.wait_connected
        self._carry_out(lambda seconds: wait(n, seconds), Deadline(timeout, None), WaitTimeout)

    def wait_disconnected(self, n: int = 0, timeout: float | None = None) -> None:
        """As `Socket.wait_disconnected`."""
        wait = self._socket.wait_disconnected
        self._carry_out(lambda seconds: wait(n, seconds), Deadline(timeout, None), WaitTimeout)

    def wait_subscribed(
        self, topic: bytes | None = None, n: int = 1, timeout: float | None = None
    ) -> None:
        """As ``wait_subscribed`` of PUB and XPUB."""
        wait = self._socket.wait_subscribed
        self._carry_out(
            lambda seconds: wait(topic, n, seconds), Deadline(timeout, None), WaitTimeout
        )

    def close(self, linger: float | None | Any = DEFAULT) -> None:
        """As `Socket.close`; waits until the socket is closed."""
        if not self._socket.closed:
            self.call(self._socket.close, linger)

    def stop(self) -> None:
        """As `Socket.stop`."""
        self.close(0)

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        closed: bool = self._socket.closed
        return closed

    @property
    def last_endpoint(self) -> str:
        """As `Socket.last_endpoint`."""
        endpoint: str = self._socket.last_endpoint
        return endpoint

    def __enter__(self) -> ThreadsafeSocket:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<threadsafe {self._socket!r}>"

    def _carry_out(
        self,
        function: Callable[[float | None], Any],
        deadline: Deadline,
        late_error: type[Exception] | None = None,
        undo: Callable[[Any], object] | None = None,
    ) -> Any:
        if self._engine.is_here():
            return function(deadline.remaining())

        def late() -> None:
            if late_error is not None:
                raise late_error(
                    f"the thread that the socket belongs to was busy for {deadline.seconds} s"
                )

        return self._desk.carry_out(function, deadline, late, undo)
