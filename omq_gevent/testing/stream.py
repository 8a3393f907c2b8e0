"""What two ends of a byte stream must do."""

from __future__ import annotations

from typing import Any

import gevent
from zope.interface.verify import verifyObject

from omq_gevent.interfaces import IStream
from omq_gevent.testing.switching import no_switch, within

CHUNK = bytes(range(256)) * 256
FULL_AT = 1024
"""Chunks; a stream that takes so many (64 MiB) without being read does not push back."""


def check_stream_pair(near: Any, far: Any) -> None:
    """Check two connected `IStream` providers, then close them."""
    for stream in (near, far):
        verifyObject(IStream, stream)
        assert isinstance(stream.remote, str), "remote is text, maybe empty"
    _bytes_arrive(near, far)
    _bytes_arrive(far, near)
    _a_reader_may_be_killed(near, far)
    _a_full_stream_pushes_back(near, far)
    _the_end_is_seen(near, far)


def read_exactly(stream: Any, size: int) -> bytes:
    """The next *size* bytes of *stream*, however it cuts them."""
    data = b""
    while len(data) < size:
        piece = within("read()", stream.read, size - len(data))
        assert piece, f"the stream ended after {len(data)} of {size} bytes"
        assert len(piece) <= size - len(data), "read() returned more bytes than asked for"
        data += piece
    return data


def write_all(stream: Any, data: bytes) -> None:
    """Write *data* as a send pump does."""
    while data:
        with no_switch("write_now()"):
            taken = stream.write_now([data])
        data = data[taken:]
        if data:
            within("wait_writable()", stream.wait_writable)


def _bytes_arrive(sender: Any, receiver: Any) -> None:
    with no_switch("write_now()"):
        taken = sender.write_now([b"ab", memoryview(b"cd"), b"", b"ef"])
    assert taken == 6, f"write_now() of 6 bytes to an idle stream took {taken!r}"
    assert read_exactly(receiver, 4) == b"abcd", "bytes arrived changed"
    assert read_exactly(receiver, 2) == b"ef", "bytes arrived changed"
    reader = gevent.spawn(read_exactly, receiver, 5)
    gevent.sleep(0)
    write_all(sender, b"later")
    assert within("a waiting read()", reader.get) == b"later", "bytes arrived changed"


def _a_reader_may_be_killed(sender: Any, receiver: Any) -> None:
    reader = gevent.spawn(receiver.read, 100)
    gevent.sleep(0)
    within("killing a reader", reader.kill)
    write_all(sender, b"for the next reader")
    assert read_exactly(receiver, 19) == b"for the next reader", "a killed reader took bytes along"


def _a_full_stream_pushes_back(sender: Any, receiver: Any) -> None:
    total = 0
    for _ in range(FULL_AT):
        with no_switch("write_now()"):
            taken = sender.write_now([CHUNK[total % 256 :], CHUNK])
        if not taken:
            break
        total += taken
    else:
        raise AssertionError(
            f"write_now() took {total} bytes that nobody read, and still takes more"
        )
    writer = gevent.spawn(sender.wait_writable)
    gevent.sleep(0)
    assert not writer.dead, "wait_writable() returned although nothing was read"
    data = read_exactly(receiver, total)
    within("wait_writable()", writer.get)
    expected = (CHUNK * (total // len(CHUNK) + 1))[:total]
    assert data == expected, "bytes of a full stream arrived out of order"


def _the_end_is_seen(sender: Any, receiver: Any) -> None:
    write_all(sender, b"last words")
    with no_switch("close()"):
        sender.close()
        sender.close()
    assert read_exactly(receiver, 10) == b"last words", "close() destroyed what was written before"
    assert within("read()", receiver.read, 10) == b"", "read() at the end of a stream returns b''"
    with no_switch("close()"):
        receiver.close()
