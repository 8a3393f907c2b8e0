"""Greenlets that dial an endpoint until a link stands, and again when it was lost."""

from __future__ import annotations

from typing import Any

import gevent
from gevent import GreenletExit

from omq_gevent.engine.backoff import Backoff
from omq_gevent.engine.connection_lifecycle import ConnectionLifecycle
from omq_gevent.errors import CommandError, GreetingError, HandshakeError, PeerRefused

_REFUSALS = (CommandError, GreetingError, HandshakeError, PeerRefused)
"""Reasons that the next attempt will most likely meet again."""


class Dial:
    """One connected endpoint of a socket; at most one greenlet dials for it at a time."""

    def __init__(self, engine: Any, dialer: Any) -> None:
        self._engine = engine
        self._dialer = dialer
        self.endpoint: str = dialer.endpoint
        self._backoff: Backoff = engine.backoff()
        self._wanted = True
        self._greenlet: Any = None

    def start(self) -> None:
        self._engine.emit("connect_delayed", self.endpoint)
        self._spawn(0.0)

    def succeeded(self) -> None:
        """The link is ready: if it lasts, its loss starts the back-off anew."""
        self._backoff.link_ready()

    def again(self, reason: BaseException | None) -> None:
        """Dial anew after a loss, if the endpoint is still wanted; never switches."""
        lifecycle = self._engine.lifecycle
        if not self._wanted or not lifecycle.reconnect_enabled:
            return
        if lifecycle.state not in ("open", "closing"):
            return
        delay = self._next_delay(reason)
        if delay is not None:
            self._spawn(delay)

    def cancel(self) -> None:
        """The endpoint is no longer wanted; never switches."""
        self._wanted = False
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _next_delay(self, reason: BaseException | None) -> float | None:
        refused = isinstance(reason, _REFUSALS)
        delay = self._backoff.next_delay(refused)
        if delay is not None:
            attempt = self._backoff.attempts
            self._engine.emit(
                "connect_retried", self.endpoint, error=reason, interval=delay, attempt=attempt
            )
        return delay

    def _spawn(self, delay: float) -> None:
        engine = self._engine
        self._greenlet = engine.lifecycle.barrier.spawn_named(
            f"{engine.socket_type} dial {self.endpoint}", self._run, delay
        )
        self._greenlet.rawlink(self._ended)

    def _ended(self, greenlet: Any) -> None:
        """Whoever has killed that greenlet has not taken back the connect: dial again."""
        killed = isinstance(greenlet.value, GreenletExit)
        if killed or greenlet.exception is not None:
            self.again(greenlet.value if killed else greenlet.exception)

    def _run(self, first_delay: float) -> None:
        try:
            self._dial(first_delay)
        except Exception as error:  # a transport's bug: tell the user, do not go silent
            self._engine.fatal(error)

    def _dial(self, first_delay: float) -> None:
        engine = self._engine
        delay: float | None = first_delay
        while delay is not None:
            try:
                gevent.sleep(delay)
                stream = self._connect()
            except OSError as error:
                delay = self._next_delay(error)
                continue
            if not self._wanted:  # said between the answer and our turn
                stream.close()
                return
            engine.emit("connected", self.endpoint, stream=stream)
            if not self._wanted:  # a monitor that was just told said so
                stream.close()
                return
            lifecycle = ConnectionLifecycle(engine, self.endpoint, self._dialer.wrap, self)
            lifecycle.handshake(stream, accepted=False)
            return

    def _connect(self) -> Any:
        limit = self._engine.options.connect_timeout
        with gevent.Timeout.start_new(
            limit, TimeoutError(f"no connection to {self.endpoint} within {limit} s")
        ):
            return self._dialer.dial()
