"""One ready link to one peer."""

from __future__ import annotations

from typing import Any

from zope.interface import Attribute, Interface


class IConnection(Interface):
    """What a routing strategy sees of a peer, whatever the transport.

    In ``IRouting.connection_added`` the strategy puts its queue for this peer into ``outlet`` and
    sets ``deliver`` (takes a list of messages, never blocks), ``intake`` (the queue whose
    fullness stops the reading, or None) and ``on_command`` (takes name and data of a command, or
    None to ignore them). After that the connection writes by itself what the outlet receives.
    """

    peer: Any = Attribute("PeerFacts: socket type, identity, properties, mechanism, user id")
    identity: bytes = Attribute("The peer's identity; may be empty")
    assigned_identity: bytes = Attribute(
        "The name that we gave to this peer with connect_routing_id, or empty; set by the engine "
        "before connection_added"
    )
    endpoint: str = Attribute("Our endpoint that this link belongs to")
    address: str = Attribute("Where the peer is, as text")
    direct: bool = Attribute("True: no pumps, start() takes no arguments (inproc)")
    dialed: bool = Attribute("True: we connected; False: the peer came to us")
    dismissed: bool = Attribute("True once we end the link on purpose, rather than lose it")
    plaintext: bool = Attribute("True: may be given messages already encoded as ZMTP frames")
    outlet: Any = Attribute("The Outlet that holds what is to be written")
    deliver: Any = Attribute("Called with a list of received messages")
    intake: Any = Attribute("A ReceiveQueue, or None")
    on_command: Any = Attribute("Called with (name, data) of a received command, or None")
    expel: Any = Attribute(
        "Called with an exception, the reason: the engine ends this link with the hub's next turn. "
        "Never switches; set by the engine before connection_added"
    )

    def send_command(body: bytes) -> None:
        """Send a command ahead of all queued messages. Never blocks."""

    def send_ahead(message: Any) -> None:
        """Send a message (a list of frames) ahead of all queued ones. Never blocks."""

    def close() -> None:
        """Release the transport's resources. Never switches, never raises; idempotent."""
