"""Sockets and the operating system's threads: refused, or handed over to the socket's own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial

import gevent
import gevent.event
import greenlet
import pytest

import omq_gevent as omq

# Older ones keep alive what belongs to a thread that had a hub.
notices_the_end_of_threads = pytest.mark.skipif(
    int(greenlet.__version__.partition(".")[0]) < 2, reason="needs greenlet 2"
)

TCP = "tcp://127.0.0.1:*"


class Thread:
    """Runs *function* in a native thread; this one's hub goes on while it waits in ``join``."""

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
            self._done.send()

    def join(self):
        assert self._finished.wait(20), "the thread did not end"
        self._done.close()
        self._thread.join()
        [(value, error)] = self._outcome
        if error is not None:
            raise error
        return value


def in_thread(function, *args):
    return Thread(function, *args).join()


def with_hub(function):
    """Have *function* run in a thread that has a hub, which ends with it."""

    def run():
        gevent.get_hub()
        try:
            return function()
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    return run


def in_threadpool(function):
    return gevent.get_hub().threadpool.apply(function)


@pytest.fixture
def pair():
    """Two linked PAIR sockets."""
    one = omq.PAIR.bind(TCP, linger=0)
    other = omq.PAIR.connect(one.last_endpoint, linger=0)
    one.wait_connected(timeout=5)
    other.wait_connected(timeout=5)
    yield one, other
    one.close()
    other.close()


USES = {
    "send": lambda sock: sock.send(b"from a thread"),
    "receive": lambda sock: sock.receive(),
    "receive at once": lambda sock: sock.receive(timeout=0),
    "iterate": lambda sock: next(iter(sock)),
    "poll": lambda sock: sock.poll(0),
    "poller": lambda sock: omq.select([sock], [], timeout=0),
    "proxy": lambda sock: omq.proxy(sock, sock),
    "bind": lambda sock: sock.bind(TCP),
    "connect": lambda sock: sock.connect("tcp://127.0.0.1:9"),
    "unbind": lambda sock: sock.unbind(sock.last_endpoint),
    "disconnect": lambda sock: sock.disconnect(sock.last_endpoint),
    "wait": lambda sock: sock.wait_connected(),
    "option": lambda sock: setattr(sock, "send_hwm", 5),
    "monitor": lambda sock: sock.monitor(),
    "threadsafe": lambda sock: sock.threadsafe(),
    "close": lambda sock: sock.close(),
    "stop": lambda sock: sock.stop(),
}


@pytest.mark.parametrize("use", USES)
def test_another_thread_is_refused_before_anything_happens(pair, use):
    one, other = pair
    other.send(b"waiting")
    assert one.poll(timeout=5)
    events = one.monitor()
    with pytest.raises(omq.ForeignThread, match="threadsafe"):
        in_thread(USES[use], one)
    assert len(events) == 0
    assert one.send_hwm == 1000
    assert one.receive(timeout=5) == [b"waiting"]
    one.send(b"from its own thread")
    assert other.receive(timeout=5) == [b"from its own thread"]
    assert other.poll(0) == 0


def test_another_thread_cannot_subscribe():
    with omq.SUB() as sub:
        sub.subscribe(b"mine")
        for use in (sub.subscribe, sub.unsubscribe):
            with pytest.raises(omq.ForeignThread):
                in_thread(use, b"theirs")


def test_looking_at_a_socket_is_everybodys(pair):
    one, _ = pair
    seen = in_thread(lambda: (one.closed, one.last_endpoint, len(one.peers), one.linger, repr(one)))
    assert seen == (False, one.last_endpoint, 1, 0, repr(one))


def test_a_socket_belongs_to_the_thread_that_uses_it_first():
    sock = omq.PAIR()

    @with_hub
    def first():
        sock.bind(TCP)
        with pytest.raises(omq.ForeignThread):
            in_thread(sock.stop)
        sock.close()

    in_thread(first)
    assert sock.closed


