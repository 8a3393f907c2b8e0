"""inproc between sockets of one thread: who is linked with whom, and when the link ends."""

from __future__ import annotations

import errno
import gc
import itertools
import os
import weakref

import gevent
import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

import omq_gevent as omq
from omq_gevent.interfaces import (
    IConnection,
    IDirectDialer,
    IDirectListener,
    IDirectTransport,
    IMonitor,
)
from omq_gevent.transports.inproc import inproc

_names = itertools.count(1)


@pytest.fixture
def name() -> str:
    return f"inproc://test-{next(_names)}"


@implementer(IMonitor)
class Recorder:
    """Notes what happens at the moment when it does."""

    def __init__(self, socket):
        self.events = []
        socket.monitor(self)

    def notify(self, event):
        self.events.append(event)

    @property
    def kinds(self):
        return [event.kind for event in self.events]

    def of(self, kind):
        return [event for event in self.events if event.kind == kind]


def test_parts_provide_their_interfaces(name):
    with omq.PULL.bind(name) as pull, omq.PUSH.connect(name) as push:
        verifyObject(IDirectTransport, inproc)
        verifyObject(IDirectListener, pull.context.inproc.bound(name))
        [dialer] = push._engine.dials[name]
        verifyObject(IDirectDialer, dialer)
        for socket in (pull, push):
            [connection] = socket._engine.connections
            verifyObject(IConnection, connection)


# -- any order of bind and connect ---------------------------------------------------------


def test_connect_after_bind_links_before_connect_returns(name):
    with omq.PULL.bind(name) as pull, omq.PUSH.connect(name) as push:
        assert len(pull.peers) == len(push.peers) == 1
        push.send(b"hello")
        assert pull.receive(timeout=0) == [b"hello"]


def test_connect_before_bind_links_before_bind_returns(name):
    with omq.PUSH.connect(name) as push:
        push.send(b"early")
        assert push.peers == []
        with omq.PULL.bind(name) as pull:
            assert len(pull.peers) == len(push.peers) == 1
            assert pull.receive(timeout=0) == [b"early"]


def test_many_connect_before_the_bind(name):
    pushers = [omq.PUSH.connect(name) for _ in range(50)]
    for number, push in enumerate(pushers):
        push.send(b"%d" % number)
    with omq.PULL.bind(name) as pull:
        received = [pull.receive(timeout=1) for _ in pushers]
        assert received == [[b"%d" % number] for number in range(50)]
        for push in pushers:
            push.close()
        assert pull.peers == []


def test_binds_and_connects_race(name):
    done = []

    def work(number):
        gevent.sleep(0.001 * (number % 3))
        if number % 2:
            with omq.PUSH.connect(f"{name}-{number // 2}") as push:
                push.send(b"%d" % number)
        else:
            with omq.PULL.bind(f"{name}-{number // 2}") as pull:
                done.append(pull.receive(timeout=5))

    for _ in range(5):
        gevent.joinall([gevent.spawn(work, number) for number in range(20)], raise_error=True)
    assert len(done) == 50


def test_one_name_many_racing_greenlets(name):
    def bind():
        try:
            return omq.PULL.bind(name)
        except OSError as error:
            return error.errno

    def connect():
        return omq.PUSH.connect(name)

    tasks = [gevent.spawn(bind if number % 4 == 0 else connect) for number in range(20)]
    gevent.joinall(tasks, raise_error=True)
    outcomes = [task.value for task in tasks]
    assert outcomes.count(errno.EADDRINUSE) == 4
    [pull] = [outcome for outcome in outcomes if isinstance(outcome, omq.PULL)]
    pushers = [outcome for outcome in outcomes if isinstance(outcome, omq.PUSH)]
    assert len(pull.peers) == len(pushers) == 15
    for socket in (pull, *pushers):
        socket.close()


def test_a_publisher_that_connects_and_sends_at_once_reaches_the_subscriber(name):
    with omq.SUB.bind(name) as sub:
        sub.subscribe(b"")
        with omq.PUB.connect(name) as pub:
            pub.send(b"news")
            assert sub.receive(timeout=0) == [b"news"]


