"""Messages over inproc: high-water marks to the message, order, fairness, cancellation."""

from __future__ import annotations

import itertools

import gevent
import pytest

import omq_gevent as omq

_names = itertools.count(1)


@pytest.fixture
def name() -> str:
    return f"inproc://flow-{next(_names)}"


def fill(socket) -> int:
    """Send until there is no more room; never lets the hub run."""
    count = 0
    while True:
        try:
            socket.send(b"%d" % count, timeout=0)
        except omq.SendTimeout:
            return count
        count += 1


def drain(socket) -> list[bytes]:
    """Receive what is there; never lets the hub run."""
    received = []
    while True:
        try:
            [frame] = socket.receive(timeout=0)
        except omq.ReceiveTimeout:
            return received
        received.append(frame)


def send_forever(socket, message):
    while True:
        socket.send(message)


def pipeline(name, connect_first=False, *, send_hwm=1000, recv_hwm=1000):
    if connect_first:
        push = omq.PUSH.connect(name, send_hwm=send_hwm)
        return push, omq.PULL.bind(name, recv_hwm=recv_hwm)
    pull = omq.PULL.bind(name, recv_hwm=recv_hwm)
    return omq.PUSH.connect(name, send_hwm=send_hwm), pull


@pytest.mark.parametrize("connect_first", [False, True])
@pytest.mark.parametrize(("send_hwm", "recv_hwm"), [(1, 1), (2, 5), (7, 300), (1000, 1000)])
def test_the_marks_add_up_exactly(name, connect_first, send_hwm, recv_hwm):
    push, pull = pipeline(name, connect_first, send_hwm=send_hwm, recv_hwm=recv_hwm)
    with push, pull:
        total = send_hwm + recv_hwm
        assert fill(push) == total
        assert drain(pull) == [b"%d" % number for number in range(total)]
        push.send(b"one more", timeout=0)
        assert pull.receive(timeout=0) == [b"one more"]


def test_one_place_freed_is_one_message_more(name):
    push, pull = pipeline(name)
    with push, pull:
        fill(push)
        for _ in range(3):
            pull.receive(timeout=0)
            assert fill(push) == 1
        push.close(linger=0)


@pytest.mark.parametrize(("send_hwm", "recv_hwm"), [(0, 10), (10, 0), (0, 0)])
def test_no_mark_on_either_side_is_no_limit(name, send_hwm, recv_hwm):
    push, pull = pipeline(name, send_hwm=send_hwm, recv_hwm=recv_hwm)
    with push, pull:
        for number in range(5000):
            push.send(b"%d" % number, timeout=0)
        assert drain(pull) == [b"%d" % number for number in range(5000)]


def test_the_receivers_mark_is_never_passed(name):
    push, pull = pipeline(name, send_hwm=100, recv_hwm=10)
    with push, pull:
        sender = gevent.spawn(lambda: [push.send(b"%d" % number) for number in range(500)])
        for number in range(500):
            assert pull.receive(timeout=1) == [b"%d" % number]
            assert len(pull._engine.routing.received.items) <= 10
        sender.get(timeout=1)


def test_marks_changed_on_a_live_link(name):
    push, pull = pipeline(name, send_hwm=2, recv_hwm=2)
    with push, pull:
        assert fill(push) == 4
        push.send_hwm = 5
        assert fill(push) == 3
        pull.recv_hwm = 4
        assert fill(push) == 2
        assert len(drain(pull)) == 9


def test_a_conflated_receiver_is_never_full_and_has_the_latest(name):
    with omq.PULL.bind(name, conflate=True, recv_hwm=1) as pull, omq.PUSH.connect(name) as push:
        for number in range(3000):
            push.send(b"%d" % number, timeout=0)
        assert drain(pull) == [b"2999"]


def test_publisher_fills_both_marks_of_a_subscriber(name):
    with omq.PUB.bind(name, send_hwm=500) as pub, omq.SUB.connect(name, recv_hwm=500) as sub:
        sub.subscribe(b"")
        for number in range(1000):
            pub.send(b"%d" % number)
        assert drain(sub) == [b"%d" % number for number in range(1000)]


def test_a_loop_of_sends_lets_other_greenlets_run(name):
    push, pull = pipeline(name, send_hwm=0, recv_hwm=0)
    ticks = []

    def tick():
        while True:
            ticks.append(len(pull._engine.routing.received.items))
            gevent.sleep(0)

    with push, pull:
        ticker = gevent.spawn(tick)
        for _ in range(10000):
            push.send(b"x")
        ticker.kill()
        assert len(ticks) >= 5


def test_order_with_many_batches(name):
    push, pull = pipeline(name, send_hwm=50, recv_hwm=30)
    with push, pull:
        sender = gevent.spawn(lambda: [push.send([b"%d" % n, b"part"]) for n in range(20000)])
        for number in range(20000):
            assert pull.receive(timeout=1) == [b"%d" % number, b"part"]
        sender.get(timeout=1)


def test_no_blocked_sender_is_passed_over(name):
    with omq.PULL.bind(name, recv_hwm=10) as pull:
        pushers = [omq.PUSH.connect(name, send_hwm=10) for _ in range(4)]
        tasks = [gevent.spawn(send_forever, push, b"%d" % n) for n, push in enumerate(pushers)]
        received = [pull.receive(timeout=1)[0] for _ in range(2000)]
        gevent.killall(tasks)
        for number, push in enumerate(pushers):
            assert 300 <= received.count(b"%d" % number) <= 900
            push.close(linger=0)


