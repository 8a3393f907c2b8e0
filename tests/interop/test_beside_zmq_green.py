"""The comparison with zmq.green in the README, row by row and on both sides.

zmq.green runs in a process of its own: it is its point that some of these programs never end.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

import omq_gevent as omq

pytestmark = [pytest.mark.interop, pytest.mark.slow]

NOWHERE = "tcp://127.0.0.1:1"

LONGEST_PAUSE = """
import os, threading, time
import gevent
import zmq.green as zmq

longest, last = 0.0, time.monotonic()

def tick():
    global longest, last
    while True:
        gevent.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last), now

def report():
    time.sleep(2.0)
    print(max(longest, time.monotonic() - last), flush=True)
    os._exit(0)

gevent.spawn(tick)
threading.Thread(target=report, daemon=True).start()
gevent.sleep(0.1)
"""


def green(program: str) -> str:
    """The output of *program*, which uses zmq.green."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def longest_pause_of_green(program: str) -> float:
    """How long *program* kept all other greenlets from running, of two seconds."""
    return float(green(LONGEST_PAUSE + program + "\ngevent.sleep(5)\n"))


@contextmanager
def others_keep_running() -> Iterator[None]:
    """Fail if the block keeps other greenlets from running for long."""
    pauses = []

    def tick() -> None:
        last = time.monotonic()
        while True:
            gevent.sleep(0.01)
            now = time.monotonic()
            pauses.append(now - last)
            last = now

    ticking = gevent.spawn(tick)
    gevent.sleep(0.05)
    try:
        yield
        gevent.sleep(0.05)
    finally:
        ticking.kill()
    assert max(pauses) < 0.4


# -- timeouts ------------------------------------------------------------------------------


def test_timeouts_are_honoured():
    with omq.PULL.bind("tcp://127.0.0.1:*", read_timeout=0.05) as pull:
        with pytest.raises(omq.ReceiveTimeout):
            pull.receive()
        with pytest.raises(omq.ReceiveTimeout):
            pull.receive(timeout=0.01)
    with omq.PUSH.bind("tcp://127.0.0.1:*", send_hwm=1, write_timeout=0.05, linger=0) as push:
        push.send(b"fits")
        with pytest.raises(omq.SendTimeout):
            push.send(b"waits")


def test_zmq_green_ignores_timeouts():
    output = green("""
import gevent, warnings
import zmq.green as zmq
with zmq.Context() as context, context.socket(zmq.PULL) as pull:
    pull.bind("tcp://127.0.0.1:*")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pull.rcvtimeo = 50
    print(*[warning.message for warning in caught])
    with gevent.Timeout(1.0, False):
        pull.recv()
        print("received")
    with gevent.Timeout(1.0, False):
        try:
            pull.recv()
        except zmq.Again:
            print("timed out")
""")
    assert output == "TIMEO socket options have no effect in zmq.green\n"


# -- several greenlets on one socket -------------------------------------------------------


def test_any_number_of_greenlets_share_a_socket():
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull, omq.PUSH.connect(pull.last_endpoint) as push:
        receivers = [gevent.spawn(pull.receive, 5.0) for _ in range(10)]
        gevent.sleep(0.01)
        senders = [gevent.spawn(push.send, b"%d" % n) for n in range(10)]
        gevent.joinall([*senders, *receivers], raise_error=True)
        assert sorted(receiver.value for receiver in receivers) == [[b"%d" % n] for n in range(10)]


def test_zmq_green_fails_the_second_greenlet_that_waits():
    output = green("""
import gevent
import zmq.green as zmq
with zmq.Context() as context, context.socket(zmq.PULL) as pull:
    pull.bind("tcp://127.0.0.1:*")
    receivers = [gevent.spawn(pull.recv) for _ in range(2)]
    gevent.sleep(0.3)
    print(*[type(receiver.exception).__name__ for receiver in receivers])
    gevent.killall(receivers)
""")
    assert output == "NoneType AssertionError\n"


# -- closing with unsent messages ----------------------------------------------------------


def test_only_the_greenlet_that_closes_waits():
    push = omq.PUSH.connect(NOWHERE)
    push.send(b"for nobody")
    started = time.monotonic()
    with others_keep_running():
        push.close(linger=0.8)
    assert time.monotonic() - started > 0.8


def test_zmq_green_stops_everything_while_a_context_ends():
    pause = longest_pause_of_green(f"""
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.connect("{NOWHERE}")
push.send(b"for nobody")
push.close(linger=1000)
context.term()
""")
    assert pause > 0.8


# -- proxy ---------------------------------------------------------------------------------


def test_a_proxy_is_one_greenlet_among_others():
    with omq.PULL.bind("tcp://127.0.0.1:*") as front, omq.PUSH.bind("tcp://127.0.0.1:*") as back:
        with others_keep_running():
            proxy = gevent.spawn(omq.proxy, front, back)
            gevent.sleep(0.8)
            assert not proxy.ready()
        proxy.kill()


def test_zmq_green_stops_everything_for_its_proxy():
    pause = longest_pause_of_green("""
context = zmq.Context()
front, back = context.socket(zmq.PULL), context.socket(zmq.PUSH)
front.bind("tcp://127.0.0.1:*")
back.bind("tcp://127.0.0.1:*")
gevent.spawn(zmq.proxy, front, back)
""")
    assert pause > 1.5


# -- dropping what was not closed ----------------------------------------------------------


def test_a_dropped_socket_holds_up_nobody():
    def drop() -> None:
        omq.PUSH.connect(NOWHERE).send(b"for nobody")

    with others_keep_running(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        drop()
        gevent.sleep(0.8)


def test_zmq_green_stops_everything_when_a_context_is_dropped():
    pause = longest_pause_of_green(f"""
def drop():
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.connect("{NOWHERE}")
    push.send(b"for nobody")
    push.close()

drop()
""")
    assert pause > 1.5
