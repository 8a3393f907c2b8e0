"""One link's arc: the order of its side effects, and that each of them happens once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from zope.interface import implementer, provider

import omq_gevent as omq
from omq_gevent import registry
from omq_gevent.engine.connection_lifecycle import TRANSITIONS, ConnectionLifecycle
from omq_gevent.errors import ConnectionLost, InvalidTransition, PeerRefused
from omq_gevent.interfaces import IMonitor, IRouting, IRoutingFactory
from omq_gevent.routing.dealer import Dealer

trace: list[tuple[str, Any]] = []
engine: Any = None


def note(step: str) -> None:
    """Record *step* together with what the engine shows of the link at that moment."""
    links = [*engine.lifecycles, *gone]
    state = links[0].state if links else "none"
    trace.append(
        (
            step,
            {
                "state": state,
                "registered": len(engine.connections),
                "first_peer": engine.lifecycle.first_peer.ready(),
                "last_peer_gone": engine.lifecycle.last_peer_gone.ready(),
            },
        )
    )


gone: list[ConnectionLifecycle] = []


@provider(IRoutingFactory)
@implementer(IRouting)
class TracedDealer(Dealer):
    """A third party's DEALER that tells when it is called."""

    refuse = False

    def connection_added(self, connection: Any) -> None:
        note("connection_added")
        if self.refuse:
            raise PeerRefused("not you")
        gone[:] = [engine.connections[connection]]
        super().connection_added(connection)

    def connection_removed(self, connection: Any) -> None:
        note("connection_removed")
        super().connection_removed(connection)


@implementer(IMonitor)
class Tracer:
    def notify(self, event: Any) -> None:
        note(event.kind)


@pytest.fixture
def dealer() -> Iterator[omq.DEALER]:
    """A DEALER whose link is traced."""
    global engine
    registry.components.registerUtility(TracedDealer, IRoutingFactory, "DEALER", event=False)
    socket = omq.DEALER(reconnect_interval=0.01)
    engine = socket._engine
    gone.clear()
    trace.clear()
    TracedDealer.refuse = False
    try:
        engine.open()
        engine.monitors.add(Tracer())
        yield socket
    finally:
        socket.stop()
        registry.unregister(IRoutingFactory, "DEALER")


def steps() -> list[str]:
    return [step for step, _ in trace]


def facts(step: str) -> dict[str, Any]:
    return next(seen for name, seen in trace if name == step)


def test_becoming_ready_happens_in_one_order(dealer: omq.DEALER) -> None:
    with omq.ROUTER.connect(dealer.bind("tcp://127.0.0.1:0")) as peer:
        peer.wait_connected(timeout=5)
        dealer.wait_connected(timeout=5)
        assert steps() == ["listening", "accepted", "handshake_succeeded", "connection_added"]
        # wrap → register → event → routing → first-peer signal → state ready
        assert facts("handshake_succeeded") == {
            "state": "handshaking",
            "registered": 1,
            "first_peer": False,
            "last_peer_gone": False,
        }
        assert facts("connection_added")["first_peer"] is False
        assert gone[0].state == "ready"
        assert engine.lifecycle.first_peer.get_nowait() is gone[0].connection
        assert gone[0].barrier, "ready links are supervised: their pumps run"


def test_the_end_of_a_link_happens_in_one_order(dealer: omq.DEALER) -> None:
    with omq.ROUTER.bind("tcp://127.0.0.1:0") as peer:
        dealer.connect(peer.last_endpoint)
        dealer.wait_connected(timeout=5)
        peer.wait_connected(timeout=5)
        link = gone[0]
        trace.clear()
        peer.stop()
    reason = link.done.get(timeout=5)
    dealer.wait_disconnected(timeout=5)
    assert steps()[:3] == ["connection_removed", "disconnected", "connect_retried"]
    # state closed → unregister → routing → close the link → event
    assert facts("connection_removed") == {
        "state": "closed",
        "registered": 0,
        "first_peer": True,
        "last_peer_gone": False,
    }
    assert facts("disconnected")["last_peer_gone"] is False
    assert facts("connect_retried")["last_peer_gone"] is True
    assert isinstance(reason, (ConnectionLost, ConnectionError))
    link.barrier.join(timeout=5)
    assert not len(link.barrier)


def test_losing_and_closing_a_link_at_once_has_its_effects_once(dealer: omq.DEALER) -> None:
    with omq.ROUTER.connect(dealer.bind("tcp://127.0.0.1:0"), reconnect_interval=None) as peer:
        peer.wait_connected(timeout=5)
        dealer.wait_connected(timeout=5)
        link = gone[0]
        trace.clear()
        first = ConnectionLost("the first reason")
        racers = [
            gevent.spawn(link.lost, first),
            gevent.spawn(link.lost, ConnectionLost("the second reason")),
            gevent.spawn(link.close),
        ]
        gevent.joinall(racers, raise_error=True)
        peer.stop()
        dealer.wait_disconnected(timeout=5)
        gevent.sleep(0)
        assert steps().count("disconnected") == 1
        assert steps().count("connection_removed") == 1
        assert link.done.get_nowait() is first


def _flood(socket: omq.Socket) -> None:
    """Send until the kernel takes no more, so that the send pump has to wait."""
    with suppress(omq.SocketClosed):
        while True:
            socket.send(bytes(100_000))


