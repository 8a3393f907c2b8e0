"""Sending to many: nobody who reads loses anything, nobody who does not read holds up the rest."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import subprocess

import omq_gevent as omq
from omq_gevent.flow.patience import GRACE
from omq_gevent.options import Options
from omq_gevent.routing.pub import Pub
from omq_gevent.routing.xsub import XSub
from omq_gevent.zmtp.frame import encode_message

ROOT = Path(__file__).resolve().parent.parent.parent
TCP = "tcp://127.0.0.1:0"
SMALL_BUFFERS = {"sndbuf": 16384, "rcvbuf": 16384}
BODY = bytes(10_000)

READERS = {
    "omq_gevent": """
import sys, omq_gevent
sub = omq_gevent.SUB.connect(sys.argv[1], subscribe=b"")
receive = lambda: sub.receive()[0]
""",
    "libzmq": """
import sys, zmq
sub = zmq.Context().socket(zmq.SUB)
sub.connect(sys.argv[1])
sub.subscribe(b"")
receive = sub.recv
""",
}
COUNT_IN_ORDER = """
count = 0
while (message := receive()) != b"end":
    assert message == b"%d" % count, (message, count)
    count += 1
print(count)
sub.close()
"""


@contextlib.contextmanager
def reader_process(kind: str, endpoint: str) -> Iterator[Any]:
    """A subscriber in another process, which prints how many messages came before b"end"."""
    with subprocess.Popen(
        [sys.executable, "-c", READERS[kind] + COUNT_IN_ORDER, endpoint],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def idle_subscriber(pub: omq.PUB, **options: Any) -> Iterator[omq.SUB]:
    """A subscriber that has not begun to read, whose buffers are soon full."""
    options = {"subscribe": b"", "recv_hwm": 1, **SMALL_BUFFERS, **options}
    with omq.SUB.connect(pub.last_endpoint, **options) as sub:
        pub.wait_subscribed(timeout=5)
        yield sub


def publisher(endpoint: str = TCP, **options: Any) -> omq.PUB:
    return omq.PUB.bind(endpoint, linger=0, **{"send_hwm": 5, **SMALL_BUFFERS, **options})


def blocking_publisher(**options: Any) -> omq.PUB:
    # inproc, because a kernel's buffers are never full for sure.
    return publisher("inproc://fan-out", **(options or {"on_mute": "block"}))


def fill(pub: omq.PUB) -> int:
    """Send until a send has to wait: how many messages were accepted."""
    count = 0
    with contextlib.suppress(omq.SendTimeout):
        while True:
            pub.send([b"%d" % count, BODY], timeout=0.02)
            count += 1
    return count


# -- who reads loses nothing ---------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("kind", READERS)
def test_a_tight_loop_of_sends_loses_nothing_at_a_subscriber_that_reads(kind: str) -> None:
    count = 100_000
    with omq.PUB.bind(TCP) as pub, reader_process(kind, pub.last_endpoint) as process:
        pub.wait_subscribed(timeout=20)
        for number in range(count):
            pub.send(b"%d" % number)
        pub.send(b"end")
        output, _ = process.communicate(timeout=20)
        assert int(output) == count


@pytest.mark.parametrize("endpoint", [TCP, "inproc://fan-out"])
def test_subscribers_in_the_same_process_lose_nothing_either(endpoint: str) -> None:
    count = 20_000
    with omq.PUB.bind(endpoint) as pub, contextlib.ExitStack() as stack:
        subs = [
            stack.enter_context(omq.SUB.connect(pub.last_endpoint, subscribe=b"", recv_hwm=10))
            for _ in range(3)
        ]
        pub.wait_subscribed(n=3, timeout=5)

        def read(sub: omq.SUB) -> list[int]:
            return [int(sub.receive(timeout=10)[0]) for _ in range(count)]

        readers = [gevent.spawn(read, sub) for sub in subs]
        for number in range(count):
            pub.send(b"%d" % number)
        for reader in readers:
            assert reader.get() == list(range(count))


def test_a_subscriber_that_reads_slowly_is_waited_for() -> None:
    count = 300
    with publisher() as pub, idle_subscriber(pub) as sub:

        def read() -> list[int]:
            numbers = []
            for _ in range(count):
                numbers.append(int(sub.receive(timeout=5)[0]))
                gevent.sleep(0.001)
            return numbers

        reader = gevent.spawn(read)
        for number in range(count):
            pub.send([b"%d" % number, BODY])
        assert reader.get() == list(range(count))


# -- who does not read ---------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", [TCP, "inproc://fan-out"])
def test_a_subscriber_that_never_reads_stops_the_rest_for_one_grace_period(endpoint: str) -> None:
    count = 5_000
    with (
        omq.PUB.bind(endpoint, linger=0, send_hwm=100) as pub,
        omq.SUB.connect(pub.last_endpoint, subscribe=b"", recv_hwm=10) as never,
        omq.SUB.connect(pub.last_endpoint, subscribe=b"") as good,
    ):
        pub.wait_subscribed(n=2, timeout=5)
        reader = gevent.spawn(
            lambda: [int(good.receive(timeout=5)[0]) for _ in range(count)],
        )
        stalled = 0.0
        for number in range(count):
            before = time.monotonic()
            pub.send([b"%d" % number, BODY])
            spent = time.monotonic() - before
            if spent > GRACE / 2:
                stalled += spent
        assert reader.get() == list(range(count))
        assert GRACE * 0.9 < stalled < GRACE * 1.9
        assert int(never.receive(timeout=5)[0]) == 0


def test_dropped_messages_are_counted_and_told(await_event: Any) -> None:
    with publisher() as pub:
        events = pub.monitor()
        with idle_subscriber(pub) as sub:
            for number in range(500):
                pub.send([b"%d" % number, BODY])
            told = await_event(events, "message_dropped")
            assert told.peer.socket_type == "SUB"
            dropped = told.count
            sub.close()
        while (event := events.get(timeout=5)).kind != "disconnected":
            dropped += event.count or 0
        assert 400 < dropped <= 500


def test_a_subscriber_that_reads_again_gets_messages_again() -> None:
    with publisher() as pub, idle_subscriber(pub) as sub:
        for number in range(500):
            pub.send([b"%d" % number, BODY])
        numbers = []
        with contextlib.suppress(omq.ReceiveTimeout):
            while True:
                numbers.append(int(sub.receive(timeout=0.2)[0]))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < 100
        for number in range(500, 600):
            pub.send([b"%d" % number, BODY])
            assert int(sub.receive(timeout=5)[0]) == number


def test_drop_oldest_keeps_the_newest_messages_of_a_full_queue() -> None:
    with publisher(on_mute="drop_oldest") as pub, idle_subscriber(pub) as sub:
        for number in range(500):
            pub.send([b"%d" % number, BODY])
        numbers = []
        with contextlib.suppress(omq.ReceiveTimeout):
            while True:
                numbers.append(int(sub.receive(timeout=0.2)[0]))
        assert numbers[0] == 0
        assert numbers[-5:] == [495, 496, 497, 498, 499]


def test_a_send_without_patience_drops_at_once() -> None:
    with publisher() as pub, idle_subscriber(pub):
        before = time.monotonic()
        for number in range(500):
            pub.send([b"%d" % number, BODY], timeout=0)
        assert time.monotonic() - before < GRACE


@pytest.mark.parametrize("options", [{"on_mute": "block"}, {"xpub_nodrop": True}])
def test_a_blocking_publisher_accepts_a_message_for_all_or_for_nobody(options: Any) -> None:
    with (
        blocking_publisher(**options) as pub,
        idle_subscriber(pub) as slow,
        omq.SUB.connect(pub.last_endpoint, subscribe=b"") as quick,
    ):
        pub.wait_subscribed(n=2, timeout=5)
        accepted = fill(pub)
        with pytest.raises(omq.SendTimeout, match="1 of 2 peers"):
            pub.send(b"too much", timeout=0)
        assert not pub.poll(timeout=0, events=omq.POLLOUT)
        sending = gevent.spawn(pub.send, b"end")
        gevent.sleep(GRACE * 1.5)
        assert not sending.dead
        for sub in (slow, quick):
            numbers = []
            while (message := sub.receive(timeout=5)) != [b"end"]:
                numbers.append(int(message[0]))
            assert numbers == list(range(accepted))
        sending.get()
        assert pub.poll(timeout=5, events=omq.POLLOUT)


def test_a_send_that_was_cut_short_reaches_nobody() -> None:
    with (
        blocking_publisher() as pub,
        idle_subscriber(pub) as slow,
        omq.SUB.connect(pub.last_endpoint, subscribe=b"") as quick,
    ):
        pub.wait_subscribed(n=2, timeout=5)
        accepted = fill(pub)
        with gevent.Timeout(0.05, False):
            pub.send(b"cut short")
        killed = gevent.spawn(pub.send, b"killed")
        gevent.sleep(0.01)
        killed.kill()
        slow.close()
        pub.wait_disconnected(1, timeout=5)
        pub.send(b"end")
        messages = [quick.receive(timeout=5)[0] for _ in range(accepted + 1)]
        assert messages == [*(b"%d" % number for number in range(accepted)), b"end"]


def test_a_waiting_sender_goes_on_when_the_full_peer_leaves() -> None:
    with blocking_publisher() as pub, idle_subscriber(pub) as slow:
        fill(pub)
        sending = gevent.spawn(pub.send, b"for nobody in the end")
        gevent.sleep(0.01)
        slow.close()
        sending.get(timeout=5)


def test_a_waiting_sender_is_told_that_the_socket_was_closed() -> None:
    with blocking_publisher() as pub, idle_subscriber(pub):
        fill(pub)
        sending = gevent.spawn(pub.send, b"x")
        gevent.sleep(0.01)
        pub.close()
        with pytest.raises(omq.SocketClosed):
            sending.get(timeout=5)


def test_a_raised_high_water_mark_lets_a_waiting_sender_go_on() -> None:
    with blocking_publisher() as pub, idle_subscriber(pub):
        fill(pub)
        sending = gevent.spawn(pub.send, b"x")
        gevent.sleep(0.01)
        assert not sending.dead
        pub.send_hwm = 100
        sending.get(timeout=5)


# -- turns and copies ----------------------------------------------------------------------


def test_a_loop_of_sends_to_nobody_lets_others_run() -> None:
    with omq.PUB.bind(TCP) as pub:
        turns = []
        ticker = gevent.spawn(lambda: [turns.append(gevent.sleep(0)) for _ in range(5)])
        for _ in range(5_000):
            pub.send(b"x")
        assert len(turns) == 5
        ticker.join()


class FakeConnection:
    """As much of a connection as a strategy needs to queue messages for it."""

    def __init__(self, plaintext: bool, direct: bool = False) -> None:
        self.plaintext = plaintext
        self.direct = direct
        self.outlet: Any = None
        self.on_command: Any = None


def test_a_message_is_encoded_once_for_all_plaintext_peers_and_copied_for_others() -> None:
    pub = Pub(Options(), lambda *_args, **_facts: None)
    plain = [FakeConnection(True), FakeConnection(True)]
    others = [FakeConnection(False), FakeConnection(True, direct=True)]
    for connection in plain + others:
        pub.connection_added(connection)
        connection.on_command(b"SUBSCRIBE", b"a")
    message = [b"a", b"body"]
    pub.send(message, None)
    first, second = (connection.outlet.queue[0] for connection in plain)
    assert first == encode_message(message)
    assert first is second
    copies = [connection.outlet.queue[0] for connection in others]
    assert copies == [message, message]
    assert len({id(copy) for copy in (message, *copies)}) == 3


def test_an_xsub_waits_once_for_a_publisher_that_does_not_read_and_then_drops() -> None:
    xsub = XSub(Options(send_hwm=2), lambda *_args, **_facts: None)
    connection = FakeConnection(True)
    xsub.connection_added(connection)
    before = time.monotonic()
    for number in range(7):
        xsub.send([b"upstream", b"%d" % number], None)
    assert GRACE * 0.9 < time.monotonic() - before < GRACE * 1.9
    assert len(connection.outlet.queue) == 2
    assert xsub.drops.dropped == 5


def test_large_messages_go_to_all_subscribers_unharmed() -> None:
    with omq.PUB.bind(TCP) as pub, contextlib.ExitStack() as stack:
        subs = [
            stack.enter_context(omq.SUB.connect(pub.last_endpoint, subscribe=b"")) for _ in range(2)
        ]
        pub.wait_subscribed(n=2, timeout=5)
        sizes = [10, 40_000, 3, 32 * 1024, 1_000_000, 0, 255, 256]
        for size in sizes:
            pub.send([b"%d" % size, bytes(size)])
        for sub in subs:
            assert [len(sub.receive(timeout=5)[1]) for _ in sizes] == sizes
