"""JeroMQ 0.3.6, a real peer of ZMTP 2.0: it is refused, in words, and both sides live on."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.interop, pytest.mark.slow]

JAR = Path("/usr/share/java/jeromq.jar")
SOURCE = Path(__file__).with_name("JeromqPeer.java")


@pytest.fixture(scope="module")
def jeromq(tmp_path_factory):
    """The beginning of the command that runs JeroMQ."""
    if not JAR.exists():
        pytest.skip(f"JeroMQ 0.3.6: there is no {JAR}; `make test-interop` installs it, as root")
    if not (shutil.which("java") and shutil.which("javac")):
        pytest.skip("JeroMQ 0.3.6: there is no Java compiler (javac) or no java")
    classes = tmp_path_factory.mktemp("classes")
    subprocess.run(["javac", "-cp", JAR, "-d", classes, SOURCE], check=True, timeout=60)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{JAR}:{classes}", "JeromqPeer"]


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        return reserved.getsockname()[1]


@contextlib.contextmanager
def jeromq_peer(jeromq, *arguments):
    """JeroMQ with one socket, which must still work when the block ends."""
    process = subprocess.Popen(
        [*jeromq, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield
        rest, _ = process.communicate(timeout=15)
        assert rest == "works\n"
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def refusal(events):
    """Why the first handshake failed."""
    while True:
        event = events.get(timeout=15.0)
        assert event.kind not in ("handshake_succeeded", "socket_dead")
        if event.kind == "handshake_failed":
            return event.reason


def check_that_we_serve_others(ours, our_socket):
    with our_socket("PUSH") as other:
        other.connect(ours.last_endpoint)
        other.send(b"still served")
        assert ours.receive() == [b"still served"]


def test_we_refuse_one_that_connects_to_us(jeromq, our_socket):
    ours = our_socket("PULL")
    events = ours.monitor()
    endpoint = ours.bind("tcp://127.0.0.1:*")
    with jeromq_peer(jeromq, "connect", "PUSH", endpoint):
        assert refusal(events)
        check_that_we_serve_others(ours, our_socket)


def test_we_refuse_one_that_we_connect_to(jeromq, our_socket, free_port):
    ours = our_socket("PULL")
    events = ours.monitor()
    with jeromq_peer(jeromq, "bind", "PUSH", f"tcp://127.0.0.1:{free_port}"):
        ours.connect(f"tcp://127.0.0.1:{free_port}")
        assert refusal(events)
        ours.bind("tcp://127.0.0.1:*")
        check_that_we_serve_others(ours, our_socket)


def test_the_refusal_says_what_may_have_come(jeromq, our_socket):
    ours = our_socket("PULL")
    events = ours.monitor()
    with jeromq_peer(jeromq, "connect", "PUSH", ours.bind("tcp://127.0.0.1:*")):
        assert "ZMTP 2.0" in refusal(events)
