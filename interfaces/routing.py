"""Where messages go: one strategy per messaging pattern."""

from __future__ import annotations

from typing import Any, Callable

from zope.interface import Attribute, Interface


class IRouting(Interface):
    """The pattern of one socket: its queues and whose turn it is.

    Everything but ``send`` and ``receive`` never switches. In ``send``, every switch comes before
    the message is accepted: an exception out of ``send`` means that nothing was taken.
    """

    emptied: Any = Attribute("WaitQueue: notified when a queue towards a peer ran empty")

    def send(message: list[bytes], timeout: Any) -> None:
        """Accept *message*. Raises SendTimeout, WrongDirection and what ``fail`` has set."""

    def receive(timeout: Any) -> list[bytes]:
        """The next message. Raises ReceiveTimeout, WrongDirection and what ``fail`` has set."""

    def give_back(message: list[bytes]) -> None:
        """Take *message*, the result of ``receive``, as the next one to be received."""

    def readable() -> bool:
        """Whether receive would return (or raise) at once; for a pattern that never receives,
        whether ``fail`` was called."""

    def writable() -> bool:
        """Whether send would accept (or raise) at once; for a pattern that never sends, whether
        ``fail`` was called."""

    def call_when_readable(function: Callable[[], None]) -> Callable[[], None]:
        """Have *function* called once, in the hub; returns a function that cancels."""

    def call_when_writable(function: Callable[[], None]) -> Callable[[], None]:
        """Have *function* called once, in the hub; returns a function that cancels."""

    def connection_added(connection: Any) -> None:
        """A peer is ready; see IConnection for what to set. Raises PeerRefused."""

    def connection_removed(connection: Any) -> None:
        """A peer is gone, perhaps one that was refused before. What it has not wholly received
        goes back to the queue where the pattern has one."""

    def option_changed(name: str) -> None:
        """A live option was set."""

    def drained() -> bool:
        """Whether nothing that was accepted still waits for the kernel."""

    dropped: int = Attribute("How many messages were dropped so far, for whatever reason")

    def send_queued() -> int:
        """How many messages were accepted and not yet handed on whole."""

    def receive_queued() -> int:
        """How many messages wait to be received."""

    def fail(failure: Callable[[], BaseException]) -> None:
        """From now on, senders and receivers, waiting ones too, get the exception that *failure*
        makes. What is queued for peers stays."""


class IRoutingFactory(Interface):
    """Makes the strategy of a socket; registered under the socket type's name."""

    compatible: Any = Attribute("Frozenset: the names of the peers' types that this type takes")

    def __call__(options: Any, emit: Callable[..., None]) -> IRouting:
        """A new strategy. *emit(kind, connection=None, count=None, ...)* tells a monitor event."""
