"""What may be sent, and how a refusal helps."""

from __future__ import annotations

import pytest

import omq_gevent as omq
from omq_gevent.message import to_frames, to_prefix


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (b"one", [b"one"]),
        (bytearray(b"one"), [b"one"]),
        (memoryview(b"one"), [b"one"]),
        (b"", [b""]),
        ([b"a", bytearray(b"b"), memoryview(b"c")], [b"a", b"b", b"c"]),
        ((b"a", b""), [b"a", b""]),
    ],
)
def test_bytes_like_data_and_sequences_of_it(data: object, frames: list[bytes]) -> None:
    assert to_frames(data) == frames  # type: ignore[arg-type]


def test_what_was_given_may_be_used_again() -> None:
    buffer = bytearray(b"first")
    given = [buffer, b"x"]
    frames = to_frames(given)
    buffer[:] = b"other"
    given.clear()
    assert frames == [b"first", b"x"]


@pytest.mark.parametrize(
    "data", [None, 7, 1.5, object(), {b"a"}, (b for b in [b"a"]), [], [[b"a"]]]
)
def test_anything_else_is_refused(data: object) -> None:
    with pytest.raises(omq.MessageError):
        to_frames(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["text", ["text"], (b"a", "text")])
def test_text_is_refused_with_a_hint(data: object) -> None:
    with pytest.raises(omq.MessageError, match="encode"):
        to_frames(data)  # type: ignore[arg-type]


def test_an_empty_sequence_is_refused_with_a_hint() -> None:
    with pytest.raises(omq.MessageError, match="b''"):
        to_frames([])


def test_prefixes() -> None:
    assert to_prefix(bytearray(b"a")) == to_prefix(memoryview(b"a")) == b"a"
    with pytest.raises(omq.MessageError, match="encode"):
        to_prefix("weather")  # type: ignore[arg-type]


def test_a_refused_message_changes_nothing() -> None:
    with omq.PAIR.bind("inproc://refused") as one, omq.PAIR.connect("inproc://refused") as other:
        for nonsense in ("text", [], [b"a", None], None):
            with pytest.raises(omq.MessageError):
                one.send(nonsense)
        assert one.stats.send_queued == 0
        one.send(b"fine")
        assert other.receive(timeout=5) == [b"fine"]
