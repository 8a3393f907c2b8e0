"""Endpoints to byte streams, or to ready connections."""

from __future__ import annotations

from typing import Any

from zope.interface import Attribute, Interface


class IStream(Interface):
    """A connected byte stream. One greenlet reads, one writes; both may be killed while they
    wait. OSError means that the connection is broken."""

    remote: str = Attribute("Where the peer is, as text; may be empty")

    def read(size: int) -> bytes:
        """Wait for at least one and at most *size* bytes; b"" at the end of the stream."""

    def write_now(buffers: list[Any]) -> int:
        """Take what goes without waiting; the number of bytes taken, perhaps 0."""

    def wait_writable() -> None:
        """Switch away until write_now may take something."""

    def close() -> None:
        """Release the descriptor. Never switches; idempotent. Waiting greenlets are killed by the
        caller."""


class IListener(Interface):
    """A bound endpoint."""

    endpoint: str = Attribute("The resolved endpoint, which a peer can connect to")
    acceptors: Any = Attribute(
        "Sequence of callables; each waits for a peer and returns an IStream. The engine runs "
        "each in a greenlet of its own. OSError: try again shortly. PeerRefused: go on. Empty for "
        "transports that call the host by themselves."
    )

    def wrap(connection: Any) -> Any:
        """The IConnection to use instead of *connection*; itself where there is nothing to add."""

    def close() -> None:
        """Release the address. Never switches; idempotent."""


class IDialer(Interface):
    """A way to one endpoint, of a transport that makes streams."""

    endpoint: str = Attribute("The endpoint as text")

    def dial() -> Any:
        """Connect once, cooperatively, and return the IStream. Raises OSError on failure. May be
        killed at any switch; it leaks nothing then."""

    def wrap(connection: Any) -> Any:
        """As IListener.wrap."""


class ITransport(Interface):
    """What a scheme (the text before ``://``) stands for; registered by that name."""

    def listen(endpoint: Any, host: Any) -> IListener:
        """Bind now. *endpoint* is a parsed Endpoint, *host* an ITransportHost. Raises OSError."""

    def dialer(endpoint: Any, host: Any) -> Any:
        """An IDialer, which prepares to connect; no I/O yet. Raises EndpointError when it can never
        work."""


class IDirectTransport(ITransport):
    """A transport whose links need neither handshake nor pumps, such as inproc.

    Its ``listen`` gives an IDirectListener and its ``dialer`` an IDirectDialer, which raises
    IncompatiblePeer when the socket there is known to be of a wrong type. They hand over both ends
    of a link as IConnections, each to its host with ``link_ready``. The two sockets may belong to
    different threads: a host is called in its own.
    """


class IDirectListener(IListener):
    """A bound endpoint of a direct transport."""

    def start() -> None:
        """Link up with those who wait for this endpoint; the socket knows of it by now. Never
        blocks, never raises."""


class IDirectDialer(Interface):
    """A way to one endpoint of a direct transport; keeps itself connected."""

    endpoint: str = Attribute("The endpoint as text")

    def start() -> None:
        """Link up now if the other side is there, else as soon as it is. Never blocks."""

    def succeeded() -> None:
        """The link is ready."""

    def again(reason: BaseException | None) -> None:
        """The link was lost: where the other side is gone, behave as after start; where it is
        there, but did not want this link, try again after a pause. Never blocks."""

    def cancel() -> None:
        """No more links. Never blocks."""


class ITransportHost(Interface):
    """The socket's side, as a transport sees it."""

    socket_type: str = Attribute("The socket type's name")
    compatible: Any = Attribute("The socket types it may talk to")
    options: Any = Attribute("The socket's Options")
    context: Any = Attribute("The Context, for name spaces")
    hub: Any = Attribute("The hub of the socket's thread")
    lifecycle: Any = Attribute("The ISocketLifecycle")

    def link_ready(connection: Any, endpoint: str, dial: Any = None) -> None:
        """A direct link stands. Raises PeerRefused when this socket does not want it."""

    def link_lost(connection: Any, reason: BaseException | None = None) -> None:
        """A direct link's other end is gone."""

    def stream_accepted(stream: Any, endpoint: str, mechanism: Any = None) -> None:
        """A stream came in by another way than an acceptor; the handshake starts, with the
        socket's own mechanism unless another is given."""

    def stream_dialed(stream: Any, endpoint: str, dial: Any, mechanism: Any = None) -> None:
        """As stream_accepted, on the connecting side; *dial* is an IDirectDialer."""

    def backoff() -> Any:
        """A new count of failed attempts, which knows how long to wait before the next."""

    def fatal(error: BaseException) -> None:
        """Something in this socket, rather than the peer, is broken."""

    def emit(kind: str, endpoint: str | None = None) -> None:
        """Tell a monitor event; more facts as keywords."""
