"""Who has bound which inproc name, and who waits for one to be bound."""

from __future__ import annotations

import os
from errno import EADDRINUSE
from typing import Any

from gevent import monkey

# Held for a few steps that never switch, by greenlets of several threads: a lock of gevent's would
# switch. Reentrant, because the collector may run a dropped socket's end inside of those steps.
_Lock = monkey.get_original("_thread", "RLock")


class Namespace:
    """The inproc names of one context, shared by the sockets of all threads.

    A dialer is either told of the listener that it can link up with, or it waits here; both are
    decided in one step, so that no bind is missed.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._process = os.getpid()
        self._lock = _Lock()
        self._bound: dict[str, Any] = {}
        self._waiting: dict[str, dict[Any, None]] = {}

    def _locked(self) -> Any:
        if self._process != os.getpid():
            self._clear()  # forked: those sockets are the parent's, and so may be the lock
        return self._lock

    def _listener(self, endpoint: str) -> Any:
        listener = self._bound.get(endpoint)
        if listener is None or listener.host.hub.loop is None:
            return None  # nobody there, or left there when the thread ended
        return listener

    def bind(self, listener: Any) -> None:
        """Take the name ``listener.endpoint``.

        :raises OSError: EADDRINUSE when another listener has it.
        """
        with self._locked():
            if self._listener(listener.endpoint) is not None:
                raise OSError(EADDRINUSE, f"{listener.endpoint} is bound by another socket")
            self._bound[listener.endpoint] = listener

    def unbind(self, listener: Any) -> None:
        """Release the name, if *listener* has it."""
        name = listener.endpoint
        with self._locked():
            if self._bound.get(name) is listener:
                del self._bound[name]

    def bound(self, endpoint: str) -> Any:
        """The listener at *endpoint*, or None."""
        with self._locked():
            return self._listener(endpoint)

    def find_or_wait(self, dialer: Any) -> Any:
        """The listener at ``dialer.endpoint``; unless it suits the dialer, that waits from now on
        for the next one."""
        with self._locked():
            listener = self._listener(dialer.endpoint)
            if listener is None or not dialer.suits(listener):
                self._waiting.setdefault(dialer.endpoint, {})[dialer] = None
            return listener

    def stop_waiting(self, dialer: Any) -> None:
        """Forget *dialer*; harmless when it does not wait."""
        with self._locked():
            waiting = self._waiting.get(dialer.endpoint, {})
            waiting.pop(dialer, None)
            if not waiting:
                self._waiting.pop(dialer.endpoint, None)

    def take_waiting(self, endpoint: str) -> list[Any]:
        """All dialers that wait for *endpoint*, in the order of their coming; they wait no more."""
        with self._locked():
            return list(self._waiting.pop(endpoint, ()))