def test_the_first_pump_to_end_takes_down_its_siblings(dealer: omq.DEALER) -> None:
    with omq.ROUTER.connect(dealer.bind("tcp://127.0.0.1:0"), reconnect_interval=None) as peer:
        peer.wait_connected(timeout=5)
        dealer.wait_connected(timeout=5)
        link = gone[0]
        gevent.spawn(_flood, dealer)
        while len(link.barrier) < 2:
            gevent.sleep(0)
        pumps = list(link.barrier)
        assert len(pumps) >= 2
        pumps[0].kill()
        gevent.joinall(pumps, timeout=5)
        assert all(pump.dead for pump in pumps)
        assert link.state == "closed"
        peer.wait_disconnected(timeout=5)


def test_a_peer_that_the_pattern_refuses_is_closed_and_told(dealer: omq.DEALER) -> None:
    TracedDealer.refuse = True
    with omq.ROUTER.connect(dealer.bind("tcp://127.0.0.1:0"), reconnect_interval=None) as peer:
        peer.wait_connected(timeout=5)
        peer.wait_disconnected(timeout=5)
        assert steps()[2:5] == ["handshake_succeeded", "connection_added", "connection_removed"]
        assert steps()[5] == "disconnected"
        assert not engine.connections


@pytest.mark.parametrize("state", sorted(TRANSITIONS))
def test_illegal_moves_are_refused(dealer: omq.DEALER, state: str) -> None:
    for target in TRANSITIONS:
        link = ConnectionLifecycle(engine, "tcp://nowhere", lambda connection: connection)
        link.state = state
        if target in TRANSITIONS[state]:
            link._transition(target)
            assert link.state == target
        else:
            with pytest.raises(InvalidTransition, match=f"from {state} to {target}"):
                link._transition(target)
        engine.lifecycles.discard(link)


def test_a_bug_in_a_pump_makes_the_socket_fail_loudly(dealer: omq.DEALER) -> None:
    with omq.ROUTER.connect(dealer.bind("tcp://127.0.0.1:0"), reconnect_interval=None) as peer:
        peer.wait_connected(timeout=5)
        dealer.wait_connected(timeout=5)
        receiver = gevent.spawn(dealer.receive)
        gevent.sleep(0)

        def bug(_messages: list[Any]) -> None:
            raise ZeroDivisionError("a bug")

        connection = gone[0].connection
        connection._receive_pump._on_command = bug
        peer_link = next(iter(peer._engine.connections))
        peer_link.send_command(b"\x04PONG")
        with pytest.raises(omq.SocketDead, match="ZeroDivisionError") as caught:
            receiver.get(timeout=5)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(omq.SocketDead):
            dealer.send(b"x")
        assert "socket_dead" in steps()


@pytest.mark.parametrize("kind", ["accepted", "handshake_succeeded"])
def test_a_monitor_may_close_the_socket_in_the_midst_of_it(kind: str) -> None:
    @implementer(IMonitor)
    class Closer:
        def notify(self, event: Any) -> None:
            if event.kind == kind:
                pull._engine.stop()

    with omq.PUSH(linger=0, reconnect_interval=None) as push:
        pull = omq.PULL.bind("tcp://127.0.0.1:0")
        pull.monitor(Closer())
        push.connect(pull.last_endpoint)
        with pytest.raises(omq.SocketClosed):
            pull.receive(timeout=5)
        push.wait_disconnected(timeout=5)
        pull.close()


def test_a_monitor_may_disconnect_in_the_midst_of_it() -> None:
    @implementer(IMonitor)
    class Disconnector:
        def notify(self, event: Any) -> None:
            if event.kind == "handshake_succeeded":
                push.disconnect(pull.last_endpoint)

    with omq.PULL.bind("tcp://127.0.0.1:0") as pull, omq.PUSH(linger=0) as push:
        events = push.monitor()
        push.monitor(Disconnector())
        push.connect(pull.last_endpoint)
        while events.get(timeout=5).kind != "disconnected":
            pass
        assert not push.peers
        push.connect(pull.last_endpoint)
        assert events.get(timeout=5).kind == "connect_delayed"


def test_only_links_that_peers_opened_count_against_max_connections() -> None:
    with omq.DEALER.bind("tcp://127.0.0.1:0") as elsewhere, omq.DEALER(max_connections=1) as dealer:
        dealer.connect(elsewhere.last_endpoint)
        dealer.wait_connected(timeout=5)
        with omq.DEALER.connect(dealer.bind("tcp://127.0.0.1:0")) as welcome:
            welcome.wait_connected(timeout=5)
            dealer.wait_connected(2, timeout=5)
            events = dealer.monitor()
            with omq.DEALER.connect(dealer.last_endpoint, reconnect_interval=None):
                event = events.get(timeout=5)
                assert event.kind == "accept_failed"
                assert "max_connections" in event.reason


def test_a_dead_socket_that_was_closed_says_that_it_is_closed() -> None:
    pull = omq.PULL.bind("tcp://127.0.0.1:0")
    pull._engine.fatal(ZeroDivisionError("a bug"))
    with pytest.raises(omq.SocketDead):
        pull.receive()
    pull.close()
    with pytest.raises(omq.SocketClosed):
        pull.receive()


def test_a_timeout_that_is_no_number_is_refused_by_name() -> None:
    with omq.PULL.bind("tcp://127.0.0.1:0") as pull:
        for wrong in ("soon", True, b"1"):
            with pytest.raises(TypeError, match="number of seconds"):
                pull.receive(timeout=wrong)
        for wrong in (-1, float("nan")):
            with pytest.raises(ValueError, match=">= 0"):
                pull.receive(timeout=wrong)
