"""Which operating system thread a socket belongs to.

A socket is a part of one hub, and hubs share nothing: a call from another thread has to be
refused before it touches anything. That is asked for every message, so it has to cost next to
nothing: a lock that its owner never releases answers it faster than anything else there is.
"""

from __future__ import annotations

from typing import Callable

from gevent import monkey

_RLock = monkey.get_original("_thread", "RLock")


def everywhere() -> bool:
    """Nobody's yet: whoever comes first takes it."""
    return True


def nowhere() -> bool:
    """Of a thread that has ended: nobody's any more."""
    return False


class ThreadOwner:
    """Nobody, until a thread claims it."""

    def __init__(self) -> None:
        self._lock = _RLock()

    def claim(self) -> bool:
        """Take it for this thread; False when another one has it."""
        return bool(self._lock.acquire(blocking=False))

    def disclaim(self) -> None:
        """Undo one `claim`."""
        self._lock.release()

    @property
    def is_here(self) -> Callable[[], bool]:
        """What tells whether the thread that calls it has claimed this."""
        answer: Callable[[], bool] = self._lock._is_owned
        return answer
