"""The measured processes, seen from the one that measures: started, commanded, never waited for
without a deadline, and never left behind."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

PATIENCE = 15.0
"""Seconds for whatever is no measurement: to start, to open sockets, to close them."""


class Failed(Exception):
    """The engine could not do what it was told, or not in time."""


class Child:
    """One process that runs a Python *module*, in a process group of its own."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by kill)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._received = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def version(self) -> str:
        """The engine's version; the first thing that the process says."""
        first = self._line(PATIENCE)
        if first is None:
            raise Failed(f"did not start within {PATIENCE:.0f} s")
        if "unavailable" in first:
            raise Failed(f"not installed ({first['unavailable']})")
        return str(first["version"])

    def call(self, do: str, seconds: float = PATIENCE, **arguments: Any) -> Any:
        """Have one command obeyed, in *seconds* at most."""
        self.start(do, seconds, **arguments)
        return self.result(seconds)

    def start(self, do: str, seconds: float = PATIENCE, **arguments: Any) -> None:
        """Begin what ``result`` waits for; the process kills itself soon after its deadline."""
        command = {"do": do, "deadline": math.ceil(seconds) + 5, **arguments}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise Failed(self.last_words()) from None

    def result(self, seconds: float) -> Any:
        answer = self._line(seconds)
        if answer is None:
            raise Failed(f"did not finish within {seconds:.0f} s")
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def finished(self, seconds: float) -> bool:
        """Whether an answer is there, or comes within *seconds*."""
        return b"\n" in self._received or self._read(seconds)

    def _line(self, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while b"\n" not in self._received:
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                return None
        line, _, self._received = self._received.partition(b"\n")
        return json.loads(line)

    def _read(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], seconds)[0]:
            return False
        data = os.read(descriptor, 65536)
        if not data:
            raise Failed(self.last_words())
        self._received += data
        return True

    def last_words(self) -> str:
        """The last line that the process wrote to standard error."""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return f"the process ended: {said.splitlines()[-1]}" if said else "the process ended"

    def kill(self) -> None:
        """End the process and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._errors.close()


class Pair:
    """The two processes of one engine: ``server`` binds, ``client`` connects."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.server = Child("benchmarks.child", engine)
        self.client = Child("benchmarks.child", engine)
        try:
            self.version = self.server.version()
            self.client.version()
        except BaseException:
            self.kill()
            raise

    def open(self, size: int, server: str, client: str, clients: int = 1) -> None:
        """Make a *server* socket, and *clients* sockets of the other type connected to it."""
        endpoint = self.server.call("open", size=size, pattern=server, bind="tcp://127.0.0.1:*")
        self.client.call("open", size=size, pattern=client, count=clients, connect=endpoint)
        self.server.call("wait_peers", count=clients)

    def close(self) -> None:
        self.client.call("close")
        self.server.call("close")

    def cpu_seconds(self) -> float:
        """CPU seconds of both processes so far."""
        return float(self.server.call("usage") + self.client.call("usage"))

    def kill(self) -> None:
        self.server.kill()
        self.client.kill()