def test_greenlets_of_a_patched_threading_module_are_no_other_thread(pair):
    one, other = pair
    gevent.spawn(one.send, b"x").get()
    assert gevent.spawn(other.receive, timeout=5).get() == [b"x"]


@notices_the_end_of_threads
def test_a_thread_takes_its_sockets_with_it(caplog):
    def owner():
        sock = omq.PUSH.connect(pull.last_endpoint)
        sock.wait_connected(timeout=5)
        return sock, threading.get_ident()

    with omq.PULL.bind(TCP) as pull:
        sock, name = in_thread(owner)
        pull.wait_connected(timeout=5)
        pull.wait_disconnected(timeout=5)
        # The system gives the name of a thread that has ended to the next one.
        uses = [sock.send, lambda _: sock.connect("tcp://127.0.0.1:9"), lambda _: sock.poll(0)]
        outcomes = []

        def use():
            for call in uses:
                try:
                    outcomes.append((threading.get_ident(), call(b"x")))
                except omq.SocketClosed as error:
                    outcomes.append((threading.get_ident(), str(error)))

        in_thread(use)
        use()
    assert {outcome for _, outcome in outcomes} == {
        "the thread that this PUSH socket belonged to has ended",
        omq.POLLIN,
    }
    assert sock.closed
    assert "a thread has ended and left a PUSH socket open" in caplog.text


# -- through a proxy ---------------------------------------------------------------------------


RUNNERS = {
    "native thread": in_thread,
    "thread with a hub": lambda function: in_thread(with_hub(function)),
    "gevent threadpool": in_threadpool,
    "own thread": lambda function: function(),
}


@pytest.mark.parametrize("run", RUNNERS.values(), ids=RUNNERS)
def test_every_method_works_from_everywhere(run):
    sub, pub, pair = omq.SUB(), omq.PUB.bind(TCP), omq.PAIR()
    theirs, publisher, endless = sub.threadsafe(), pub.threadsafe(), pair.threadsafe()

    def use():
        theirs.connect(pub.last_endpoint)
        theirs.subscribe(b"topic")
        publisher.wait_subscribed(b"topic", timeout=5)
        theirs.wait_connected(timeout=5)
        assert theirs.poll(0.01) == 0
        with pytest.raises(omq.ReceiveTimeout):
            theirs.receive(timeout=0.01)
        with pytest.raises(omq.ReceiveTimeout):
            theirs.receive(timeout=0)
        data = bytearray(b"topic")
        publisher.send([data, b"text"])
        data[:] = b"other"
        assert theirs.poll(5) == omq.POLLIN
        assert theirs.receive(timeout=5) == [b"topic", b"text"]
        theirs.call(setattr, sub, "read_timeout", 0.01)
        with pytest.raises(omq.ReceiveTimeout):
            theirs.receive()
        with pytest.raises(omq.WrongDirection):
            theirs.send(b"x")
        with pytest.raises(omq.MessageError):
            publisher.send("text")
        with pytest.raises(omq.WaitTimeout):
            theirs.wait_disconnected(timeout=0.01)
        theirs.unsubscribe(b"topic")
        resolved = theirs.bind(TCP)
        assert theirs.last_endpoint == resolved
        theirs.unbind(resolved)
        theirs.disconnect(pub.last_endpoint)
        theirs.wait_disconnected(timeout=5)
        with endless:
            assert "threadsafe" in repr(endless)
        with pytest.raises(omq.SocketClosed):
            endless.send(b"x")
        assert list(endless) == []
        endless.close()
        publisher.close()
        theirs.stop()

    run(use)
    assert sub.closed
    assert pub.closed
    assert pair.closed


