"""gunicorn: sockets of the master before the fork, new ones in its gevent workers after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from gevent import socket

import omq_gevent as omq

pytest.importorskip("gunicorn")
WORKERS = 2


class Gunicorn:
    """A master with the application loaded, and its workers, listening on the file *path*."""

    def __init__(self, path: Path, endpoint: str) -> None:
        self._path = str(path)
        command = [sys.executable, "-m", "gunicorn", "--preload", "--worker-class", "gevent"]
        command += ["--workers", str(WORKERS), "--bind", f"unix:{path}", "--log-level", "warning"]
        command += ["--worker-tmp-dir", str(path.parent), "gunicorn_app:application"]
        folder = Path(__file__).parent
        environ = {**os.environ, "OMQ_TEST_SERVER": endpoint, "PYTHONWARNINGS": "ignore"}
        environ["PYTHONPATH"] = str(folder.parent.parent)
        environ["HOME"] = environ["XDG_RUNTIME_DIR"] = str(path.parent)  # for its control socket
        self._process = subprocess.Popen(command, cwd=folder, env=environ, start_new_session=True)

    def get(self, path: str):
        with gevent.Timeout(10):
            while True:
                try:
                    return self._get(path)
                except (FileNotFoundError, ConnectionRefusedError):
                    assert self._process.poll() is None, "gunicorn did not start"
                    gevent.sleep(0.02)

    def _get(self, path: str):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self._path)
            sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            with sock.makefile("rb") as response:
                head, _, body = response.read().partition(b"\r\n\r\n")
        assert b" 200 OK" in head, head
        return json.loads(body)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            with gevent.Timeout(5):
                while self._process.poll() is None:
                    gevent.sleep(0.02)
        except gevent.Timeout:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            raise


@pytest.fixture
def server():
    """A REP that says hello, and its monitor."""
    rep = omq.REP()
    monitor = rep.monitor()
    rep.bind("tcp://127.0.0.1:*")

    def serve():
        for [name] in rep:
            rep.send(b"hello, " + name)

    serving = gevent.spawn(serve)
    yield rep, monitor
    rep.stop()
    serving.join()


def test_workers_ask_through_sockets_of_their_own(server, tmp_path):
    rep, monitor = server
    gunicorn = Gunicorn(tmp_path / "http", rep.last_endpoint)
    try:
        asked = [f"/{number}" for number in range(30)]
        answers = [job.get() for job in [gevent.spawn(gunicorn.get, path) for path in asked]]
        with gevent.Timeout(10):  # one that has not begun to work may miss the signal to stop
            while len({answer["pid"] for answer in answers}) < WORKERS:
                asked.append("/again")
                answers.append(gunicorn.get("/again"))
        still_there = {peer.identity for peer in rep.peers}
        events = list(monitor._events)
    finally:
        gunicorn.stop()
    lost = [event for event in events if event.kind == "disconnected" and event.peer.identity]
    assert [answer["reply"] for answer in answers] == [f"hello, {path}" for path in asked]
    assert {answer["at the start"] for answer in answers} == {"hello, at the start"}
    for answer in answers:
        assert f"made in process {gunicorn.pid}" in answer["inherited"]
        assert f"this is process {answer['pid']}" in answer["inherited"]
    assert lost == []
    assert b"master" in still_there
