"""The order in which a socket tells what happens to it, as programs rely on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from gevent import socket

import omq_gevent
from omq_gevent import PAIR, PULL, PUSH, ConnectionLost, GreetingError, PeerRefused
from omq_gevent.monitors.event import KINDS


def until(monitor, kind):
    """The events up to the first one of *kind*."""
    events = [monitor.get(timeout=5)]
    while events[-1].kind != kind:
        events.append(monitor.get(timeout=5))
    return events


def kinds(events):
    return [event.kind for event in events]


@pytest.fixture
def nobody():
    """An endpoint where nobody listens, and nobody else can begin to."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{reserved.getsockname()[1]}"


def test_tcp_whose_connecting_side_leaves():
    with PULL() as pull, PUSH() as push:
        bound, dialed = pull.monitor(), push.monitor()
        endpoint = pull.bind("tcp://127.0.0.1:0")
        push.connect(endpoint)
        push.wait_connected(timeout=5)
        pull.wait_connected(timeout=5)
        push.close()
        pull.wait_disconnected(timeout=5)
    assert kinds(dialed) == [
        "connect_delayed",
        "connected",
        "handshake_succeeded",
        "disconnected",
        "closed",
        "monitor_stopped",
    ]
    events = list(bound)
    assert kinds(events) == [
        "listening",
        "accepted",
        "handshake_succeeded",
        "disconnected",
        "closed",
        "monitor_stopped",
    ]
    assert {event.endpoint for event in events[:4]} == {endpoint}
    assert len({event.address for event in events[1:4]}) == 1
    assert events[2].peer.socket_type == "PUSH"
    assert isinstance(events[3].error, ConnectionLost)


def test_tcp_whose_binding_side_leaves_is_dialed_again():
    with PULL() as pull, PUSH(reconnect_interval=0.01) as push:
        push.linger = 0
        monitor = push.monitor()
        push.connect(pull.bind("tcp://127.0.0.1:0"))
        push.wait_connected(timeout=5)
        pull.close()
        events = until(monitor, "connect_retried")
        assert kinds(events)[-3:] == ["handshake_succeeded", "disconnected", "connect_retried"]
        assert isinstance(events[-2].error, ConnectionLost)
        assert events[-1].error is events[-2].error
        assert events[-1].attempt == 1


def test_tcp_where_nobody_listens(nobody):
    with PUSH(reconnect_interval=0.01, reconnect_jitter=False) as push:
        monitor = push.monitor()
        push.connect(nobody)
        events = [monitor.get(timeout=5) for _ in range(4)]
    assert kinds(events) == ["connect_delayed", *["connect_retried"] * 3]
    assert [event.attempt for event in events[1:]] == [1, 2, 3]
    assert all(event.interval == 0.01 for event in events[1:])
    assert all(isinstance(event.error, ConnectionRefusedError) for event in events[1:])


def test_tcp_connect_before_bind(nobody):
    with PUSH(reconnect_interval=0.01) as push, PULL() as pull:
        monitor = push.monitor()
        push.connect(nobody)
        until(monitor, "connect_retried")
        pull.bind(nobody)
        tail = kinds(until(monitor, "handshake_succeeded"))
    assert tail[-2:] == ["connected", "handshake_succeeded"]
    assert set(tail[:-2]) <= {"connect_retried"}


def test_a_peer_that_does_not_speak_zmtp():
    with PULL() as pull:
        monitor = pull.monitor()
        endpoint = pull.bind("tcp://127.0.0.1:0")
        with socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2]))) as browser:
            browser.sendall(b"GET / HTTP/1.1\r\n\r\n")
            events = until(monitor, "disconnected")
    assert kinds(events) == ["listening", "accepted", "handshake_failed", "disconnected"]
    assert isinstance(events[2].error, GreetingError)


def test_a_second_peer_that_a_pair_refuses():
    with PAIR() as pair, PAIR() as first, PAIR(reconnect_interval=None) as second:
        endpoint = pair.bind("tcp://127.0.0.1:0")
        first.connect(endpoint)
        pair.wait_connected(timeout=5)
        monitor = pair.monitor()
        second.connect(endpoint)
        events = until(monitor, "disconnected")
    assert kinds(events) == ["accepted", "handshake_succeeded", "disconnected"]
    assert isinstance(events[-1].error, PeerRefused)


def test_unbind_closes_what_came_in_there_and_accepts_no_more():
    with PULL() as pull, PUSH(reconnect_interval=None) as push:
        monitor = pull.monitor()
        push.connect(pull.bind("tcp://127.0.0.1:0"))
        pull.wait_connected(timeout=5)
        pull.unbind(pull.last_endpoint)
    assert kinds(monitor) == [
        "listening",
        "accepted",
        "handshake_succeeded",
        "disconnected",
        "unbound",
        "closed",
        "monitor_stopped",
    ]


def test_disconnect_by_us_has_no_error():
    with PULL() as pull, PUSH() as push:
        monitor = push.monitor()
        push.connect(pull.bind("tcp://127.0.0.1:0"))
        push.wait_connected(timeout=5)
        push.disconnect(push.last_endpoint)
    events = list(monitor)
    assert kinds(events)[-3:] == ["disconnected", "closed", "monitor_stopped"]
    assert events[-3].error is None


def test_a_bind_that_fails():
    with PULL() as pull, PULL() as other:
        endpoint = pull.bind("tcp://127.0.0.1:0")
        monitor = other.monitor()
        with pytest.raises(OSError, match="in use"):
            other.bind(endpoint)
        event = monitor.get(timeout=0)
    assert (event.kind, event.endpoint) == ("bind_failed", endpoint)
    assert isinstance(event.error, OSError)


@pytest.mark.parametrize("bind_first", [True, False])
def test_inproc(bind_first):
    with PULL() as pull, PUSH() as push:
        bound, dialed = pull.monitor(), push.monitor()
        if bind_first:
            pull.bind("inproc://order")
            push.connect("inproc://order")
        else:
            push.connect("inproc://order")
            pull.bind("inproc://order")
        push.wait_connected(timeout=5)
        push.close()
        pull.wait_disconnected(timeout=5)
    assert kinds(bound) == [
        "listening",
        "handshake_succeeded",
        "disconnected",
        "closed",
        "monitor_stopped",
    ]
    assert kinds(dialed) == [
        "connect_delayed",
        "handshake_succeeded",
        "disconnected",
        "closed",
        "monitor_stopped",
    ]


def test_inproc_whose_binding_side_leaves_and_comes_back():
    with PULL() as pull, PULL() as heir, PUSH() as push:
        monitor = push.monitor()
        pull.bind("inproc://order")
        push.connect("inproc://order")
        pull.close()
        heir.bind("inproc://order")
        push.wait_connected(timeout=5)
    assert kinds(monitor) == [
        "connect_delayed",
        "handshake_succeeded",
        "disconnected",
        "connect_retried",
        "handshake_succeeded",
        "disconnected",
        "closed",
        "monitor_stopped",
    ]


def test_every_kind_that_the_package_tells_is_documented():
    told = set()
    for path in Path(omq_gevent.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                first = node.args[0]
                if name in ("emit", "_emit", "MonitorEvent") and isinstance(first, ast.Constant):
                    told.add(first.value)
    assert told <= KINDS
    documented = {
        line.split()[0]
        for line in (omq_gevent.monitors.event.__doc__ or "").splitlines()
        if "  " in line and not line.startswith((" ", "="))
    }
    assert documented - {"kind"} == KINDS
