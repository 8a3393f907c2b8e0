"""Frames after the handshake: every legal form, every limit, and nothing by halves."""

from __future__ import annotations

import gc
import tracemalloc

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.errors import CommandError, FrameError, MessageTooLarge

TCP = "tcp://127.0.0.1:0"
MORE, LONG, COMMAND = 1, 2, 4


# -- what we send ----------------------------------------------------------------------------


def test_the_short_form_is_used_up_to_255_octets(dial) -> None:
    with omq.PUSH.bind(TCP) as push:
        peer = dial(push.last_endpoint).join("PULL")
        for size in (0, 1, 255):
            push.send(b"x" * size)
            assert peer.read(2 + size) == bytes((0, size)) + b"x" * size
        for size in (256, 65_535, 65_536, 70_000):
            push.send(b"x" * size)
            assert peer.read(9 + size) == b"\x02" + size.to_bytes(8, "big") + b"x" * size
        push.send([b"a", b"", b"b" * 300])
        assert (
            peer.read(5 + 309) == b"\x01\x01a\x01\0" + b"\x02" + bytes(6) + b"\x01\x2c" + b"b" * 300
        )


def test_all_frames_of_a_message_go_to_one_peer_and_together(dial) -> None:
    with omq.PUSH.bind(TCP) as push:
        peers = [dial(push.last_endpoint).join("PULL") for _ in range(3)]
        push.wait_connected(3, timeout=2)
        for number in range(30):
            push.send([b"%d" % number, b"x" * 50_000, b"", b"end"])
        numbers = set()
        for peer in peers:
            for _ in range(10):
                number, large, empty, end = peer.read_message()
                assert (large, empty, end) == (b"x" * 50_000, b"", b"end")
                numbers.add(int(number))
        assert numbers == set(range(30))


# -- unusual but legal -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "unusual",
    [
        pytest.param(b"\xf8\x05hello", id="reserved bits"),
        pytest.param(b"\x02" + bytes(7) + b"\x05hello", id="long form of a short body"),
        pytest.param(b"\xfa" + bytes(7) + b"\x05hello", id="both"),
        pytest.param(b"\x05\x05\x04PONG\x00\x05hello", id="MORE on a command"),
        pytest.param(b"\x04\x06\x05READY\x00\x05hello", id="READY again"),
        pytest.param(b"\x04\x05\x01Zabc\x00\x05hello", id="unknown command"),
        pytest.param(
            b"\x06" + bytes(6) + b"\x01\x00\xff" + b"N" * 255 + b"\0\x05hello", id="long name"
        ),
        pytest.param(b"\x04\x05\x04\xff\r\n\0\x00\x05hello", id="name of control characters"),
    ],
)
def test_unusual_frames_do_not_disturb_what_follows(scene, dial, unusual: bytes) -> None:
    on = scene()
    dial(on.endpoint).join("PUSH").write(unusual)
    assert on.socket.receive(timeout=2) == [b"hello"]


def test_commands_between_the_frames_of_a_message(scene, dial, wire) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.write(
        wire.frame(MORE, b"a"),
        wire.command(b"PING", b"\0\0ctx"),
        wire.frame(MORE, b""),
        wire.command(b"FROB"),
        wire.frame(0, b"c"),
    )
    assert peer.read_command(b"PONG") == b"ctx"
    assert on.socket.receive(timeout=2) == [b"a", b"", b"c"]


@pytest.mark.parametrize("body", [b"", b"\0", b"\0PING", b"\x05PING", b"\xffx"])
def test_a_command_without_a_proper_name_costs_the_connection(scene, dial, wire, body) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.write(wire.message(b"before"), wire.frame(COMMAND, body), wire.message(b"after"))
    assert on.socket.receive(timeout=2) == [b"before"]
    assert peer.read_to_end() == b""
    assert isinstance(on.failure("disconnected"), CommandError)


# -- limits ----------------------------------------------------------------------------------


