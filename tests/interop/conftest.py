"""Other implementations of ZeroMQ, each in a process of its own, and sockets linked to theirs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

import gevent.socket
import pytest

import omq_gevent as omq

FOLDER = Path(__file__).parent
MODULES = {"libzmq": "zmq", "pyomq": "pyomq"}
OLDEST = {"pyomq": (0, 21)}
DEADLINE = 10.0

Message = list[bytes]


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class PeerProcess:
    """A child process with sockets of another implementation; see zmq_peer.py."""

    def __init__(
        self, name: str, command: Sequence[object], environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        # A pair of sockets rather than pipes: waiting for an answer lets other greenlets run.
        ours, theirs = gevent.socket.socketpair()
        with theirs:
            os.set_blocking(theirs.fileno(), True)
            self._process = subprocess.Popen(
                [*map(str, command)], stdin=theirs, stdout=theirs, env=environment
            )
        ours.settimeout(2 * DEADLINE)
        self._control = ours
        self._answers = ours.makefile("r", encoding="utf-8")
        self._numbers = itertools.count()

    def call(self, do: str, **arguments: Any) -> Any:
        """Have it carry out one command, and return the result."""
        command = json.dumps({"do": do, **{name: _text(arguments[name]) for name in arguments}})
        self._control.sendall(command.encode() + b"\n")
        line = self._answers.readline()
        assert line, f"the {self.name} process ended during {do!r}"
        answer = json.loads(line)
        assert "error" not in answer, f"{self.name}, {do}: {answer['error']}"
        return answer["result"]

    def open(self, socket_type: str, **options: Any) -> PeerSocket:
        """Make a socket; options by their libzmq names, without the ZMQ_."""
        return PeerSocket(self, next(self._numbers), socket_type, options)

    def pause(self) -> None:
        """Stop it from running, with its connections open, until `resume`."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Let it close its sockets and end; returns its exit status."""
        self._answers.close()
        self._control.close()
        try:
            return self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(DEADLINE)
            raise


class PeerSocket:
    """A socket in a `PeerProcess`; what it has in common with ours is called the same."""

    def __init__(
        self, process: PeerProcess, number: int, socket_type: str, options: dict[str, Any]
    ) -> None:
        self.socket_type = socket_type
        self._process = process
        self._number = number
        options = {name: _text(value) for name, value in options.items()}
        self.call("open", type=socket_type, options=options)

    def call(self, do: str, **arguments: Any) -> Any:
        return self._process.call(do, socket=self._number, **arguments)

    def bind(self, endpoint: str) -> str:
        bound: str = self.call("bind", endpoint=endpoint)
        return bound

    def connect(self, endpoint: str) -> None:
        self.call("connect", endpoint=endpoint)

    def send(self, *messages: Message) -> None:
        self.call("send", messages=[[_text(frame) for frame in message] for message in messages])

    def receive_some(self, count: int, timeout: float = DEADLINE) -> list[Message]:
        """Up to *count* messages, as many as come in time."""
        received = self.call("receive", count=count, timeout=timeout)
        return [[frame.encode("latin-1") for frame in message] for message in received]

    def receive(self, timeout: float = DEADLINE) -> Message:
        for message in self.receive_some(1, timeout):
            return message
        raise omq.ReceiveTimeout(f"{self._process.name} received nothing within {timeout} s")

    def echo(self) -> list[int] | None:
        """Have the next message sent back; returns the sizes of its frames."""
        sizes: list[int] | None = self.call("echo", timeout=DEADLINE)
        return sizes

    def subscribe(self, prefix: bytes) -> None:
        if self.socket_type == "XSUB":
            self.send([b"\x01" + prefix])
        else:
            self.call("set", option="SUBSCRIBE", value=prefix)

    def unsubscribe(self, prefix: bytes) -> None:
        if self.socket_type == "XSUB":
            self.send([b"\x00" + prefix])
        else:
            self.call("set", option="UNSUBSCRIBE", value=prefix)

    def close(self) -> None:
        self.call("close")


