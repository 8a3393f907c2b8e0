"""What a socket needs from below."""

from __future__ import annotations

from typing import Any, Callable

from zope.interface import Attribute, Interface


class IEngine(Interface):
    """Everything behind one socket.

    Made without side effects; opens (takes hold of the hub, builds its queues) with the first
    call that needs it. ``send`` and ``receive`` are looked up anew at each call and may be
    replaced by the engine with something more direct once it is open. All methods belong to the
    thread that opened the engine. Any number of greenlets may be in ``send`` and ``receive`` at
    once; an exception thrown into a waiting one leaves the engine as it was before the call.
    """

    socket_type: str = Attribute("The socket type's name, such as PUSH")
    options: Any = Attribute(
        "The socket's Options; the engine only reads them, but for connect_routing_id, which "
        "connect uses up"
    )
    lifecycle: Any = Attribute("An ISocketLifecycle")
    hub: Any = Attribute("The gevent hub that the engine was opened in; None before")
    routing: Any = Attribute(
        "The IRouting, once open; None before. Socket types call on it for what "
        "is their pattern's alone, such as subscribe"
    )
    connections: Any = Attribute("Collection of the IConnections that are ready")
    acceptors: Any = Attribute("Collection of the endpoints bound, as text")
    dials: Any = Attribute("Collection of the endpoints connected, as text")
    last_endpoint: str = Attribute("What the latest bind or connect resolved to; empty before")

    def is_here() -> bool:
        """Whether the calling thread is the engine's own; true before it is open. Called for
        every message: as fast as can be."""

    def open() -> None:
        """Take hold of this thread's hub; idempotent, and nothing after close. Raises OptionError
        for options that the socket type cannot have, SocketClosed when it was closed unopened,
        ForeignThread when another thread opens it just now."""

    def attach_to(parent: Any) -> None:
        """Stop when the gevent Group *parent* is killed."""

    def bind(endpoint: str) -> str:
        """Listen; returns the resolved endpoint. Raises OSError with the system's errno."""

    def connect(endpoint: str) -> str:
        """Connect in the background and for good; returns the canonical endpoint at once."""

    def unbind(endpoint: str) -> None:
        """Undo bind and close what was accepted there. EndpointError (ENOENT) if not bound."""

    def disconnect(endpoint: str) -> None:
        """Undo connect and close the link. EndpointError (ENOENT) if not connected."""

    def send(message: list[bytes], timeout: Any) -> None:
        """Accept *message* for sending; blocks the calling greenlet only, for *timeout* seconds at
        most (None: no limit; ``flow.deadline.DEFAULT``: as the options say). Raises SendTimeout,
        SocketClosed, SocketDead, and what the socket type's pattern calls for."""

    def receive(timeout: Any) -> list[bytes]:
        """The next message; waits as ``send`` does. Raises ReceiveTimeout, SocketClosed,
        SocketDead."""

    def give_back(message: list[bytes]) -> None:
        """Take *message*, the result of ``receive``, as the next one to be received."""

    def readable() -> bool:
        """Whether receive would return or raise at once; always False for a live socket whose
        type cannot receive, always True for a closed one."""

    def writable() -> bool:
        """Whether send would accept or raise at once; always False for a live socket whose type
        cannot send, always True for a closed one."""

    def call_when_readable(function: Callable[[], None]) -> Callable[[], None]:
        """Have *function* called once, in the hub, when ``readable``, which is False now, may have
        become True; returns a function that cancels."""

    def call_when_writable(function: Callable[[], None]) -> Callable[[], None]:
        """The same for ``writable``."""

    def close(linger: float | None) -> None:
        """Send what is queued for at most *linger* seconds (None: forever), then end. Waiting
        senders and receivers get SocketClosed at once."""

    def stop() -> None:
        """End now. Never switches; callable from the hub."""

    def abandon() -> None:
        """This process is the child of a fork, or the engine's thread has ended: release the
        descriptors, without a word to peers and monitors, and end the greenlets. Whoever waits,
        and every later call, gets SocketForked or SocketClosed. Waits for no lock, never
        switches. See `omq_gevent.flow.abandon`."""

    def add_monitor(monitor: Any, verbose: bool = False) -> None:
        """Tell *monitor*, an IMonitor, every event from now on; with *verbose* also each message
        that ``send`` accepts and ``receive`` returns. Its last event is monitor_stopped, at once
        if the engine was closed before. Never switches."""

    def remove_monitor(monitor: Any) -> None:
        """Tell *monitor* monitor_stopped and nothing more; nothing if it is not there."""

    def option_changed(name: str) -> None:
        """An option was set on the open socket; raises OptionError to refuse it."""


class IEngineFactory(Interface):
    """Makes engines; registered by name, ``gevent`` is the default."""

    def __call__(socket_type: str, options: Any, context: Any) -> IEngine:
        """A new engine for one socket."""