def test_a_message_of_exactly_the_limit_passes_and_one_octet_more_does_not(
    scene, dial, wire
) -> None:
    on = scene(max_message_size=100)
    peer = dial(on.endpoint).join("PUSH")
    peer.write(
        wire.message(b"x" * 100),
        wire.frame(LONG, b"y" * 100),
        wire.message(b"z" * 40, b"", b"z" * 60),
    )
    assert on.socket.receive(timeout=2) == [b"x" * 100]
    assert on.socket.receive(timeout=2) == [b"y" * 100]
    assert on.socket.receive(timeout=2) == [b"z" * 40, b"", b"z" * 60]
    peer.write(wire.message(b"last good"), wire.message(b"x" * 101))
    assert on.socket.receive(timeout=2) == [b"last good"]
    peer.read_to_end()
    error = on.failure("disconnected")
    assert isinstance(error, MessageTooLarge)
    assert "101" in str(error)
    assert "100" in str(error)


def test_the_limit_is_for_all_frames_of_a_message_together(scene, dial, wire) -> None:
    on = scene(max_message_size=100)
    peer = dial(on.endpoint).join("PUSH")
    peer.write(wire.message(b"x" * 40, b"x" * 40, b"x" * 21))
    peer.read_to_end()
    assert isinstance(on.failure("disconnected"), MessageTooLarge)


@pytest.mark.parametrize("header", [b"\0\x65", b"\x02" + bytes(7) + b"\x65", b"\x03" + b"\x7f" * 8])
def test_the_header_alone_is_enough_to_refuse_a_frame(scene, dial, header: bytes) -> None:
    on = scene(max_message_size=100)
    peer = dial(on.endpoint).join("PUSH")
    peer.write(header)
    peer.read_to_end()
    assert isinstance(on.failure("disconnected"), MessageTooLarge)


def test_commands_do_not_count_as_messages_but_have_a_limit_of_their_own(scene, dial, wire) -> None:
    on = scene(max_message_size=10)
    peer = dial(on.endpoint).join("PUSH")
    peer.command(b"FROB", b"x" * 60_000)
    peer.send(b"hello")
    assert on.socket.receive(timeout=2) == [b"hello"]
    peer.write(b"\x06", (70_000).to_bytes(8, "big"))
    peer.read_to_end()
    assert isinstance(on.failure("disconnected"), MessageTooLarge)


@pytest.mark.parametrize("flags", [LONG, LONG | MORE, LONG | COMMAND])
@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_a_size_with_its_top_bit_set_is_refused(scene, dial, flags: int, size: int) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.write(bytes((flags,)), size.to_bytes(8, "big"))
    peer.read_to_end()
    assert isinstance(on.failure("disconnected"), FrameError)


@pytest.mark.parametrize("size", [2**31, 2**32, 2**40, 2**62, 2**63 - 1])
def test_a_lying_size_takes_no_memory(scene, dial, size: int) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    gc.collect()
    tracemalloc.start()
    try:
        peer.write(b"\x02", size.to_bytes(8, "big"), b"x" * 200_000)
        on.good.send(b"tick")
        assert on.socket.receive(timeout=2) == [b"tick"]
        peer.finish()
        peer.read_to_end()
        on.failure("disconnected")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_message_without_end_is_ended(scene, dial, wire) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.write(wire.frame(MORE, b"") * 70_000)
    peer.read_to_end()
    error = on.failure("disconnected")
    assert isinstance(error, FrameError)
    assert "65536 frames" in str(error)


def test_a_message_of_very_many_frames_is_delivered(scene, dial, wire) -> None:
    on = scene()
    frames = [b"", b"x"] * 5000
    dial(on.endpoint).join("PUSH").send(*frames)
    assert on.socket.receive(timeout=5) == frames


def test_unfinished_messages_of_peers_that_leave_take_no_memory(scene, dial, wire) -> None:
    on = scene()

    def leave_a_megabyte_behind() -> None:
        peer = dial(on.endpoint).join("PUSH")
        peer.write(wire.frame(MORE, b"x" * 500_000), wire.frame(0, b"y" * 500_000)[:-1])
        peer.finish()
        peer.read_to_end()
        peer.close()
        on.failure("disconnected")

    leave_a_megabyte_behind()
    gc.collect()
    gc.disable()  # what waits for the collector may wait for long
    tracemalloc.start()
    try:
        for _ in range(10):
            leave_a_megabyte_behind()
        gevent.sleep(0)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
        gc.enable()


