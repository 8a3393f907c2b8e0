"""Poller, select and Socket.poll: who is told, when, and what it costs to wait."""

from __future__ import annotations

import contextlib
import os
import socket
import time

import gevent
import pytest

import omq_gevent as omq
from omq_gevent import POLLERR, POLLIN, POLLOUT, Poller, select

TICK = 0.02
"""Seconds to show that something does not happen."""


@pytest.fixture
def pipeline():
    with omq.PULL.bind("tcp://127.0.0.1:0") as pull, omq.PUSH.connect(pull.last_endpoint) as push:
        push.wait_connected(timeout=5)
        yield push, pull


@pytest.fixture
def wires():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def fill(push):
    """Make *push*, whose send_hwm is 1 and which has no peer, refuse the next message."""
    push.send(b"the only one")


def until_it_would_block(function):
    with contextlib.suppress(BlockingIOError):
        while True:
            function()


def waiters(sock):
    """How many greenlets and callbacks wait on *sock*."""
    routing = sock._engine.routing
    queues = [routing._failed]
    queues += [routing.received.arrivals] if sock.can_receive else []
    queues += [routing._queue.room] if sock.can_send else []
    return sum(len(queue.waiting) for queue in queues)


# -- registration ------------------------------------------------------------------------------


def test_what_is_registered(pipeline, wires):
    push, pull = pipeline
    poller = Poller()
    for source in (push, pull, wires[0], wires[0].fileno()):
        assert source not in poller
        poller.register(source)
        assert source in poller
    assert len(poller) == 4
    poller.unregister(pull)
    assert pull not in poller


def test_unknown_sources_are_key_errors(pipeline):
    push, pull = pipeline
    poller = Poller()
    poller.register(push)
    with pytest.raises(KeyError):
        poller.unregister(pull)
    with pytest.raises(KeyError):
        poller.modify(pull, POLLIN)


def test_both_directions_are_the_default(pipeline):
    push, pull = pipeline
    poller = Poller()
    poller.register(push)
    assert poller.poll(0) == [(push, POLLOUT)]


def test_registering_again_and_modify_replace_the_events(pipeline):
    push, _ = pipeline
    poller = Poller()
    poller.register(push, POLLOUT)
    poller.register(push, POLLIN)
    assert poller.poll(0) == []
    poller.modify(push, POLLOUT)
    assert poller.poll(0) == [(push, POLLOUT)]


@pytest.mark.parametrize("source", ["tcp://127.0.0.1:1", None, object(), 1.5])
def test_what_cannot_be_polled(source):
    with pytest.raises(TypeError, match="cannot poll"):
        Poller().register(source)


@pytest.mark.parametrize("events", [0, 8, -1])
def test_events_that_do_not_exist(pipeline, events):
    with pytest.raises(ValueError, match="POLLIN"):
        Poller().register(pipeline[0], events)
    with pytest.raises(ValueError, match="POLLIN"):
        pipeline[0].poll(0, events)


def test_negative_timeouts_are_refused(pipeline):
    with pytest.raises(ValueError, match="timeout"):
        Poller().poll(-1)
    with pytest.raises(ValueError, match="timeout"):
        pipeline[1].poll(-1)


# -- waiting -----------------------------------------------------------------------------------


def test_a_message_ends_the_wait_and_stays(pipeline):
    push, pull = pipeline
    poller = Poller()
    poller.register(pull, POLLIN)
    waiting = gevent.spawn(poller.poll)
    gevent.sleep(TICK)
    assert not waiting.dead
    push.send(b"x")
    assert waiting.get(timeout=5) == [(pull, POLLIN)]
    assert poller.poll(0) == [(pull, POLLIN)]
    assert pull.receive(timeout=0) == [b"x"]
    assert poller.poll(0) == []


def test_all_that_is_ready_in_order_of_registration(pipeline, wires):
    push, pull = pipeline
    left, right = wires
    push.send(b"x")
    right.send(b"y")
    assert pull.poll(5) == POLLIN
    poller = Poller()
    poller.register(left, POLLIN)
    poller.register(push, POLLOUT)
    poller.register(left.fileno(), POLLIN | POLLOUT)
    poller.register(right, POLLIN)
    poller.register(pull, POLLIN | POLLOUT)
    assert poller.poll() == [
        (left, POLLIN),
        (push, POLLOUT),
        (left.fileno(), POLLIN | POLLOUT),
        (pull, POLLIN),
    ]


def test_the_timeout_is_in_seconds(pipeline, wires):
    poller = Poller()
    poller.register(pipeline[1], POLLIN)
    poller.register(wires[0], POLLIN)
    began = time.monotonic()
    assert poller.poll(0.1) == []
    assert 0.09 < time.monotonic() - began < 2


def test_the_whole_timeout_is_waited_also_after_long_computing(pipeline):
    # The loop's clock stands still meanwhile; a timer that trusts it expires at once.
    def receive(timeout):
        with pytest.raises(omq.ReceiveTimeout):
            pipeline[1].receive(timeout=timeout)

    for wait in (pipeline[1].poll, receive):
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            pass
        began = time.monotonic()
        wait(0.1)
        assert time.monotonic() - began > 0.09