def test_many_threads_at_once():
    with omq.ROUTER.bind(TCP) as router, omq.DEALER.connect(router.last_endpoint) as dealer:
        answering, asking = router.threadsafe(), dealer.threadsafe()
        received = []

        def answer():
            for message in answering:
                answering.send(message)

        def ask(name):
            for number in range(100):
                asking.send(b"%d-%d" % (name, number), timeout=10)
            received.extend(asking.receive(timeout=10)[0] for _ in range(100))

        answerers = [Thread(answer) for _ in range(3)]
        native = [Thread(ask, name) for name in range(3)]
        askers = native + [Thread(with_hub(partial(ask, name))) for name in range(3, 6)]
        for thread in askers:
            thread.join()
        sent = Counter(b"%d-%d" % (name, number) for name in range(6) for number in range(100))
        assert Counter(received) == sent
        router.close()
        for thread in answerers:
            thread.join()


def test_the_replies_of_many_threads_go_to_who_asked_them():
    with omq.REP.bind(TCP) as rep:
        shared = rep.threadsafe()

        def serve():
            for [question] in shared:
                time.sleep(0.002 * (question[-1] % 3))  # so that they overtake each other
                shared.send(b"answer to " + question)

        servers = [Thread(serve) for _ in range(4)]

        def ask(name):
            with omq.REQ.connect(rep.last_endpoint) as req:
                for number in range(10):
                    question = b"%d of %d" % (number, name)
                    req.send(question)
                    assert req.receive(timeout=10) == [b"answer to " + question]

        gevent.joinall([gevent.spawn(ask, name) for name in range(6)], raise_error=True)
        rep.close()
        for thread in servers:
            thread.join()


def test_a_caller_with_a_hub_waits_as_a_greenlet(pair):
    one, other = pair
    shared = one.threadsafe()

    @with_hub
    def caller():
        ticks = []

        def tick():
            while True:
                ticks.append(1)
                gevent.sleep(0.005)

        ticking = gevent.spawn(tick)
        message = shared.receive(timeout=5)
        ticking.kill()
        return message, len(ticks)

    thread = Thread(caller)
    gevent.sleep(0.1)
    other.send(b"at last")
    message, ticks = thread.join()
    assert message == [b"at last"]
    assert ticks > 3


@pytest.mark.parametrize("run", [in_thread, RUNNERS["thread with a hub"]], ids=["native", "hub"])
def test_time_limits_hold_while_the_owner_is_busy(run, pair):
    one, other = pair
    shared = one.threadsafe()

    def caller():
        time.sleep(0.05)
        start = time.monotonic()
        with pytest.raises(omq.SendTimeout, match="busy"):
            shared.send(b"never", timeout=0.1)
        with pytest.raises(omq.ReceiveTimeout, match="busy"):
            shared.receive(timeout=0.1)
        with pytest.raises(omq.WaitTimeout, match="busy"):
            shared.wait_connected(timeout=0.05)
        assert shared.poll(0.05) == 0
        return time.monotonic() - start

    def hold_up():
        time.sleep(0.7)  # native: no greenlet of this thread runs

    holding = gevent.spawn(hold_up)
    assert run(caller) < 0.6
    holding.join()
    one.send(b"only this")
    assert other.receive(timeout=5) == [b"only this"]
    assert other.poll(0.05) == 0


def test_what_is_cancelled_while_it_waits_never_happens(pair):
    one, other = pair
    shared = one.threadsafe()

    @with_hub
    def caller():
        waiting = gevent.spawn(shared.receive)
        gevent.sleep(0.05)
        waiting.kill()
        with gevent.Timeout(0.05, False):
            shared.receive()

    in_thread(caller)
    other.send(b"message")
    assert one.receive(timeout=5) == [b"message"]


def test_a_message_that_was_taken_for_a_cancelled_caller_is_given_back(pair):
    one, other = pair
    shared = one.threadsafe()
    waiting, sent = threading.Event(), threading.Event()

    @with_hub
    def caller():
        receiving = gevent.spawn(shared.receive)
        gevent.sleep(0.02)
        waiting.set()
        sent.wait(5)  # native: the outcome arrives, and this hub does not get to hand it over
        time.sleep(0.05)
        receiving.kill()
        return receiving.value

    thread = Thread(caller)
    while not waiting.is_set():
        gevent.sleep(0.005)
    other.send(b"first")
    gevent.sleep(0.03)
    assert not one.poll(0), "the message was not taken"
    other.send(b"second")
    assert one.poll(5)
    sent.set()
    assert isinstance(thread.join(), gevent.GreenletExit)
    assert [one.receive(timeout=5) for _ in range(2)] == [[b"first"], [b"second"]]


