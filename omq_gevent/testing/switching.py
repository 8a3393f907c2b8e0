"""To notice whether something switches greenlets, and to wait for what does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, TypeVar

import gevent
from gevent import get_hub

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds; what has not happened by then is taken never to happen."""


@contextmanager
def no_switch(what: str) -> Iterator[None]:
    """Fail if the block gives control to the hub: *what* must not."""
    turns: list[None] = []
    callback = get_hub().loop.run_callback(turns.append, None)
    try:
        yield
    finally:
        callback.stop()
    assert not turns, f"{what} switched greenlets; it must return at once"


def within(what: str, function: Callable[..., T], *args: Any) -> T:
    """The result of *function*, which may switch; fail if it takes too long."""
    with gevent.Timeout(PATIENCE, AssertionError(f"{what} did not return within {PATIENCE} s")):
        return function(*args)


def eventually(condition: Callable[[], Any], what: str) -> None:
    """Wait until *condition* holds; fail if it never does."""

    def watch() -> None:
        while not condition():
            gevent.sleep(0.001)

    within(what, watch)
