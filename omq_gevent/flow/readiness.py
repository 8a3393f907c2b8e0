"""Waiting until one of several things is ready."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any, Callable, TypeVar

import gevent
from gevent import get_hub
from gevent.hub import Waiter

from omq_gevent.flow.deadline import Deadline

POLLIN = 1
"""A message (or data) can be received."""
POLLOUT = 2
"""A message (or data) can be sent."""
POLLERR = 4
"""A file descriptor is bad or broken; sockets have no such state."""

YIELD_EVERY = 64
"""So many answers are given at once before the hub gets a turn: a loop around a poll that is
always ready must not starve the pumps whose work it waits for."""

Wake = Callable[[], None]
Cancel = Callable[[], None]
Found = TypeVar("Found")

_answers = itertools.count(1)


def checked_events(events: int) -> int:
    if not events or events & ~(POLLIN | POLLOUT | POLLERR):
        raise ValueError(f"events are POLLIN | POLLOUT | POLLERR or some of them, not {events!r}")
    return events


def ready_events(engine: Any, events: int) -> int:
    """Which of *events* hold for the socket of *engine* now."""
    ready = 0
    if events & POLLIN and engine.readable():
        ready = POLLIN
    if events & POLLOUT and engine.writable():
        ready |= POLLOUT
    return ready


def watch_events(engine: Any, events: int, wake: Wake, cancels: list[Cancel]) -> None:
    """Have *wake* called when one of *events*, none of which holds now, may hold."""
    if events & POLLIN:
        cancels.append(engine.call_when_readable(wake))
    if events & POLLOUT:
        cancels.append(engine.call_when_writable(wake))


def wait_any(
    check: Callable[[], Found],
    watch: Callable[[Wake, list[Cancel]], None],
    timeout: float | None,
) -> Found:
    """Return what *check* finds once that is true, or false after *timeout* seconds.

    *watch* is given what to call when it is worth checking again, and a list to which it adds
    what cancels that. With a *timeout* of 0 nothing switches.
    """
    deadline = Deadline(timeout, None)
    found = check()
    if timeout == 0:
        return found
    if found and not next(_answers) % YIELD_EVERY:
        gevent.sleep(0)
        found = check()
    while not found and not deadline.over:
        _switch_away(watch, deadline.remaining())
        found = check()
    return found


def _switch_away(watch: Callable[[Wake, list[Cancel]], None], seconds: float | None) -> None:
    hub = get_hub()
    waiter: Any = Waiter(hub)
    wake = partial(waiter.switch, None)
    cancels: list[Cancel] = []
    try:
        if seconds is not None:
            timer = hub.loop.timer(seconds)
            cancels += timer.close, timer.stop
            timer.start(wake, update=True)
        watch(wake, cancels)
        waiter.get()
    finally:
        for cancel in reversed(cancels):
            cancel()
