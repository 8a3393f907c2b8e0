"""Messages and commands over a mechanism that encrypts (RFC 26, as its peers really speak it).

Each frame, of a message or of a command, travels as one frame of its own, whose body the
mechanism's session has made. RFC 37 has the outer frame marked as a command; libzmq, and with it
everybody, sends it with flags 0 and takes a set flag for one of the message inside. So 0 is sent,
and whatever comes counts for nothing: the outer flags are not authenticated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Callable

from omq_gevent.errors import FrameError, MessageTooLarge, ProtocolError
from omq_gevent.zmtp import frame
from omq_gevent.zmtp.decoder import MAX_COMMAND_SIZE, MAX_FRAMES, Command
from omq_gevent.zmtp.frame import COMMAND, LONG, MORE

if TYPE_CHECKING:
    from omq_gevent.interfaces import IMechanismSession

_MAX_SIZE = 2**63 - 1  # a size with the top bit set is invalid


class CipherCodec:
    """What `PlainCodec` is for frames as they are; *session* encodes and decodes each."""

    plaintext = False

    def __init__(self, session: IMechanismSession, max_message_size: int | None) -> None:
        self._encode = session.encode
        self._encoded_size = session.encoded_size
        self.decoder = CipherDecoder(session.decode, session.encoded_size, max_message_size)
        self.wipe = session.wipe

    def encode_batch(self, messages: Iterable[Sequence[bytes]]) -> list[bytes]:
        """Return the buffers that, written one after the other, send the messages."""
        encode = self._encode
        sealed = []
        for message in messages:
            last = len(message) - 1
            for index, body in enumerate(message):
                sealed.append((encode(MORE if index < last else 0, body),))
        return frame.encode_batch(sealed)

    def encode_command(self, body: bytes) -> bytes:
        """Return the frame of a command."""
        return frame.encode_message((self._encode(COMMAND, body),))

    def wire_size(self, frames: Sequence[bytes]) -> int:
        """Return how many bytes the message takes on the wire."""
        total = 0
        for body in frames:
            size = self._encoded_size(len(body))
            total += size + 2 if size < 256 else size + 9
        return total


class CipherDecoder:
    """Takes a stream of encrypted frames apart; the interface is that of `Decoder`.

    Limits hold for what is inside: *max_message_size* for all frames of a message together. A
    frame that cannot fit is refused by its header.
    """

    def __init__(
        self,
        decode: Callable[[bytes], tuple[int, bytes]],
        encoded_size: Callable[[int], int],
        max_message_size: int | None = None,
        max_frames: int = MAX_FRAMES,
        max_command_size: int = MAX_COMMAND_SIZE,
    ) -> None:
        self._decode = decode
        self._encoded_size = encoded_size
        self._limit = max_message_size
        self._max_frames = max_frames
        self._max_command_size = max_command_size
        self._tail = b""  # an incomplete header or short frame
        self._sealed = bytearray()  # what is there of the long frame being received
        self._frames: list[bytes] = []  # of an incomplete message
        self._frames_size = 0
        self.missing = 0
        self.commands = False
        self.error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[Any]:
        """Take the next bytes of the stream; return the messages and commands complete by now.

        As with `Decoder.feed`: `commands` tells whether there are commands among them, and what
        came before an invalid frame is returned, with `error` set; the next call raises it.
        """
        if self.error is not None:
            raise self.error
        self.commands = False
        items: list[Any] = []
        try:
            self._take_apart(data, items)
        except ProtocolError as error:
            self.error = error
            self.abandon()
            if not items:
                raise
        return items

    def abandon(self) -> None:
        """Let go of what an unfinished message has brought: the stream has ended."""
        self._sealed = bytearray()
        self._frames = []
        self._tail = b""
        self.missing = 0

    def _take_apart(self, data: bytes, items: list[Any]) -> None:
        position = 0
        if self.missing:
            position = min(self.missing, len(data))
            self._sealed += data[:position]
            self.missing -= position
            if self.missing:
                return
            sealed = bytes(self._sealed)
            self._sealed = bytearray()
            self._open(sealed, items)
        elif self._tail:
            data = self._tail + data
            self._tail = b""
        end = len(data)
        while position < end:
            start = position + (9 if data[position] & LONG else 2)
            if start > end:
                self._tail = data[position:]
                return
            size = int.from_bytes(data[position + 1 : start], "big")
            self._check_size(size)
            if start + size > end:
                if data[position] & LONG:
                    self._sealed += data[start:]
                    self.missing = start + size - end
                else:
                    self._tail = data[position:]
                return
            self._open(data[start : start + size], items)
            position = start + size

    def _check_size(self, size: int) -> None:
        """Refuse what can be neither a command nor the next frame of this message."""
        if size > _MAX_SIZE:
            raise FrameError(f"a frame of {size} bytes: the top bit of a size must be clear")
        if self._limit is None:
            return
        room = max(self._limit - self._frames_size, self._max_command_size)
        if size > self._encoded_size(room):
            raise MessageTooLarge(
                f"an encrypted frame of {size} bytes: a message of at most {self._limit} bytes "
                "is accepted"
            )

    def _open(self, sealed: bytes, items: list[Any]) -> None:
        flags, body = self._decode(sealed)
        if flags & COMMAND:
            if len(body) > self._max_command_size:
                raise MessageTooLarge(
                    f"a command of {len(body)} bytes: at most {self._max_command_size} are accepted"
                )
            items.append(Command(body))
            self.commands = True
            return
        self._frames_size += len(body)
        if self._limit is not None and self._frames_size > self._limit:
            raise MessageTooLarge(
                f"a message of {self._frames_size} bytes: at most {self._limit} are accepted"
            )
        self._frames.append(body)
        if len(self._frames) > self._max_frames:
            raise FrameError(f"a message of more than {self._max_frames} frames")
        if not flags & MORE:
            items.append(self._frames)
            self._frames = []
            self._frames_size = 0
