"""ROUTER: every peer has a name, which is the first frame of each message (RFC 28)."""

from __future__ import annotations

import os
from typing import Any, Callable

from zope.interface import implementer, provider

from omq_gevent.errors import PeerRefused, SendTimeout, Unroutable
from omq_gevent.flow.deadline import Deadline, Timeout
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.pattern import Receiving
from omq_gevent.routing.peer_queues import PeerQueues
from omq_gevent.zmtp.printable import printable

NO_SUCH_PEER = "no peer has the identity in the first frame"
NO_BODY = "there is nothing after the identity"


@provider(IRoutingFactory)
@implementer(IRouting)
class Router(Receiving, PeerQueues):
    """Names its peers by their own identity, by ours for them, or at random."""

    name = "ROUTER"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._identities: dict[Any, bytes] = {}  # of each connection
        self._routes: dict[bytes, Outlet] = {}

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        """Send what follows the first frame to the peer that the first frame names.

        :raises Unroutable: with ``router_mandatory``, when there is no such peer.
        :raises SendTimeout: with ``router_mandatory`` or ``on_mute="block"``, when the peer's queue
            stayed full.
        """
        self._patience.pace()
        identity = message[0]
        outlet = self._routes.get(identity)
        if outlet is not None and outlet.full:
            outlet = self._wait_room(identity, timeout)
        if len(message) == 1:
            self.drops.add(None if outlet is None else outlet.connection, NO_BODY)
        elif outlet is not None:
            self._push(outlet, message[1:])
        elif self._options.router_mandatory:
            raise Unroutable(f"no connected peer has the identity {printable(identity)}")
        else:
            self.drops.add(None, NO_SUCH_PEER)

    def _wait_room(self, identity: bytes, timeout: Timeout) -> Outlet | None:
        """The queue of the peer of that name; still full if it is not worth waiting longer."""
        on_mute = self._options.on_mute
        blocks = self._blocks()
        deadline = Deadline(timeout, self._write_timeout())
        while True:
            # Looked up anew each time: while we waited, the peer may have gone or come back.
            outlet = self._routes.get(identity)
            if outlet is None or not outlet.full:
                return outlet
            if not blocks and (outlet.muted or on_mute is not None):
                return outlet
            if not self._patience.wait([outlet], deadline, give_up=not blocks):
                if not blocks:
                    return self._routes.get(identity)
                raise SendTimeout(
                    f"the queue of peer {printable(identity)} stayed at its high-water mark "
                    f"({outlet.hwm}) for {deadline.seconds} s"
                )

    def _blocks(self) -> bool:
        on_mute = self._options.on_mute
        return bool(on_mute == "block" or (on_mute is None and self._options.router_mandatory))

    def writable(self) -> bool:
        if self._failure is not None or not self._blocks():
            return True
        return any(not outlet.full for outlet in self._outlets.values())

    # -- peers -----------------------------------------------------------------------------

    def connection_added(self, connection: Any) -> None:
        options = self._options
        identity = self._identity_for(connection)
        known = self._routes.get(identity)
        if known is not None:
            if not options.router_handover:
                raise PeerRefused(f"another peer has the identity {printable(identity)} already")
            self._evict(known.connection, identity)
        if options.probe_router:
            connection.send_ahead([b""])
        self._identities[connection] = identity
        super().connection_added(connection)
        self._routes[identity] = connection.outlet
        if "connect" in options.router_notify:
            self.received.put([identity, b""])

    def _identity_for(self, connection: Any) -> bytes:
        identity: bytes = connection.assigned_identity or connection.identity
        while not identity or (identity[0] == 0 and identity in self._routes):
            # No peer may claim a name that begins with a zero octet.
            identity = b"\0" + os.urandom(4)
        return identity

    def _evict(self, connection: Any, identity: bytes) -> None:
        self.connection_removed(connection)
        connection.expel(PeerRefused(f"another peer has taken over {printable(identity)}"))

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)  # delivers the disconnect message, under the name
        identity = self._identities.pop(connection, None)
        # A peer that lost its name, or never got it, must not take it from the one who has it.
        if identity is not None:
            del self._routes[identity]
            if "disconnect" in self._options.router_notify:
                self.received.put([identity, b""])

    def _deliverer(self, connection: Any) -> Callable[[list[Any]], None]:
        identities = self._identities
        identity = identities[connection]
        extend = self.received.extend

        def deliver(messages: list[Any]) -> None:
            if connection in identities:  # else it was evicted, and ends with the hub's next turn
                extend([[identity, *message] for message in messages])

        return deliver
