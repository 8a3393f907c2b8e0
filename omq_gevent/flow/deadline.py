"""How long a call may wait: the caller's timeout, or else the socket's own."""

from __future__ import annotations

import time
from typing import Union


class _Default:
    def __repr__(self) -> str:
        return "the socket's timeout"


DEFAULT = _Default()
"""Stands for "no timeout given": the socket's read_timeout or write_timeout applies."""

Timeout = Union[float, None, _Default]


class Deadline:
    """A moment on the monotonic clock; *seconds* is None when there is no limit."""

    __slots__ = ("_at", "seconds")

    def __init__(self, timeout: Timeout, default: float | None) -> None:
        seconds = default if isinstance(timeout, _Default) else timeout
        if seconds is not None:
            if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
                raise TypeError(f"a timeout is None or a number of seconds, not {seconds!r}")
            if not seconds >= 0:
                raise ValueError(f"a timeout is None or seconds >= 0, not {seconds!r}")
        self.seconds = seconds
        self._at = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Seconds left, never negative; None when there is no limit."""
        if self._at is None:
            return None
        return max(0.0, self._at - time.monotonic())

    @property
    def over(self) -> bool:
        return self._at is not None and time.monotonic() >= self._at
