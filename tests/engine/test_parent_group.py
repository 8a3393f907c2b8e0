"""A socket that belongs to a caller's group of greenlets ends with it, or before it."""

from __future__ import annotations

import gevent
import pytest
from gevent.pool import Group, Pool

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"


def test_killing_the_group_ends_the_whole_tree_of_the_socket() -> None:
    group = Group()
    pull = omq.PULL.bind(TCP, parent=group)
    pushes = [omq.PUSH.connect(pull.last_endpoint, reconnect_interval=None) for _ in range(3)]
    pull.wait_connected(3, timeout=5)
    group.kill()
    assert pull.closed
    for push in pushes:
        push.wait_disconnected(timeout=5)
        push.close(linger=0)
    with omq.PULL.bind(pull.last_endpoint):
        pass  # the address is free


def test_a_member_of_the_group_may_kill_it() -> None:
    group = Group()
    pull = omq.PULL.bind(TCP, parent=group)

    def end_it_all() -> None:
        group.kill(block=False)
        pull.receive(timeout=5)

    gevent.joinall([group.spawn(end_it_all)], timeout=5)
    with pytest.raises(omq.SocketClosed):
        pull.receive(timeout=5)


@pytest.mark.parametrize("waiting", ["send", "receive", "close"])
def test_who_waits_when_the_group_is_killed_is_woken(waiting: str) -> None:
    group = Group()
    pair = omq.PAIR.bind(TCP, parent=group, send_hwm=1)
    pair.send(b"fills the queue")
    call = {"send": lambda: pair.send(b"x"), "receive": pair.receive, "close": pair.close}[waiting]
    waiter = gevent.spawn(call)
    gevent.sleep(0)
    group.kill()
    if waiting == "close":
        waiter.get(timeout=5)
    else:
        with pytest.raises(omq.SocketClosed):
            waiter.get(timeout=5)


def test_sockets_of_one_group_end_together_and_others_go_on() -> None:
    group = Group()
    mine = [omq.PULL.bind(TCP, parent=group) for _ in range(3)]
    with omq.PULL.bind(TCP) as other, omq.PUSH.connect(other.last_endpoint) as push:
        group.kill()
        assert all(pull.closed for pull in mine)
        push.send(b"hello")
        assert other.receive(timeout=5) == [b"hello"]


def test_the_group_ends_when_its_sockets_are_closed() -> None:
    group = Pool(3)
    sockets = [omq.PULL.bind(TCP, parent=group) for _ in range(2)]
    assert not group.join(timeout=0.01)
    for pull in sockets:
        pull.close()
    group.join(timeout=5)
    assert not len(group)


def test_a_bind_that_fails_leaves_nothing_in_the_group() -> None:
    group = Group()
    with omq.PULL.bind(TCP) as taken, pytest.raises(OSError, match="in use"):
        omq.PULL.bind(taken.last_endpoint, parent=group)
    group.join(timeout=5)
    assert not len(group)


def test_the_death_of_another_member_does_not_end_the_socket() -> None:
    group = Group()
    with omq.PULL.bind(TCP, parent=group) as pull:
        gevent.joinall([group.spawn(lambda: None)], timeout=5)
        other = group.spawn(gevent.sleep, 60)
        gevent.sleep(0)
        group.killone(other)
        with omq.PUSH.connect(pull.last_endpoint) as push:
            push.send(b"hello")
            assert pull.receive(timeout=5) == [b"hello"]
