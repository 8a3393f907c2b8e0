"""A measured process: ``python -m benchmarks.child ENGINE``.

It reads commands from standard input and answers each on standard output, a line of JSON each:
``open``, ``wait_peers``, ``usage``, ``close``, or ``WORKLOAD.STEP``, a function of a workload's
module that is called with the engine, its open sockets and the arguments.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.engines import MODULES
from benchmarks.engines.base import Engine, Socket

IDLE_SECONDS = 600
"""So long does the process live without a command, should its parent have vanished."""


class Session:
    """What the commands work on."""

    def __init__(self, engine_class: type[Engine]) -> None:
        self._engine_class = engine_class
        self._engine: Engine | None = None
        self._sockets: list[Socket] = []

    def obey(self, do: str, **arguments: Any) -> Any:
        if "." in do:
            workload, _, step = do.partition(".")
            module = importlib.import_module(f"benchmarks.workloads.{workload}")
            return getattr(module, step)(self._engine, self._sockets, **arguments)
        return getattr(self, do)(**arguments)

    def open(
        self, size: int, pattern: str, count: int = 1, bind: str = "", connect: str = ""
    ) -> str:
        engine = self._engine = self._engine_class(size)
        for _ in range(count):
            socket = engine.bind(pattern, bind) if bind else engine.connect(pattern, connect)
            self._sockets.append(socket)
        return self._sockets[0].endpoint

    def wait_peers(self, count: int) -> None:
        self._sockets[0].wait_peers(count)

    def usage(self) -> float:
        """CPU seconds of this process so far, all its threads included."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def close(self) -> None:
        while self._sockets:
            self._sockets.pop().close()


def lines(engine_class: type[Engine]) -> Iterator[bytes]:
    rest = b""
    while True:
        engine_class.wait_readable(0)
        data = os.read(0, 65536)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers

    def answer(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    signal.alarm(IDLE_SECONDS)
    try:
        engine_class = importlib.import_module(MODULES[sys.argv[1]]).Engine
    except ImportError as error:  # of the implementation
        answer(unavailable=str(error))
        return
    answer(version=engine_class.version)
    session = Session(engine_class)
    for line in lines(engine_class):
        command = json.loads(line)
        # The signal's default action: the process ends even where it hangs in foreign code.
        signal.alarm(command.pop("deadline"))
        try:
            answer(result=session.obey(**command))
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")
        signal.alarm(IDLE_SECONDS)


if __name__ == "__main__":
    main()