def test_a_subscriber_that_waited_gets_the_first_message_after_the_bind(name):
    with omq.SUB.connect(name) as sub:
        sub.subscribe(b"n")
        with omq.PUB.bind(name) as pub:
            pub.send(b"other")
            pub.send(b"news")
            assert sub.receive(timeout=0) == [b"news"]


def test_subscribers_do_not_share_a_message(name):
    with omq.PUB.bind(name) as pub, omq.SUB.connect(name) as one, omq.SUB.connect(name) as two:
        one.subscribe(b"")
        two.subscribe(b"")
        sent = [b"a", b"b"]
        pub.send(sent)
        sent.append(b"of the sender")
        one.receive(timeout=0).append(b"of one")
        assert two.receive(timeout=0) == [b"a", b"b"]


def test_request_and_reply_both_ways_round(name):
    with omq.REP.bind(name) as rep, omq.REQ.connect(name) as req:
        for question in (b"one", b"two"):
            req.send(question)
            rep.send([b"answer", *rep.receive(timeout=1)])
            assert req.receive(timeout=1) == [b"answer", question]
    with omq.REQ.bind(name) as req, omq.REP.connect(name) as rep:
        req.send(b"three")
        rep.send(rep.receive(timeout=1))
        assert req.receive(timeout=1) == [b"three"]


def test_router_knows_a_dealer_that_connected_first_by_its_identity(name):
    with omq.DEALER.connect(name, identity=b"me") as dealer, omq.ROUTER.bind(name) as router:
        dealer.send(b"hello")
        assert router.receive(timeout=1) == [b"me", b"hello"]
        router.send([b"me", b"back"])
        assert dealer.receive(timeout=1) == [b"back"]


def test_a_socket_may_connect_to_itself(name):
    with omq.DEALER.bind(name) as dealer:
        dealer.connect(name)
        dealer.send(b"to me")
        assert dealer.receive(timeout=1) == [b"to me"]


# -- names ---------------------------------------------------------------------------------


def test_a_name_has_one_binder(name):
    with omq.PULL.bind(name), omq.PULL() as second:
        with pytest.raises(OSError, match="bound by another socket") as caught:
            second.bind(name)
        assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("release", ["unbind", "close"])
def test_a_name_is_free_again(name, release):
    pull = omq.PULL.bind(name)
    if release == "unbind":
        pull.unbind(name)
    else:
        pull.close()
    with omq.PULL.bind(name):
        pass
    pull.close()


def test_contexts_have_names_of_their_own(name):
    here, there = omq.Context(), omq.Context()
    one, two = omq.PULL.bind(name, context=here), omq.PULL.bind(name, context=there)
    with one, two, omq.PUSH.connect(name, context=there) as push, omq.PUSH.connect(name) as lost:
        push.send(b"there")
        assert two.receive(timeout=0) == [b"there"]
        assert one.peers == lost.peers == []


def test_closing_or_disconnecting_ends_the_wait_for_a_bind(name):
    closed, disconnected = omq.PUSH.connect(name), omq.PUSH.connect(name)
    closed.close(linger=0)
    disconnected.disconnect(name)
    with omq.PULL.bind(name) as pull:
        assert pull.peers == []
    disconnected.close()


def test_messages_wait_for_a_bind_while_their_sender_closes(name):
    push = omq.PUSH.connect(name)
    push.send(b"last words")
    closing = gevent.spawn(push.close)
    gevent.sleep(0)
    with omq.PULL.bind(name) as pull:
        assert pull.receive(timeout=1) == [b"last words"]
        closing.get(timeout=1)


# -- the end of a link ---------------------------------------------------------------------


def test_the_binder_notices_that_the_peer_left(name):
    with omq.PULL.bind(name) as pull:
        events = Recorder(pull)
        push = omq.PUSH.connect(name)
        push.close()
        assert pull.peers == []
        assert events.kinds == ["handshake_succeeded", "disconnected"]
        assert isinstance(events.events[-1].error, omq.ConnectionLost)


