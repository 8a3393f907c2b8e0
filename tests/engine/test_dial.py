"""A dial ends when nobody wants it any more, wherever it stands; nobody is hammered."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any, Callable

import gevent
import gevent.server
import pytest
from gevent.event import Event

import omq_gevent as omq
from omq_gevent.transports.tcp import TcpDialer
from omq_gevent.zmtp import command, frame, greeting

on_linux = pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux")

ENDINGS = [
    pytest.param(lambda push: push.disconnect(push.last_endpoint), id="disconnect"),
    pytest.param(lambda push: push.close(linger=0), id="close"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a listener whose backlog is full: whoever connects to it waits."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filling = [socket.socket() for _ in range(3)]
        for sock in filling:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for sock in filling:
            sock.close()


class SlowResolver:
    """Knows one name, and tells its address only when allowed to."""

    def __init__(self) -> None:
        self.asked = Event()
        self.allowed = Event()

    def getaddrinfo(self, host: str, port: int, *_args: Any) -> list[Any]:
        assert host == "slow.test"
        self.asked.set()
        self.allowed.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def resolver() -> Iterator[SlowResolver]:
    hub = gevent.get_hub()
    before = hub.resolver
    hub.resolver = SlowResolver()
    yield hub.resolver
    hub.resolver = before


# -- no longer wanted ------------------------------------------------------------------------


@on_linux
@pytest.mark.parametrize("end", ENDINGS)
def test_a_dial_that_nobody_answers_ends_at_once(
    silent_port: int, end: Callable[[Any], None]
) -> None:
    before = set(os.listdir("/proc/self/fd"))
    push = omq.PUSH.connect(f"tcp://127.0.0.1:{silent_port}", linger=0)
    monitor = push.monitor()
    while set(os.listdir("/proc/self/fd")) <= before:
        gevent.sleep(0.001)  # until it dials
    with gevent.Timeout(0.5):
        end(push)
        while set(os.listdir("/proc/self/fd")) - before:
            gevent.sleep(0.001)
    push.close()
    assert [event.kind for event in monitor] == ["closed", "monitor_stopped"]


@pytest.mark.parametrize("end", ENDINGS)
def test_a_name_that_is_found_too_late_leads_nowhere(
    resolver: SlowResolver, end: Callable[[Any], None]
) -> None:
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull:
        port = pull.last_endpoint.rsplit(":", 1)[1]
        push = omq.PUSH.connect(f"tcp://slow.test:{port}", linger=0)
        assert resolver.asked.wait(5)
        with gevent.Timeout(0.5):
            end(push)
        resolver.allowed.set()
        accepted = pull.monitor()
        gevent.sleep(0.05)
        assert not len(accepted)
        push.close()


@pytest.mark.parametrize("end", ENDINGS)
def test_an_answer_that_comes_as_the_endpoint_is_given_up_makes_no_link(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[Any], None]
) -> None:
    connected, go_on = Event(), Event()
    dial = TcpDialer.dial

    def hesitant_dial(self: TcpDialer) -> Any:
        stream = dial(self)
        connected.set()
        go_on.wait()
        return stream

    monkeypatch.setattr(TcpDialer, "dial", hesitant_dial)
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull:
        push = omq.PUSH.connect(pull.last_endpoint, linger=0)
        monitor = push.monitor()
        assert connected.wait(5)
        go_on.set()  # the dial goes on at the hub's next turn, and we are faster
        end(push)
        pull.wait_disconnected(timeout=5)
        with pytest.raises(omq.WaitTimeout):
            pull.wait_connected(timeout=0.05)
        assert not push.peers
        push.close()
    assert [event.kind for event in monitor] == ["closed", "monitor_stopped"]


def test_without_an_interval_a_failed_dial_is_the_last() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with omq.PUSH(reconnect_interval=None, linger=0) as push:
        monitor = push.monitor()
        push.connect(endpoint)
        gevent.sleep(0.05)
        with omq.PULL.bind(endpoint) as pull, pytest.raises(omq.WaitTimeout):
            pull.wait_connected(timeout=0.1)
    assert [event.kind for event in monitor] == ["connect_delayed", "closed", "monitor_stopped"]


# -- the next attempt ------------------------------------------------------------------------


def attempts(monitor: Any, n: int) -> list[Any]:
    """The next *n* events that announce another attempt."""
    found: list[Any] = []
    while len(found) < n:
        event = monitor.get(timeout=5)
        if event.kind == "connect_retried":
            found.append(event)
    return found


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            greeting.encode(b"NULL") + frame.encode_command(command.error("no")),
            omq.PeerRejected,
            id="ERROR",
        ),
        pytest.param(greeting.encode(b"PLAIN"), omq.MechanismMismatch, id="mechanism"),
    ],
)
def test_a_peer_that_turns_us_away_is_asked_ever_less_often(
    answer: bytes, error: type[Exception]
) -> None:
    visits = []

    def turn_away(sock: Any, _address: Any) -> None:
        visits.append(1)
        sock.sendall(answer)
        while sock.recv(4096):
            pass
        sock.close()

    server = gevent.server.StreamServer(("127.0.0.1", 0), turn_away)
    server.start()
    with omq.PUSH(reconnect_interval=0.005, reconnect_jitter=False, linger=0) as push:
        monitor = push.monitor()
        push.connect(f"tcp://127.0.0.1:{server.server_port}")
        events = attempts(monitor, 4)
        assert [event.interval for event in events] == pytest.approx([0.05, 0.1, 0.2, 0.4])
        assert all(isinstance(event.error, error) for event in events)
        assert len(visits) == 4
    server.stop()


def test_a_peer_that_accepts_us_in_the_end_is_met_again_without_delay() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with omq.PUSH(reconnect_interval=(0.01, 5), reconnect_jitter=False) as push:
        monitor = push.monitor()
        push.connect(endpoint)
        assert attempts(monitor, 3)[-1].interval == pytest.approx(0.04)
        with omq.PULL.bind(endpoint):
            push.wait_connected(timeout=5)
        push.wait_disconnected(timeout=5)
        while attempts(monitor, 1)[0].interval != pytest.approx(0.01):
            pass  # those of the time before the peer was there


def test_a_crowd_does_not_come_back_at_once() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    crowd = [omq.PUSH(reconnect_interval=0.1, linger=0) for _ in range(20)]
    monitors = [push.monitor() for push in crowd]
    for push in crowd:
        push.connect(endpoint)
    intervals = {attempts(monitor, 1)[0].interval for monitor in monitors}
    for push in crowd:
        push.close()
    assert len(intervals) == 20
    assert min(intervals) < 0.09
    assert max(intervals) > 0.11


def test_a_bug_of_a_transport_is_told_and_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = ZeroDivisionError("in the transport")

    def buggy_dial(self: TcpDialer) -> Any:
        raise bug

    monkeypatch.setattr(TcpDialer, "dial", buggy_dial)
    with omq.PUSH(linger=0, send_hwm=1) as push:
        monitor = push.monitor()
        push.connect("tcp://127.0.0.1:1")
        push.send(b"accepted")
        with pytest.raises(omq.SocketDead, match="in the transport") as caught:
            push.send(b"waits", timeout=5)
        assert caught.value.__cause__ is bug
    assert [event.kind for event in monitor] == [
        *("connect_delayed", "socket_dead", "closed", "monitor_stopped")
    ]