def _start(name: str) -> PeerProcess:
    module = MODULES[name]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{name}: the Python module {module} is not installed")
    version = importlib.metadata.version("pyzmq" if module == "zmq" else module)
    oldest = OLDEST.get(name, (0,))
    if tuple(map(int, version.split(".")[: len(oldest)])) < oldest:
        pytest.skip(f"{name}: {version} is too old, it does not speak with every peer")
    return PeerProcess(name, [sys.executable, FOLDER / "zmq_peer.py", module])


@pytest.fixture(scope="session", params=MODULES)
def peer(request: pytest.FixtureRequest) -> Iterator[PeerProcess]:
    """The process of another implementation, which serves all tests in turn."""
    process = _start(request.param)
    yield process
    assert process.end() == 0


@pytest.fixture(scope="module")
def start_process() -> Iterator[Callable[..., PeerProcess]]:
    """A function that starts the process of yet another implementation."""
    started: list[PeerProcess] = []

    def start(*arguments: Any) -> PeerProcess:
        started.append(PeerProcess(*arguments))
        return started[-1]

    yield start
    for process in started:
        assert process.end() == 0


@pytest.fixture
def start_peer() -> Iterator[Callable[[str], PeerProcess]]:
    """A function that starts one more process, for tests that stop it or have it killed."""
    with contextlib.ExitStack() as started:

        def start(name: str) -> PeerProcess:
            process = _start(name)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture(params=["tcp", "ipc"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["we-bind", "they-bind"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def _ipc_paths() -> Iterator[Iterator[str]]:
    # Not below tmp_path: the path of an ipc socket may be 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="omq") as folder:
        yield (f"{folder}/{number}" for number in itertools.count())


@pytest.fixture
def endpoint(transport: str, _ipc_paths: Iterator[str]) -> str:
    """Where to bind."""
    return "tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{next(_ipc_paths)}"


@pytest.fixture
def our_socket() -> Iterator[Callable[..., Any]]:
    """A function that makes a socket of ours, which is closed in the end."""
    with contextlib.ExitStack() as opened:

        def make(socket_type: str, **options: Any) -> Any:
            options = {"read_timeout": DEADLINE, "write_timeout": DEADLINE, **options}
            options.setdefault("reconnect_interval", 0.02)
            socket = getattr(omq, socket_type)(**options)
            opened.callback(socket.stop)
            return socket

        yield make


@pytest.fixture
def linked(
    peer: PeerProcess, role: str, endpoint: str, our_socket: Callable[..., Any]
) -> Iterator[Callable[..., Any]]:
    """A function that links a new socket of ours with one of theirs."""
    with contextlib.ExitStack() as opened:

        def link(
            our_type: str,
            their_type: str,
            our_options: dict[str, Any] | None = None,
            their_options: dict[str, Any] | None = None,
        ) -> tuple[Any, PeerSocket]:
            ours = our_socket(our_type, **our_options or {})
            theirs = peer.open(their_type, **their_options or {})
            opened.callback(theirs.close)
            if role == "we-bind":
                theirs.connect(ours.bind(endpoint))
            else:
                ours.connect(theirs.bind(endpoint))
            ours.wait_connected(timeout=DEADLINE)
            return ours, theirs

        yield link


def _publish_until_heard(publisher: Any, subscriber: Any, topic: bytes = b"") -> None:
    """Publish until the subscriber hears it: a PUB does not tell what is subscribed to."""
    for number in range(200):
        probe = [topic, b"probe %d" % number]
        publisher.send(probe)
        with contextlib.suppress(omq.ReceiveTimeout):
            received = subscriber.receive(timeout=0.05)
            while received != probe:
                received = subscriber.receive()
            return
    raise AssertionError(f"{publisher!r} published {topic!r}, and nobody heard it")


@pytest.fixture
def publish_until_heard() -> Callable[..., None]:
    return _publish_until_heard
