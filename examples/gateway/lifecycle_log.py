"""One line for each thing that happens to the gateway's sockets, as it happens."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import TextIO

from omq_gevent.monitors.event import MonitorEvent

GREEN, YELLOW, RED, GREY = "\033[32m", "\033[33m", "\033[31m", "\033[90m"
RESET = "\033[0m"

COLOURS = {
    "listening": GREEN,
    "connected": GREEN,
    "handshake_succeeded": GREEN,
    "connect_retried": YELLOW,
    "message_dropped": YELLOW,
    "disconnected": RED,
    "handshake_failed": RED,
}


class LifecycleLog:
    """Writes to *out*, in colour where that is a terminal and NO_COLOR is not set."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._in_colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._started = time.monotonic()
        self._lost: Counter[str] = Counter()
        self.reconnects = 0

    def follow(self, monitor: Iterable[MonitorEvent]) -> None:
        """Write every event of *monitor* until its sockets are closed."""
        for event in monitor:
            self._count(event)
            text = f"{event.socket_type:<6}  {event.kind:<19}  {_particulars(event)}"
            self._write(text, COLOURS.get(event.kind, GREY))

    def say(self, text: str) -> None:
        """Write a line that is not an event of a socket."""
        self._write(text, "")

    def _count(self, event: MonitorEvent) -> None:
        """Count the dialed endpoints that were lost and found again."""
        if event.kind == "connect_retried" and event.attempt == 1:
            self._lost[event.endpoint or ""] += 1
        elif event.kind == "handshake_succeeded" and self._lost[event.endpoint or ""]:
            self._lost[event.endpoint or ""] = 0
            self.reconnects += 1

    def _write(self, text: str, colour: str) -> None:
        line = f"{time.monotonic() - self._started:7.3f} s  {text}".rstrip()
        if self._in_colour and colour:
            line = f"{colour}{line}{RESET}"
        print(line, file=self._out, flush=True)


def _particulars(event: MonitorEvent) -> str:
    words = [event.endpoint or ""]
    if event.peer is not None:
        who = event.peer.identity.decode(errors="replace")
        words.append(f"{event.peer.socket_type} {who}".rstrip())
    elif event.address:
        words.append(f"from {event.address}")
    if event.interval is not None:
        words.append(f"attempt {event.attempt} in {event.interval:.2f} s")
    if event.detail is not None:
        words.append(str(event.detail))
    if event.error is not None:
        words.append(f"({event.reason})")
    return "  ".join(word for word in words if word)
