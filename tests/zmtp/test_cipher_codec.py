"""Frames through a mechanism that encrypts: one sealed frame each, limits on what is inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.errors import FrameError, HandshakeError, InvalidTransition, MessageTooLarge
from omq_gevent.mechanisms.null import Null
from omq_gevent.zmtp import command
from omq_gevent.zmtp.cipher_codec import CipherCodec, CipherDecoder
from omq_gevent.zmtp.codec import PlainCodec, codec_for
from omq_gevent.zmtp.decoder import Command, Decoder

SEAL = b"seal"


class ToySession:
    """Turns every bit around, and numbers its frames as a real cipher would."""

    encrypts = True

    def __init__(self):
        self.sent = self.received = 0
        self.wiped = False

    def encode(self, flags, body):
        self.sent += 1
        return SEAL + bytes((self.sent % 256, flags)) + bytes(byte ^ 0xFF for byte in body)

    def encoded_size(self, size):
        return size + 6

    def decode(self, body):
        self.received += 1
        if body[:4] != SEAL or body[4] != self.received % 256:
            raise HandshakeError("not the peer's, or out of order")
        return body[5], bytes(byte ^ 0xFF for byte in body[6:])

    def wipe(self):
        self.wiped = True


def codec(max_message_size=None):
    return CipherCodec(ToySession(), max_message_size)


def wire_of(*messages):
    return b"".join(codec().encode_batch(messages))


def test_the_session_decides_which_codec_it_is():
    assert type(codec_for(ToySession(), None)) is CipherCodec
    assert type(codec_for(Null().session(False, b""), None)) is PlainCodec


def test_nothing_readable_is_on_the_wire_and_outer_flags_are_zero():
    wire = b"".join(codec().encode_batch([[b"attack", b"x" * 300]]))
    wire += codec().encode_command(command.ping(1.0))
    assert b"attack" not in wire
    assert b"PING" not in wire
    assert len(split(wire)) == 3


def split(wire):
    """The bodies of *wire*; fails unless each frame has flags of 0, or LONG where needed."""
    found = []
    while wire:
        assert wire[0] in (0, 2)
        header = 9 if wire[0] else 2
        size = int.from_bytes(wire[1:header], "big")
        assert (size > 255) == bool(wire[0])
        found.append(wire[header : header + size])
        wire = wire[header + size :]
    return found


def test_each_frame_travels_as_one():
    bodies = split(wire_of([b"a", b"", b"x" * 400], [b"b"]))
    assert [body[5] for body in bodies] == [1, 1, 0, 0]
    assert [body[4] for body in bodies] == [1, 2, 3, 4]


def test_a_command_is_marked_inside_only():
    [body] = split(codec().encode_command(b"\x04PING\0\0"))
    assert body[5] == 4


@pytest.mark.parametrize("outer", [0x00, 0x01, 0x04, 0x05, 0xF8])
def test_outer_flags_of_the_peer_count_for_nothing(outer):
    wire = bytearray(wire_of([b"a"]))
    wire[0] |= outer
    receiver = codec().decoder
    assert receiver.feed(bytes(wire)) == [[b"a"]]
    assert not receiver.commands


def test_wire_size_is_what_was_written():
    for frames in ([b""], [b"a" * 248], [b"a" * 249], [b"a" * 250], [b"a", b"b" * 70000, b""]):
        assert codec().wire_size(frames) == len(wire_of(frames))


def test_large_bodies_are_not_copied_into_the_batch():
    buffers = codec().encode_batch([[b"a"], [b"b" * 40000], [b"c"]])
    assert [len(buffer) > 40000 for buffer in buffers] == [False, True, False]


messages = st.lists(st.binary(max_size=300), min_size=1, max_size=4)
items = st.lists(st.one_of(messages, st.binary(min_size=2, max_size=300).map(Command)), max_size=8)


@given(items, st.lists(st.integers(0, 2000), max_size=8))
def test_whatever_the_pieces_the_same_comes_out(sent, cuts):
    sender, receiver = codec(), codec()
    wire = b"".join(
        sender.encode_command(item)
        if isinstance(item, Command)
        else b"".join(sender.encode_batch([item]))
        for item in sent
    )
    got = []
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    for start, stop in zip(edges, edges[1:]):
        found = receiver.decoder.feed(wire[start:stop])
        assert receiver.decoder.commands == any(type(item) is Command for item in found)
        got += found
    assert got == sent
    assert [type(item) for item in got] == [type(item) for item in sent]
    assert receiver.decoder.missing == 0


def test_byte_by_byte_and_the_rest_of_a_long_frame_is_known():
    receiver = codec().decoder
    wire = wire_of([b"a" * 1000])
    assert receiver.feed(wire[:9]) == []
    assert receiver.missing == 1006
    for index in range(9, len(wire) - 1):
        assert receiver.feed(wire[index : index + 1]) == []
        assert receiver.missing == len(wire) - index - 1
    assert receiver.feed(wire[-1:]) == [[b"a" * 1000]]
    assert receiver.missing == 0


def test_commands_between_the_frames_of_a_message_do_not_disturb_it():
    session = ToySession()
    ping = b"\x04PING\0\0"
    sealed = [session.encode(1, b"a"), session.encode(4, ping), session.encode(0, b"b")]
    wire = b"".join(bytes((0, len(body))) + body for body in sealed)
    assert codec().decoder.feed(wire) == [Command(ping), [b"a", b"b"]]


@pytest.mark.parametrize("sizes", [[101], [50, 51], [100, 1]])
def test_a_message_above_the_limit_is_refused_whatever_its_frames(sizes):
    receiver = codec(100).decoder
    with pytest.raises(MessageTooLarge, match="101 bytes.* 100 "):
        receiver.feed(wire_of([b"x" * size for size in sizes]))
    with pytest.raises(MessageTooLarge):
        receiver.feed(b"")


def test_a_message_at_the_limit_passes_and_the_next_one_has_all_the_room():
    receiver = codec(100).decoder
    sent = [[b"x" * 50, b"y" * 50], [b"z" * 100]]
    assert receiver.feed(wire_of(*sent)) == sent


def test_a_frame_that_cannot_fit_is_refused_by_its_header():
    receiver = codec(100_000).decoder
    with pytest.raises(MessageTooLarge):
        receiver.feed(b"\x02" + (100_007).to_bytes(8, "big"))
    assert codec(100_000).decoder.feed(b"\x02" + (100_006).to_bytes(8, "big")) == []
    with pytest.raises(FrameError, match="top bit"):
        codec().decoder.feed(b"\x02" + b"\x80" + bytes(7))


def test_commands_have_a_limit_of_their_own():
    sender, receiver = codec(), codec(10).decoder
    assert receiver.feed(sender.encode_command(b"\x04PING" + b"x" * 100))
    assert receiver.commands
    with pytest.raises(MessageTooLarge, match="command"):
        codec().decoder.feed(codec().encode_command(b"x" * 70_000))


def test_frames_are_counted():
    session = ToySession()
    decoder = CipherDecoder(session.decode, session.encoded_size, max_frames=3)
    assert decoder.feed(wire_of([b""] * 3)) == [[b""] * 3]
    session.received = 0
    with pytest.raises(FrameError, match="3 frames"):
        decoder.feed(wire_of([b""] * 4))


def test_what_came_before_a_bad_frame_is_not_lost():
    receiver = codec().decoder
    assert receiver.feed(wire_of([b"good"]) + b"\0\x04nope" + wire_of([b"late"])) == [[b"good"]]
    assert isinstance(receiver.error, HandshakeError)
    with pytest.raises(HandshakeError):
        receiver.feed(b"more")


def test_a_replayed_frame_is_the_sessions_to_refuse():
    receiver = codec().decoder
    wire = wire_of([b"a"])
    receiver.feed(wire)
    with pytest.raises(HandshakeError):
        receiver.feed(wire)


def test_wipe_reaches_the_session():
    session = ToySession()
    codec_for(session, None).wipe()
    assert session.wiped


def test_null_has_no_sizes_to_tell():
    with pytest.raises(InvalidTransition):
        Null().session(False, b"").encoded_size(1)


def test_plain_decoders_offer_the_same():
    offered = {name for name in dir(Decoder(None)) if not name.startswith("_")}
    assert offered == {name for name in dir(codec().decoder) if not name.startswith("_")}
