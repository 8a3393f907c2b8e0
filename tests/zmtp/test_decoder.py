"""Decoding: the same items however the stream is cut, and nothing a hostile header can do."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omq_gevent.errors import FrameError, MessageTooLarge, ProtocolError
from omq_gevent.zmtp.command import subscribe
from omq_gevent.zmtp.decoder import MAX_COMMAND_SIZE, MAX_FRAMES, Command, Decoder
from omq_gevent.zmtp.frame import COMMAND, LONG, MORE, encode_batch, encode_command, encode_message

KIB, MIB = 1024, 1024 * 1024


def long_header(flags: int, size: int) -> bytes:
    return bytes((flags | LONG,)) + size.to_bytes(8, "big")


def feed_in_pieces(
    decoder: Decoder, stream: bytes, cuts: list[int]
) -> tuple[list[Any], type[ProtocolError] | None]:
    """Feed the stream cut at these offsets; return the items and the kind of error, if any."""
    items: list[Any] = []
    places = [0, *sorted(cuts), len(stream)]
    try:
        for start, stop in zip(places, places[1:]):
            some = decoder.feed(stream[start:stop])
            assert decoder.commands is any(type(item) is Command for item in some)
            items += some
    except ProtocolError as error:
        return items, type(error)
    return items, None if decoder.error is None else type(decoder.error)


@contextmanager
def memory_peak_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


# -- any stream, cut anywhere -----------------------------------------------------------------

BODIES = st.one_of(
    st.binary(max_size=20),
    st.builds(
        lambda octet, size: octet * size, st.binary(min_size=1, max_size=1), st.integers(0, 700)
    ),
    st.sampled_from([255, 256, 4095, 4096, 5000]).map(lambda size: b"z" * size),
)
MESSAGES = st.lists(BODIES, min_size=1, max_size=4)
COMMANDS = BODIES.map(Command)
RUNS = st.builds(lambda body, count: [[body]] * count, st.binary(max_size=40), st.integers(0, 120))


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Any], bytes]:
    """Items, and one way to send them; commands may stand between the frames of a message."""
    items: list[Any] = []
    wire = b""
    for part in draw(st.lists(st.one_of(MESSAGES, COMMANDS, RUNS), max_size=6)):
        if isinstance(part, Command):
            items.append(part)
            wire += encode_command(part)
        elif part and isinstance(part[0], list):
            items += part
            wire += b"".join(encode_batch(part))
        elif part:
            between = draw(st.booleans())
            for index, body in enumerate(part):
                flags = MORE if index + 1 < len(part) else 0
                if between and index:
                    items.append(Command(b"\x04PONG"))
                    wire += encode_command(items[-1])
                in_long_form = len(body) > 255 or draw(st.booleans())
                wire += long_header(flags, len(body)) if in_long_form else bytes((flags, len(body)))
                wire += body
            items.append(part)
    return items, wire


@settings(deadline=None)
@given(streams(), st.data())
def test_any_split_gives_the_same_items(
    stream: tuple[list[Any], bytes], data: st.DataObject
) -> None:
    items, wire = stream
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=20))
    assert feed_in_pieces(Decoder(), wire, cuts) == (items, None)


@settings(deadline=None, max_examples=30)
@given(streams())
def test_one_byte_at_a_time_gives_the_same_items(stream: tuple[list[Any], bytes]) -> None:
    items, wire = stream
    assert feed_in_pieces(Decoder(), wire, list(range(1, len(wire)))) == (items, None)


HOSTILE = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.builds(lambda flags, size: bytes((flags, size)), st.integers(0, 255), st.integers(0, 9)),
        st.builds(long_header, st.integers(0, 255), st.one_of(st.integers(0, 40), st.just(2**63))),
    ),
    max_size=30,
).map(b"".join)


@settings(deadline=None)
@given(HOSTILE, st.data())
@example(b"\x00\x05hello\x00\x15" + b"x" * 21, None)
def test_nonsense_means_the_same_however_it_is_cut(wire: bytes, data: st.DataObject | None) -> None:
    def outcome(cuts: list[int]) -> tuple[list[Any], type[ProtocolError] | None]:
        return feed_in_pieces(Decoder(20, max_frames=3, max_command_size=15), wire, cuts)

    whole = outcome([])
    assert outcome(list(range(1, len(wire)))) == whole
    if data is not None:
        assert outcome(data.draw(st.lists(st.integers(0, len(wire)), max_size=8))) == whole
    for item in whole[0]:
        if type(item) is Command:
            assert len(item) <= 15
        else:
            assert sum(map(len, item)) <= 20
            assert 1 <= len(item) <= 3


@pytest.mark.parametrize("size", [0, 1, 16, 128, 255])
@pytest.mark.parametrize("different", [0, 1, 2, 999, 1000])
def test_a_long_run_of_equal_sizes_ends_where_it_ends(size: int, different: int) -> None:
    messages = [[bytes((index % 256,)) * size] for index in range(1000)]
    messages.insert(different, [b"id", b"", b"another"])
    wire = b"".join(encode_batch(messages))
    assert feed_in_pieces(Decoder(), wire, []) == (messages, None)
    assert feed_in_pieces(Decoder(), wire, list(range(0, len(wire), 1500))) == (messages, None)


@pytest.mark.parametrize("flags", [MORE, COMMAND])
@pytest.mark.parametrize("different", [0, 1, 2, 500])
def test_in_a_run_of_equal_sizes_the_flags_count_too(flags: int, different: int) -> None:
    frames = [b"\0\x04same"] * 500
    frames.insert(different, bytes((flags, 4)) + b"else")
    wire = b"".join([*frames, b"\0\x04last"])
    items = feed_in_pieces(Decoder(), wire, [])
    assert items == feed_in_pieces(Decoder(), wire, list(range(1, len(wire))))
    odd = [b"else", b"last" if different == 500 else b"same"] if flags == MORE else b"else"
    assert items[0][different] == odd


def test_a_run_first_ends_the_message_that_is_under_way() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x01\x01a") == []
    assert decoder.feed(b"\0\x01b" * 1000) == [[b"a", b"b"], *[[b"b"]] * 999]


def test_bodies_that_look_like_headers() -> None:
    messages = [[b"\0\x10" * 8]] * 200 + [[b"\0\x10" * 7 + b"\0"]] * 200
    wire = b"".join(encode_batch(messages))
    assert feed_in_pieces(Decoder(), wire, [7, 1000, 1001]) == (messages, None)


# -- flags ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reserved", [0x08, 0x80, 0xF8])
def test_reserved_flags_mean_nothing(reserved: int) -> None:
    wire = bytes((reserved | MORE, 1)) + b"a" + long_header(reserved, 1) + b"b"
    assert Decoder().feed(wire) == [[b"a", b"b"]]


def test_more_on_a_command_means_nothing() -> None:
    decoder = Decoder()
    assert decoder.feed(bytes((COMMAND | MORE, 2)) + b"\x01A\0\x01b") == [b"\x01A", [b"b"]]
    assert decoder.commands


def test_whether_there_are_commands_is_said_anew_each_time() -> None:
    decoder = Decoder()
    decoder.feed(encode_command(b"\x04PING\0\0"))
    assert decoder.commands
    decoder.feed(b"\0\x01a")
    assert not decoder.commands


def test_malformed_command_bodies_do_not_disturb_the_frames() -> None:
    wire = b"\x01\x01a" + b"\x04\0" + b"\x04\x01\0" + b"\x04\x02\xffA" + b"\0\x01b"
    assert Decoder().feed(wire) == [b"", b"\0", b"\xffA", [b"a", b"b"]]


# -- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 100, 254, 255, 256, 1000])
def test_a_message_may_be_as_large_as_the_limit_and_no_larger(limit: int) -> None:
    assert Decoder(limit).feed(encode_message([b"x" * limit])) == [[b"x" * limit]]
    with pytest.raises(MessageTooLarge, match=f"{limit + 1} bytes.* {limit} "):
        Decoder(limit).feed(encode_message([b"x" * (limit + 1)]))


def test_all_frames_of_a_message_count_together() -> None:
    decoder = Decoder(300)
    whole = [b"a" * 100, b"b" * 100, b"c" * 100]
    assert decoder.feed(encode_message(whole) * 2) == [whole, whole]
    with pytest.raises(MessageTooLarge, match="301 bytes.* 300 "):
        decoder.feed(encode_message([*whole[:2], b"c" * 101]))


def test_a_long_frame_inside_a_message_counts_too() -> None:
    decoder = Decoder(1000)
    wire = encode_message([b"a" * 600, b"b" * 401])
    assert decoder.feed(wire[:300]) == []
    with pytest.raises(MessageTooLarge, match="1001 bytes"):
        decoder.feed(wire[300:])


def test_a_limit_of_zero_lets_empty_messages_through() -> None:
    decoder = Decoder(0)
    assert decoder.feed(b"\0\0\x01\0\0\0") == [[b""], [b"", b""]]
    with pytest.raises(MessageTooLarge):
        decoder.feed(b"\0\x01")


def test_the_header_alone_is_enough_to_refuse() -> None:
    with pytest.raises(MessageTooLarge):
        Decoder(1000).feed(long_header(0, 1001))
    with pytest.raises(MessageTooLarge):
        Decoder(10).feed(b"\0\x0b")


def test_commands_have_a_limit_of_their_own() -> None:
    topic = subscribe(b"t" * 64 * KIB)
    assert Decoder(max_message_size=1).feed(encode_command(topic)) == [topic]
    with pytest.raises(MessageTooLarge, match=f"command of .* {MAX_COMMAND_SIZE} "):
        Decoder().feed(long_header(COMMAND, MAX_COMMAND_SIZE + 1))
    with pytest.raises(MessageTooLarge, match="command of 10 bytes.* 9 "):
        Decoder(max_command_size=9).feed(bytes((COMMAND, 10)))


def test_endless_more_ends() -> None:
    decoder = Decoder(max_frames=10)
    assert decoder.feed(encode_message([b""] * 10)) == [[b""] * 10]
    with pytest.raises(FrameError, match="more than 10 frames"):
        decoder.feed(b"\x01\0" * 11)
    decoder = Decoder()
    assert decoder.feed(b"\x01\0" * MAX_FRAMES) == []
    with pytest.raises(FrameError):
        decoder.feed(b"\0\0")


def test_commands_do_not_count_as_frames_of_the_message_around_them() -> None:
    wire = b"\x01\x01a" + encode_command(b"\x04PONG") * 5 + b"\0\x01b"
    assert Decoder(2, max_frames=2).feed(wire)[-1] == [b"a", b"b"]


HUGE = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**62, 2**63 - 1]


@pytest.mark.parametrize("flags", [0, MORE])
@pytest.mark.parametrize("size", HUGE)
def test_a_lying_size_allocates_nothing(flags: int, size: int) -> None:
    with memory_peak_below(64 * KIB):
        decoder = Decoder()
        assert decoder.feed(long_header(flags, size) + b"x" * 1000) == []
        assert decoder.missing == size - 1000
        assert decoder.feed(b"y") == []
        assert decoder.missing == size - 1001


@pytest.mark.parametrize("size", HUGE)
def test_a_lying_size_within_a_message_does_not_get_past_the_limit(size: int) -> None:
    with memory_peak_below(64 * KIB), pytest.raises(MessageTooLarge, match=f"{size + 1} bytes"):
        Decoder(1 * MIB).feed(b"\x01\x01a" + long_header(0, size))


@pytest.mark.parametrize("limit", [None, 1000])
@pytest.mark.parametrize("flags", [0, MORE, COMMAND])
@pytest.mark.parametrize("size", [2**63, 2**63 + 1, 2**64 - 1])
def test_the_top_bit_of_a_size_must_be_clear(limit: int | None, flags: int, size: int) -> None:
    with pytest.raises(FrameError, match="top bit") as caught:
        Decoder(limit).feed(long_header(flags, size))
    assert type(caught.value) is FrameError


def test_what_came_before_the_invalid_frame_is_not_lost() -> None:
    decoder = Decoder(100)
    assert decoder.feed(b"\0\x01a\0\x01b\0\xff" + b"x" * 255 + b"\0\x01c") == [[b"a"], [b"b"]]
    assert type(decoder.error) is MessageTooLarge
    with pytest.raises(MessageTooLarge):
        decoder.feed(b"")
    with pytest.raises(MessageTooLarge):
        decoder.feed(b"\0\x01d")


# -- large bodies -----------------------------------------------------------------------------


def test_missing_tells_how_much_of_the_body_is_to_come() -> None:
    decoder = Decoder()
    wire = encode_message([b"a" * 1000, b"b" * 2000])
    assert decoder.feed(wire[:5]) == []
    assert decoder.missing == 0
    decoder.feed(wire[5:9])
    assert decoder.missing == 1000
    decoder.feed(wire[9:500])
    assert decoder.missing == 509
    decoder.feed(wire[500:1020])
    assert decoder.missing == 1998
    assert decoder.feed(wire[1020:]) == [[b"a" * 1000, b"b" * 2000]]
    assert decoder.missing == 0


def test_a_body_that_arrives_alone_is_not_copied() -> None:
    decoder = Decoder()
    body = bytes(100 * KIB)
    decoder.feed(long_header(0, len(body)))
    ((received,),) = decoder.feed(body)
    assert received is body


def test_a_large_body_is_copied_once() -> None:
    body = bytes(range(256)) * (32 * KIB)
    wire = encode_message([body]) + b"\0\x01a"
    pieces = [wire[start : start + 64 * KIB] for start in range(0, len(wire), 64 * KIB)]
    decoder = Decoder()
    received: list[Any] = []
    with memory_peak_below(len(body) + 256 * KIB):
        for piece in pieces:
            received += decoder.feed(piece)
    assert received == [[body], [b"a"]]


def test_a_body_that_drips_takes_little_more_than_its_size() -> None:
    body = b"drip" * (64 * KIB)
    wire = encode_message([body])
    decoder = Decoder()
    received: list[Any] = []
    with memory_peak_below(3 * len(body)):
        for start in range(0, len(wire), 2):
            received += decoder.feed(wire[start : start + 2])
    assert received == [[body]]
