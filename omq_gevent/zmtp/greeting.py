"""The ZMTP greeting: the first 64 bytes that each peer sends.

====== ====== ===========================================================
offset length field
====== ====== ===========================================================
0      10     signature: FF, eight bytes of padding, 7F
10     1      major version, 3
11     1      minor version
12     20     mechanism name, padded with NUL
32     1      as-server: 1 from the server of a mechanism that has roles
33     31     filler, zero
====== ====== ===========================================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import GreetingError
from .printable import printable

__all__ = ["SIZE", "Greeting", "GreetingReader", "encode"]

SIZE = 64
"""Length of a greeting in bytes."""

_MECHANISM_NAME = re.compile(rb"[A-Z0-9._+-]{1,20}")
_HTTP = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) ")


class Greeting(NamedTuple):
    """What a peer's greeting says."""

    major: int
    minor: int
    mechanism: bytes
    as_server: bool


def encode(mechanism: bytes, as_server: bool = False) -> bytes:
    """Return the 64 bytes of a ZMTP 3.1 greeting.

    Raises ValueError if no greeting can carry the mechanism's name: it takes 1 to 20 of the
    characters A-Z, 0-9, and ``-_.+``.
    """
    if not _MECHANISM_NAME.fullmatch(mechanism):
        raise ValueError(
            f"mechanism name {mechanism!r}: 1 to 20 characters of A-Z 0-9 - _ . + are needed"
        )
    return (
        b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01"
        + mechanism.ljust(20, b"\0")
        + (b"\x01" if as_server else b"\0")
        + bytes(31)
    )


class GreetingReader:
    """Collects a peer's greeting from whatever pieces the stream delivers."""

    __slots__ = ("_received", "greeting", "remainder")

    greeting: Greeting
    """The peer's greeting, once `feed` has returned True."""

    remainder: bytes
    """The bytes that followed the greeting."""

    def __init__(self) -> None:
        self._received = b""
        self.remainder = b""

    @property
    def tells_version(self) -> bool:
        """Whether the peer's revision was among the bytes so far."""
        return len(self._received) > 10

    def feed(self, data: bytes) -> bool:
        """Take the next bytes of the stream; return True once the greeting is complete.

        Raises GreetingError at the first byte that no ZMTP 3 peer sends.
        """
        received = self._received + data
        self.remainder = received[SIZE:]
        self._received = received
        _check(received)
        if len(received) < SIZE:
            return False
        # All 20 bytes of the name count: only the padding is taken off, so that b"NULL\0X"
        # does not pass for NULL.
        self.greeting = Greeting(
            major=received[10],
            minor=received[11],
            mechanism=received[12:32].rstrip(b"\0"),
            as_server=received[32] != 0,
        )
        return True


def _check(received: bytes) -> None:
    # The padding is never looked at: libzmq puts a length there. Of the signature's last byte
    # only bit 0 counts, which is what tells a versioned greeting from a ZMTP 1.0 length.
    if received and received[0] != 0xFF:
        raise GreetingError(f"expected a ZMTP 3 greeting, got {_describe(received)}")
    if len(received) > 9 and not received[9] & 1:
        raise GreetingError("expected a ZMTP 3 greeting, got a ZMTP 1.0 peer's long identity")
    if len(received) > 10 and received[10] < 3:
        version = "ZMTP 2.0" if received[10] else "ZMTP 1.0"
        raise GreetingError(
            f"expected a ZMTP 3 greeting, got one of {version} (revision {received[10]})"
        )


def _describe(received: bytes) -> str:
    if received.startswith(b"\x16\x03"):
        return "a TLS ClientHello"
    if received[0] and received[1:2] == b"\0":
        return "a ZMTP 1.0 greeting"
    start = f"'{printable(received)}'"
    return f"an HTTP request: {start}" if _HTTP.match(received) else start
