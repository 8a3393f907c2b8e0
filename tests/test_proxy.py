"""The proxy: what passes, what it counts, and that nothing is lost, however it ends."""

from __future__ import annotations

import contextlib
import logging
import random
import struct
import time

import gevent
import pytest

import omq_gevent as omq

TICK = 0.02
"""Seconds to show that something does not happen."""

ANY = "tcp://127.0.0.1:0"


@contextlib.contextmanager
def proxied(*sockets, **more):
    """Run a proxy; it must still be there, and well, when the block ends."""
    running = gevent.spawn(omq.proxy, *sockets, **more)
    try:
        yield running
        assert not running.dead
    finally:
        running.kill()


@contextlib.contextmanager
def linked(ours, theirs, endpoint=ANY, **options):
    """A socket for the proxy and a connected one for its peer."""
    with (
        ours.bind(endpoint, linger=0, **options) as near,
        theirs.connect(near.last_endpoint, linger=0) as far,
    ):
        far.wait_connected(timeout=5)
        yield near, far


# -- what passes -------------------------------------------------------------------------------


def test_router_to_dealer_serves_every_client():
    def work(worker):
        for request in worker:
            worker.send([b"to", *request])

    with contextlib.ExitStack() as stack:
        front = stack.enter_context(omq.ROUTER.bind(ANY, linger=0))
        back = stack.enter_context(omq.DEALER.bind(ANY, linger=0))
        workers = [stack.enter_context(omq.REP.connect(back.last_endpoint)) for _ in range(2)]
        working = [gevent.spawn(work, worker) for worker in workers]
        back.wait_connected(2, timeout=5)
        stack.enter_context(proxied(front, back))
        clients = [stack.enter_context(omq.REQ.connect(front.last_endpoint)) for _ in range(5)]
        for turn in range(3):
            for number, client in enumerate(clients):
                client.send([b"%d" % number, b"", b"%d" % turn])
            for number, client in enumerate(clients):
                assert client.receive(timeout=5) == [b"to", b"%d" % number, b"", b"%d" % turn]
        for worker in workers:
            worker.stop()
        gevent.joinall(working, timeout=5)


@pytest.mark.parametrize("pull_first", [True, False])
def test_one_way_in_either_position(pull_first):
    with (
        linked(omq.PULL, omq.PUSH) as (pull, push),
        linked(omq.PUSH, omq.PULL) as (out, sink),
        proxied(*((pull, out) if pull_first else (out, pull))),
    ):
        messages = [[b"%d" % n, b"", bytes(n)] for n in range(1500)]
        sending = gevent.spawn(lambda: [push.send(message) for message in messages])
        assert [sink.receive(timeout=5) for _ in messages] == messages
        sending.get(timeout=5)


def test_subscriptions_flow_back():
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(omq.XSUB.bind(ANY, linger=0))
        back = stack.enter_context(omq.XPUB.bind(ANY, linger=0))
        pub = stack.enter_context(omq.PUB.connect(front.last_endpoint, linger=0))
        sub = stack.enter_context(omq.SUB.connect(back.last_endpoint, linger=0))
        stack.enter_context(proxied(front, back))
        sub.subscribe(b"a")
        pub.wait_subscribed(timeout=5)
        pub.send([b"b", b"unwanted"])
        pub.send([b"a", b"wanted"])
        assert sub.receive(timeout=5) == [b"a", b"wanted"]


def test_a_single_socket_echoes():
    with linked(omq.REP, omq.REQ) as (rep, req), proxied(rep, rep):
        for n in range(3):
            req.send([b"echo", b"%d" % n])
            assert req.receive(timeout=5) == [b"echo", b"%d" % n]


def test_the_timeouts_of_the_sockets_do_not_end_it():
    with (
        linked(omq.PULL, omq.PUSH, read_timeout=0.001) as (pull, push),
        omq.PUSH.bind(ANY, linger=0, send_hwm=1, write_timeout=0.001) as out,
        proxied(pull, out),
    ):
        for n in range(3):
            push.send(b"%d" % n)
        gevent.sleep(TICK)
        with omq.PULL.connect(out.last_endpoint) as sink:
            assert [sink.receive(timeout=5) for _ in range(3)] == [[b"0"], [b"1"], [b"2"]]


