"""Accepting goes on whatever happens to a single peer, and ends when the endpoint is unbound."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

import omq_gevent as omq

on_linux = pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux")

RUN_OUT = """
import os, resource, socket, sys, time
import gevent
import omq_gevent as omq

endpoint = sys.argv[1]
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
pull = omq.PULL.bind(endpoint)
monitor = pull.monitor()
gevent.sleep(0)
if endpoint.startswith("tcp"):
    family, address = socket.AF_INET, ("127.0.0.1", int(pull.last_endpoint.rsplit(":", 1)[1]))
else:
    family, address = socket.AF_UNIX, pull.last_endpoint[len("ipc://"):]
clients = [socket.socket(family) for _ in range(3)]
with open(os.devnull) as lowest_free:
    limit = lowest_free.fileno()
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
for client in clients:
    client.connect(address)
processor = time.process_time()
gevent.sleep(0.45)
processor = time.process_time() - processor
failures = list(monitor.get(0) for _ in range(len(monitor)))
assert {event.kind for event in failures} == {"accept_failed"}, failures
assert {event.error.strerror for event in failures} == {"Too many open files"}, failures
assert 2 <= len(failures) <= 10, f"{len(failures)} attempts"
assert processor < 0.2, f"{processor} s of processor time"

resource.setrlimit(resource.RLIMIT_NOFILE, (limit + 50, hard))
for _ in clients:
    while (event := monitor.get(5)).kind != "accepted":
        assert event.kind == "accept_failed", event
for client in clients:
    client.close()
with omq.PUSH.connect(pull.last_endpoint) as push:
    push.send(b"here")
    assert pull.receive(5) == [b"here"]
pull.close()
"""


@on_linux
@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_without_descriptors_it_waits_and_then_takes_those_who_waited(
    scheme: str, tmp_path: Path
) -> None:
    endpoint = "tcp://127.0.0.1:*" if scheme == "tcp" else f"ipc://{tmp_path}/socket"
    done = subprocess.run(
        [sys.executable, "-c", RUN_OUT, endpoint], capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_more_connections_than_allowed() -> None:
    with omq.PULL.bind("tcp://127.0.0.1:*", max_connections=2) as pull:
        monitor = pull.monitor()
        pushes = [
            omq.PUSH.connect(pull.last_endpoint, reconnect_interval=0.02, linger=0)
            for _ in range(2)
        ]
        pull.wait_connected(2, timeout=5)
        third = omq.PUSH.connect(pull.last_endpoint, reconnect_interval=0.02)
        while (event := monitor.get(timeout=5)).kind != "accept_failed":
            pass
        assert isinstance(event.error, omq.PeerRefused)
        assert "2 connections" in str(event.error)
        assert len(pull.peers) == 2
        pushes[0].close()
        third.wait_connected(timeout=5)  # its turn has come
        third.send(b"at last")
        assert pull.receive(timeout=5) == [b"at last"]
        third.close()
        pushes[1].close()


def test_unbind_amid_a_crowd_is_no_failure() -> None:
    with omq.PULL.bind("tcp://127.0.0.1:*", backlog=256) as pull:
        endpoint = pull.last_endpoint
        monitor = pull.monitor()
        clients = [socket.socket() for _ in range(100)]
        for client in clients:
            client.connect(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))
        while not len(monitor):
            gevent.sleep(0)  # it gives others a turn before it has accepted all of them
        pull.unbind(endpoint)
        gevent.sleep(0.01)
        for client in clients:
            client.close()
        pull.wait_disconnected(timeout=5)
    assert {event.kind for event in monitor} == {
        *("accepted", "unbound", "disconnected", "closed", "monitor_stopped")
    }
