"""Writes down what the kernel has taken and given, message by message.

It knows ZMTP on its own account, so that it notices where the library frames wrongly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

from omq_gevent.engine.connection_lifecycle import ConnectionLifecycle
from omq_gevent.transports import ipc, tcp
from omq_gevent.transports.stream import SocketStream
from tools.soak.journal import NOTE, READ, WRITTEN, Journal
from tools.soak.message import Number, identify

PROPERTY = "X-Soak"
"""Metadata property in which each process tells its incarnation."""

_GREETING = 64
_MORE, _LONG, _COMMAND = 1, 2, 4


class Frames:
    """Finds the messages in one direction of one connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = _GREETING
        self._number: Number | None = None
        self._size = 0
        self.peer: int | None = None
        self.broken = ""

    def messages(self, data: bytes) -> Iterator[tuple[Number, int]]:
        """Number and size of each numbered message that *data* completes."""
        if self.broken:
            return
        buffer = self._buffer
        buffer += data
        if self._skip:
            if len(buffer) < self._skip:
                return
            del buffer[: self._skip]
            self._skip = 0
        at = 0
        while len(buffer) - at >= 2:
            flags = buffer[at]
            if flags > _COMMAND | _LONG or flags & _COMMAND and flags & _MORE:
                self.broken = f"a frame with flags {flags:#x}"
                return
            header = 9 if flags & _LONG else 2
            size = int.from_bytes(buffer[at + 1 : at + header], "big")
            end = at + header + size
            if len(buffer) < end:
                break
            yield from self._frame(flags, buffer[at + header : end], end - at)
            at = end
        del buffer[:at]

    def _frame(self, flags: int, body: bytearray, size: int) -> Iterator[tuple[Number, int]]:
        if flags & _COMMAND:
            name, found, rest = bytes(body).partition(b"\x06" + PROPERTY.encode())
            if found and name.startswith(b"\x05READY"):
                length = int.from_bytes(rest[:4], "big")
                self.peer = int(rest[4 : 4 + length])
            return
        self._size += size
        if self._number is None:
            self._number = identify(bytes(body[:64])) if len(body) < 64 else None
        if flags & _MORE:
            return
        if self._number is not None:
            yield self._number, self._size
        self._number = None
        self._size = 0


class TappedStream(SocketStream):
    """A stream that notes what passes."""

    journal: ClassVar[Journal]
    _numbers: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.number = next(self._numbers)
        self._sent = Frames()
        self._came = Frames()
        self.journal.fact(
            "connection",
            number=self.number,
            ports=[_port(self._socket.getsockname), _port(self._socket.getpeername)],
        )

    def write_now(self, buffers: list[Any]) -> int:
        taken = super().write_now(buffers)
        if taken:
            self._note(WRITTEN, self._sent, b"".join(buffers)[:taken])
        return taken

    def read(self, size: int) -> bytes:
        data = super().read(size)
        knew_peer = self._came.peer is not None
        self._note(READ, self._came, data)
        if not knew_peer and self._came.peer is not None:
            self.journal.fact("peer", number=self.number, peer=self._came.peer)
        return data

    def _note(self, kind: int, frames: Frames, data: bytes) -> None:
        notes = [
            NOTE.pack(kind, self.number, *number, size) for number, size in frames.messages(data)
        ]
        if notes:
            self.journal.note_all(notes)
        if frames.broken:
            self.journal.fact("corrupt", what=frames.broken, number=self.number)


def _port(name: Any) -> int | None:
    try:
        address = name()
    except OSError:
        return None
    return address[1] if isinstance(address, tuple) else None


def install(journal: Journal) -> None:
    """Have every connection of this process from now on written down in *journal*."""
    TappedStream.journal = journal
    for transport in (tcp, ipc):
        transport.SocketStream = TappedStream  # type: ignore[attr-defined]
    record = ConnectionLifecycle.record

    def record_and_note(self: Any, reason: BaseException) -> None:
        first = self.reason is None
        record(self, reason)
        if first and isinstance(self._stream, TappedStream):
            journal.fact(
                "ended",
                number=self._stream.number,
                reason=type(reason).__name__,
                detail=str(reason),
            )

    ConnectionLifecycle.record = record_and_note  # type: ignore[method-assign]