def test_a_full_output_does_not_stop_the_other_direction():
    with (
        linked(omq.DEALER, omq.DEALER) as (front, client),
        linked(omq.DEALER, omq.DEALER, send_hwm=1) as (back, server),
    ):
        server.recv_hwm = 1
        with proxied(front, back):
            # The server does not read: what the kernel and the queues hold is soon full.
            blocks = [bytes([n]) * 1_000_000 for n in range(50)]
            sending = gevent.spawn(lambda: [client.send(block) for block in blocks])
            while back.poll(0, omq.POLLOUT):
                gevent.sleep(0.05)
            for n in range(100):
                server.send(b"%d" % n)
                assert client.receive(timeout=5) == [b"%d" % n]
            assert not back.poll(0, omq.POLLOUT)
            assert [server.receive(timeout=5) for _ in blocks] == [[b] for b in blocks]
            sending.get()


def test_a_message_that_no_peer_can_get_is_dropped_and_logged(caplog):
    with (
        linked(omq.DEALER, omq.DEALER) as (front, client),
        linked(omq.ROUTER, omq.DEALER, router_mandatory=True) as (back, server),
    ):
        server.send(b"who I am")
        identity, _ = back.receive(timeout=5)
        with proxied(front, back):
            client.send([b"nobody", b"lost"])
            client.send([identity, b"found"])
            assert server.receive(timeout=5) == [b"found"]
    assert "dropped" in caplog.text


# -- capture -----------------------------------------------------------------------------------


def test_capture_gets_both_directions():
    with contextlib.ExitStack() as stack:
        front, client = stack.enter_context(linked(omq.DEALER, omq.DEALER))
        back, server = stack.enter_context(linked(omq.DEALER, omq.DEALER))
        capture, watcher = stack.enter_context(linked(omq.PUSH, omq.PULL))
        stack.enter_context(proxied(front, back, capture))
        client.send([b"there", b""])
        assert server.receive(timeout=5) == [b"there", b""]
        assert watcher.receive(timeout=5) == [b"there", b""]
        server.send(b"and back")
        assert client.receive(timeout=5) == [b"and back"]
        assert watcher.receive(timeout=5) == [b"and back"]


def test_a_full_or_closed_capture_is_no_obstacle(caplog):
    with (
        linked(omq.PULL, omq.PUSH) as (pull, push),
        linked(omq.PUSH, omq.PULL) as (out, sink),
        omq.PUSH(send_hwm=1, linger=0) as capture,
        proxied(pull, out, capture=capture),
    ):
        for n in range(5):
            push.send(b"%d" % n)
            assert sink.receive(timeout=5) == [b"%d" % n]
        capture.stop()
        for n in range(5):
            push.send(b"%d" % n)
            assert sink.receive(timeout=5) == [b"%d" % n]
    assert caplog.text.count("capturing ends") == 1


# -- control -----------------------------------------------------------------------------------


def test_pause_resume_terminate():
    with contextlib.ExitStack() as stack:
        pull, push = stack.enter_context(linked(omq.PULL, omq.PUSH))
        out, sink = stack.enter_context(linked(omq.PUSH, omq.PULL))
        control, operator = stack.enter_context(linked(omq.REP, omq.REQ))
        running = gevent.spawn(omq.proxy, pull, out, control=control)

        def tell(command):
            operator.send(command)
            assert operator.receive(timeout=5) == [b""]

        push.send(b"1")
        assert sink.receive(timeout=5) == [b"1"]
        tell(b"PAUSE")
        tell(b"PAUSE")
        push.send(b"2")
        assert pull.poll(5)
        assert sink.poll(TICK) == 0
        tell(b"RESUME")
        tell(b"RESUME")
        assert sink.receive(timeout=5) == [b"2"]
        assert sink.poll(TICK) == 0
        tell(b"TERMINATE")
        assert running.get(timeout=5) is None
        push.send(b"3")
        assert pull.receive(timeout=5) == [b"3"]


