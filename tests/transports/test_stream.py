"""Streams: closing does not destroy what is on its way, and leaves nothing open for long."""

from __future__ import annotations

import os
import socket
import time

import gevent
import pytest
from gevent import socket as cooperative
from zope.interface.verify import verifyObject

from omq_gevent.interfaces import IStream
from omq_gevent.transports import lingering_close
from omq_gevent.transports.stream import SocketStream


def tcp_pair():
    """A stream and the socket of its peer."""
    listener = cooperative.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    ours = cooperative.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    return SocketStream(ours, "here", "there"), theirs


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def fill(stream):
    """Write until the kernel takes no more; how much it took."""
    chunk = b"x" * 65536
    total = 0
    while sent := stream.write_now([chunk]):
        total += sent
    return total


def flood(sock):
    try:
        while True:
            sock.sendall(b"y" * 65536)
            gevent.sleep(0)
    except OSError:
        pass


def read_all(sock):
    total = 0
    try:
        while data := sock.recv(65536):
            total += len(data)
            gevent.sleep(0)
    except ConnectionError:
        pass
    return total


def close_against_a_flood(close):
    """How much the peer gets of what was sent before *close*, while it never stops sending."""
    stream, peer = tcp_pair()
    flooding = gevent.spawn(flood, peer)
    gevent.sleep(0.05)
    sent = fill(stream)
    close(stream)
    received = read_all(peer)
    flooding.kill()
    peer.close()
    return sent, received


def test_what_was_sent_before_close_arrives_though_the_peer_floods_us():
    sent, received = close_against_a_flood(SocketStream.close)
    assert sent > 100_000
    assert received == sent


def test_closing_at_once_would_have_destroyed_it():
    def close_at_once(stream):
        os.close(stream._socket.detach())

    sent, received = close_against_a_flood(close_at_once)
    assert received < sent


def test_closing_an_idle_connection_is_immediate():
    stream, peer = tcp_pair()
    descriptor = stream.fileno()
    stream.close()
    assert not is_open(descriptor)
    assert peer.recv(1) == b""
    peer.close()


def test_a_peer_that_has_everything_is_not_waited_for():
    stream, peer = tcp_pair()
    peer.sendall(b"unread")
    gevent.sleep(0.01)
    stream.write_now([b"farewell"])
    descriptor = stream.fileno()
    started = time.monotonic()
    stream.close()
    while is_open(descriptor):
        gevent.sleep(0.01)
    assert time.monotonic() - started < 4 * lingering_close.QUIET
    assert peer.recv(100) == b"farewell"
    peer.close()


def test_a_peer_that_neither_reads_nor_closes_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(lingering_close, "LONGEST", 0.1)
    stream, peer = tcp_pair()
    fill(stream)
    descriptor = stream.fileno()
    stream.close()
    assert is_open(descriptor)
    deadline = time.monotonic() + 5
    while is_open(descriptor) and time.monotonic() < deadline:
        gevent.sleep(0.01)
    assert not is_open(descriptor)
    peer.close()


def test_a_peer_that_is_gone_is_not_waited_for():
    stream, peer = tcp_pair()
    fill(stream)
    peer.close()  # with unread input: a reset
    gevent.sleep(0.01)
    descriptor = stream.fileno()
    stream.close()
    assert not is_open(descriptor)


def test_close_does_not_switch_and_may_be_repeated():
    stream, peer = tcp_pair()
    switches = []
    watcher = gevent.get_hub().loop.run_callback(switches.append, "switched")
    stream.close()
    stream.close()
    assert stream.closed
    assert switches == []
    watcher.stop()
    peer.close()


def test_a_reader_that_is_killed_after_close_ends_quietly(capfd):
    stream, peer = tcp_pair()
    reader = gevent.spawn(stream.read, 10)
    gevent.sleep(0)
    stream.close()
    reader.kill(block=False)
    reader.join(1)
    assert reader.dead
    assert capfd.readouterr().err == ""
    peer.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forks_copy_is_closed_without_a_word_to_the_peer():
    stream, peer = tcp_pair()
    child = os.fork()
    if child == 0:
        stream.close()
        os._exit(0)
    os.waitpid(child, 0)
    stream.write_now([b"still here"])
    assert peer.recv(100) == b"still here"
    stream.close()
    peer.close()


def test_credentials_of_a_local_peer():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        stream = SocketStream(ours)
        credentials = stream.peer_credentials()
        stream.close()
    assert (credentials.pid, credentials.uid, credentials.gid) == (
        os.getpid(),
        os.getuid(),
        os.getgid(),
    )
    assert credentials.groups >= {os.getgid()}
    assert str(credentials) == f"pid {os.getpid()} uid {os.getuid()}"


def test_a_tcp_peer_has_no_credentials():
    stream, peer = tcp_pair()
    assert stream.peer_credentials() is None
    stream.close()
    peer.close()


def test_it_is_a_stream():
    stream, peer = tcp_pair()
    assert verifyObject(IStream, stream)
    stream.close()
    peer.close()


@pytest.mark.parametrize("left_unread", [False, True])
def test_a_unix_stream_delivers_what_was_sent_before_close(left_unread):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    if left_unread:
        theirs.send(b"unread")
    stream = SocketStream(ours)
    stream.write_now([b"farewell"])
    stream.close()
    with theirs:
        assert theirs.recv(100) == b"farewell"
