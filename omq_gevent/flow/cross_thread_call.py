"""A call that one operating system thread makes and another one carries out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable

from gevent import getcurrent, monkey
from gevent._hub_local import get_hub_if_exists
from gevent.event import Event

from omq_gevent.flow.caller import Deputy
from omq_gevent.flow.deadline import Deadline

# Those of gevent would switch greenlets where a thread must wait, and tie the lock to one hub.
_Lock = monkey.get_original("_thread", "allocate_lock")
_LONGEST: float = monkey.get_original("threading", "TIMEOUT_MAX")


class _NativeBell:
    """Wakes a thread that has no hub: all of it waits."""

    def __init__(self) -> None:
        self._lock = _Lock()
        self._lock.acquire()

    def ring(self) -> None:
        self._lock.release()

    def wait(self, seconds: float | None) -> bool:
        return bool(self._lock.acquire(True, -1 if seconds is None else min(seconds, _LONGEST)))

    def close(self) -> None:
        """There is nothing to release."""


class _HubBell:
    """Wakes one greenlet in a thread whose other greenlets go on."""

    def __init__(self, hub: Any) -> None:
        self._event = Event()
        self._watcher = hub.loop.async_()
        self._watcher.start(self._event.set)

    def ring(self) -> None:
        with suppress(Exception):  # whoever waited was killed, and may have taken its hub along
            self._watcher.send()

    def wait(self, seconds: float | None) -> bool:
        return self._event.wait(seconds)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()


def _bell() -> Any:
    hub = get_hub_if_exists()
    return _NativeBell() if hub is None or hub.loop is None else _HubBell(hub)


class CrossThreadCall:
    """*function*, which is given the seconds that it has left (None: any number).

    Two questions are decided by who comes first, the thread that carries out or the one that
    waits: whether the call begins at all, and whether its outcome counts. *undo* is given the
    outcome of a call that was cancelled too late; it runs on behalf of the same caller.

    *post(function)* has *function* called in the hub of the thread that carries out.
    """

    def __init__(
        self,
        function: Callable[[float | None], Any],
        deadline: Deadline,
        undo: Callable[[Any], object] | None,
        post: Callable[[Callable[[], object]], None],
    ) -> None:
        self._function = function
        self._deadline = deadline
        self._undo = undo
        self._post = post
        self._caller = getcurrent()
        self._bell = _bell()
        self._to_begin = _Lock()
        self._to_end = _Lock()
        self._greenlet: Deputy | None = None
        self._outcome: tuple[Any, BaseException | None] = (None, None)

    # -- in the thread that waits ------------------------------------------------------------

    def wait(self, late: Callable[[], Any]) -> Any:
        """The outcome. When the call has not even begun at its deadline, it never does, and what
        *late* returns is the outcome. A deadline of 0 seconds is for the call, not for its way."""
        seconds = self._deadline.seconds
        try:
            if not self._bell.wait(seconds or None):
                if self._to_begin.acquire(False):
                    return late()
                self._bell.wait(None)  # it has begun, and its own time is over now
        except BaseException:
            self._cancel()
            raise
        finally:
            self._bell.close()
        (value, error), self._outcome = self._outcome, (None, None)
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # its traceback knows this frame

    def _cancel(self) -> None:
        if self._to_end.acquire(False):
            if not self._to_begin.acquire(False):
                self._post(self._kill)
            return
        value, error = self._outcome
        if error is None and self._undo is not None:
            undo = self._undo
            # A greenlet belongs to the thread that makes it.
            self._post(lambda: Deputy(self._caller, undo, value).start())

    # -- in the thread that carries out ------------------------------------------------------

    def begin(self) -> None:
        if self._to_begin.acquire(False):
            self._greenlet = Deputy(self._caller, self._run)
            self._greenlet.start()

    def refuse(self, error: BaseException, begun: bool = False) -> None:
        """Answer with *error* instead of beginning; with *begun* even if it has begun."""
        if self._to_begin.acquire(False) or begun:
            self._answer(None, error)

    def _run(self) -> None:
        remaining = self._deadline.remaining()
        try:
            value = self._function(remaining)
        except BaseException as error:  # whatever it is, it is the caller's
            self._answer(None, error)
        else:
            if not self._answer(value, None) and self._undo is not None:
                self._undo(value)

    def _answer(self, value: Any, error: BaseException | None) -> bool:
        outcome = (value, error)
        if not self._to_end.acquire(False):
            return False
        self._outcome = outcome
        self._bell.ring()
        return True

    def _kill(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
