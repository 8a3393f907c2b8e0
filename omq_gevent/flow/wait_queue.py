"""Greenlets that wait for one condition, woken in the order of their arrival."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any, Callable

from gevent import get_hub
from gevent.hub import Waiter

from omq_gevent.errors import ForeignThread

_TIMED_OUT = object()


class Callback:
    """A one-shot *function* in the place of a waiting greenlet; it runs in the hub."""

    __slots__ = ("switch",)

    def __init__(self, function: Callable[[], None]) -> None:
        self.switch = lambda _woken: function()


class WaitQueue:
    """Who waits until *ready* says so.

    A wake-up is decided in the hub at the moment of the switch, with the condition checked right
    before: a greenlet that was killed meanwhile takes no wake-up with it.
    """

    __slots__ = ("_hub", "_ready", "_scheduled", "waiting")

    def __init__(self, ready: Callable[[], Any]) -> None:
        self._hub: Any = None  # of the first who waited
        self._ready = ready
        self._scheduled = False
        self.waiting: deque[Any] = deque()

    def wait(self, seconds: float | None) -> bool:
        """Switch away until woken; False when *seconds* (None: no limit) were over first."""
        hub = self._own_hub()
        waiter: Any = Waiter(hub)
        self.waiting.append(waiter)
        woken = False
        try:
            if seconds is None:
                woken = waiter.get() is not _TIMED_OUT
            else:
                timer = hub.loop.timer(seconds)
                try:
                    timer.start(waiter.switch, _TIMED_OUT, update=True)
                    woken = waiter.get() is not _TIMED_OUT
                finally:
                    timer.stop()
                    timer.close()
            return woken
        finally:
            if not woken:  # who was woken is out of the queue already
                self._discard(waiter)

    def call_when_ready(self, function: Callable[[], None]) -> Callback:
        """Have *function* called once, in the hub, when the condition next becomes true."""
        self._own_hub()
        callback = Callback(function)
        self.waiting.append(callback)
        return callback

    def cancel(self, callback: Callback) -> None:
        """Forget *callback*; harmless when it was called already."""
        self._discard(callback)

    def notify(self) -> None:
        """Tell that the condition may have become true."""
        if self.waiting and not self._scheduled:
            self._scheduled = True
            self._hub.loop.run_callback(self._wake)

    def wake_all(self) -> None:
        """Wake everybody who waits now, whatever the condition says."""
        if self.waiting:
            woken = list(self.waiting)
            self.waiting.clear()
            for waiter in woken:
                self._hub.loop.run_callback(waiter.switch, True)

    def _own_hub(self) -> Any:
        hub = get_hub()
        if self._hub is None:
            self._hub = hub
        elif hub is not self._hub:
            raise ForeignThread(
                "this socket belongs to another thread's hub; use it only in the thread that "
                "first waited on it"
            )
        return hub

    def _wake(self) -> None:
        self._scheduled = False
        waiting = self.waiting
        # Bounded, because a woken greenlet that does not consume may wait again at once.
        for _ in range(len(waiting)):
            if not waiting or not self._ready():
                return
            waiting.popleft().switch(True)
        if waiting and self._ready():
            self.notify()

    def _discard(self, waiter: object) -> None:
        with suppress(ValueError):  # woken, thus already out of the queue
            self.waiting.remove(waiter)