def test_timeout_0_never_switches(pipeline, wires):
    push, pull = pipeline
    poller = Poller()
    for source in (push, pull, wires[0]):
        poller.register(source)
    other = gevent.spawn(lambda: None)
    for _ in range(500):
        poller.poll(0)
        pull.poll(0)
    assert not other.dead
    other.join()


def test_nothing_wakes_up_while_nothing_happens(pipeline, wires):
    push, pull = pipeline
    poller = Poller()
    poller.register(pull, POLLIN)
    poller.register(wires[0], POLLIN)
    loop = gevent.get_hub().loop
    gevent.sleep(TICK)
    before = loop.iteration
    assert poller.poll(0.3) == []
    assert loop.iteration - before <= 3


def test_a_loop_around_a_ready_poll_does_not_starve_the_hub(pipeline):
    push, pull = pipeline
    poller = Poller()
    poller.register(push, POLLOUT)
    poller.register(pull, POLLIN)
    push.send(b"x")
    began = time.monotonic()
    while (pull, POLLIN) not in poller.poll():
        assert time.monotonic() - began < 5


def test_room_in_a_full_queue_ends_the_wait():
    with omq.PUSH.bind("tcp://127.0.0.1:0", send_hwm=1, linger=0) as push:
        fill(push)
        assert push.poll(0, POLLOUT) == 0
        waiting = gevent.spawn(push.poll, None, POLLIN | POLLOUT)
        gevent.sleep(TICK)
        assert not waiting.dead
        with omq.PULL.connect(push.last_endpoint):
            assert waiting.get(timeout=5) == POLLOUT


def test_a_direction_that_the_type_lacks_never_becomes_ready(pipeline):
    push, pull = pipeline
    push.send(b"x")
    assert pull.poll(5) == POLLIN
    assert push.poll(TICK) == 0
    assert pull.poll(TICK, POLLOUT) == 0


def test_a_socket_without_any_endpoint_can_be_polled():
    with omq.DEALER(linger=0) as dealer:
        assert dealer.poll(TICK) == 0
        assert dealer.poll(0, POLLIN | POLLOUT) == POLLOUT


# -- several at once ---------------------------------------------------------------------------


def test_all_pollers_of_one_socket_are_told(pipeline):
    push, pull = pipeline
    waiting = [gevent.spawn(pull.poll) for _ in range(3)]
    gevent.sleep(TICK)
    push.send(b"x")
    assert [w.get(timeout=5) for w in waiting] == [POLLIN] * 3


@pytest.mark.parametrize("poller_first", [True, False])
def test_a_poller_and_a_receiver_wait_at_once(pipeline, poller_first):
    push, pull = pipeline
    spawn = [lambda: gevent.spawn(pull.poll), lambda: gevent.spawn(pull.receive)]
    started = []
    for one in spawn if poller_first else reversed(spawn):
        started.append(one())
        gevent.sleep(0)
    polling, receiving = started if poller_first else reversed(started)
    push.send(b"1")
    assert receiving.get(timeout=5) == [b"1"]
    if not polling.dead:  # the message was gone when it looked: it goes on waiting
        push.send(b"2")
    assert polling.get(timeout=5) == POLLIN


def test_several_pollers_on_one_descriptor(wires):
    left, right = wires
    pollers = [Poller() for _ in range(3)]
    for poller, events in zip(pollers, (POLLIN, POLLIN, POLLIN | POLLERR)):
        poller.register(left, events)
    waiting = [gevent.spawn(poller.poll) for poller in pollers]
    gevent.sleep(TICK)
    waiting.pop().kill()
    right.send(b"x")
    assert [w.get(timeout=5) for w in waiting] == [[(left, POLLIN)]] * 2
    assert left.recv(1) == b"x"


def test_a_poller_used_by_several_greenlets(pipeline, wires):
    push, pull = pipeline
    poller = Poller()
    poller.register(pull, POLLIN)
    waiting = [gevent.spawn(poller.poll) for _ in range(2)]
    gevent.sleep(TICK)
    poller.unregister(pull)  # does not concern those that wait already
    push.send(b"x")
    assert [w.get(timeout=5) for w in waiting] == [[(pull, POLLIN)]] * 2


# -- ends --------------------------------------------------------------------------------------


def test_an_exception_in_the_wait_leaves_nothing_registered(wires):
    with omq.DEALER(send_hwm=1, linger=0) as dealer:
        fill(dealer)
        poller = Poller()
        poller.register(dealer)
        poller.register(wires[0], POLLIN)
        idle = waiters(dealer)

        with pytest.raises(gevent.Timeout), gevent.Timeout(TICK):
            poller.poll()
        assert waiters(dealer) == idle

        waiting = gevent.spawn(poller.poll)
        gevent.sleep(TICK)
        assert waiters(dealer) == idle + 2
        waiting.kill()
        assert waiters(dealer) == idle

        assert poller.poll(TICK) == []
        assert waiters(dealer) == idle