def test_a_stream_gets_through_beside_busy_inproc_senders(name):
    with omq.PULL.bind(name, recv_hwm=10) as pull, omq.PUSH.connect(name, send_hwm=10) as near:
        endpoint = pull.bind("tcp://127.0.0.1:0")
        with omq.PUSH.connect(endpoint) as far:
            far.wait_connected(timeout=5)
            busy = gevent.spawn(send_forever, near, b"near")
            for _ in range(100):
                far.send(b"far")
            received = []
            while received.count(b"far") < 100:
                received += pull.receive(timeout=5)
            assert received.count(b"near") > 100
            busy.kill()
            near.close(linger=0)


def test_shares_of_several_receivers(name):
    pullers = [omq.PULL() for _ in range(5)]
    with omq.PUSH() as push:
        for number, pull in enumerate(pullers):
            pull.bind(f"{name}-{number}")
            push.connect(f"{name}-{number}")
        for number in range(1000):
            push.send(b"%d" % number)
        while not push._engine.routing.drained():
            gevent.sleep(0)
        shares = [drain(pull) for pull in pullers]
        assert [len(share) for share in shares] == [200] * 5
        assert sorted(itertools.chain(*shares), key=int) == [b"%d" % n for n in range(1000)]
        for pull in pullers:
            pull.close()


def test_a_receiver_that_stops_holds_back_only_its_own_marks(name):
    with omq.PUSH(send_hwm=10) as push, omq.PULL(recv_hwm=5) as lazy, omq.PULL() as eager:
        lazy.bind(f"{name}-lazy")
        eager.bind(f"{name}-eager")
        push.connect(f"{name}-lazy")
        push.connect(f"{name}-eager")
        sender = gevent.spawn(lambda: [push.send(b"%d" % n) for n in range(2000)])
        for _ in range(2000 - 10 - 5):
            eager.receive(timeout=1)
        sender.get(timeout=1)
        push.close(linger=0)


# -- cancellation --------------------------------------------------------------------------


def test_a_sender_killed_at_the_mark_loses_and_doubles_nothing(name):
    push, pull = pipeline(name, send_hwm=3, recv_hwm=2)
    with push, pull:
        accepted = []

        def send(number):
            push.send(b"%d" % number)
            accepted.append(b"%d" % number)

        tasks = [gevent.spawn(send, number) for number in range(40)]
        received = []
        for number, task in enumerate(tasks):
            gevent.sleep(0)
            if number % 3 == 0:
                task.kill(block=number % 2 == 0)
            if number % 4 == 0:
                received += pull.receive(timeout=1)
        while len(received) < len(accepted) or not all(task.dead for task in tasks):
            received += pull.receive(timeout=1)
        assert drain(pull) == []
        assert received == accepted


def test_a_receiver_that_is_killed_or_times_out_loses_nothing(name):
    push, pull = pipeline(name, send_hwm=3, recv_hwm=2)
    with push, pull:
        received = []

        def receive():
            while True:
                received.append(pull.receive()[0])

        for number in range(100):
            receiver = gevent.spawn(receive)
            gevent.sleep(0)
            push.send(b"%d" % number)
            receiver.kill(block=number % 2 == 0)
            with gevent.Timeout(0.0001, False):
                received.append(pull.receive()[0])
        received += drain(pull)
        assert received == [b"%d" % number for number in range(100)]


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_close_wakes_who_is_blocked(name, who):
    push, pull = pipeline(name, send_hwm=1, recv_hwm=1)
    blocked = (
        gevent.spawn(send_forever, push, b"x") if who == "sender" else gevent.spawn(pull.receive)
    )
    gevent.sleep(0)
    (push if who == "sender" else pull).close(linger=0)
    with pytest.raises(omq.SocketClosed):
        blocked.get(timeout=1)
    push.close(linger=0)
    pull.close()


def test_a_sender_blocked_at_the_mark_goes_on_with_the_next_binder(name):
    with omq.PUSH.connect(name, send_hwm=1) as push:
        first = omq.PULL.bind(name, recv_hwm=1)
        sender = gevent.spawn(lambda: [push.send(b"%d" % number) for number in range(5)])
        gevent.sleep(0)
        first.close()
        with omq.PULL.bind(name) as second:
            assert [second.receive(timeout=1)[0] for _ in range(4)] == [b"1", b"2", b"3", b"4"]
        sender.get(timeout=1)


def test_close_waits_for_the_receiver_within_its_linger(name):
    push, pull = pipeline(name, send_hwm=10, recv_hwm=1)
    for number in range(5):
        push.send(b"%d" % number)
    push.close(linger=0.01)
    assert drain(pull) == [b"0"]

    push = omq.PUSH.connect(name, send_hwm=10)
    for number in range(5):
        push.send(b"%d" % number)
    closing = gevent.spawn(push.close)
    assert [pull.receive(timeout=1)[0] for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    closing.get(timeout=1)
    pull.close()


def test_messages_for_a_lingering_peer_stay_with_their_sender(name):
    with omq.DEALER.connect(name, recv_hwm=1) as dealer:
        leaving = omq.DEALER.bind(name)
        for number in range(3):
            leaving.send(b"%d" % number)
        closing = gevent.spawn(leaving.close)
        gevent.sleep(0)
        dealer.send(b"not for who leaves")
        assert drain(dealer) == [b"0", b"1", b"2"]
        closing.get(timeout=1)
        with omq.DEALER.bind(name) as stays:
            assert stays.receive(timeout=0) == [b"not for who leaves"]
