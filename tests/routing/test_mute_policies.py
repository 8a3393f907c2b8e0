"""What a full queue does is the socket's choice: wait, or drop the newest or the oldest."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"


def test_drop_newest_keeps_what_was_sent_first() -> None:
    with omq.PUSH.bind(TCP, send_hwm=3, on_mute="drop_newest") as push:
        for number in range(10):
            push.send(b"%d" % number)
        assert push.stats == omq.Stats(peers=0, send_queued=3, receive_queued=0, dropped=7)
        with omq.PULL.connect(push.last_endpoint) as pull:
            assert [pull.receive(timeout=5)[0] for _ in range(3)] == [b"0", b"1", b"2"]


def test_drop_oldest_keeps_what_was_sent_last() -> None:
    with omq.DEALER.bind(TCP, send_hwm=3, on_mute="drop_oldest") as dealer:
        for number in range(10):
            dealer.send(b"%d" % number)
        assert dealer.stats.dropped == 7
        with omq.DEALER.connect(dealer.last_endpoint) as peer:
            assert [peer.receive(timeout=5)[0] for _ in range(3)] == [b"7", b"8", b"9"]


def test_blocking_is_the_default() -> None:
    with omq.PAIR.bind(TCP, send_hwm=1, linger=0) as pair:
        pair.send(b"x")
        with pytest.raises(omq.SendTimeout, match="no peer"):
            pair.send(b"y", timeout=0.01)
        assert pair.stats.dropped == 0


def test_drops_are_told_to_monitors_without_flooding_them() -> None:
    with omq.PUSH.bind(TCP, send_hwm=1, on_mute="drop_newest", linger=0) as push:
        monitor = push.monitor()
        for _ in range(1000):
            push.send(b"x")
        push.close()
        events = [event for event in monitor if event.kind == "message_dropped"]
        assert sum(event.count or 0 for event in events) == 999
        assert len(events) <= 3


def test_setting_immediate_wakes_a_sender_that_waits_for_room() -> None:
    with omq.PUSH.bind(TCP, immediate=True, linger=0) as push:
        sender = gevent.spawn(push.send, b"x")
        gevent.sleep(0)
        assert not sender.dead
        push.immediate = False
        sender.get(timeout=5)