@pytest.mark.parametrize("events", [POLLIN, POLLOUT, POLLIN | POLLOUT])
@pytest.mark.parametrize("made", [omq.PUSH, omq.PULL, omq.DEALER])
def test_closing_ends_the_wait(made, events):
    sock = made(send_hwm=1, linger=0)
    if sock.can_send:
        fill(sock)
    waiting = gevent.spawn(sock.poll, None, events)
    gevent.sleep(TICK)
    assert not waiting.dead
    sock.close()
    assert waiting.get(timeout=5) == events


@pytest.mark.parametrize("used", [True, False])
def test_a_closed_socket_is_ready_for_everything(used):
    sock = omq.DEALER(linger=0)
    if used:
        sock.bind("tcp://127.0.0.1:0")
    sock.close()
    assert sock.poll(None, POLLIN | POLLOUT) == POLLIN | POLLOUT
    poller = Poller()
    poller.register(sock, POLLIN)
    assert poller.poll() == [(sock, POLLIN)]
    with pytest.raises(omq.SocketClosed):
        sock.receive()


def test_a_dead_socket_is_ready_for_everything():
    with omq.DEALER(send_hwm=1, linger=0) as dealer:
        fill(dealer)
        waiting = gevent.spawn(dealer.poll, None, POLLIN | POLLOUT)
        gevent.sleep(0)
        dealer._engine.fatal(RuntimeError("a pump crashed"))
        assert waiting.get(timeout=5) == POLLIN | POLLOUT
        with pytest.raises(omq.SocketDead):
            dealer.receive()


# -- descriptors -------------------------------------------------------------------------------


def test_descriptors_are_level_triggered(wires):
    left, right = wires
    poller = Poller()
    poller.register(left.fileno(), POLLIN)
    waiting = gevent.spawn(poller.poll, 5)
    gevent.sleep(TICK)
    right.send(b"xy")
    assert waiting.get() == [(left.fileno(), POLLIN)]
    left.recv(1)
    assert poller.poll() == [(left.fileno(), POLLIN)]
    left.recv(1)
    assert poller.poll(TICK) == []


def test_a_descriptor_that_can_be_written_to(wires):
    left, _ = wires
    left.setblocking(False)
    poller = Poller()
    poller.register(left, POLLOUT)
    assert poller.poll() == [(left, POLLOUT)]
    until_it_would_block(lambda: left.send(bytes(65536)))
    assert poller.poll(TICK) == []
    wires[1].setblocking(False)
    waiting = gevent.spawn(poller.poll, 5)
    gevent.sleep(0)
    until_it_would_block(lambda: wires[1].recv(65536))
    assert waiting.get() == [(left, POLLOUT)]


def test_bad_descriptors_are_errors():
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    closed = socket.socket()
    closed.close()
    with open(__file__) as file:
        pass
    poller = Poller()
    sources = [reading, closed, file, -1]
    for source in sources:
        poller.register(source, POLLIN)
    assert poller.poll() == [(source, POLLERR) for source in sources]


def test_a_hang_up_can_be_read_and_is_an_error(wires):
    left, right = wires
    poller = Poller()
    poller.register(left, POLLIN)
    waiting = gevent.spawn(poller.poll, 5)
    gevent.sleep(TICK)
    right.close()
    [(source, events)] = waiting.get()
    assert source is left
    assert events & POLLIN
    assert left.recv(1) == b""


def test_a_broken_pipe_is_an_error_for_its_writer():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    until_it_would_block(lambda: os.write(writing, bytes(65536)))
    poller = Poller()
    poller.register(writing, POLLOUT)
    waiting = gevent.spawn(poller.poll, 5)
    gevent.sleep(TICK)
    os.close(reading)
    [(source, events)] = waiting.get()
    os.close(writing)
    assert source == writing
    assert events & POLLERR


# -- select ------------------------------------------------------------------------------------


def test_select_over_sockets_and_descriptors(pipeline, wires):
    push, pull = pipeline
    left, right = wires
    push.send(b"x")
    right.send(b"y")
    assert pull.poll(5) == POLLIN
    assert select([pull, left, right], [push, right], [left]) == ([pull, left], [push, right], [])


def test_select_gives_three_lists_and_takes_iterators(pipeline):
    push, pull = pipeline
    assert select(iter([pull]), iter([]), timeout=TICK) == ([], [], [])
    assert select([pull, push], [pull, push], timeout=TICK) == ([], [push], [])


def test_select_waits(pipeline, wires):
    push, pull = pipeline
    waiting = gevent.spawn(select, [pull, wires[0]], [])
    gevent.sleep(TICK)
    push.send(b"x")
    assert waiting.get(timeout=5) == ([pull], [], [])


def test_select_reports_a_bad_descriptor_wherever_it_was_asked_for():
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    assert select([reading], [], [reading]) == ([reading], [], [reading])
    assert select([], [reading], []) == ([], [reading], [])
