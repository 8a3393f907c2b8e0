"""Many connections that do nothing, and few that do too much, beside clients that behave."""

from __future__ import annotations

import time

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.errors import PeerRefused

TCP = "tcp://127.0.0.1:0"


def test_idle_connections_do_not_delay_a_client(scene, dial) -> None:
    on = scene()
    idle = [dial(on.endpoint) for _ in range(150)]
    for peer in idle[::2]:
        peer.write(b"\xff")
    started = time.monotonic()
    peer = dial(on.endpoint).join("PUSH")
    peer.send(b"quick")
    assert on.socket.receive(timeout=2) == [b"quick"]
    assert time.monotonic() - started < 1
    for peer in idle:
        peer.close()


def test_a_socket_with_idle_connections_closes_at_once(dial) -> None:
    pull = omq.PULL.bind(TCP)
    idle = [dial(pull.last_endpoint) for _ in range(50)]
    for peer in idle:
        peer.read_greeting()
    started = time.monotonic()
    pull.close()
    assert time.monotonic() - started < 1
    for peer in idle:
        assert peer.read_to_end() == b""


def test_max_connections_counts_idle_ones_and_their_places_become_free(
    quiet, dial, await_event
) -> None:
    with omq.PULL.bind(TCP, max_connections=3, handshake_timeout=0.3) as pull:
        events = pull.monitor()
        idle = [dial(pull.last_endpoint) for _ in range(3)]
        for peer in idle:
            peer.read_greeting()
        surplus = dial(pull.last_endpoint)
        assert surplus.read_to_end() == b""
        refusal = await_event(events, "accept_failed").error
        assert isinstance(refusal, PeerRefused)
        assert "max_connections" in str(refusal)
        for peer in idle:
            peer.read_to_end()  # their time is over
        dial(pull.last_endpoint).join("PUSH").send(b"hello")
        assert pull.receive(timeout=2) == [b"hello"]


def test_connections_that_come_and_go_leave_nothing_behind(scene, dial) -> None:
    on = scene()
    for number in range(200):
        peer = dial(on.endpoint)
        peer.reset() if number % 2 else peer.close()
    for _ in range(200):
        on.failure("disconnected")
    assert len(on.socket._engine.lifecycles) == 1


@pytest.mark.parametrize("size", [0, 100_000])
def test_a_flooding_peer_starves_neither_another_peer_nor_a_timer(
    scene, dial, wire, others_run, size: int
) -> None:
    on = scene()
    flooding = dial(on.endpoint).join("PUSH")
    flood = wire.message(b"x" * size) * (2000 if not size else 20)

    def go_on_for_ever() -> None:
        while True:
            flooding.write(flood)
            gevent.sleep(0)

    def receive(wanted: list[bytes]) -> None:
        while on.socket.receive(timeout=5) != wanted:
            pass

    flooder = gevent.spawn(go_on_for_ever)
    with others_run(0.2):
        for number in range(3):
            gevent.sleep(0.01)
            on.good.send(b"%d" % number)
            receive([b"%d" % number])
    assert len(on.socket.peers) == 2
    flooder.kill()
    flooding.reset()
    while len(on.socket.peers) > 1:  # nobody reads from the peer while the queue is full
        receive_if_any(on.socket)
    on.failure("disconnected")
    while receive_if_any(on.socket):
        pass


def receive_if_any(socket) -> bool:
    if not socket.poll(timeout=0.01):
        return False
    socket.receive()
    return True


def test_random_bytes_after_the_handshake_cost_that_connection_at_most(scene, dial, wire) -> None:
    """A fixed set of mutations: every octet of a good exchange, replaced by a few others."""
    on = scene(handshake_timeout=1, max_message_size=1000)
    whole = (
        wire.ready("PUSH")
        + wire.message(b"a", b"b")
        + wire.command(b"PING", b"\0\0ctx")
        + wire.message(b"c" * 20)
    )
    for position in range(len(whole)):
        for octet in (0x00, 0x7F, 0xFF):
            peer = dial(on.endpoint)
            mutated = whole[:position] + bytes((octet,)) + whole[position + 1 :]
            peer.write(wire.greeting(), mutated)
            peer.finish()
            peer.read_to_end()
            peer.close()
            on.failure("disconnected")
    while on.socket.poll(timeout=0):
        on.socket.receive()
