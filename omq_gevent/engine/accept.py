"""Greenlets that turn what a listener accepts into connections."""

from __future__ import annotations

from typing import Any, Callable

import gevent

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
        self._greenlets = [
            engine.lifecycle.barrier.spawn_named(
                f"{engine.socket_type} accept {self.endpoint}", self._run, accept
            )
            for accept in listener.acceptors
        ]

    def _run(self, accept: Callable[[], Any]) -> None:
        engine = self._engine
        while True:
            try:
                stream = accept()
            except PeerRefused as error:
                engine.emit("accept_failed", self.endpoint, error=error)
                continue
            except OSError as error:
                engine.emit("accept_failed", self.endpoint, error=error)
                gevent.sleep(PAUSE)
                continue
            limit = engine.options.max_connections
            if limit is not None and len(engine.lifecycles) >= limit:
                stream.close()
                engine.emit(
                    "accept_failed",
                    self.endpoint,
                    error=PeerRefused(f"there are {limit} connections already (max_connections)"),
                )
                continue
            engine.emit("accepted", self.endpoint, stream=stream)
            lifecycle = ConnectionLifecycle(engine, self.endpoint, self._listener.wrap)
            lifecycle.handshake(stream, accepted=True)

    def stop(self) -> None:
        """Accept nothing more and release the address; never switches."""
        for greenlet in self._greenlets:
            greenlet.kill(block=False)
        self._listener.close()
