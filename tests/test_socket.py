"""What all sockets have in common, as their user meets it."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import warnings

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:*"


def test_a_socket_shows_what_it_is_and_what_it_does() -> None:
    pull = omq.PULL()
    assert repr(pull) == "<PULL peers=0 new>"
    with pull, omq.PUSH.connect(pull.bind(TCP)) as push:
        pull.wait_connected(timeout=5)
        push.wait_connected(timeout=5)
        assert repr(pull) == f"<PULL {pull.last_endpoint} peers=1 open>"
        assert repr(push) == f"<PUSH {pull.last_endpoint} peers=1 open>"
    assert repr(pull).endswith("closed>")


def test_peers_are_told_from_one_another() -> None:
    with omq.ROUTER.bind(TCP) as router:
        dealer = omq.DEALER.connect(router.last_endpoint, identity=b"D")
        req = omq.REQ.connect(router.last_endpoint, identity=b"R")
        router.wait_connected(2, timeout=5)
        assert {(peer.identity, peer.socket_type) for peer in router.peers} == {
            (b"D", "DEALER"),
            (b"R", "REQ"),
        }
        assert {peer.endpoint for peer in router.peers} == {router.last_endpoint}
        assert len({peer.address for peer in router.peers}) == 2
        dealer.close()
        req.close()
        router.wait_disconnected(timeout=5)
        assert router.peers == []


def test_statistics_count_what_is_held_and_what_was_dropped() -> None:
    assert omq.PUSH().stats == omq.Stats(0, 0, 0, 0)
    with omq.PUSH(linger=0) as push, omq.PULL.bind(TCP) as pull:
        push.connect("inproc://later")
        for _ in range(3):
            push.send(b"x")
        assert push.stats == omq.Stats(peers=0, send_queued=3, receive_queued=0, dropped=0)
        push.connect(pull.last_endpoint)
        while pull.stats.receive_queued < 3:
            gevent.sleep(0.001)
        assert push.stats == omq.Stats(peers=1, send_queued=0, receive_queued=0, dropped=0)
    with omq.ROUTER() as router:
        router.send([b"unknown", b"x"])
        assert router.stats.dropped == 1


def test_waiting_for_peers_gives_up() -> None:
    with omq.PULL.bind(TCP) as pull:
        with pytest.raises(omq.WaitTimeout, match="2 connected peers within 0.01 s"):
            pull.wait_connected(2, timeout=0.01)
        with omq.PUSH.connect(pull.last_endpoint) as push:
            push.wait_connected(timeout=5)
            with pytest.raises(omq.WaitTimeout, match="no more than 0"):
                push.wait_disconnected(timeout=0.01)


def test_waiting_for_peers_ends_with_the_socket() -> None:
    pull = omq.PULL.bind(TCP)
    waiting = gevent.spawn(pull.wait_connected)
    gevent.sleep(0)
    pull.close()
    with pytest.raises(omq.SocketClosed):
        waiting.get(timeout=5)
    pull.wait_disconnected(timeout=0)  # holds already


def test_only_sockets_that_receive_are_iterated_over() -> None:
    with omq.PUSH() as push, pytest.raises(omq.WrongDirection, match="PUSH"):
        iter(push)


@pytest.mark.parametrize("linger", [-1, -0.5])
def test_a_negative_linger_is_refused(linger: float) -> None:
    with omq.PUSH.bind(TCP) as push:
        with pytest.raises(ValueError, match="linger"):
            push.close(linger=linger)
        assert not push.closed


def test_a_bind_that_fails_leaves_no_socket_behind() -> None:
    with omq.PULL.bind(TCP) as pull:
        with pytest.raises(OSError, match="in use"):
            omq.PULL.bind(pull.last_endpoint)
        gc.collect()  # what was made would complain now that it was never closed


@pytest.mark.parametrize(
    "kind", ["REQ", "REP", "DEALER", "ROUTER", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR"]
)
def test_whatever_is_asked_of_a_closed_socket_says_that_it_is_closed(kind: str) -> None:
    socket = getattr(omq, kind).bind(TCP)
    socket.close()
    if socket.can_send:
        with pytest.raises(omq.SocketClosed, match="closed"):
            socket.send([b"a", b"b"])
    if socket.can_receive:
        with pytest.raises(omq.SocketClosed, match="closed"):
            socket.receive()
    for attach in (socket.bind, socket.connect):
        with pytest.raises(omq.SocketClosed, match="closed"):
            attach("tcp://127.0.0.1:5555")


def test_a_socket_is_neither_copied_nor_pickled() -> None:
    with omq.PUSH() as push:
        with pytest.raises(TypeError, match="cannot be copied"):
            copy.copy(push)
        with pytest.raises(TypeError, match="cannot be copied"):
            pickle.dumps(push)


def test_a_misspelt_attribute_is_an_error() -> None:
    with omq.PUSH() as push, pytest.raises(AttributeError, match="snd_hwm"):
        push.snd_hwm  # noqa: B018


def test_the_class_of_all_sockets_makes_none() -> None:
    with pytest.raises(TypeError, match="one of the socket types"):
        omq.Socket()


def test_a_value_that_does_not_fit_the_socket_type_is_taken_back() -> None:
    with omq.PUSH.bind(TCP) as push:
        with pytest.raises(omq.OptionError, match="router_mandatory"):
            push.router_mandatory = True
        assert push.router_mandatory is False


def test_a_context_shows_its_defaults_and_gives_them_to_those_who_heed_them() -> None:
    context = omq.Context(linger=0, router_mandatory=True)
    assert repr(context) == "Context(linger=0, router_mandatory=True)"
    with omq.PUSH(context=context) as push, omq.ROUTER(context=context) as router:
        assert (push.linger, push.router_mandatory) == (0, False)
        assert (router.linger, router.router_mandatory) == (0, True)


def test_a_socket_dropped_by_another_thread_is_closed_in_its_own() -> None:
    with omq.PUSH() as push:
        held = [omq.PULL.bind(TCP)]
        push.connect(held[0].last_endpoint)
        push.wait_connected(timeout=5)

        def drop() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                held.clear()

        thread = threading.Thread(target=drop)
        thread.start()
        thread.join()
        push.wait_disconnected(timeout=5)
