"""What users hand to ``send``, as the list of frames that travels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from omq_gevent.errors import MessageError

Frame = Union[bytes, bytearray, memoryview]
Sendable = Union[Frame, Sequence[Frame]]


def to_frames(data: Sendable) -> list[bytes]:
    """The frames of a message: one for a bytes-like *data*, one each for a sequence of them.

    Mutable buffers are copied, so the caller may use them again at once.

    :raises MessageError: for str, None, numbers, an empty sequence.
    """
    if isinstance(data, bytes):
        return [data]
    if isinstance(data, (bytearray, memoryview)):
        return [bytes(data)]
    if isinstance(data, (list, tuple)):
        if not data:
            raise MessageError("a message has at least one frame; send b'' for an empty one")
        return [frame if type(frame) is bytes else _frame(frame) for frame in data]
    raise MessageError(
        f"cannot send {type(data).__name__}: a message is bytes-like, or a list or tuple of "
        f"bytes-like frames{_hint(data)}"
    )


def to_prefix(data: Frame) -> bytes:
    """The beginning of the topics to subscribe to.

    :raises MessageError: for anything that is not bytes-like.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise MessageError(f"a subscription is bytes-like, not {type(data).__name__}{_hint(data)}")


def _frame(frame: object) -> bytes:
    if isinstance(frame, (bytes, bytearray, memoryview)):
        return bytes(frame)
    raise MessageError(f"a frame is bytes-like, not {type(frame).__name__}{_hint(frame)}")


def _hint(data: object) -> str:
    return "; encode text first, as in text.encode()" if isinstance(data, str) else ""
