"""Security mechanisms: who may connect, and what happens to frames afterwards.

A mechanism comes in two parts. The *mechanism* is configuration: it is given to a socket as an
option, never changes, and serves any number of sockets and connections at once. The *session*
is one connection's half of the handshake and, if the mechanism encrypts, its cipher.

Sessions speak in *command bodies*: the body of a ZMTP command frame, which is one octet for the
length of the name, the name, and the data. Frames, greetings, metadata, socket types and
identities are the business of the handshake (`omq_gevent.zmtp.handshake`), not of the session.

Nothing here may block, switch greenlets, read a clock or touch a socket: bytes go in, bytes come
out. Deadlines belong to the connection, which closes a handshake that takes too long.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IMechanismSession(Interface):
    """One connection's use of a mechanism, from the end of the greetings to the end of the link.

    The handshake calls `start` once, then `receive` for each command of the peer, in order, until
    `status` is ``"ready"``. A session is used by one connection and by one greenlet at a time.

    When a method raises, `status` is ``"failed"`` and the session is asked nothing more than
    `wipe`. The connection is closed; no other connection notices.
    """

    status: str = Attribute(
        """``"handshaking"`` from the beginning; ``"ready"`` when the peer's last handshake command
        has been received and ours has been handed out; ``"failed"`` after an error. It never
        leaves ``"ready"`` or ``"failed"`` while the handshake runs."""
    )

    peer_metadata: bytes = Attribute(
        """The peer's metadata as it came, not yet parsed; empty until `status` is ready."""
    )

    user_id: str = Attribute(
        """Who the authenticator says the peer is; empty when nobody was asked. Settled when
        `status` is ready."""
    )

    encrypts: bool = Attribute(
        """Whether frames pass through `encode` and `decode` once the session is ready. Constant."""
    )

    def start() -> list[bytes]:
        """Return the command bodies to send as soon as both greetings are known, maybe none.

        Called once, first, after the peer's greeting was found to name the same mechanism. Raises
        nothing: what can be wrong with the configuration was found by `IMechanism.check`.
        """

    def receive(command: bytes) -> list[bytes]:
        """Take one command body of the peer and return the bodies to send in answer, maybe none.

        Called with whatever the peer put into a command frame: the session checks the name, every
        length and the order of commands, and echoes nothing that it did not check. If this call
        makes the session ready, the bodies that it returns are sent before any message.

        Raises (all are `omq_gevent.errors.ProtocolError`, with the peer's text escaped):

        - `CommandError`: a malformed body;
        - `HandshakeError`: a command that is unknown, out of order or repeated;
        - `PeerRejected`: the peer sent ERROR;
        - `AuthenticationFailed`: we do not accept the peer. The handshake tells it so with an
          ERROR command that carries the status; with status ``"300"`` (try again later) it
          says nothing, so that the peer reconnects.
        """

    def encode(frame_flags: int, body: bytes) -> bytes:
        """Encrypt one frame of a message or command.

        *frame_flags* are those of a ZMTP frame: 0 or 1 (MORE) for a frame of a message, 4
        (COMMAND). The result, `encoded_size` bytes of it, is the body of the frame that goes on
        the wire in its place; the caller gives that frame flags of 0, or of 2 (LONG) if it is
        long. What is encoded first is sent first.

        Called only when `encrypts` is true and `status` is ready, by the one greenlet that sends;
        `InvalidTransition` otherwise. Raises `ProtocolError` when the session is used up (no
        nonce left).
        """

    def encoded_size(size: int) -> int:
        """Return how many bytes `encode` makes of a body of *size* bytes, whatever is in it.

        Grows with *size*. The reader refuses frames by it before they have arrived, and the
        writer tells by it which messages a lost connection had taken. Raises as `encode` does
        when the session does not encrypt.
        """

    def decode(body: bytes) -> tuple[int, bytes]:
        """Decrypt the body of one frame from the wire; return its inner (frame flags, body).

        The flags are given as in `encode`, whatever numbers the mechanism uses inside (libzmq's
        CURVE has 2 for COMMAND); other bits count for nothing. The
        flags of the outer frame are not authenticated and count for nothing.

        Called only when `encrypts` is true and `status` is ready, by the one greenlet that
        receives; `InvalidTransition` otherwise. Raises `ProtocolError` for a body that is
        malformed, replayed or not the peer's.
        """

    def wipe() -> None:
        """Forget every secret, as well as the language allows.

        Called when the connection ends, also in the middle of a handshake, maybe more than once.
        Raises nothing.
        """


class IMechanism(Interface):
    """The configuration of a security mechanism, as given to a socket's ``mechanism`` option.

    Immutable, and without any state of a connection: one instance may serve many sockets. Its
    ``repr`` shows no secret.
    """

    name: str = Attribute(
        """The name in the greeting: 1 to 20 of ``A-Z 0-9 - _ . +``, such as ``"NULL"``. Two peers
        can talk only if their names are equal."""
    )

    def check() -> None:
        """Raise `OptionError` if this configuration cannot work, naming what is wrong.

        Called when the option is set, before anything is bound or connected.
        """

    def is_server(accepted: bool) -> bool:
        """Return whether this end plays the server: the ``as-server`` octet of our greeting.

        *accepted* tells that the peer connected to us. ZMTP does not tie the role to who
        connected: a mechanism with roles is configured for one of them, and one without roles
        always answers False.
        """

    def session(as_server: bool, metadata: bytes) -> IMechanismSession:
        """Return a new session for one connection.

        *as_server* is the answer of `is_server`; *metadata* is our own, encoded, to be carried by
        the session's READY or INITIATE command. Called after the peer's greeting has named this
        mechanism, so a peer that sends nothing costs no keys. Raises nothing.
        """