# -- nothing by halves -----------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_whatever_octet_a_peer_ends_at_only_whole_messages_are_delivered(
    scene, dial, wire, reset: bool
) -> None:
    on = scene()
    messages = [[b"one"], [b"two", b"", b"parts"], [b"x" * 300], [b"end"]]
    whole = wire.greeting() + wire.ready("PUSH")
    ends = []
    for frames in messages:
        whole += wire.message(*frames)
        ends.append(len(whole))
    # In the middle of the body of 300 octets nothing new happens.
    cuts = [cut for cut in range(len(whole) + 1) if not ends[1] + 20 < cut < ends[2] - 3]
    for cut in cuts:
        peer = dial(on.endpoint)
        peer.write(whole[:cut])
        if reset:
            peer.reset()
        else:
            peer.finish()
            peer.read_to_end()
        on.failure("disconnected")
        delivered = []
        while on.socket.poll(timeout=0):
            delivered.append(on.socket.receive())
        expected = messages[: sum(end <= cut for end in ends)]
        if reset:  # the kernel may have thrown away what nobody had read yet
            assert delivered == expected[: len(delivered)]
        else:
            assert delivered == expected


def test_a_message_that_was_cut_short_does_not_spill_into_the_next_peers(scene, dial, wire) -> None:
    on = scene(recv_hwm=1)
    for _ in range(5):
        broken = dial(on.endpoint).join("PUSH")
        broken.write(wire.frame(MORE, b"half"), wire.frame(MORE, b"a"))
        other = dial(on.endpoint).join("PUSH")
        other.send(b"whole", b"message")
        assert on.socket.receive(timeout=2) == [b"whole", b"message"]
        broken.reset()
        other.send(b"again")
        assert on.socket.receive(timeout=2) == [b"again"]


def test_two_unfinished_messages_at_once_do_not_mix(scene, dial, wire) -> None:
    on = scene()
    peers = [dial(on.endpoint).join("PUSH") for _ in range(3)]
    for part in range(5):
        for number, peer in enumerate(peers):
            peer.write(wire.frame(MORE if part < 4 else 0, b"%d.%d" % (number, part)))
    got = sorted(on.socket.receive(timeout=2) for _ in peers)
    assert got == [[b"%d.%d" % (number, part) for part in range(5)] for number in range(3)]


def test_a_peer_that_leaves_in_the_middle_of_our_message_does_not_get_the_rest_later(
    dial,
) -> None:
    with omq.PUSH.bind(TCP) as push:
        push.send([b"first", b"x" * 20_000_000])
        push.send(b"second")
        broken = dial(push.last_endpoint).join("PULL")
        broken.read(1000)
        broken.reset()
        push.wait_disconnected(timeout=2)
        peer = dial(push.last_endpoint).join("PULL")
        assert peer.read_message() == [b"first", b"x" * 20_000_000]
        assert peer.read_message() == [b"second"]


def test_a_server_that_ends_at_any_octet_is_dialed_again_and_nothing_is_delivered_by_halves(
    quiet, listener, wire
) -> None:
    head = wire.greeting() + wire.ready("PUSH")
    whole = head + wire.message(b"one") + wire.message(b"two", b"", b"x" * 300)
    first_end = len(head) + len(wire.message(b"one"))
    cuts = (0, 1, 10, 63, 64, 65, len(head) - 1, len(head), first_end - 1, first_end + 9)
    with omq.PULL.connect(listener.endpoint, reconnect_interval=0.001) as pull:
        for cut in (*cuts, len(whole) - 1):
            peer = listener.accept()
            peer.write(whole[:cut])
            peer.finish()
            peer.read_to_end()
            peer.close()
            if cut >= first_end:
                assert pull.receive(timeout=2) == [b"one"]
            assert not pull.poll(timeout=0)
        listener.accept().write(whole)
        assert pull.receive(timeout=2) == [b"one"]
        assert pull.receive(timeout=2) == [b"two", b"", b"x" * 300]
