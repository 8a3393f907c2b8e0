"""The socket that a user holds."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    NamedTuple,
    TypeVar,
    overload,
)

from gevent import get_hub

from omq_gevent import registry
from omq_gevent.context import DEFAULT_CONTEXT, Context
from omq_gevent.errors import ForeignThread, SocketClosed, WaitTimeout, WrongDirection
from omq_gevent.flow.deadline import DEFAULT, Timeout
from omq_gevent.flow.readiness import (
    POLLIN,
    checked_events,
    ready_events,
    wait_any,
    watch_events,
)
from omq_gevent.message import Sendable, to_frames
from omq_gevent.monitors.choose import choose
from omq_gevent.options import Option, Options
from omq_gevent.threadsafe import ThreadsafeSocket
from omq_gevent.zmtp.peer_facts import PeerFacts

S = TypeVar("S", bound="Socket")


class Peer(NamedTuple):
    """One peer that is connected now."""

    endpoint: str
    address: str
    facts: PeerFacts

    @property
    def identity(self) -> bytes:
        return self.facts.identity

    @property
    def socket_type(self) -> str:
        return self.facts.socket_type


class Stats(NamedTuple):
    """What a socket holds now, and what it has dropped so far; all but ``peers`` in messages."""

    peers: int
    send_queued: int
    receive_queued: int
    dropped: int


class _Messages:
    """What iterates over a socket. Not a generator: that would be over after any exception, such
    as a time limit around ``next``, and say so as if the socket was closed."""

    def __init__(self, sock: Socket) -> None:
        self._socket = sock

    def __iter__(self) -> _Messages:
        return self

    def __next__(self) -> list[bytes]:
        try:
            return self._socket.receive()
        except SocketClosed:
            raise StopIteration from None


class _Attach:
    """``bind`` and ``connect``: on the class they make a socket, on a socket they attach it."""

    def __init__(self, name: str, attach: Callable[[Any, str], str]) -> None:
        self._name = name
        self._attach = attach
        self.__doc__ = attach.__doc__

    @overload
    def __get__(self, instance: None, owner: type[S]) -> Callable[..., S]: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> Callable[[str], str]: ...

    def __get__(self, instance: S | None, owner: type[S]) -> Any:
        if instance is not None:
            return self._attach.__get__(instance)

        def make(endpoint: str, **options: Any) -> S:
            made = owner(**options)
            try:
                self._attach(made, endpoint)
            except BaseException:
                made.stop()
                raise
            return made

        make.__name__ = self._name
        make.__doc__ = f"Make a {owner.__name__} socket and {self._name} it."
        return make


def _bind(self: Socket, endpoint: str) -> str:
    """Listen on *endpoint* and return it resolved: with the real port, path or name.

    :raises EndpointError: when *endpoint* cannot be understood.
    :raises OSError: with the system's errno, such as EADDRINUSE.
    """
    resolved: str = self._own_engine.bind(endpoint)
    return resolved


def _connect(self: Socket, endpoint: str) -> str:
    """Connect to *endpoint* in the background, and again whenever the link was lost.

    Returns at once; `Socket.wait_connected` waits for the peer.
    """
    resolved: str = self._own_engine.connect(endpoint)
    return resolved


class Socket:
    """What all socket types share; make one of them, such as `REQ` or `PUB`.

    Options are keyword arguments here and attributes afterwards. *parent*, a gevent ``Group``,
    closes the socket when it is killed. *engine* names another engine than ``gevent``.
    """

    socket_type: ClassVar[str] = ""
    can_send: ClassVar[bool] = True
    can_receive: ClassVar[bool] = True

    _engine: Any
    _options: Options

    def __init__(
        self,
        *,
        context: Context | None = None,
        parent: Any = None,
        engine: str | None = None,
        **options: Any,
    ) -> None:
        if not self.socket_type:
            raise TypeError("make one of the socket types, such as omq_gevent.REQ")
        context = context or DEFAULT_CONTEXT
        self._options = context.options_for(self.socket_type).copy(**options)
        self._options.check_for(self.socket_type)
        name = engine or os.environ.get("OMQ_GEVENT_ENGINE", "gevent")
        self._engine = registry.engine(name)(self.socket_type, self._options, context)
        self.context = context
        if parent is not None:
            self._engine.attach_to(parent)

    bind = _Attach("bind", _bind)
    connect = _Attach("connect", _connect)

    def unbind(self, endpoint: str) -> None:
        """Stop listening on *endpoint*, as ``bind`` returned it, and close what came in there.

        :raises EndpointError: ENOENT when it is not bound.
        """
        self._own_engine.unbind(endpoint)

    def disconnect(self, endpoint: str) -> None:
        """Undo ``connect``; what that peer has not received goes to others, where the pattern
        has others.

        :raises EndpointError: ENOENT when it is not connected.
        """
        self._own_engine.disconnect(endpoint)

    @property
    def last_endpoint(self) -> str:
        """What the latest ``bind`` or ``connect`` resolved to; empty before the first."""
        endpoint: str = self._engine.last_endpoint
        return endpoint

    # -- messages --------------------------------------------------------------------------

    def send(self, data: Sendable, timeout: Timeout = DEFAULT) -> None:
        """Send a message: bytes-like for a single frame, a list or tuple of them for several.

        Blocks this greenlet alone while the queue is at its high-water mark, for *timeout*
        seconds at most (default: ``write_timeout``; None: no limit; 0: not at all). An exception
        means that nothing was accepted.

        :raises MessageError: for anything that is not bytes-like.
        :raises SendTimeout: when there was no room in time.
        :raises SocketClosed: when the socket was closed, even meanwhile.
        """
        # ``send`` is looked up first: else another thread could open the engine in between.
        engine = self._engine
        send = engine.send
        if not engine.is_here():
            raise self._foreign()
        send([data] if type(data) is bytes else to_frames(data), timeout)

    def receive(self, timeout: Timeout = DEFAULT) -> list[bytes]:
        """The next message as a list of frames; waits *timeout* seconds at most (default:
        ``read_timeout``; None: no limit; 0: not at all).

        :raises ReceiveTimeout: when none came in time.
        :raises SocketClosed: when the socket was closed, even meanwhile.
        """
        engine = self._engine
        receive = engine.receive
        if not engine.is_here():
            raise self._foreign()
        message: list[bytes] = receive(timeout)
        return message

    def __iter__(self) -> Iterator[list[bytes]]:
        """Messages until the socket is closed."""
        if not self.can_receive:
            raise WrongDirection(f"{self.socket_type} sockets cannot receive")
        return _Messages(self)

    def poll(self, timeout: float | None = None, events: int = POLLIN) -> int:
        """Wait until one of *events* (POLLIN, POLLOUT) holds and return those that do; 0 when
        *timeout* seconds (None: no limit; 0: only look) are over. Takes nothing away.

        A direction that this socket type does not have never becomes ready; a closed socket is
        ready for everything, and the call that follows raises `SocketClosed`.
        """
        engine = self._own_engine
        checked_events(events)
        return wait_any(
            lambda: ready_events(engine, events),
            lambda wake, cancels: watch_events(engine, events, wake, cancels),
            timeout,
        )

    # -- peers -----------------------------------------------------------------------------

    @property
    def peers(self) -> list[Peer]:
        """Who is connected now."""
        return [
            Peer(connection.endpoint, connection.address, connection.peer)
            for connection in list(self._engine.connections)
        ]

    @property
    def stats(self) -> Stats:
        """Peers, queued and dropped messages at this moment."""
        routing = self._engine.routing
        if routing is None:
            return Stats(0, 0, 0, 0)
        return Stats(
            len(self._engine.connections),
            routing.send_queued(),
            routing.receive_queued(),
            routing.dropped,
        )

    def wait_connected(self, n: int = 1, timeout: float | None = None) -> None:
        """Wait until at least *n* peers are connected.

        :raises WaitTimeout: when *timeout* seconds were over first.
        """
        self._wait(lambda: len(self._engine.connections) >= n, timeout, f"{n} connected peers")

    def wait_disconnected(self, n: int = 0, timeout: float | None = None) -> None:
        """Wait until at most *n* peers are connected.

        :raises WaitTimeout: when *timeout* seconds were over first.
        """
        self._wait(
            lambda: len(self._engine.connections) <= n, timeout, f"no more than {n} connected peers"
        )

    def _wait(self, condition: Callable[[], bool], timeout: float | None, what: str) -> None:
        self._own_engine.open()
        lifecycle = self._engine.lifecycle
        if not lifecycle.wait_until(lambda: condition() or not lifecycle.alive, timeout):
            raise WaitTimeout(f"{self!r}: there were not {what} within {timeout} s")
        if not lifecycle.alive and not condition():
            raise SocketClosed(f"this {self.socket_type} socket is {lifecycle.state}")

    @property
    def reconnect_enabled(self) -> bool:
        """Whether lost links are dialed again; may be set at any time."""
        enabled: bool = self._engine.lifecycle.reconnect_enabled
        return enabled

    @reconnect_enabled.setter
    def reconnect_enabled(self, enabled: bool) -> None:
        self._own_engine.lifecycle.reconnect_enabled = enabled

    # -- monitors --------------------------------------------------------------------------

    def monitor(self, monitor: Any = None, verbose: bool = False) -> Any:
        """Have a monitor told of everything that happens from now on, and return it.

        *monitor* is None for a queue to read from (`QueueMonitor`), a callable to be called with
        each event in a greenlet of its own, a name that is registered, such as ``"logging"``, or
        any provider of ``IMonitor``. There may be any number. With *verbose* it is also told of
        each message that ``send`` accepts and ``receive`` returns.

        :raises NotRegistered: when nothing is registered by that name.
        """
        chosen = choose(monitor)
        self._own_engine.add_monitor(chosen, verbose)
        return chosen

    def unmonitor(self, monitor: Any) -> None:
        """Take *monitor* out, as ``monitor()`` returned it; its last event comes at once."""
        self._own_engine.remove_monitor(monitor)

    # -- the end ---------------------------------------------------------------------------

    def close(self, linger: float | None | Any = DEFAULT) -> None:
        """Send what is queued for at most *linger* seconds (default: the ``linger`` option; None:
        for ever), then end. Only this greenlet waits. Closing again does nothing."""
        seconds = self._options.linger if linger is DEFAULT else linger
        if seconds is not None and seconds < 0:
            raise ValueError(f"linger must be None or seconds >= 0, not {seconds!r}")
        self._own_engine.close(seconds)

    def stop(self) -> None:
        """End now; what is queued is dropped."""
        self._own_engine.close(0)

    @property
    def closed(self) -> bool:
        """Whether ``close`` or ``stop`` was called."""
        return not self._engine.lifecycle.alive

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        engine = self.__dict__.get("_engine")
        if engine is None or engine.lifecycle.state in ("new", "closed") or sys.is_finalizing():
            return
        warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
        hub = engine.hub
        if hub is None or hub is get_hub():
            engine.stop()
        elif hub.loop is not None:  # else that thread has ended, and its hub with it
            hub.loop.run_callback_threadsafe(engine.stop)

    # -- threads ---------------------------------------------------------------------------

    def threadsafe(self) -> ThreadsafeSocket:
        """What any operating system thread may use this socket through, as long as this thread's
        hub gets to run. To be called in the thread that the socket belongs to.

        :raises ForeignThread: elsewhere.
        """
        return ThreadsafeSocket(self)

    @property
    def _own_engine(self) -> Any:
        """The engine, for what only its own thread may do.

        :raises ForeignThread: elsewhere.
        """
        engine = self._engine
        if not engine.is_here():
            raise self._foreign()
        return engine

    def _foreign(self) -> ForeignThread:
        return ForeignThread(
            f"this {self.socket_type} socket belongs to the thread that first used it; other "
            "threads use it through what its threadsafe() returns there"
        )

    # -- options ---------------------------------------------------------------------------

    if TYPE_CHECKING:  # the attributes are put in below

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def _set_option(self, name: str, value: Any) -> None:
        engine = self._own_engine
        before = getattr(self._options, name)
        setattr(self._options, name, value)
        try:
            self._options.check_for(self.socket_type)
            engine.option_changed(name)
        except BaseException:
            setattr(self._options, name, before)
            raise

    def __repr__(self) -> str:
        engine = self._engine
        endpoints = [*engine.acceptors, *engine.dials]
        where = "".join(f" {endpoint}" for endpoint in endpoints)
        state = engine.lifecycle.state
        return f"<{type(self).__name__}{where} peers={len(engine.connections)} {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a socket cannot be copied or pickled; make another one")


class _SocketOption:
    """An option as an attribute of sockets."""

    def __init__(self, option: Option[Any]) -> None:
        self._name = option.name
        self.__doc__ = option.doc

    def __get__(self, sock: Socket | None, owner: type[Socket]) -> Any:
        return self if sock is None else getattr(sock._options, self._name)

    def __set__(self, sock: Socket, value: Any) -> None:
        sock._set_option(self._name, value)


# Not __getattr__ and __setattr__: with either, Python looks up every attribute more slowly, send
# and receive among them.
for _name, _option in Options.declared().items():
    setattr(Socket, _name, _SocketOption(_option))