def test_terminate_while_paused_over_pull():
    with (
        linked(omq.PULL, omq.PUSH) as (pull, _),
        linked(omq.PUSH, omq.PULL) as (out, _),
        linked(omq.PULL, omq.PUSH) as (control, operator),
    ):
        running = gevent.spawn(omq.proxy, pull, out, control=control)
        for command in (b"STATISTICS", b"PAUSE", b"TERMINATE"):
            operator.send(command)
        assert running.get(timeout=5) is None


@pytest.mark.parametrize(("near", "far"), [(omq.PAIR, omq.PAIR), (omq.REP, omq.REQ)])
def test_statistics(near, far):
    with contextlib.ExitStack() as stack:
        front, client = stack.enter_context(linked(omq.DEALER, omq.DEALER))
        back, server = stack.enter_context(linked(omq.DEALER, omq.DEALER))
        control, operator = stack.enter_context(linked(near, far))
        stack.enter_context(proxied(front, back, None, control))
        for message in ([b"12", b"345"], b"6"):
            client.send(message)
            server.receive(timeout=5)
        server.send(b"1234567")
        client.receive(timeout=5)
        operator.send(b"STATISTICS")
        frames = operator.receive(timeout=5)
        assert [struct.unpack("=Q", frame)[0] for frame in frames] == [2, 6, 1, 7, 1, 7, 2, 6]


def test_only_rep_answers_other_commands(caplog):
    with linked(omq.DEALER, omq.DEALER) as (echo, client):
        with linked(omq.PAIR, omq.PAIR) as (control, operator), proxied(echo, echo, None, control):
            for command in (b"PAUSE", b"RESUME", [b"MAKE", b"coffee\n"]):
                operator.send(command)
            client.send(b"echo")
            assert client.receive(timeout=5) == [b"echo"]
            assert operator.poll(TICK) == 0
        with linked(omq.REP, omq.REQ) as (control, operator), proxied(echo, echo, None, control):
            operator.send(b"tea\n")
            assert operator.receive(timeout=5) == [b""]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [text for text in warnings if "command" in text] == [
        "unknown command: MAKE coffee\\n",
        "unknown command: tea\\n",
    ]


# -- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("closing", [0, 1, 2])
@pytest.mark.parametrize(
    ("front", "back"), [(omq.PULL, omq.PUSH), (omq.DEALER, omq.PAIR), (omq.PULL, omq.DEALER)]
)
def test_closing_a_socket_ends_it(front, back, closing):
    with front.bind(ANY) as frontend, back.bind(ANY) as backend, omq.PAIR.bind(ANY) as control:
        running = gevent.spawn(omq.proxy, frontend, backend, control=control)
        gevent.sleep(0)
        (frontend, backend, control)[closing].close()
        assert running.get(timeout=5) is None
        assert [sock.closed for sock in (frontend, backend, control)].count(True) == 1


def test_sockets_that_are_closed_already():
    frontend, backend = omq.PULL(), omq.PUSH()
    frontend.close()
    backend.close()
    assert omq.proxy(frontend, backend) is None


def test_an_internal_error_of_one_direction_ends_both():
    with (
        linked(omq.DEALER, omq.DEALER) as (front, client),
        linked(omq.DEALER, omq.DEALER) as (back, _),
    ):
        running = gevent.spawn(omq.proxy, front, back)
        gevent.sleep(0)
        back._engine.fatal(RuntimeError("a pump crashed"))
        with pytest.raises(omq.SocketDead):
            running.get(timeout=5)
        client.send(b"still here")
        assert front.receive(timeout=5) == [b"still here"]


@pytest.mark.parametrize(
    ("front", "back", "more"),
    [
        (omq.PULL, omq.PULL, {}),
        (omq.PUSH, omq.PUSH, {}),
        (omq.PULL, omq.PUSH, {"capture": omq.PULL}),
        (omq.PULL, omq.PUSH, {"control": omq.PUSH}),
    ],
)
def test_sockets_that_cannot_work(front, back, more):
    with pytest.raises(omq.WrongDirection):
        omq.proxy(front(), back(), **{name: made() for name, made in more.items()})


