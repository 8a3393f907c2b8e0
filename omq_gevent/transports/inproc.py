"""inproc: links between sockets of one process, by names that belong to a context.

Two sockets of one thread are linked directly. Sockets of different threads have different hubs,
which share nothing: they speak ZMTP over a pair of connected sockets.
"""

from __future__ import annotations

import _socket  # the pair that the patched socket module makes is tied to one hub
from typing import Any, Callable

import gevent
from gevent import get_hub
from zope.interface import implementer

from omq_gevent.errors import ConnectionLost, HandshakeError, IncompatiblePeer, PeerRefused
from omq_gevent.interfaces import IDirectDialer, IDirectListener, IDirectTransport
from omq_gevent.mechanisms.null import NULL
from omq_gevent.transports.inproc_connection import InprocConnection
from omq_gevent.transports.stream import SocketStream


@implementer(IDirectListener)
class InprocListener:
    """A bound name. The dialers do the linking: here is only what they link up with."""

    acceptors: tuple[Callable[[], Any], ...] = ()

    def __init__(self, endpoint: str, host: Any) -> None:
        self.endpoint = endpoint
        self.host = host
        self._names = host.context.inproc
        self._closed = False
        self._names.bind(self)
        self._watcher = _stay_awake(host)

    def start(self) -> None:
        """Link up with all who wait for this name."""
        for dialer in self._names.take_waiting(self.endpoint):
            _call_in_its_thread(dialer.host, dialer.link_up)

    def wrap(self, connection: Any) -> Any:
        return connection

    def refuse(self, error: IncompatiblePeer) -> None:
        """Tell this side, too, that a peer of a wrong type was here."""
        self.host.emit("handshake_failed", self.endpoint, error=error)

    def accept(self, sock: Any) -> None:
        """Take our end of a stream from a socket of another thread; runs in our own."""
        if self._closed:
            sock.close()
        else:
            stream = SocketStream(sock, self.endpoint, self.endpoint)
            self.host.stream_accepted(stream, self.endpoint, NULL)

    def close(self) -> None:
        self._closed = True
        self._names.unbind(self)
        self._watcher.close()


@implementer(IDirectDialer)
class InprocDialer:
    """A name to connect to: is linked, or waits for a bind, or pauses after a refusal.

    A bind is noticed at once; a pause is needed only where the other socket is there and does not
    want this one, such as a PAIR that has its peer.
    """

    def __init__(self, endpoint: str, host: Any) -> None:
        self.endpoint = endpoint
        self.host = host
        self._names = host.context.inproc
        self._backoff = host.backoff()
        self._wanted = True
        self._pause: Any = None
        self._watcher: Any = None
        listener = self._names.bound(endpoint)
        if listener is not None and not self.suits(listener):
            raise self._incompatible(listener)

    def suits(self, listener: InprocListener) -> bool:
        """Whether the socket types go together."""
        return (
            listener.host.socket_type in self.host.compatible
            and self.host.socket_type in listener.host.compatible
        )

    def _incompatible(self, listener: InprocListener) -> IncompatiblePeer:
        ours, theirs = self.host.socket_type, listener.host.socket_type
        return IncompatiblePeer(f"a {ours} socket cannot talk to a {theirs} socket")

    def start(self) -> None:
        self._watcher = _stay_awake(self.host)
        self.host.emit("connect_delayed", self.endpoint)
        self.link_up()

    def link_up(self) -> None:
        """Link with who has bound the name; wait for that where nobody has."""
        if not self._wanted:
            return
        listener = self._names.find_or_wait(self)
        if listener is None:
            return
        if not self.suits(listener):
            error = self._incompatible(listener)
            self.host.emit("handshake_failed", self.endpoint, error=error)
            _call_in_its_thread(listener.host, listener.refuse, error)
        elif listener.host.hub is self.host.hub:
            self._link(listener)
        else:
            self._link_across_threads(listener)

    def _link(self, listener: InprocListener) -> None:
        near, far = InprocConnection.pair(self.host, listener.host, self.endpoint)
        # The binding side first: it refuses more often, and ours has noticed nothing then. No
        # message moves before both have been asked.
        try:
            listener.host.link_ready(far, self.endpoint)
        except PeerRefused as error:
            self.host.emit("handshake_failed", self.endpoint, error=error)
            self.again(error)
            return
        if near.closed:
            self.again(ConnectionLost("the peer closed the connection"))
            return
        try:
            self.host.link_ready(near, self.endpoint, self)
        except PeerRefused:
            return  # its loss was reported to ``again``, as any other

    def _link_across_threads(self, listener: InprocListener) -> None:
        ours, theirs = _socket.socketpair()
        if not _call_in_its_thread(listener.host, listener.accept, theirs):
            ours.close()
            theirs.close()
            self.again(ConnectionLost("the thread of the other socket has ended"))
            return
        stream = SocketStream(ours, self.endpoint, self.endpoint)
        self.host.stream_dialed(stream, self.endpoint, self, NULL)

    def succeeded(self) -> None:
        self._backoff.link_ready()

    def again(self, reason: BaseException | None) -> None:
        lifecycle = self.host.lifecycle
        if not self._wanted or not lifecycle.reconnect_enabled or self._backoff.gives_up:
            return
        if lifecycle.state not in ("open", "closing"):
            return
        delay = self._backoff.next_delay(isinstance(reason, (HandshakeError, PeerRefused)))
        if self._names.bound(self.endpoint) is None:
            delay = None  # none is needed: a bind is noticed
        self.host.emit(
            "connect_retried",
            self.endpoint,
            error=reason,
            interval=delay,
            attempt=self._backoff.attempts,
        )
        if delay is None:
            self.link_up()
            return
        self._pause = lifecycle.barrier.spawn_named(
            f"{self.host.socket_type} dial {self.endpoint}", gevent.sleep, delay
        )
        # However that ends: whoever kills it has not taken back the connect.
        self._pause.rawlink(lambda _greenlet: self.link_up())

    def cancel(self) -> None:
        self._wanted = False
        self._names.stop_waiting(self)
        if self._watcher is not None:
            self._watcher.close()
        if self._pause is not None:
            self._pause.kill(block=False)


def _call_in_its_thread(host: Any, function: Callable[..., None], *args: Any) -> bool:
    """Have *function* called where it may touch *host*; False when that thread has ended."""
    if host.hub is get_hub():
        function(*args)
        return True
    loop = host.hub.loop
    try:
        if loop is not None:
            loop.run_callback_threadsafe(function, *args)
            return True
    except ValueError:
        pass  # destroyed just now
    return False


def _stay_awake(host: Any) -> Any:
    """A watcher that lets the hub wait although it sees nothing to wait for: the next link may
    come from another thread."""
    watcher = host.hub.loop.async_()
    watcher.start(_nothing)
    return watcher


def _nothing() -> None:
    """Nobody triggers that watcher."""


@implementer(IDirectTransport)
class InprocTransport:
    """Names instead of addresses; see `omq_gevent.transports.inproc_names`."""

    def listen(self, endpoint: Any, host: Any) -> InprocListener:
        """Bind the name.

        :raises OSError: EADDRINUSE when it is taken.
        """
        return InprocListener(str(endpoint), host)

    def dialer(self, endpoint: Any, host: Any) -> InprocDialer:
        """Prepare to connect to the name.

        :raises IncompatiblePeer: when a socket of a wrong type has bound it.
        """
        return InprocDialer(str(endpoint), host)


inproc = InprocTransport()
