"""A connection that never runs dry leaves everybody else their turn."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from omq_gevent.engine.receive_pump import ReceivePump
from omq_gevent.zmtp import command
from omq_gevent.zmtp.decoder import Decoder
from omq_gevent.zmtp.frame import encode_command, encode_message


class Flood:
    """A stream on which there is always more to read."""

    def __init__(self, wire: bytes) -> None:
        self.reads = 0
        self._wire = wire * (64 * 1024 // len(wire))

    def read(self, _size: int) -> bytes:
        self.reads += 1
        return self._wire


@pytest.mark.parametrize(
    ("wire", "most"),
    [
        pytest.param(encode_message([b"x" * 60_000]), 10, id="large"),
        pytest.param(encode_message([b"x" * 100]), 5, id="small"),
        pytest.param(encode_message([b""]), 1, id="empty"),
        pytest.param(encode_command(command.ping(1.0)), 1, id="commands"),
    ],
)
def test_a_timer_is_served_after_a_few_reads(wire: bytes, most: int) -> None:
    flood = Flood(wire)
    delivered: list[Any] = []
    pump = ReceivePump(flood, Decoder(None), delivered.append)
    reads_before: list[int] = []
    with gevent.get_hub().loop.timer(0) as timer:
        timer.start(lambda: reads_before.append(flood.reads))
        reading = gevent.spawn(pump.run, b"", delivered.extend, None)
        while not reads_before:
            gevent.sleep(0)
        reading.kill()
    assert delivered
    assert reads_before[0] <= most
