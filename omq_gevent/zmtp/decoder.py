"""Decode a stream of ZMTP frames into messages and commands.

This is the hottest code of the receiving side: one pass over what was read takes out everything
that is complete. A header is believed only as far as the limits allow, and never makes anything be
allocated: memory is only taken for bytes that have arrived.
"""

from __future__ import annotations

from struct import iter_unpack
from typing import Any

from ..errors import FrameError, MessageTooLarge, ProtocolError
from .frame import COMMAND, LONG, MORE

__all__ = ["MAX_COMMAND_SIZE", "MAX_FRAMES", "Command", "Decoder"]

MAX_FRAMES = 65536
"""How many frames a message may have, unless told otherwise."""

MAX_COMMAND_SIZE = 64 * 1024 + 256
"""How many bytes a command may have, unless told otherwise: a name and 64 KiB of data."""

_MAX_SIZE = 2**63 - 1  # a size with the top bit set is invalid
_RUN = 1024  # bytes; looking for a run of messages of one size pays from here on
_CRUMB = 4096  # bytes; pieces of a body below this are gathered, or each would cost an object
_GATHERED = 64 * 1024


class Command(bytes):
    """The body of a command frame, for `omq_gevent.zmtp.command.parse`."""

    __slots__ = ()


class Decoder:
    """Takes a stream of frames apart, in whatever pieces it comes.

    *max_message_size* bounds the bytes of a whole message (None: unbounded), *max_frames* its
    frames, *max_command_size* the bytes of a command.
    """

    __slots__ = (
        "_chunks",
        "_flags",
        "_frames",
        "_limit",
        "_max_command_size",
        "_max_frames",
        "_room",
        "_tail",
        "commands",
        "error",
        "missing",
    )

    commands: bool
    """Whether there is any Command among the items that the last `feed` returned."""

    error: ProtocolError | None
    """What made the stream undecodable after the items that the last `feed` returned, or None."""

    missing: int
    """How many bytes the body of a long frame still lacks, by the peer's word; 0 between bodies.

    Good to size the next read with, up to a bound of the reader's own.
    """

    def __init__(
        self,
        max_message_size: int | None = None,
        max_frames: int = MAX_FRAMES,
        max_command_size: int = MAX_COMMAND_SIZE,
    ) -> None:
        self._limit = _MAX_SIZE if max_message_size is None else max_message_size
        self._max_frames = max_frames
        self._max_command_size = max_command_size
        self._tail = b""  # an incomplete header or short frame
        self._frames: list[bytes] | None = None  # of an incomplete message
        self._room = self._limit  # how many bytes more that message may have
        self._flags = 0  # of the long frame being received,
        self._chunks: list[bytes | bytearray | memoryview] = []  # and its body so far
        self.commands = False
        self.error = None
        self.missing = 0

    def feed(self, data: bytes) -> list[Any]:
        """Take the next bytes of the stream; return what is complete, in the order of the wire.

        The items are messages (list[bytes]) and, only if `commands` is set then, commands
        (Command). Nothing that came before an invalid frame is lost: if there are items, they are
        returned, `error` is set, and the next `feed` raises it.

        Raises MessageTooLarge for a message or command above its limit, FrameError for an invalid
        size or too many frames; both by the header alone, before any of the body is kept.
        """
        if self.error is not None:
            raise self.error
        items: list[Any] = []
        append = items.append
        self.commands = False
        frames = self._frames
        room = self._room
        flags = pos = 0
        body = None
        if self.missing:
            if len(data) < self.missing:
                self._keep(data)
                return items
            pos = self.missing
            flags = self._flags
            body = self._take(data)
        elif self._tail:
            data = self._tail + data
            self._tail = b""
        end = len(data)
        # No short frame breaks the limit, as a rule; then their sizes need no look.
        plain = 0 if self._limit >= 255 else -1
        if (
            end > _RUN
            and body is None
            and frames is None
            and data[0] == plain
            and data.startswith(data[:2], data[1] + 2)
        ):
            pos = _take_run(data, items)

        while True:
            if body is not None:
                if flags & COMMAND:
                    append(Command(body))
                    self.commands = True
                elif flags & MORE:
                    room -= len(body)
                    if frames is None:
                        frames = [body]
                    else:
                        frames.append(body)
                elif frames is None:
                    append([body])
                else:
                    frames.append(body)
                    append(frames)
                    frames = None
                    room = self._limit

            last = end - 2
            if frames is None:
                while pos <= last and data[pos] == plain:
                    start = pos + 2
                    stop = start + data[pos + 1]
                    if stop > end:
                        break
                    append([data[start:stop]])
                    pos = stop

            if pos > last:
                self._tail = data[pos:]
                break
            flags = data[pos]
            if flags & LONG:
                start = pos + 9
                if start > end:
                    self._tail = data[pos:]
                    break
                size = int.from_bytes(data[pos + 1 : start], "big")
            else:
                start = pos + 2
                size = data[pos + 1]
            if flags & COMMAND:
                if size > self._max_command_size:
                    self.error = _refusal("command", size, 0, self._max_command_size)
                    break
            elif size > room:
                self.error = _refusal("message", size, self._limit - room, self._limit)
                break
            elif frames is not None and len(frames) >= self._max_frames:
                self.error = FrameError(f"a message of more than {self._max_frames} frames")
                break
            stop = start + size
            if stop > end:
                if flags & LONG:
                    self._flags = flags
                    self.missing = size
                    self._keep(memoryview(data)[start:])
                else:
                    self._tail = data[pos:]
                break
            body = data[start:stop]
            pos = stop

        self._frames = frames
        self._room = room
        if self.error is not None and not items:
            raise self.error
        return items

    def abandon(self) -> None:
        """Let go of what an unfinished message has brought: the stream has ended."""
        self._chunks = []
        self._frames = None
        self._tail = b""
        self.missing = 0

    def _keep(self, piece: bytes | memoryview) -> None:
        self.missing -= len(piece)
        chunks = self._chunks
        if len(piece) >= _CRUMB:
            chunks.append(piece)
        elif chunks and type(chunks[-1]) is bytearray and len(chunks[-1]) < _GATHERED:
            chunks[-1] += piece
        elif piece:
            chunks.append(bytearray(piece))

    def _take(self, data: bytes) -> bytes:
        missing = self.missing
        self.missing = 0
        chunks = self._chunks
        if not chunks:
            return data[:missing]
        self._chunks = []
        chunks.append(memoryview(data)[:missing])
        return b"".join(chunks)


def _take_run(data: bytes, items: list[Any]) -> int:
    """Append the messages at the start of data that are alike: one short frame, the same size.

    Return where the first other frame starts. Every header of the run is checked at once: if the
    headers so far are the same, the next one is where they say.
    """
    size = data[1]
    stride = size + 2
    flags = data[::stride]
    sizes = data[1::stride]
    count = min(
        len(flags) - len(flags.lstrip(b"\0")),
        len(sizes) - len(sizes.lstrip(data[1:2])),
        len(data) // stride,
    )
    stop = count * stride
    items += [[body] for (body,) in iter_unpack(f"2x{size}s", memoryview(data)[:stop])]
    return stop


def _refusal(what: str, size: int, before: int, limit: int) -> FrameError:
    """Say why a frame of *size* bytes is not accepted after frames of *before* bytes."""
    if size > _MAX_SIZE:
        return FrameError(f"a frame of {size} bytes: the top bit of a size must be clear")
    return MessageTooLarge(f"a {what} of {before + size} bytes: at most {limit} are accepted")
