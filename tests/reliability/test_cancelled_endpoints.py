"""bind, connect, unbind, disconnect and close: done wholly or not at all, and nothing is left."""

from __future__ import annotations

import fcntl
import os
import socket as plain_socket
from collections.abc import Generator
from functools import partial
from typing import Any, Callable

import gevent
import gevent.socket
import pytest
from gevent import get_hub

import omq_gevent as omq

Steps = Generator[Any, Any, None]


def exchange(push: Any, pull: Any, body: bytes = b"exchanged") -> None:
    push.send(body, timeout=5)
    assert pull.receive(timeout=5) == [body]


# -- endpoints -----------------------------------------------------------------------------


def binding(pull: Any, endpoint: str, meanwhile: Callable[[], None], rig: Any) -> Steps:
    """Bind *endpoint*; either it is bound, or somebody else can bind it."""
    monitor = pull.monitor()
    outcome = yield rig.disturb(partial(pull.bind, endpoint), meanwhile)
    kinds = [monitor.get(0).kind for _ in range(len(monitor))]
    if outcome.completed:
        assert kinds == ["listening"]
        assert pull.last_endpoint == outcome.value
    else:
        assert "listening" not in kinds
        assert pull.last_endpoint == ""
        assert pull._engine.acceptors == {}
        pull.bind(endpoint)
    push = rig.socket("PUSH")
    push.connect(pull.last_endpoint)
    exchange(push, pull)
    pull.unbind(pull.last_endpoint)


def binding_by_name(rig: Any) -> Steps:
    resolve_in_threads(rig)
    yield from binding(rig.socket("PULL"), "tcp://some.host:*", lambda: None, rig)


def resolve_in_threads(rig: Any) -> None:
    """Have every name stand for this machine, looked up the way gevent does it."""
    really = plain_socket.getaddrinfo

    def getaddrinfo(_host: str, *rest: Any) -> Any:
        gevent.sleep(0)
        return get_hub().threadpool.apply(really, ("127.0.0.1", *rest))

    rig.patch.setattr(gevent.socket, "getaddrinfo", getaddrinfo)


def binding_beside_another(rig: Any) -> Steps:
    """Another process binds in the same directory."""
    locked = os.open(rig.directory, os.O_RDONLY)
    fcntl.flock(locked, fcntl.LOCK_EX)

    def meanwhile() -> None:
        gevent.sleep(0.006)
        os.close(locked)

    yield from binding(rig.socket("PULL"), rig.endpoint("ipc"), meanwhile, rig)


def making_by_bind(rig: Any) -> Steps:
    """``PULL.bind(...)`` makes a socket, which is closed again when that fails."""
    resolve_in_threads(rig)
    outcome = yield rig.disturb(partial(omq.PULL.bind, "tcp://some.host:*"))
    if outcome.completed:
        rig.sockets.append(outcome.value)
        push = rig.socket("PUSH")
        push.connect(outcome.value.last_endpoint)
        exchange(push, outcome.value)


def never_switching(scheme: str, rig: Any) -> Steps:
    """bind where no name is looked up, connect, disconnect, unbind: there is nothing to hit."""
    pull, push = rig.socket("PULL"), rig.socket("PUSH")
    endpoint = rig.endpoint(scheme)

    def attach_and_detach() -> None:
        resolved = pull.bind(endpoint)
        push.connect(resolved)
        push.disconnect(resolved)
        pull.unbind(resolved)

    yield rig.disturb(attach_and_detach)
    push.connect(pull.bind(endpoint))
    exchange(push, pull)


def detaching_linked(scheme: str, rig: Any) -> Steps:
    push, pull = rig.pair(scheme, "PUSH", "PULL")
    endpoint = pull.last_endpoint

    def detach() -> None:
        push.disconnect(endpoint)
        pull.unbind(endpoint)

    yield rig.disturb(detach)
    push.connect(pull.bind(endpoint))
    exchange(push, pull)


# -- close ---------------------------------------------------------------------------------

QUEUED = 40


def closing(scheme: str, rig: Any) -> Steps:
    """Messages wait for a peer that reads slowly. A close that is cut short is a short linger."""
    pull = rig.socket("PULL", recv_hwm=2)
    push = rig.socket("PUSH", send_hwm=None)
    push.connect(pull.bind(rig.endpoint(scheme)))
    push.wait_connected(timeout=5)
    body = bytes(20_000)
    for number in range(QUEUED):
        push.send([b"%d" % number, body])
    got: list[Any] = []

    def read() -> None:
        while len(got) < QUEUED and not (push.closed and not pull.poll(0.02)):
            got.append(pull.receive(timeout=5))

    outcome = yield rig.disturb(push.close, read)
    check_closed(push)
    read()
    assert got == [[b"%d" % number, body] for number in range(len(got))]
    if outcome.completed:
        assert len(got) == QUEUED
    follow_up(pull, rig)


def check_closed(sock: Any) -> None:
    assert sock.closed
    assert sock._engine.lifecycle.state == "closed"
    with pytest.raises(omq.SocketClosed):
        sock.connect("inproc://anywhere")


def follow_up(pull: Any, rig: Any) -> None:
    push = rig.socket("PUSH")
    push.connect(pull.last_endpoint)
    exchange(push, pull)