# -- nothing is lost ---------------------------------------------------------------------------


@contextlib.contextmanager
def stuck():
    """A proxy that has taken a message for which its output has no room."""
    with (
        linked(omq.PULL, omq.PUSH) as (pull, push),
        omq.PUSH.bind(ANY, linger=0, send_hwm=1) as out,
    ):
        for n in range(4):
            push.send(b"%d" % n)
        running = gevent.spawn(_time_limited, pull, out)
        while out.poll(0, omq.POLLOUT):
            gevent.sleep(0.001)
        gevent.sleep(TICK)
        yield running, pull, out
        running.kill()


def _time_limited(*sockets):
    with gevent.Timeout(0.2):
        omq.proxy(*sockets)


def test_a_killed_proxy_gives_back_what_it_held():
    with stuck() as (running, pull, out):
        running.kill()
        assert [pull.receive(timeout=5) for _ in range(3)] == [[b"1"], [b"2"], [b"3"]]
        with omq.PULL.connect(out.last_endpoint) as sink:
            assert sink.receive(timeout=5) == [b"0"]
            assert sink.poll(TICK) == 0


def test_a_timeout_gives_back_what_it_held():
    with stuck() as (running, pull, _):
        with pytest.raises(gevent.Timeout):
            running.get(timeout=5)
        assert [pull.receive(timeout=5) for _ in range(3)] == [[b"1"], [b"2"], [b"3"]]


def test_closing_the_output_gives_back_what_was_held():
    with stuck() as (running, pull, out):
        out.close()
        running.get(timeout=5)
        assert [pull.receive(timeout=5) for _ in range(3)] == [[b"1"], [b"2"], [b"3"]]


@pytest.mark.parametrize(("near", "far"), [(omq.REP, omq.REQ), (omq.XPUB, omq.SUB)])
def test_what_a_type_gives_back_can_be_received_again(near, far):
    with linked(near, far) as (ours, theirs):
        if far is omq.SUB:
            theirs.subscribe(b"topic")
        else:
            theirs.send(b"question")
        message = ours.receive(timeout=5)
        ours._engine.give_back(message)
        assert ours.receive(timeout=0) == message
        assert ours.poll(0) == 0


@pytest.mark.parametrize(
    ("front_end", "back_end"),
    [(ANY, ANY), ("inproc://front", "inproc://back")],
    ids=["tcp", "inproc"],
)
def test_nothing_is_lost_or_doubled_by_a_proxy_that_dies_all_the_time(front_end, back_end):
    count = 1000
    dice = random.Random(1)
    deadline = time.monotonic() + 15

    def receive_slowly(sock):
        for _ in range(count):
            yield sock.receive()
            gevent.sleep(0)

    with contextlib.ExitStack() as stack:
        front, client = stack.enter_context(linked(omq.DEALER, omq.DEALER, front_end, recv_hwm=20))
        back, server = stack.enter_context(linked(omq.DEALER, omq.DEALER, back_end, send_hwm=5))
        there = [[b"%d" % n] for n in range(count)]
        back_again = [[b"-%d" % n] for n in range(count)]
        sending = [
            gevent.spawn(lambda: [client.send(message) for message in there]),
            gevent.spawn(lambda: [server.send(message) for message in back_again]),
        ]
        receiving = [
            gevent.spawn(lambda: list(receive_slowly(server))),
            gevent.spawn(lambda: list(receive_slowly(client))),
        ]
        deaths = 0
        while not all(greenlet.dead for greenlet in receiving):
            assert time.monotonic() < deadline, "some messages were lost"
            running = gevent.spawn(omq.proxy, front, back)
            for _ in range(dice.randrange(8)):
                gevent.sleep(0)
            running.kill()
            deaths += 1
        gevent.joinall(sending, raise_error=True)
        assert receiving[0].get() == there
        assert receiving[1].get() == back_again
        assert deaths > 20