def test_a_request_that_was_taken_for_a_cancelled_caller_can_still_be_answered():
    with omq.REP.bind(TCP) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        shared = rep.threadsafe()
        waiting, sent = threading.Event(), threading.Event()

        @with_hub
        def caller():
            receiving = gevent.spawn(shared.receive)
            gevent.sleep(0.02)
            waiting.set()
            sent.wait(5)
            time.sleep(0.02)
            receiving.kill()

        thread = Thread(caller)
        while not waiting.is_set():
            gevent.sleep(0.005)
        req.send(b"question")
        gevent.sleep(0.05)
        sent.set()
        thread.join()
        assert rep.receive(timeout=5) == [b"question"]
        rep.send(b"answer")
        assert req.receive(timeout=5) == [b"answer"]


def test_closing_wakes_the_threads_that_wait():
    pull = omq.PULL.bind(TCP)
    shared = pull.threadsafe()

    def wait():
        with pytest.raises(omq.SocketClosed):
            shared.receive()

    threads = [Thread(wait) for _ in range(3)] + [Thread(with_hub(wait)) for _ in range(3)]
    gevent.sleep(0.1)
    pull.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("closing", ["owner", "a thread"])
def test_closing_in_the_middle_of_it(closing):
    with omq.PULL.bind(TCP) as pull:
        push = omq.PUSH.connect(pull.last_endpoint, linger=5)
        shared = push.threadsafe()

        def send():
            count = 0
            try:
                while True:
                    shared.send(b"x", timeout=5)
                    count += 1
            except omq.SocketClosed:
                return count

        threads = [Thread(send) for _ in range(4)]
        received = [pull.receive(timeout=5) for _ in range(50)]
        closer = gevent.spawn(push.close) if closing == "owner" else Thread(shared.close)
        accepted = sum(thread.join() for thread in threads)
        closer.join()
        received += [pull.receive(timeout=5) for _ in range(accepted - len(received))]
        assert pull.poll(0.05) == 0


@notices_the_end_of_threads
def test_the_end_of_the_owners_thread_ends_the_calls():
    ready, over = threading.Event(), threading.Event()
    shared = []

    def owner():
        pull = omq.PULL.bind(TCP)
        shared.append(pull.threadsafe())
        ready.set()
        while not over.is_set():
            gevent.sleep(0.005)

    owning = Thread(owner)
    while not ready.is_set():
        gevent.sleep(0.005)

    def wait():
        with pytest.raises(omq.SocketClosed, match="ended"):
            shared[0].receive()

    waiting = Thread(wait)
    gevent.sleep(0.05)
    over.set()
    owning.join()
    waiting.join()
    with pytest.raises(omq.SocketClosed, match="ended"):
        in_thread(shared[0].receive)


def test_a_hub_that_has_nothing_else_to_wait_for_serves_the_threads():
    @with_hub
    def owner():
        pair = omq.PAIR()  # neither bound nor connected
        shared.append(pair.threadsafe())
        done = gevent.event.Event()
        stop.append(done.set)
        ready.set()
        done.wait()
        pair.close()

    shared, stop, ready = [], [], threading.Event()
    owning = Thread(owner)
    while not ready.is_set():
        gevent.sleep(0.005)
    assert shared[0].poll(0.02) == 0
    shared[0].call(stop[0])
    owning.join()


def test_a_dropped_proxy_keeps_no_socket_alive():
    push = omq.PUSH.bind(TCP)
    shared = push.threadsafe()
    in_thread(shared.poll, 0.01)
    with pytest.warns(ResourceWarning, match="unclosed"):
        del push, shared
