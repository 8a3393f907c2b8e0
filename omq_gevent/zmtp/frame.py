"""Encode messages and commands as ZMTP frames.

A frame is a flags byte, the size of the body (one byte, or eight in network order if LONG is set)
and the body. A message is one frame or more, all but the last with MORE set. This is the hottest
code of the sending side: headers of short frames come out of tables, and a whole batch is joined
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

__all__ = [
    "COMMAND",
    "LARGE_BODY",
    "LONG",
    "MORE",
    "SHORT",
    "SHORT_MORE",
    "encode_batch",
    "encode_command",
    "encode_message",
    "wire_size",
]

MORE = 1
LONG = 2
COMMAND = 4

LARGE_BODY = 32 * 1024
"""A body of this many bytes and more is handed on as it is, because copying costs more by then
than one more buffer in the system call."""

SHORT = tuple(bytes((0, size)) for size in range(256))
"""Header of a message's last frame, by the size of its body."""

SHORT_MORE = tuple(bytes((MORE, size)) for size in range(256))
"""Header of any other frame of a message, by the size of its body."""

_long_header = Struct(">BQ").pack


def encode_batch(messages: Iterable[Sequence[bytes]]) -> list[bytes]:
    """Return the buffers that, written one after the other, send the messages.

    Everything small is joined into one buffer; a body of LARGE_BODY bytes and more is in the list
    itself, uncopied.
    """
    buffers: list[bytes] = []
    parts: list[bytes] = []
    append = parts.append
    short = SHORT
    for message in messages:
        left = len(message)
        if left == 1:
            body = message[0]
            size = len(body)
            if size < 256:
                append(short[size])
                append(body)
                continue
        for body in message:
            left -= 1
            size = len(body)
            if size < 256:
                append(SHORT_MORE[size] if left else short[size])
            else:
                append(_long_header(LONG | MORE if left else LONG, size))
                if size >= LARGE_BODY:
                    buffers += b"".join(parts), body
                    parts.clear()
                    continue
            append(body)
    if parts:
        buffers.append(b"".join(parts))
    return buffers


def encode_message(frames: Sequence[bytes]) -> bytes:
    """Return one message as bytes on the wire."""
    if len(frames) == 1 and len(frames[0]) < 256:
        return SHORT[len(frames[0])] + frames[0]
    return b"".join(encode_batch((frames,)))


def encode_command(body: bytes) -> bytes:
    """Return the frame of a command; the body is what `omq_gevent.zmtp.command` builds."""
    size = len(body)
    if size < 256:
        return bytes((COMMAND, size)) + body
    return _long_header(COMMAND | LONG, size) + body


def wire_size(frames: Sequence[bytes]) -> int:
    """Return how many bytes the message takes on the wire."""
    total = 0
    for body in frames:
        size = len(body)
        total += size + 2 if size < 256 else size + 9
    return total
