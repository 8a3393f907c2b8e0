"""Every error that omq_gevent raises, in one tree.

::

    Error
    ├── UsageError                    the caller did something wrong
    │   ├── OptionError               (ValueError) an option value that is not accepted
    │   ├── OptionTypeError           (TypeError) an option value of the wrong type
    │   ├── MessageError              (TypeError) a message that cannot be sent
    │   ├── WrongDirection            (TypeError) PUSH cannot receive, SUB cannot send
    │   ├── StateError                (RuntimeError) REQ out of turn, REP with nothing to answer
    │   ├── InvalidTransition         (RuntimeError) an illegal lifecycle move
    │   ├── ForeignThread             (RuntimeError) used from another operating system thread
    │   └── NotRegistered             (LookupError) no plug-in or transport of that name
    ├── EndpointError                 (OSError, ValueError) an endpoint that cannot be used
    ├── SocketClosed                  (OSError) used after close
    │   └── SocketForked              used in the child of a fork
    ├── SocketDead                    (RuntimeError) a pump crashed; ``__cause__`` says why
    ├── SendTimeout                   (TimeoutError)
    ├── ReceiveTimeout                (TimeoutError)
    ├── WaitTimeout                   (TimeoutError)
    ├── Unroutable                    (OSError) a mandatory ROUTER does not know the peer
    ├── RequestLost                   (ConnectionError) the peer left before it answered
    ├── ConnectionLost                (ConnectionError) a link ended; told to monitors only
    └── ProtocolError                 the peer did something wrong
        ├── GreetingError             it does not speak ZMTP 3
        ├── FrameError
        │   └── MessageTooLarge
        ├── CommandError
        │   └── MetadataError
        ├── HandshakeError
        │   ├── MechanismMismatch
        │   ├── IncompatiblePeer      the two socket types do not go together
        │   ├── PeerRejected          it sent ERROR: it does not want us
        │   └── AuthenticationFailed  we do not want it
        ├── HandshakeTimeout
        ├── HeartbeatTimeout
        └── PeerRefused               a peer too many, a duplicate identity, a filter

The builtin in parentheses is a base class too, so ``except TimeoutError`` or ``except OSError``
work as they do for other sockets. A `ProtocolError` ends one connection and is told to monitors
and to the log; ``send`` and ``receive`` never raise it.
"""

from __future__ import annotations

import errno as _errno
from typing import ClassVar

__all__ = [
    "AuthenticationFailed",
    "CommandError",
    "ConnectionLost",
    "EndpointError",
    "Error",
    "ForeignThread",
    "FrameError",
    "GreetingError",
    "HandshakeError",
    "HandshakeTimeout",
    "HeartbeatTimeout",
    "IncompatiblePeer",
    "InvalidTransition",
    "MechanismMismatch",
    "MessageError",
    "MessageTooLarge",
    "MetadataError",
    "NotRegistered",
    "OptionError",
    "OptionTypeError",
    "PeerRefused",
    "PeerRejected",
    "ProtocolError",
    "ReceiveTimeout",
    "RequestLost",
    "SendTimeout",
    "SocketClosed",
    "SocketDead",
    "SocketForked",
    "StateError",
    "Unroutable",
    "UsageError",
    "WaitTimeout",
    "WrongDirection",
]


class Error(Exception):
    """The root of every error of this package."""


class UsageError(Error):
    """The caller did something wrong; the message says what to do instead."""


class OptionError(UsageError, ValueError):
    """An option value that is not accepted; names the option, the value and what is accepted."""


class OptionTypeError(UsageError, TypeError):
    """An option value of the wrong type; names the option, the value and what is accepted."""


class MessageError(UsageError, TypeError):
    """A message that cannot be sent: a str, an int, no frames, a frame that is not bytes-like."""


class WrongDirection(UsageError, TypeError):
    """The socket type does not send, or does not receive."""


class StateError(UsageError, RuntimeError):
    """The pattern does not allow this now: REQ out of turn, REP with no request to answer."""


class InvalidTransition(UsageError, RuntimeError):
    """A lifecycle was asked for a move that its state does not allow."""


class ForeignThread(UsageError, RuntimeError):
    """A socket was used from an operating system thread other than its own."""


class NotRegistered(UsageError, LookupError):
    """No plug-in or transport is registered under that name."""


