"""Build and read the bodies of command frames: a name, its length first, then data."""

from __future__ import annotations

from ..errors import CommandError

__all__ = [
    "MAX_CONTEXT",
    "cancel",
    "encode",
    "error",
    "parse",
    "parse_error",
    "parse_ping",
    "ping",
    "pong",
    "ready",
    "subscribe",
]

MAX_CONTEXT = 16
"""The longest context of a PING, in bytes."""

# A peer running libzmq multiplies the TTL by 100 in 16 bits: 656 deciseconds become 64 ms there,
# and it drops the link.
_MAX_TTL_DECISECONDS = 655


def encode(name: bytes, data: bytes = b"") -> bytes:
    """Return the body of a command.

    Raises ValueError unless the name has 1 to 255 bytes.
    """
    if not 1 <= len(name) <= 255:
        raise ValueError(f"command name of {len(name)} bytes: 1 to 255 are needed")
    return bytes((len(name),)) + name + data


def parse(body: bytes) -> tuple[bytes, bytes]:
    """Return the name and the data of a command.

    Raises CommandError if the body is empty, or its name is empty or longer than the body.
    """
    if not body:
        raise CommandError("empty command")
    stop = body[0] + 1
    if stop == 1:
        raise CommandError("command without a name")
    if stop > len(body):
        raise CommandError(f"command name of {body[0]} bytes in a body of {len(body)}")
    return body[1:stop], body[stop:]


def subscribe(prefix: bytes) -> bytes:
    """Return a SUBSCRIBE to all topics that begin with the prefix."""
    return b"\x09SUBSCRIBE" + prefix


def cancel(prefix: bytes) -> bytes:
    """Return the CANCEL of a subscription."""
    return b"\x06CANCEL" + prefix


def ping(ttl_seconds: float, context: bytes = b"") -> bytes:
    """Return a PING that asks the peer to give us up after `ttl_seconds` of silence (0: never).

    The TTL travels in tenths of a second; what is longer than 65.5 seconds is sent as 65.5.
    Raises ValueError if the TTL is negative or the context longer than 16 bytes.
    """
    if not ttl_seconds >= 0:
        raise ValueError(f"TTL of {ttl_seconds} seconds: it cannot be negative")
    if len(context) > MAX_CONTEXT:
        raise ValueError(f"PING context of {len(context)} bytes: at most 16 are allowed")
    deciseconds = round(min(ttl_seconds * 10, _MAX_TTL_DECISECONDS))
    if ttl_seconds and not deciseconds:
        deciseconds = 1  # 0 would mean no TTL at all
    return b"\x04PING" + deciseconds.to_bytes(2, "big") + context


def parse_ping(data: bytes) -> tuple[float, bytes]:
    """Return the TTL of a PING in seconds (0: none), and the context that the PONG must echo.

    Raises CommandError if the TTL is cut short or the context longer than 16 bytes.
    """
    if len(data) < 2:
        raise CommandError(f"PING with {len(data)} bytes of data: the TTL takes 2")
    if len(data) > 2 + MAX_CONTEXT:
        raise CommandError(f"PING with a context of {len(data) - 2} bytes: at most 16 are allowed")
    return int.from_bytes(data[:2], "big") / 10, data[2:]


def pong(context: bytes) -> bytes:
    """Return the PONG that answers a PING with this context."""
    return b"\x04PONG" + context


def error(reason: str) -> bytes:
    """Return an ERROR; of the reason, the first 255 bytes of printable ASCII are sent."""
    text = reason.encode("unicode_escape")[:255]
    return b"\x05ERROR" + bytes((len(text),)) + text


def parse_error(data: bytes) -> str:
    """Return the reason that an ERROR gives, safe to log: what is not printable is escaped.

    Raises CommandError if the reason is missing or cut short.
    """
    if not data or data[0] > len(data) - 1:
        raise CommandError("ERROR whose reason is cut short")
    return data[1 : data[0] + 1].decode("latin-1").encode("unicode_escape").decode("ascii")


def ready(metadata: bytes) -> bytes:
    """Return a READY with the metadata that `omq_gevent.zmtp.metadata` has encoded."""
    return b"\x05READY" + metadata