def test_the_connecting_side_meets_the_next_binder(name):
    with omq.PUSH.connect(name) as push:
        events = Recorder(push)
        for generation in range(3):
            with omq.PULL.bind(name) as pull:
                push.send(b"%d" % generation)
                assert pull.receive(timeout=0) == [b"%d" % generation]
            assert push.peers == []
        assert events.kinds == ["handshake_succeeded", "disconnected", "connect_retried"] * 3


@pytest.mark.parametrize("undo", ["unbind", "disconnect"])
def test_unbind_and_disconnect_end_the_link_on_both_sides(name, undo):
    with omq.PULL.bind(name) as pull, omq.PUSH.connect(name) as push:
        if undo == "unbind":
            pull.unbind(name)
        else:
            push.disconnect(name)
        assert pull.peers == push.peers == []


def test_what_the_lost_peer_had_no_room_for_goes_to_the_next(name):
    with omq.PUSH.connect(name) as push:
        with omq.PULL.bind(name, recv_hwm=2):
            for number in range(5):
                push.send(b"%d" % number)
        with omq.PULL.bind(name) as pull:
            assert [pull.receive(timeout=0) for _ in range(3)] == [[b"2"], [b"3"], [b"4"]]


def test_without_reconnect_the_link_is_not_renewed(name):
    with omq.PUSH.connect(name, reconnect_interval=None) as push:
        with omq.PULL.bind(name):
            assert len(push.peers) == 1
        with omq.PULL.bind(name):
            assert push.peers == []


def test_hello_and_parting_messages(name):
    with omq.ROUTER.bind(name, hello_message=b"hello", disconnect_message=b"gone") as router:
        dealer = omq.DEALER.connect(name, hello_message=[b"hi", b"there"], identity=b"me")
        dealer.send(b"data")
        assert router.receive(timeout=0) == [b"me", b"hi", b"there"]
        assert router.receive(timeout=0) == [b"me", b"data"]
        assert dealer.receive(timeout=0) == [b"hello"]
        dealer.close()
        assert router.receive(timeout=0) == [b"me", b"gone"]


def test_hiccup_message_when_the_binder_left(name):
    with omq.DEALER.connect(name, hiccup_message=b"hiccup") as dealer:
        omq.DEALER.bind(name).close()
        assert dealer.receive(timeout=0) == [b"hiccup"]


def test_a_dropped_socket_is_collected_and_its_peer_notices(name):
    with omq.PULL.bind(name) as pull:
        push = omq.PUSH.connect(name)
        gone = weakref.ref(push)
        with pytest.warns(ResourceWarning, match="unclosed"):
            push = None
        assert gone() is None
        assert pull.peers == []


def test_a_dropped_socket_frees_its_name_and_its_wait(name):
    with pytest.warns(ResourceWarning, match="unclosed"):
        omq.PULL.bind(name)
    with pytest.warns(ResourceWarning, match="unclosed"):
        omq.PUSH.connect(f"{name}-other")
    with omq.PULL.bind(name), omq.PULL.bind(f"{name}-other") as pull:
        assert pull.peers == []


def test_engines_of_closed_sockets_are_not_kept_by_their_peers(name):
    with omq.PULL.bind(name) as pull:
        push = omq.PUSH.connect(name)
        push.send(b"x")
        engine = weakref.ref(push._engine)
        push.close()
        del push
        gevent.sleep(0)
        gc.collect()
        assert engine() is None
        assert pull.receive(timeout=0) == [b"x"]


# -- peers that do not go together ---------------------------------------------------------


def test_connect_to_a_binder_of_a_wrong_type_is_an_error(name):
    with omq.PULL.bind(name) as pull, omq.PULL() as other:
        with pytest.raises(omq.IncompatiblePeer, match="a PULL socket cannot talk to a PULL"):
            other.connect(name)
        assert pull.peers == other.peers == []
        with pytest.raises(omq.EndpointError):
            other.disconnect(name)


