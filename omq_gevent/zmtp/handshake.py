"""The ZMTP handshake of one connection, sans-IO: from the first byte to the first message.

::

    greeting ──▶ mechanism ──▶ done
        │            │
        └────────────┴──▶ failed

*greeting*: ours goes out whole and at once, and the peer's 64 bytes are awaited. *mechanism*: the
mechanism's session trades commands with the peer's. *done*: both have sent their last command and
the peer is known to be one that we can talk to. Whatever bytes came after its last command are
left for the decoder. *failed*: the peer did something wrong; nothing more is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import (
    AuthenticationFailed,
    HandshakeError,
    IncompatiblePeer,
    InvalidTransition,
    MechanismMismatch,
)
from . import command, greeting, metadata
from .frame import COMMAND, LONG, encode_command
from .peer_facts import PeerFacts
from .printable import printable
from .socket_type import SENDS_IDENTITY

if TYPE_CHECKING:
    from ..interfaces.mechanism import IMechanism, IMechanismSession

__all__ = ["MAX_BYTES", "Handshake"]

MAX_BYTES = 64 * 1024
"""Most bytes of a peer's greeting and handshake commands together, unless told otherwise."""

_MAX_IDENTITY = 255
_TRY_AGAIN_LATER = "300"

_GREETING, _MECHANISM, _DONE, _FAILED = "greeting", "mechanism", "done", "failed"


