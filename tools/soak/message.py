"""Numbered and checksummed messages."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

MAGIC = b"\x7fSOAK"
_HEAD = struct.Struct("!5sIIHI")  # magic, stream, number, frames that follow, checksum

TOPICS = 4


class Corrupt(Exception):
    """A message that nobody has sent in this form."""


class Number(NamedTuple):
    """Which message it is: the *number*-th, from 1, of a *stream*, which is one sending socket."""

    stream: int
    number: int


def make(number: Number, bodies: Sequence[bytes]) -> list[bytes]:
    checksum = zlib.crc32(b"".join(bodies), number.number)
    return [_HEAD.pack(MAGIC, *number, len(bodies), checksum), *bodies]


def identify(frame: bytes) -> Number | None:
    """What a frame says if it is the head of a message."""
    if len(frame) != _HEAD.size or not frame.startswith(MAGIC):
        return None
    _, stream, number, _, _ = _HEAD.unpack(frame)
    return Number(stream, number)


def check(frames: Sequence[bytes]) -> tuple[Number, list[bytes]]:
    """The number and the bodies of a message that was received; frames before its head (a topic)
    are passed over.

    :raises Corrupt: unless it is as it was made.
    """
    rest = iter(frames)
    for head in rest:
        number = identify(head)
        if number is not None:
            break
    else:
        raise Corrupt(f"{len(frames)} frames without a head")
    _, _, _, count, checksum = _HEAD.unpack(head)
    bodies = list(rest)
    if len(bodies) != count:
        raise Corrupt(f"{number}: {len(bodies)} frames after the head instead of {count}")
    if zlib.crc32(b"".join(bodies), number.number) != checksum:
        raise Corrupt(f"{number}: the checksum is wrong")
    return number, bodies


def topic(number: int) -> bytes:
    """The topic under which a publisher sends its message of that number."""
    return b"topic-%d" % (number % TOPICS)


def random_bodies(rng: random.Random, pool: bytes) -> list[bytes]:
    """A few frames cut from *pool*: most are small, one message in 100 is large."""
    kind = rng.random()
    if kind < 0.01:
        size = rng.randrange(32 * 1024, 256 * 1024)
    elif kind < 0.1:
        size = rng.randrange(1024, 8 * 1024)
    else:
        size = rng.randrange(200)
    count = 1 if kind < 0.8 else rng.randrange(4)
    start = rng.randrange(len(pool) - size)
    return [pool[start : start + size // (index + 1)] for index in range(count)]
