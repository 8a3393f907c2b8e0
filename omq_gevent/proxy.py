"""A proxy: what one socket receives, the other sends, in both directions."""

from __future__ import annotations

import logging
import struct
from typing import Any

import gevent
from gevent import GreenletExit
from gevent.event import AsyncResult
from gevent.pool import Group

from omq_gevent.errors import Error, SendTimeout, SocketClosed, Unroutable, WrongDirection
from omq_gevent.socket import Socket
from omq_gevent.zmtp.printable import printable

logger = logging.getLogger("omq_gevent.proxy")

BATCH_MESSAGES = 256
"""A direction moves at most so many messages at once; then everyone else gets a turn."""


def proxy(
    frontend: Socket,
    backend: Socket,
    capture: Socket | None = None,
    control: Socket | None = None,
) -> None:
    """Pass messages on between *frontend* and *backend*, in each direction that both can take,
    until one of them, or *control*, is closed.

    Blocks this greenlet only. A direction whose output is at its high-water mark waits and lets
    its input fill up; the other one goes on. The two may be the same socket, which then
    echoes. Whatever ends the proxy, also a kill or a ``gevent.Timeout``, a message that was not
    passed on is again the next one that its socket receives. All sockets stay open. Only what the
    output has no peer for, a ROUTER with ``router_mandatory``, is dropped, and logged.

    *capture* is sent a copy of every message that was passed on, unless it has no room.

    *control* (PAIR, REP, PULL or SUB) receives PAUSE, RESUME, TERMINATE, which makes ``proxy``
    return, and STATISTICS. A PAIR or REP is answered the latter with eight frames, each an
    unsigned integer of 8 bytes in native order: messages received, bytes received, messages sent
    and bytes sent of *frontend*, then of *backend*. REP answers everything else with an empty
    message.

    :raises WrongDirection: when no direction, or *capture* or *control*, can work.
    :raises SocketDead: when a socket failed internally.
    """
    _Proxy(frontend, backend, capture, control).run()


class _Traffic:
    """What one socket received and sent."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0]

    def received(self, size: int) -> None:
        self.counts[0] += 1
        self.counts[1] += size

    def sent(self, size: int) -> None:
        self.counts[2] += 1
        self.counts[3] += size


class _Proxy:
    """One running proxy.

    Each direction is a greenlet that can be killed at any moment, which is also how it pauses.
    """

    def __init__(
        self, frontend: Socket, backend: Socket, capture: Socket | None, control: Socket | None
    ) -> None:
        front, back = _Traffic(), _Traffic()
        ways = [(frontend, front, backend, back)]
        if frontend is not backend:
            ways.append((backend, back, frontend, front))
        self._ways = [way for way in ways if way[0].can_receive and way[2].can_send]
        if not self._ways:
            raise WrongDirection(f"nothing can pass between {frontend!r} and {backend!r}")
        if capture is not None and not capture.can_send:
            raise WrongDirection(f"{capture!r} cannot capture: it cannot send")
        if control is not None and not control.can_receive:
            raise WrongDirection(f"{control!r} cannot control: it cannot receive")
        for sock in (frontend, backend, capture, control):
            if sock is not None:
                _ = sock._own_engine  # or the thread that it belongs to is another one
        self._traffic = (front, back)
        self._capture = capture
        self._control = control
        self._sockets = {frontend, backend}
        self._pumps = Group()
        self._attendants = Group()
        self._end: AsyncResult[None] = AsyncResult()

    def run(self) -> None:
        try:
            for sock in self._sockets:
                # A pump that waits for input does not see its output close.
                self._attendants.spawn(self._until_end, _wait_closed, sock)
            if self._control is not None:
                self._attendants.spawn(self._until_end, self._obey, self._control)
            self._resume()
            self._end.get()
        finally:
            self._attendants.kill(block=False)  # first, or a last RESUME would still count
            self._pumps.kill()
            self._attendants.kill()

    def _resume(self) -> None:
        if not self._pumps:
            for way in self._ways:
                self._pumps.spawn(self._until_end, self._pump, *way)

    def _until_end(self, function: Any, *args: Any) -> None:
        """Run *function*; the proxy ends with it."""
        try:
            function(*args)
        except SocketClosed:
            pass
        except GreenletExit:
            raise  # a pause, or the end already
        except BaseException as error:
            self._end.set_exception(error)
            return
        if not self._end.ready():
            self._end.set(None)

    def _pump(self, source: Socket, origin: _Traffic, sink: Socket, target: _Traffic) -> None:
        receiving, sending = source._engine, sink._engine
        while True:
            for _ in range(BATCH_MESSAGES):
                message = receiving.receive(None)
                size = sum(map(len, message))
                try:
                    sending.send(list(message), None)  # what is sent is ours no more
                except Unroutable as error:
                    logger.warning("a message was dropped: %s", error)
                    continue
                except BaseException:
                    receiving.give_back(message)
                    raise
                origin.received(size)
                target.sent(size)
                if self._capture is not None:
                    self._copy(self._capture, message)
            gevent.sleep(0)

    def _copy(self, capture: Socket, message: list[bytes]) -> None:
        try:
            self._send_copy(capture, message)
        except BaseException:
            # Hit where *capture* lets others run. The message was passed on, so must be its copy.
            self._send_copy(capture, message)
            raise

    def _send_copy(self, capture: Socket, message: list[bytes]) -> None:
        try:
            capture._engine.send(message, 0)
        except SendTimeout:
            logger.debug("%r had no room for a copy", capture)
        except Error as error:
            logger.warning("capturing ends: %s", error)
            self._capture = None

    # -- control ---------------------------------------------------------------------------

    def _obey(self, control: Socket) -> None:
        while True:
            message = control._engine.receive(None)
            command = message[0] if len(message) == 1 else b" ".join(message)
            if command == b"PAUSE":
                self._pumps.kill()
            elif command == b"RESUME":
                self._resume()
            elif command not in (b"STATISTICS", b"TERMINATE"):
                logger.warning("unknown command: %s", printable(command))
            if command == b"STATISTICS" and control.socket_type in ("PAIR", "REP"):
                self._answer(control, self._statistics())
            elif control.socket_type == "REP":
                self._answer(control, [b""])
            if command == b"TERMINATE":
                return

    @staticmethod
    def _answer(control: Socket, reply: list[bytes]) -> None:
        try:
            control._engine.send(reply, 0)
        except SendTimeout as error:
            logger.warning("the answer on %r was dropped: %s", control, error)

    def _statistics(self) -> list[bytes]:
        return [struct.pack("=Q", count) for traffic in self._traffic for count in traffic.counts]


def _wait_closed(sock: Socket) -> None:
    lifecycle = sock._engine.lifecycle
    lifecycle.wait_until(lambda: not lifecycle.alive, None)
