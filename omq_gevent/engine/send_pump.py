"""The one writer of a stream: from an outlet to the kernel, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from gevent import get_hub

from omq_gevent.flow.outlet import Outlet

_GATHER = 64  # buffers per system call; far below every IOV_MAX, and more brings nothing

Encode = Callable[[Sequence[Any]], list[bytes]]


class SendPump:
    """Writes what an outlet holds.

    An idle pump writes at once, in the greenlet that sends, as far as the kernel takes it
    without waiting: a lone message costs no switch. Until the hub's next turn it then collects,
    so a burst goes out as one batch. When the kernel takes no more, a greenlet of the pump's own
    waits for it and writes the rest; it lives as long as there is something to wait for. Only
    that greenlet ever waits, so a sender that is killed cannot cut a frame, and an idle
    connection costs no greenlet here.
    """

    def __init__(
        self,
        stream: Any,
        outlet: Outlet,
        encode: Encode,
        wire_size: Callable[[Any], int],
        spawn: Callable[..., Any],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._stream = stream
        self._outlet = outlet
        self._encode = encode
        self._wire_size = wire_size
        self._spawn = spawn
        self._on_error = on_error
        self._loop = get_hub().loop
        self._pending: list[Any] = []  # few; an idle deque would take ten times the memory
        self._control: list[bytes] = []
        self._control_size = 0  # bytes of commands that go before the batch in flight
        self._written = 0  # bytes of commands and batch that the kernel has
        self._stopped = False
        outlet.wake = self.wake
        outlet.rollback = self._not_wholly_written

    def send_control(self, wire: bytes) -> None:
        """Send an encoded command before everything that waits in the outlet."""
        self._control.append(wire)
        if self._outlet.idle:
            self.wake()

    @property
    def control_backlog(self) -> int:
        return len(self._control)

    def wake(self) -> None:
        """Write a batch as far as it goes without waiting, and see to the rest; never switches."""
        self._outlet.idle = False
        if self._stopped:
            return
        try:
            self._load()
            if self._write_some():
                self._loop.run_callback(self._turn)
            else:
                self._spawn("send", self._wait_and_write)
        except Exception as error:  # not this sender's fault: the connection's end reports it
            self._on_error(error)

    def stop(self) -> None:
        """Write nothing more; the greenlet is killed by the caller."""
        self._stopped = True

    def _turn(self) -> None:
        if self._control or self._outlet.queue:
            self.wake()
        else:
            self._outlet.idle = not self._stopped

    def _wait_and_write(self) -> None:
        """The pump greenlet: write until nothing is left."""
        while self._load():
            while not self._write_some():
                self._stream.wait_writable()
        self._loop.run_callback(self._turn)

    def _load(self) -> bool:
        """Encode the next batch; False when there is nothing to send."""
        if self._pending:
            return True
        batch = self._outlet.take()
        self._written = 0
        self._control_size = 0
        if self._control:
            control = b"".join(self._control)
            self._control.clear()
            self._control_size = len(control)
            self._pending.append(control)
        if batch:
            self._pending.extend(self._encode(batch))
        return bool(self._pending)

    def _write_some(self) -> bool:
        """Offer the kernel what is pending; False when it would have to be waited for."""
        pending = self._pending
        while pending:
            sent = self._stream.write_now(pending[:_GATHER])
            if not sent:
                return False
            self._written += sent
            self._outlet.progress += 1
            while pending and sent >= len(pending[0]):
                sent -= len(pending.pop(0))
            if sent:
                pending[0] = memoryview(pending[0])[sent:]
        if self._outlet.in_flight:
            self._outlet.landed()
        return True

    def _not_wholly_written(self) -> Sequence[Any]:
        """What of the batch in flight no peer can have received whole."""
        batch = self._outlet.in_flight
        written = self._written - self._control_size
        for index, message in enumerate(batch):
            written -= self._wire_size(message)
            if written < 0:
                return batch[index:]
        return ()
