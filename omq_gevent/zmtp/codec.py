"""How a ready connection turns messages into wire bytes and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

from omq_gevent.zmtp import frame
from omq_gevent.zmtp.cipher_codec import CipherCodec
from omq_gevent.zmtp.decoder import Decoder

if TYPE_CHECKING:
    from omq_gevent.interfaces import IMechanismSession

Codec = Union["PlainCodec", CipherCodec]


class PlainCodec:
    """Frames as they are: NULL, PLAIN and every other mechanism that does not encrypt."""

    plaintext = True

    def __init__(self, session: IMechanismSession, max_message_size: int | None) -> None:
        self.decoder = Decoder(max_message_size)
        self.wipe = session.wipe

    encode_batch = staticmethod(frame.encode_batch)
    encode_command = staticmethod(frame.encode_command)
    wire_size = staticmethod(frame.wire_size)

    @staticmethod
    def join(encoded: Sequence[bytes]) -> list[bytes]:
        """A batch of messages that were encoded before; large ones are not copied."""
        if len(encoded) > 1 and max(map(len, encoded)) < frame.LARGE_BODY:
            return [b"".join(encoded)]
        buffers: list[bytes] = []
        small: list[bytes] = []
        for wire in encoded:
            if len(wire) < frame.LARGE_BODY:
                small.append(wire)
                continue
            if small:
                buffers.append(b"".join(small))
                small = []
            buffers.append(wire)
        if small:
            buffers.append(b"".join(small))
        return buffers


def codec_for(session: IMechanismSession, max_message_size: int | None) -> Codec:
    """The codec that *session*, a finished mechanism session, calls for."""
    if session.encrypts:
        return CipherCodec(session, max_message_size)
    return PlainCodec(session, max_message_size)
