"""Heartbeats keep a link, and a process that stands still is noticed from the other side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

import omq_gevent as omq

pytestmark = pytest.mark.interop

over_tcp = pytest.mark.parametrize("transport", ["tcp"], indirect=True)
INTERVAL = 0.05
IDLE = 10 * INTERVAL
"""Seconds without messages that no link would survive if heartbeats went unanswered."""


def wait_for(events, kind):
    """The next event of *kind*."""
    while True:
        event = events.get(timeout=10.0)
        if event.kind == kind:
            return event


@over_tcp
def test_our_heartbeats_are_answered(linked):
    ours, theirs = linked("PAIR", "PAIR", {"heartbeat_interval": INTERVAL})
    check_that_the_link_lasts(ours, theirs)


@over_tcp
@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
@pytest.mark.parametrize("ttl", [0, 200], ids=["no-ttl", "ttl"])
def test_we_answer_their_heartbeats(linked, ttl):
    options = {"HEARTBEAT_IVL": 50, "HEARTBEAT_TIMEOUT": 200, "HEARTBEAT_TTL": ttl}
    ours, theirs = linked("PAIR", "PAIR", {}, options)
    check_that_the_link_lasts(ours, theirs)


@over_tcp
@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
def test_heartbeats_both_ways(linked):
    options = {"HEARTBEAT_IVL": 50, "HEARTBEAT_TIMEOUT": 200, "HEARTBEAT_TTL": 200}
    ours, theirs = linked("PAIR", "PAIR", {"heartbeat_interval": INTERVAL}, options)
    check_that_the_link_lasts(ours, theirs)


def check_that_the_link_lasts(ours, theirs):
    events = ours.monitor()
    gevent.sleep(IDLE)
    ours.send(b"still there?")
    assert theirs.echo()
    assert ours.receive() == [b"still there?"]
    assert len(events) == 0


# -- they stand still ----------------------------------------------------------------------


def test_our_heartbeat_notices_that_they_stand_still(start_peer, our_socket):
    process = start_peer("libzmq")
    theirs = process.open("DEALER")
    ours = our_socket("DEALER", heartbeat_interval=INTERVAL, heartbeat_timeout=0.2)
    check_that_we_notice(process, ours, theirs)


def test_we_hold_them_to_the_ttl_that_they_announced(start_peer, our_socket):
    process = start_peer("libzmq")
    theirs = process.open("DEALER", HEARTBEAT_IVL=50, HEARTBEAT_TTL=200)
    check_that_we_notice(process, our_socket("DEALER"), theirs)


def check_that_we_notice(process, ours, theirs):
    events = ours.monitor()
    ours.connect(theirs.bind("tcp://127.0.0.1:*"))
    wait_for(events, "handshake_succeeded")
    gevent.sleep(2 * INTERVAL)
    process.pause()
    try:
        assert isinstance(wait_for(events, "disconnected").error, omq.HeartbeatTimeout)
    finally:
        process.resume()
    wait_for(events, "handshake_succeeded")
    ours.send(b"welcome back")
    assert theirs.receive() == [b"welcome back"]


# -- we stand still ------------------------------------------------------------------------


@contextlib.contextmanager
def our_process(**options):
    """A process with a DEALER of ours, and where that is."""
    command = [sys.executable, Path(__file__).with_name("our_peer.py"), json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


OUR_AND_THEIR_OPTIONS = {
    "their-heartbeat": ({}, {"HEARTBEAT_IVL": 50, "HEARTBEAT_TIMEOUT": 200}),
    "our-ttl": ({"heartbeat_interval": INTERVAL, "heartbeat_ttl": 0.2}, {}),
}


@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
@pytest.mark.parametrize("options", OUR_AND_THEIR_OPTIONS.values(), ids=OUR_AND_THEIR_OPTIONS)
def test_they_notice_that_we_stand_still(peer, options):
    our_options, their_options = options
    theirs = peer.open("DEALER", RECONNECT_IVL=20, **their_options)
    theirs.call("watch")
    with our_process(**our_options) as (process, endpoint):
        theirs.connect(endpoint)
        theirs.send([b"hello"])
        assert theirs.receive() == [b"hello"]
        gevent.sleep(2 * INTERVAL)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert theirs.call("wait_event", event="DISCONNECTED", timeout=10.0)
        process.send_signal(signal.SIGCONT)
        assert theirs.call("wait_event", event="HANDSHAKE_SUCCEEDED", timeout=10.0)
        theirs.send([b"welcome back"])
        assert theirs.receive() == [b"welcome back"]
    theirs.close()
