"""Greenlets that turn what a listener accepts into connections."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import gevent
from gevent import GreenletExit

from omq_gevent.engine.connection_lifecycle import ConnectionLifecycle
from omq_gevent.errors import PeerRefused

PAUSE = 0.1
"""Seconds without accepting after a failure such as EMFILE, so that it does not spin."""


class Acceptor:
    """One bound endpoint: its listener and the greenlets that accept on it."""

    def __init__(self, engine: Any, listener: Any) -> None:
        self._engine = engine
        self._listener = listener
        self.endpoint: str = listener.endpoint
        self._stopped = False  # the greenlets may have one turn more before they die
        self._greenlets: dict[Callable[[], Any], Any] = {}
        for accept in listener.acceptors:
            self._spawn(accept)

    def _spawn(self, accept: Callable[[], Any]) -> None:
        engine = self._engine
        greenlet = self._greenlets[accept] = engine.lifecycle.barrier.spawn_named(
            f"{engine.socket_type} accept {self.endpoint}", self._run, accept
        )
        greenlet.rawlink(partial(self._ended, accept))

    def _ended(self, accept: Callable[[], Any], greenlet: Any) -> None:
        """Whoever has killed that greenlet has not unbound the endpoint: accept again."""
        if not self._stopped and (greenlet.exception or isinstance(greenlet.value, GreenletExit)):
            self._spawn(accept)

    def _run(self, accept: Callable[[], Any]) -> None:
        try:
            self._accept_peers(accept)
        except Exception as error:  # a transport's bug: tell the user, do not go silent
            self._engine.fatal(error)

    def _accept_peers(self, accept: Callable[[], Any]) -> None:
        engine = self._engine
        while True:
            try:
                stream = accept()
            except PeerRefused as error:
                self._failed(error)
                continue
            except OSError as error:
                self._failed(error)
                gevent.sleep(PAUSE)
                continue
            if self._stopped:
                stream.close()
                return
            limit = engine.options.max_connections
            if limit is not None and engine.accepted_count() >= limit:
                stream.close()
                self._failed(
                    PeerRefused(f"there are {limit} connections already (max_connections)")
                )
                continue
            engine.emit("accepted", self.endpoint, stream=stream)
            if self._stopped:  # by a monitor that was just told
                stream.close()
                return
            lifecycle = ConnectionLifecycle(engine, self.endpoint, self._listener.wrap)
            lifecycle.handshake(stream, accepted=True)

    def _failed(self, error: Exception) -> None:
        if not self._stopped:
            self._engine.emit("accept_failed", self.endpoint, error=error)

    def stop(self) -> None:
        """Accept nothing more and release the address; never switches."""
        self._stopped = True
        for greenlet in self._greenlets.values():
            greenlet.kill(block=False)
        self._listener.close()