class _CarriesErrno(Error, OSError):
    """An OSError that knows its usual errno and prints as its message alone."""

    _usual_errno: ClassVar[int]

    def __init__(self, errno_or_message: int | str, message: str | None = None) -> None:
        # OSError keeps (errno, message) in args; copy and pickle call us again with that pair.
        if message is None:
            super().__init__(self._usual_errno, errno_or_message)
        else:
            super().__init__(errno_or_message, message)

    def __str__(self) -> str:
        return str(self.strerror)


class EndpointError(_CarriesErrno, ValueError):
    """An endpoint that cannot be parsed or used.

    ``errno`` is EINVAL, or EPROTONOSUPPORT, ENAMETOOLONG, ENODEV when that says it better.
    """

    _usual_errno = _errno.EINVAL


class SocketClosed(_CarriesErrno):
    """The socket is closed; ``errno`` is ENOTSOCK."""

    _usual_errno = _errno.ENOTSOCK


class SocketForked(SocketClosed):
    """The socket belongs to the process that this one was forked from; make a new one here."""


class SocketDead(Error, RuntimeError):
    """A greenlet of the socket crashed and the socket is unusable; ``__cause__`` says why."""


class SendTimeout(_CarriesErrno, TimeoutError):
    """The message was not accepted in time; it was not sent. ``errno`` is ETIMEDOUT."""

    _usual_errno = _errno.ETIMEDOUT


class ReceiveTimeout(_CarriesErrno, TimeoutError):
    """No message came in time. ``errno`` is ETIMEDOUT."""

    _usual_errno = _errno.ETIMEDOUT


class WaitTimeout(_CarriesErrno, TimeoutError):
    """What was waited for (peers, subscribers) did not happen in time. ``errno`` is ETIMEDOUT."""

    _usual_errno = _errno.ETIMEDOUT


class Unroutable(_CarriesErrno):
    """A mandatory ROUTER has no peer of that identity; ``errno`` is EHOSTUNREACH."""

    _usual_errno = _errno.EHOSTUNREACH


class RequestLost(_CarriesErrno, ConnectionError):
    """The peer that had the request went away before it answered; ``errno`` is ECONNRESET."""

    _usual_errno = _errno.ECONNRESET


class ConnectionLost(_CarriesErrno, ConnectionError):
    """The peer closed the connection; monitors see it, ``send`` and ``receive`` never raise it."""

    _usual_errno = _errno.ECONNRESET


class ProtocolError(Error):
    """The peer did something wrong; its connection ends, every other one goes on."""


class GreetingError(ProtocolError):
    """The peer does not speak ZMTP 3; the message says what came instead."""


class FrameError(ProtocolError):
    """A frame that ZMTP does not allow, or more frames than a message may have."""


class MessageTooLarge(FrameError):
    """A message over ``max_message_size``; the message names both sizes, in bytes."""


class CommandError(ProtocolError):
    """A command whose body is malformed."""


class MetadataError(CommandError):
    """Handshake metadata that is malformed or too large."""


class HandshakeError(ProtocolError):
    """The peer broke the rules of the handshake."""


class MechanismMismatch(HandshakeError):
    """The peer uses another security mechanism; the message names both."""


class IncompatiblePeer(HandshakeError):
    """The socket types of the two ends do not go together; the message names both."""


class PeerRejected(HandshakeError):
    """The peer sent ERROR: it does not want this connection.

    ``reason`` is what it gave as its reason (an authentication status such as ``"400"``, or
    empty), already escaped for printing.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        if not self.reason:
            return "the peer rejected the connection and gave no reason"
        return f"the peer rejected the connection: {self.reason}"


class AuthenticationFailed(HandshakeError):
    """The peer's credentials were not accepted.

    ``status`` is the authentication status: ``"300"`` (try again later), ``"400"`` (denied) or
    ``"500"`` (the authenticator failed).
    """

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"the peer was not authenticated: status {self.status}"


class HandshakeTimeout(ProtocolError):
    """The handshake was not complete within ``handshake_timeout``."""


class HeartbeatTimeout(ProtocolError):
    """The peer sent nothing for longer than the heartbeat allows."""


class PeerRefused(ProtocolError):
    """We do not take this peer: a second PAIR peer, a duplicate identity, a filter."""
