"""The send side of PUB, XPUB and XSUB: one message, to every peer that is to have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from omq_gevent.errors import SendTimeout
from omq_gevent.flow.deadline import Deadline, Timeout
from omq_gevent.flow.outlet import Outlet
from omq_gevent.routing.peer_queues import QUEUE_FULL, PeerQueues
from omq_gevent.zmtp.frame import encode_message


class FanOut(PeerQueues):
    """Copies each message to the outlets that ``_reach`` names, encoded once for all of them.

    A peer that reads as fast as it can loses nothing: the sender waits for it, before anybody
    gets the message, as long as the peer takes any bytes at all. A peer that has stopped reading
    is waited for once; from then on it loses what does not fit, until it has room again.
    """

    _reach: Callable[[bytes], Sequence[Outlet]]
    """The outlets that a message with this first frame goes to."""

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._pace = self._patience.pace

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        self._pace()
        outlets = self._reach(message[0])
        for outlet in outlets:
            if len(outlet.queue) >= outlet.hwm:
                outlets = self._wait_room(message[0], timeout)
                break
        # Nothing below switches: who gets the message is settled.
        wire = None
        for outlet in outlets:
            if outlet.encoded:
                if wire is None:
                    wire = encode_message(message)
                outlet.queue.append(wire)
            else:
                outlet.queue.append(message[:])
            if outlet.idle:
                outlet.wake()

    def _wait_room(self, topic: bytes, timeout: Timeout) -> list[Outlet]:
        """Who gets the message, when some of those that should had no room.

        :raises SendTimeout: where nothing may be dropped.
        """
        blocks = self._blocks()
        deadline = None
        in_time = True
        while True:
            # Anew after each wait, because peers and subscriptions may have come and gone.
            outlets = self._reach(topic)
            full = [outlet for outlet in outlets if outlet.full and (blocks or not outlet.muted)]
            if not full:
                break
            if not in_time:
                if not blocks:
                    break
                raise SendTimeout(
                    f"{len(full)} of {len(outlets)} peers made no room for the message in time"
                )
            deadline = deadline or Deadline(timeout, self._write_timeout())
            in_time = self._patience.wait(full, deadline, give_up=not blocks)
        return [outlet for outlet in outlets if not outlet.full or self._drop(outlet)]

    def _drop(self, outlet: Outlet) -> bool:
        """Drop one message of a full *outlet*; true if there is room for another now."""
        self.drops.add(outlet.connection, QUEUE_FULL)
        if self._options.on_mute != "drop_oldest":
            return False
        outlet.queue.popleft()
        return True

    def _blocks(self) -> bool:
        """Whether a full peer holds up the sender for as long as it is full."""
        return False

    def _new_outlet(self, connection: Any) -> Outlet:
        conflate = self._options.conflate
        outlet = Outlet(connection, None if conflate else self._options.send_hwm, conflate)
        outlet.encoded = connection.plaintext and not connection.direct
        return outlet

    def writable(self) -> bool:
        if self._failure is not None or not self._blocks():
            return True
        return not any(outlet.full for outlet in self._outlets.values())

    def option_changed(self, name: str) -> None:
        # What is conflated is never full.
        if name != "send_hwm" or not self._options.conflate:
            super().option_changed(name)
