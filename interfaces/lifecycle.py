"""The two state machines of the engine."""

from __future__ import annotations

from typing import Any, Callable

from zope.interface import Attribute, Interface


class ISocketLifecycle(Interface):
    """new → open → closing → closed, above all connections of one socket."""

    state: str = Attribute("One of new, open, closing, closed")
    alive: bool = Attribute("Whether it is new or open: close was not called")
    barrier: Any = Attribute("The gevent Group that holds every greenlet of the socket")
    reconnect_enabled: bool = Attribute("Whether lost links are dialed again")
    first_peer: Any = Attribute("AsyncResult: the first connection that became ready")
    last_peer_gone: Any = Attribute("AsyncResult: set when the last of the peers has left")

    def transition(state: str) -> None:
        """Move on. Raises InvalidTransition."""

    def wait_until(condition: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until *condition* holds; False when *timeout* seconds are over."""


class IConnectionLifecycle(Interface):
    """new → handshaking → ready → closed, or new → ready → closed where nothing is negotiated.

    Ready, in this order: wrap the connection, register it, tell ``handshake_succeeded``,
    routing.connection_added, first-peer signal, state ready, start the pumps.
    Closed, in this order: state closed, unregister, routing.connection_removed, close the link,
    tell ``disconnected`` with the first recorded reason, resolve ``done``, last-peer signal,
    reconnect if the endpoint is still wanted, stop the barrier.
    """

    state: str = Attribute("One of new, handshaking, ready, closed")
    endpoint: str = Attribute("The endpoint bound or dialed")
    connection: Any = Attribute("The IConnection once there is one")
    barrier: Any = Attribute("The gevent Group of this link's pumps, nested in the socket's")
    done: Any = Attribute("AsyncResult: set with the reason when the link is closed")

    def handshake(stream: Any, accepted: bool, mechanism: Any = None) -> None:
        """Start negotiating over an IStream; returns at once."""

    def ready_direct(connection: Any) -> None:
        """Take an IConnection that is ready. Raises PeerRefused."""

    def record(reason: BaseException) -> None:
        """Remember why the link is about to be lost; the first reason wins."""

    def lost(reason: BaseException | None = None) -> None:
        """The link broke. Idempotent, never switches."""

    def close() -> None:
        """End the link without reconnecting. Idempotent, never switches."""

    def abandon() -> None:
        """The engine is abandoned: release the descriptor, without a word to the peer, the
        pattern or monitors."""
