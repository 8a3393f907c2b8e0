"""The one reader of a stream: from the kernel to the routing strategy, all complete messages of a
read at a time."""

from __future__ import annotations

import time
from typing import Any, Callable

from gevent import get_hub

from omq_gevent.errors import ConnectionLost
from omq_gevent.zmtp.decoder import Command

READ_SIZE = 64 * 1024
LARGE_READ = 1024 * 1024
FAIR_BYTES = 512 * 1024
"""So much may one connection bring before the others get a turn."""
ITEM_WEIGHT = 128
"""Bytes that each message or command counts beyond its size: even an empty one is work."""


class ReceivePump:
    """Reads, decodes, delivers; stops reading while the socket's receive queue is full."""

    def __init__(self, stream: Any, decoder: Any, on_command: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._decoder = decoder
        self._on_command = on_command
        self.last_read_at = time.monotonic()
        self.paused = False

    def run(self, first: bytes, deliver: Callable[[list[Any]], None], intake: Any) -> None:
        """The pump greenlet's loop; *first* are bytes that came with the handshake.

        :raises ConnectionLost: when the peer closed the connection.
        :raises ProtocolError: when the peer broke the protocol.
        """
        read = self._stream.read
        decoder = self._decoder
        feed = decoder.feed
        unyielded = 0
        data = first
        while True:
            if data:
                items = feed(data)
                unyielded += ITEM_WEIGHT * len(items)
                if decoder.commands:
                    items = self._obey_commands(items, deliver)
                if items:
                    deliver(items)
                if decoder.error is not None:
                    raise decoder.error
                if intake is not None and intake.full:
                    self._pause(intake)
                    unyielded = 0
                elif unyielded > FAIR_BYTES:
                    _let_others_run()
                    unyielded = 0
            missing = decoder.missing
            data = read(READ_SIZE if missing < READ_SIZE else min(missing, LARGE_READ))
            if not data:
                raise ConnectionLost("the peer closed the connection")
            self.last_read_at = time.monotonic()
            unyielded += len(data)

    def _pause(self, intake: Any) -> None:
        self.paused = True
        try:
            intake.wait_room()
        finally:
            self.paused = False
            self.last_read_at = time.monotonic()

    def _obey_commands(self, items: list[Any], deliver: Callable[[list[Any]], None]) -> list[Any]:
        """Deliver what comes before the last command; return what comes after it."""
        messages: list[Any] = []
        for item in items:
            if type(item) is not Command:
                messages.append(item)
                continue
            if messages:
                deliver(messages)
                messages = []
            self._on_command(item)
        return messages


def _let_others_run() -> None:
    """Switch away for one round of the event loop.

    After ``sleep(0)`` it would be our turn again up to fifty times before the loop looks at its
    timers and at other connections.
    """
    hub = get_hub()
    timer = hub.loop.timer(0)
    try:
        hub.wait(timer)
    finally:
        timer.close()