def test_a_waiting_socket_passes_over_a_binder_of_a_wrong_type(name):
    with omq.PUSH.connect(name) as push:
        events = Recorder(push)
        with omq.PUSH() as wrong:
            seen = Recorder(wrong)
            wrong.bind(name)
            assert push.peers == wrong.peers == []
            assert seen.kinds == ["listening", "handshake_failed"]
        assert events.kinds == ["handshake_failed"]
        assert isinstance(events.events[0].error, omq.IncompatiblePeer)
        with omq.PULL.bind(name):
            assert len(push.peers) == 1


def test_a_second_pair_is_refused_and_takes_over_later(name):
    with omq.PAIR.bind(name) as bound, omq.PAIR.connect(name) as first:
        second = omq.PAIR(reconnect_interval=0.01)
        events = Recorder(second)
        second.connect(name)
        assert second.peers == []
        assert len(bound.peers) == 1
        assert events.kinds == ["connect_delayed", "handshake_failed", "connect_retried"]
        second.send(b"from the second")
        first.send(b"from the first")
        assert bound.receive(timeout=1) == [b"from the first"]
        bound.send(b"to the first")
        assert first.receive(timeout=1) == [b"to the first"]
        first.close()
        second.wait_connected(timeout=5)
        assert bound.receive(timeout=1) == [b"from the second"]
        second.close()


def test_a_pair_that_refuses_leaves_nothing_at_the_binder(name):
    one, two = f"{name}-1", f"{name}-2"
    first, second, pair = omq.PAIR.bind(one), omq.PAIR.bind(two), omq.PAIR(reconnect_interval=0.01)
    with first, second, pair:
        pair.connect(one)
        pair.connect(two)
        assert second.peers == []
        assert len(pair.peers) == len(first.peers) == 1
        second.send(b"later")
        first.close()
        assert pair.receive(timeout=5) == [b"later"]


def test_a_refused_socket_that_closes_leaves_no_greenlet(name):
    with omq.PAIR.bind(name), omq.PAIR.connect(name):
        refused = omq.PAIR.connect(name, reconnect_interval=60)
        refused.close()


def test_peer_facts_are_those_of_a_handshake(name):
    router = omq.ROUTER.bind(name, metadata={"X-Role": b"server"})
    with router, omq.DEALER.connect(name, identity=b"me") as dealer:
        [seen] = router.peers
        assert (seen.socket_type, seen.identity, seen.address) == ("DEALER", b"me", name)
        [seen] = dealer.peers
        assert seen.facts.properties["X-Role"] == b"server"
        assert seen.facts.properties["Socket-Type"] == b"ROUTER"
        assert (seen.facts.mechanism, seen.facts.major, seen.facts.minor) == ("NULL", 3, 1)


@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_forked_child_starts_with_no_names(name):
    with omq.PULL.bind(name) as pull:
        child = os.fork()
        if not child:
            os._exit(pull.context.inproc.bound(name) is not None)
        assert os.waitpid(child, 0)[1] == 0
        with omq.PUSH.connect(name) as push:
            assert len(push.peers) == 1


# -- a bug on one side is not the other side's trouble ---------------------------------------


def broken(*_args):
    raise ZeroDivisionError("a bug")


def test_a_sender_survives_a_receiver_with_a_bug(name):
    with omq.PULL.bind(name) as pull, omq.PUSH.connect(name) as push:
        [connection] = push._engine.connections
        connection._their_deliver = broken
        push.send(b"x")
        with pytest.raises(omq.SocketDead, match="ZeroDivisionError"):
            pull.receive(timeout=5)
        with omq.PULL.bind(name + "-other") as other:
            push.connect(other.last_endpoint)
            pull.stop()
            push.send(b"y")
            assert other.receive(timeout=5) == [b"y"]


def test_a_subscriber_survives_a_publisher_with_a_bug(name):
    with omq.PUB.bind(name) as pub, omq.SUB.connect(name) as sub:
        [connection] = pub._engine.connections
        connection.on_command = broken
        sub.subscribe(b"x")
        with pytest.raises(omq.SocketDead, match="ZeroDivisionError"):
            pub.send(b"x")
        with omq.PUB.bind(name + "-other") as other:
            sub.connect(other.last_endpoint)
            other.send(b"x")
            assert sub.receive(timeout=5) == [b"x"]