def closing_while_peers_come(scheme: str, rig: Any) -> Steps:
    push = rig.socket("PUSH")
    endpoint = push.bind(rig.endpoint(scheme))
    for number in range(QUEUED):
        push.send(b"%d" % number)
    pulls: list[Any] = []
    got: list[bytes] = []

    def read() -> None:
        for pull in pulls:
            while pull.poll(0.004):
                got.append(pull.receive()[0])

    def come() -> None:
        pulls.extend(rig.socket("PULL", reconnect_interval=None) for _ in range(2))
        for pull in pulls:
            pull.connect(endpoint)
            gevent.sleep(0)
        read()

    outcome = yield rig.disturb(push.close, come)
    check_closed(push)
    read()
    assert len(set(got)) == len(got)
    if outcome.completed:
        assert len(got) == QUEUED
    for pull in pulls:
        pull.close()
    again = rig.socket("PUSH")  # the address is free
    pull = rig.socket("PULL")
    pull.connect(again.bind(endpoint))
    exchange(again, pull)


def closing_twice(linger: float | None, rig: Any) -> Steps:
    """The victim is the second to close, and waits for the first."""
    push = rig.socket("PUSH")
    push.bind(rig.endpoint("inproc"))
    push.send(b"queued")
    closer = gevent.spawn(push.close)
    gevent.sleep(0)
    pull = rig.socket("PULL", reconnect_interval=None)
    yield rig.disturb(partial(push.close, linger), lambda: pull.connect(push.last_endpoint))
    if pull.last_endpoint == "":
        pull.connect(push.last_endpoint)
    closer.get(timeout=5)  # it does not depend on the second one
    check_closed(push)
    if linger != 0:
        assert pull.receive(timeout=5) == [b"queued"]


def first_of_two_closers(rig: Any) -> Steps:
    """The victim is the one who lingers; whoever waits for it is set free."""
    push = rig.socket("PUSH")
    push.bind(rig.endpoint("inproc"))
    push.send(b"queued")
    others: list[Any] = []

    def meanwhile() -> None:
        others.append(gevent.spawn(push.close))
        others.append(gevent.spawn(push.send, b"too late"))
        gevent.sleep(0)
        pull = rig.socket("PULL", reconnect_interval=None)
        pull.connect(push.last_endpoint)

    yield rig.disturb(push.close, meanwhile)
    others[0].get(timeout=5)
    with pytest.raises(omq.SocketClosed):
        others[1].get(timeout=5)
    check_closed(push)


def closing_with_handshakes(rig: Any) -> Steps:
    """Strangers have connected and say nothing."""
    push = rig.socket("PUSH")
    port = int(push.bind("tcp://127.0.0.1:*").rsplit(":", 1)[1])
    strangers = [gevent.socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    rig.until(lambda: len(push._engine.lifecycles) == 3)
    push.send(b"queued")
    yield rig.disturb(partial(push.close, 0.005))
    check_closed(push)
    for stranger in strangers:
        stranger.settimeout(5)
        while stranger.recv(100):
            pass
        stranger.close()


def leaving_a_block(rig: Any) -> Steps:
    """The end of a ``with`` block closes."""
    pull = rig.socket("PULL")
    push = rig.socket("PUSH")

    def work() -> None:
        with push:
            push.bind(rig.endpoint("ipc"))
            push.send(b"queued")

    outcome = yield rig.disturb(work, lambda: pull.connect(push.last_endpoint))
    check_closed(push)
    if outcome.completed:
        assert pull.receive(timeout=5) == [b"queued"]


def stopping(rig: Any) -> Steps:
    """close(0) only waits until its greenlets are gone."""
    push, pull = rig.pair("ipc", "PUSH", "PULL", linger=0)
    yield rig.disturb(push.close)
    check_closed(push)
    pull.wait_disconnected(timeout=5)
    follow_up(pull, rig)


SCENARIOS: dict[str, Callable[[Any], Steps]] = {
    "bind, tcp by name": binding_by_name,
    "bind, ipc in a locked directory": binding_beside_another,
    "PULL.bind, tcp by name": making_by_bind,
    "close, while peers come, inproc": partial(closing_while_peers_come, "inproc"),
    "close, while peers come, ipc": partial(closing_while_peers_come, "ipc"),
    "close, linger, inproc": partial(closing, "inproc"),
    "close, linger, ipc": partial(closing, "ipc"),
    "close, linger, tcp": partial(closing, "tcp"),
    "close, strangers": closing_with_handshakes,
    "close, second": partial(closing_twice, None),
    "close, first of two": first_of_two_closers,
    "close, with block": leaving_a_block,
    "close, no linger": stopping,
}
UNDISTURBABLE: dict[str, Callable[[Any], Steps]] = {
    "close, second with linger 0": partial(closing_twice, 0),
    **{
        f"bind connect disconnect unbind, {scheme}": partial(never_switching, scheme)
        for scheme in ("inproc", "ipc", "tcp")
    },
    **{
        f"disconnect unbind, linked, {scheme}": partial(detaching_linked, scheme)
        for scheme in ("inproc", "ipc", "tcp")
    },
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_endpoints(name: str, at_every_switch: Any) -> None:
    assert at_every_switch(SCENARIOS[name], name).found


@pytest.mark.parametrize("name", UNDISTURBABLE)
def test_what_never_switches(name: str, at_every_switch: Any) -> None:
    assert not at_every_switch(UNDISTURBABLE[name], name).found
