"""NULL: no security. Each peer sends its metadata in a READY command, and that is all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zope.interface import implementer

from ..errors import HandshakeError, InvalidTransition, PeerRejected
from ..interfaces.mechanism import IMechanism, IMechanismSession
from ..zmtp.command import parse, parse_error, ready
from ..zmtp.printable import printable

__all__ = ["Null", "NullSession"]


@implementer(IMechanismSession)
class NullSession:
    """One connection's exchange of READY commands.

    READY goes out without waiting for the peer's, as libzmq does and as both ZMTP 3.0 and 3.1
    peers accept.
    """

    encrypts = False
    user_id = ""

    def __init__(self, metadata: bytes) -> None:
        self.status = "handshaking"
        self.peer_metadata = b""
        self._metadata = metadata

    def start(self) -> list[bytes]:
        """Return our READY."""
        return [ready(self._metadata)]

    def receive(self, command: bytes) -> list[bytes]:
        """Take the peer's READY; there is nothing to answer.

        Raises PeerRejected if ERROR comes instead, HandshakeError for anything else and for a
        second READY, CommandError if the body is malformed.
        """
        was, self.status = self.status, "failed"
        name, data = parse(command)
        if name == b"ERROR":
            raise PeerRejected(parse_error(data))
        if name != b"READY":
            raise HandshakeError(f"expected READY, the peer sent {printable(name)}")
        if was != "handshaking":
            raise HandshakeError("the peer sent READY after its handshake was over")
        self.peer_metadata = data
        self.status = "ready"
        return []

    def encode(self, frame_flags: int, body: bytes) -> bytes:
        """Raise InvalidTransition: NULL encrypts nothing."""
        raise InvalidTransition("NULL does not encrypt: frames are sent as they are")

    def encoded_size(self, size: int) -> int:
        """Raise InvalidTransition: NULL encrypts nothing."""
        raise InvalidTransition("NULL does not encrypt: frames are sent as they are")

    def decode(self, body: bytes) -> tuple[int, bytes]:
        """Raise InvalidTransition: NULL encrypts nothing."""
        raise InvalidTransition("NULL does not encrypt: frames are received as they are")

    def wipe(self) -> None:
        """Do nothing: there are no secrets."""


@implementer(IMechanism)
@dataclass(frozen=True)
class Null:
    """No security: anybody may connect, nothing is encrypted.

    >>> Null()
    Null()
    """

    name: ClassVar[str] = "NULL"

    def check(self) -> None:
        """Do nothing: there is nothing to configure."""

    def is_server(self, accepted: bool) -> bool:
        """Return False: NULL has no roles."""
        return False

    def session(self, as_server: bool, metadata: bytes) -> NullSession:
        """Return a session that offers *metadata* to the peer."""
        return NullSession(metadata)


NULL = Null()
"""The one configuration there is."""
