"""inproc between sockets of several operating system threads, each with a hub of its own."""

from __future__ import annotations

import itertools
import threading

import gevent
import gevent.event
import pytest

import omq_gevent as omq

_names = itertools.count(1)
FAST = {"reconnect_interval": 0.01}


@pytest.fixture
def name() -> str:
    return f"inproc://thread-{next(_names)}"


class Thread:
    """Runs *function* in a native thread with a hub of its own, which ends with it."""

    def __init__(self, function, *args):
        self._outcome: list = []
        self._done = gevent.get_hub().loop.async_()
        self._finished = gevent.event.Event()
        self._done.start(self._finished.set)
        self._thread = threading.Thread(target=self._run, args=(function, args))
        self._thread.start()

    def _run(self, function, args):
        try:
            self._outcome.append((function(*args), None))
        except BaseException as error:
            self._outcome.append((None, error))
        finally:
            gevent.get_hub().destroy(destroy_loop=True)
            self._done.send()

    def join(self):
        assert self._finished.wait(20), "the thread did not end"
        self._done.close()
        self._thread.join()
        [(value, error)] = self._outcome
        if error is not None:
            raise error
        return value


def fill(socket, message) -> int:
    """Send until there was no room for a while."""
    count = 0
    while True:
        try:
            socket.send(message, timeout=0.3)
        except omq.SendTimeout:
            return count
        count += 1


def test_bound_here_connected_there_messages_both_ways(name):
    def client():
        with omq.DEALER.connect(name) as dealer:
            for number in range(100):
                dealer.send([b"%d" % number, b"ping"])
            return [dealer.receive(timeout=5) for _ in range(100)]

    with omq.DEALER.bind(name) as dealer:
        thread = Thread(client)
        for _ in range(100):
            dealer.send([*dealer.receive(timeout=5), b"pong"])
        assert thread.join() == [[b"%d" % n, b"ping", b"pong"] for n in range(100)]
        dealer.wait_disconnected(timeout=5)


def test_connected_here_before_it_is_bound_there(name):
    def server():
        with omq.REP.bind(name) as rep:
            rep.send([*rep.receive(timeout=5), b"answered"])
            rep.wait_disconnected(timeout=5)

    with omq.REQ.connect(name) as req:
        req.send(b"question")
        gevent.sleep(0.01)
        thread = Thread(server)
        assert req.receive(timeout=5) == [b"question", b"answered"]
        req.close()
        thread.join()


@pytest.mark.parametrize("closing", ["here", "there"])
def test_a_close_on_either_side_is_noticed_on_the_other(name, closing):
    def other():
        with omq.PAIR.connect(name, **FAST) as pair:
            pair.wait_connected(timeout=5)
            if closing == "here":
                pair.wait_disconnected(timeout=5)

    pair = omq.PAIR.bind(name)
    thread = Thread(other)
    pair.wait_connected(timeout=5)
    if closing == "there":
        pair.wait_disconnected(timeout=5)
    pair.close()
    thread.join()


def test_the_link_is_renewed_with_the_next_binder(name):
    def client():
        received = []
        with omq.PULL.connect(name, **FAST) as pull:
            for _ in range(3):
                received.append(pull.receive(timeout=5))
                pull.wait_disconnected(timeout=5)
        return received

    thread = Thread(client)
    for generation in range(3):
        with omq.PUSH.bind(name) as push:
            push.send(b"%d" % generation)
            push.wait_connected(timeout=5)
    assert thread.join() == [[b"0"], [b"1"], [b"2"]]


def test_a_thread_that_does_not_read_holds_the_sender_back(name):
    filled = threading.Event()

    def reader():
        with omq.PULL.bind(name, recv_hwm=10) as pull:
            pull.wait_connected(timeout=5)
            while not filled.wait(0):
                gevent.sleep(0.01)
            return sum(len(pull.receive(timeout=5)[0]) for _ in range(count))

    with omq.PUSH(send_hwm=10) as push:
        push.connect(name)
        thread = Thread(reader)
        count = fill(push, b"x" * 100_000)
        assert 20 <= count < 200
        filled.set()
        assert thread.join() == count * 100_000


def test_peers_of_wrong_types_are_told_apart_before_any_link(name):
    def connect():
        with omq.PUSH() as push, pytest.raises(omq.IncompatiblePeer):
            push.connect(name)

    with omq.PUB.bind(name) as pub:
        Thread(connect).join()
        assert pub.peers == []


def test_many_threads_connect_before_and_after_the_bind(name):
    context = omq.Context()

    def client(number):
        with omq.PUSH.connect(name, context=context) as push:
            push.send(b"%d" % number)

    threads = [Thread(client, number) for number in range(10)]
    gevent.sleep(0.02)
    with omq.PULL.bind(name, context=context) as pull:
        threads += [Thread(client, number) for number in range(10, 20)]
        received = sorted(int(pull.receive(timeout=5)[0]) for _ in range(20))
        for thread in threads:
            thread.join()
        assert received == list(range(20))
        pull.wait_disconnected(timeout=5)


def test_a_thread_may_give_up_waiting(name):
    def client():
        omq.PUSH.connect(name).close(linger=0)

    Thread(client).join()
    with omq.PULL.bind(name) as pull:
        assert pull.peers == []


def test_security_is_not_asked_for_within_a_process(name):
    class Elsewhere:
        name = "ELSEWHERE"

        def check(self):
            pass

        def is_server(self, accepted):
            return False

        def session(self, as_server, metadata):
            raise AssertionError("the mechanism was asked")

    def client():
        with omq.PUSH.connect(name) as push:
            push.send(b"hello")

    with omq.PULL.bind(name, mechanism=Elsewhere()) as pull:
        thread = Thread(client)
        assert pull.receive(timeout=5) == [b"hello"]
        thread.join()
        pull.wait_disconnected(timeout=5)


def test_a_thread_that_died_with_its_socket_does_no_harm(name):
    left = []

    def careless():
        left.append(omq.PULL.bind(name))

    Thread(careless).join()
    with omq.PUSH(**FAST) as push:
        push.connect(name)
        push.send(b"to the living")
        assert push.peers == []
        with omq.PULL.bind(name) as pull:
            assert pull.receive(timeout=1) == [b"to the living"]
    with pytest.warns(ResourceWarning, match="unclosed"):
        left.clear()