class Handshake:
    """One connection's handshake, from our side.

    Send what `start` returns, then pass `receive` all that the peer sends, and send what it
    returns, until `done`. If `receive` raises, send `farewell` and close the connection.

    *socket_type* is ours, *compatible* the types that may be its peer. *identity* is sent if our
    type has one. *as_server* is what the mechanism's ``is_server`` answered. *properties* are
    sent along with our own metadata. *max_bytes* bounds what the peer may send before it is done.
    """

    def __init__(
        self,
        *,
        socket_type: str,
        compatible: frozenset[str],
        identity: bytes,
        mechanism: IMechanism,
        as_server: bool,
        properties: Mapping[str, bytes] = MappingProxyType({}),
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._socket_type = socket_type
        self._compatible = compatible
        self._mechanism = mechanism
        self._as_server = as_server
        self._max_bytes = max_bytes

        ours = [("Socket-Type", socket_type.encode("ascii"))]
        if socket_type in SENDS_IDENTITY:
            ours.append(("Identity", identity))
        self._metadata = metadata.encode([*ours, *properties.items()])

        self._state = _GREETING
        self._greeting = greeting.GreetingReader()
        self._session: IMechanismSession | None = None
        self._received = bytearray()  # after the greeting, and not yet taken as commands
        self._consumed = 0
        self._peer: PeerFacts | None = None
        self.farewell = b""
        self.remainder = b""

    @property
    def done(self) -> bool:
        """Whether messages may be exchanged now."""
        return self._state == _DONE

    def why_closed(self) -> str:
        """What it may mean that the peer has closed the connection at this point, in words."""
        if self._greeting.tells_version:
            return "the peer closed the connection during the handshake"
        # We greet as ZMTP 3 at once. Some peers of ZMTP 2.0 take the rest of it for frames.
        return (
            "the peer closed the connection before it told its version, as peers of ZMTP 2.0 and "
            "older do"
        )

    @property
    def peer(self) -> PeerFacts:
        """Who the peer is. Raises InvalidTransition before the handshake is done."""
        if self._peer is None:
            raise InvalidTransition(f"no peer is known yet: the handshake is at {self._state}")
        return self._peer

    @property
    def session(self) -> IMechanismSession:
        """The mechanism's session. Raises InvalidTransition before the handshake is done."""
        if self._session is None or self._state != _DONE:
            raise InvalidTransition(f"no session to use yet: the handshake is at {self._state}")
        return self._session

    def start(self) -> bytes:
        """Return our greeting, to be sent at once: the peer may be waiting for it."""
        return greeting.encode(self._mechanism.name.encode("ascii"), self._as_server)

    def receive(self, data: bytes) -> bytes:
        """Take the next bytes of the peer, cut anywhere; return the bytes to send now, maybe none.

        Raises a `ProtocolError` as soon as the peer is known to be unusable: GreetingError,
        MechanismMismatch, CommandError, MetadataError, PeerRejected, AuthenticationFailed,
        IncompatiblePeer, or another HandshakeError. Raises InvalidTransition once the handshake
        is over.
        """
        if self._state in (_DONE, _FAILED):
            raise InvalidTransition(f"the handshake is over: {self._state}")
        try:
            return b"".join(map(encode_command, self._advance(data)))
        except AuthenticationFailed as error:
            # A peer that gets an ERROR does not try again with the same credentials.
            if error.status != _TRY_AGAIN_LATER:
                self.farewell = encode_command(command.error(error.status))
            self.abandon()
            raise
        except Exception:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Give up unless done: forget the session's secrets. May be called at any time."""
        if self._state in (_GREETING, _MECHANISM):
            self._state = _FAILED
            if self._session is not None:
                self._session.wipe()

    def _advance(self, data: bytes) -> list[bytes]:
        """Take *data* as far as it goes; return the command bodies to send."""
        answers: list[bytes] = []
        session = self._session
        if session is None:
            if not self._greeting.feed(data):
                return answers
            data = self._greeting.remainder
            self._consumed = greeting.SIZE
            self._check_mechanism()
            session = self._mechanism.session(self._as_server, self._metadata)
            self._session = session
            self._state = _MECHANISM
            answers += session.start()
        self._received += data
        while self._state == _MECHANISM:
            body = self._next_command()
            if body is None:
                break
            answers += session.receive(body)
            if session.status == "ready":
                self._peer = self._check_peer(session)
                self.remainder = bytes(self._received)
                self._received.clear()
                self._state = _DONE
        return answers

    def _check_mechanism(self) -> None:
        ours = self._mechanism.name
        theirs = self._greeting.greeting.mechanism
        if theirs != ours.encode("ascii"):
            raise MechanismMismatch(
                f"the peer uses security mechanism {printable(theirs)}, this socket uses {ours}"
            )

    def _next_command(self) -> bytes | None:
        """Take the next command frame off what was received; return its body, if all is there.

        Bounded by its header, so that no more than `max_bytes` and one read are ever kept.
        """
        received = self._received
        if not received:
            return None
        flags = received[0]
        # RFC 37: no messages before READY was sent and received. Reserved flags, and MORE on a
        # command, mean nothing and are ignored.
        if not flags & COMMAND:
            raise HandshakeError("the peer sent a message before the handshake was complete")
        header = 9 if flags & LONG else 2
        if len(received) < header:
            return None
        end = header + int.from_bytes(received[1:header], "big")
        if self._consumed + end > self._max_bytes:
            raise HandshakeError(
                f"the peer's handshake takes {self._consumed + end} bytes,"
                f" at most {self._max_bytes} are accepted"
            )
        if len(received) < end:
            return None
        body = bytes(received[header:end])
        del received[:end]
        self._consumed += end
        return body

    def _check_peer(self, session: IMechanismSession) -> PeerFacts:
        """Return what the peer's metadata says, or raise if it is no peer for us."""
        properties = metadata.parse(session.peer_metadata)
        raw_type = properties.get("Socket-Type")
        if raw_type is None:
            self._say_goodbye(session, "missing-socket-type")
            raise HandshakeError("the peer does not tell its socket type")
        peer_type = printable(raw_type)
        if peer_type not in self._compatible:
            self._say_goodbye(session, "incompatible-socket-type")
            raise IncompatiblePeer(
                f"a {self._socket_type} socket cannot talk to a {peer_type} socket"
            )
        identity = properties.get("Identity", b"") if peer_type in SENDS_IDENTITY else b""
        if len(identity) > _MAX_IDENTITY:
            self._say_goodbye(session, "invalid-identity")
            raise HandshakeError(
                f"the peer's identity has {len(identity)} bytes, at most {_MAX_IDENTITY} may be"
            )
        if identity.startswith(b"\0"):
            self._say_goodbye(session, "invalid-identity")
            raise HandshakeError("the peer's identity begins with a NUL byte, which is reserved")
        said = self._greeting.greeting
        return PeerFacts(
            socket_type=peer_type,
            identity=identity,
            properties=MappingProxyType(properties),
            mechanism=self._mechanism.name,
            major=said.major,
            minor=said.minor,
            user_id=session.user_id,
        )

    def _say_goodbye(self, session: IMechanismSession, reason: str) -> None:
        """Let an ERROR be the last that the peer hears; the reason is one word, as VCHARs are.

        The client of an encrypted connection stays silent: by then its server takes encrypted
        frames only, and RFC 26 has no ERROR from clients.
        """
        if self._as_server or not session.encrypts:
            self.farewell = encode_command(command.error(reason))
