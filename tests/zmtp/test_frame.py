"""Encoding: the bytes of frames, what is joined and what is left uncopied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.zmtp.decoder import Command, Decoder
from omq_gevent.zmtp.frame import (
    LARGE_BODY,
    encode_batch,
    encode_command,
    encode_message,
    wire_size,
)

BODIES = st.one_of(st.binary(max_size=5), st.sampled_from([255, 256, LARGE_BODY]).map(bytes))
MESSAGES = st.lists(BODIES, min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("frames", "header"),
    [
        ([b""], b"\0\0"),
        ([b"x" * 255], b"\0\xff"),
        ([b"x" * 256], b"\x02\0\0\0\0\0\0\x01\0"),
        ([b"x" * 70_000], b"\x02\0\0\0\0\0\x01\x11\x70"),
    ],
)
def test_size_decides_on_short_or_long(frames: list[bytes], header: bytes) -> None:
    assert encode_message(frames) == header + frames[0]


def test_all_frames_but_the_last_say_more() -> None:
    assert encode_message((b"a", b"", b"bc")) == b"\x01\x01a\x01\0\0\x02bc"
    assert encode_message([b"x" * 256, b"y"]) == b"\x03" + bytes(6) + b"\x01\0" + b"x" * 256 + (
        b"\0\x01y"
    )


@pytest.mark.parametrize(
    ("size", "header"), [(4, b"\x04\x04"), (255, b"\x04\xff"), (256, b"\x06\0\0\0\0\0\0\x01\0")]
)
def test_commands(size: int, header: bytes) -> None:
    body = b"\x01A" + bytes(size - 2)
    assert encode_command(body) == header + body


def test_everything_small_goes_out_as_one_buffer() -> None:
    messages = [[b"a"], [b"x" * 300, b"y"], [b"z" * (LARGE_BODY - 1)]]
    assert encode_batch(messages) == [b"".join(map(encode_message, messages))]


def test_a_large_body_is_not_copied() -> None:
    large = bytes(LARGE_BODY)
    buffers = encode_batch([[b"before"], [large, b"tail"], [large], [b"after"]])
    assert [buffer is large for buffer in buffers] == [False, True, False, True, False]
    assert buffers[0].endswith(b"before\x03" + LARGE_BODY.to_bytes(8, "big"))
    assert buffers[2] == b"\0\x04tail\x02" + LARGE_BODY.to_bytes(8, "big")
    assert buffers[4] == b"\0\x05after"


def test_no_messages_no_buffers() -> None:
    assert encode_batch([]) == []


def test_any_iterable_is_taken_once() -> None:
    assert encode_batch(iter([(b"a",), (b"b",)])) == [b"\0\x01a\0\x01b"]


@given(st.lists(MESSAGES, max_size=5))
def test_a_batch_is_its_messages_one_after_the_other(messages: list[list[bytes]]) -> None:
    wire = b"".join(encode_batch(messages))
    assert wire == b"".join(map(encode_message, messages))
    assert Decoder().feed(wire) == messages


@given(MESSAGES)
def test_wire_size_is_what_is_sent(frames: list[bytes]) -> None:
    assert wire_size(frames) == len(encode_message(frames))


@given(st.binary(max_size=600))
def test_a_command_comes_back_as_a_command(body: bytes) -> None:
    decoder = Decoder()
    (item,) = decoder.feed(encode_command(body))
    assert type(item) is Command
    assert item == body
    assert decoder.commands
