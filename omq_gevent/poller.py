"""Waiting for several sockets and file descriptors at once."""

from __future__ import annotations

import select as _os_select
from collections.abc import Iterable
from typing import Any

from gevent import get_hub
from gevent.monkey import get_original

from omq_gevent.flow.readiness import (
    POLLERR,
    POLLIN,
    POLLOUT,
    Cancel,
    Wake,
    checked_events,
    ready_events,
    wait_any,
    watch_events,
)
from omq_gevent.socket import Socket

__all__ = ["POLLERR", "POLLIN", "POLLOUT", "Poller", "select"]

_os_poll = get_original("select", "poll")

_BROKEN = _os_select.POLLERR | _os_select.POLLHUP | _os_select.POLLNVAL


class Poller:
    """A set of sockets, file descriptors and objects with a ``fileno`` method to wait for.

    Several greenlets may poll the same sockets and descriptors, and others may receive from them
    meanwhile: polling takes nothing away, so what was ready may be gone when you come for it;
    ``receive(timeout=0)`` then raises `ReceiveTimeout`.
    """

    def __init__(self) -> None:
        self._events: dict[Any, int] = {}

    def register(self, source: Any, events: int = POLLIN | POLLOUT) -> None:
        """Wait for *events* of *source* too, a combination of POLLIN, POLLOUT and POLLERR.

        Registering again replaces the events. A direction that the socket's type does not have
        never becomes ready. A descriptor that is bad or broken is always reported, though one that
        is registered for POLLERR alone ends no wait when it breaks later.

        :raises TypeError: when *source* is neither socket nor descriptor nor has a ``fileno``.
        :raises ValueError: for other events.
        """
        if not isinstance(source, (Socket, int)) and not callable(getattr(source, "fileno", None)):
            raise TypeError(
                f"cannot poll {type(source).__name__}: it is neither a socket nor a file "
                "descriptor nor has it a fileno() method"
            )
        self._events[source] = checked_events(events)

    def modify(self, source: Any, events: int) -> None:
        """Change what a registered *source* is waited on for.

        :raises KeyError: when it is not registered.
        :raises ValueError: for other events than ``register`` takes.
        """
        if source not in self._events:
            raise KeyError(source)
        self._events[source] = checked_events(events)

    def unregister(self, source: Any) -> None:
        """Forget *source*.

        :raises KeyError: when it is not registered.
        """
        del self._events[source]

    def __contains__(self, source: object) -> bool:
        return source in self._events

    def __len__(self) -> int:
        return len(self._events)

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Wait until something is ready, for *timeout* seconds at most (None: no limit; 0: not
        at all), and return all that is: pairs of what was registered and its events, in the order
        of registration. Empty when the time is over.

        What is registered when the call begins counts. A closed socket is ready for everything
        that it was registered for: the call that follows raises `SocketClosed`.
        """
        watched = _Watched(dict(self._events))
        return wait_any(watched.check, watched.watch, timeout)


def select(
    readers: Iterable[Any],
    writers: Iterable[Any],
    errors: Iterable[Any] = (),
    timeout: float | None = None,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Wait as ``select.select`` does, for sockets and file descriptors alike.

    Returns those of *readers* that can be received from, those of *writers* that can be sent to,
    and those of *errors* that are bad or broken; three empty lists when *timeout* seconds (None:
    no limit) are over. A bad descriptor is also returned where it was to be read or written:
    whoever tries gets the error.
    """
    asked = [(list(sources), bit) for sources, bit in zip((readers, writers, errors), _BITS)]
    poller = Poller()
    events: dict[Any, int] = {}
    for sources, bit in asked:
        for source in sources:
            events[source] = events.get(source, 0) | bit
    for source, mask in events.items():
        poller.register(source, mask)
    ready = dict(poller.poll(timeout))
    found = [
        [source for source in sources if ready.get(source, 0) & (bit | POLLERR)]
        for sources, bit in asked
    ]
    return found[0], found[1], found[2]


_BITS = (POLLIN, POLLOUT, POLLERR)


class _Watched:
    """What one call of ``poll`` looks at."""

    def __init__(self, events: dict[Any, int]) -> None:
        self._events = events
        self._numbers = {
            source: _descriptor(source) for source in events if not isinstance(source, Socket)
        }
        # Several sources may be the same descriptor.
        self._wanted: dict[int, int] = {}
        for source, number in self._numbers.items():
            self._wanted[number] = self._wanted.get(number, 0) | events[source]
        self._os_poll = _os_poll()
        for number, wanted in self._wanted.items():
            if number >= 0:
                self._os_poll.register(number, _os_events(wanted))

    def check(self) -> list[tuple[Any, int]]:
        found = self._check_descriptors() if self._wanted else {}
        ready = []
        for source, events in self._events.items():
            if isinstance(source, Socket):
                mask = ready_events(source._own_engine, events)
            else:
                mask = found.get(self._numbers[source], 0) & (events | POLLERR)
            if mask:
                ready.append((source, mask))
        return ready

    def _check_descriptors(self) -> dict[int, int]:
        found = {number: _own_events(bits) for number, bits in self._os_poll.poll(0)}
        if -1 in self._wanted:
            found[-1] = POLLERR
        return found

    def watch(self, wake: Wake, cancels: list[Cancel]) -> None:
        for source, events in self._events.items():
            if isinstance(source, Socket):
                watch_events(source._own_engine, events, wake, cancels)
        loop = get_hub().loop
        for number, wanted in self._wanted.items():
            # libev knows reading and writing by the same numbers; it tells errors with both.
            if wanted & (POLLIN | POLLOUT):
                watcher = loop.io(number, wanted & (POLLIN | POLLOUT))
                cancels += watcher.close, watcher.stop
                watcher.start(wake)


def _descriptor(source: Any) -> int:
    """The number of *source*, -1 if it is closed."""
    try:
        number = source if isinstance(source, int) else source.fileno()
    except (OSError, ValueError):
        return -1
    return max(-1, number)


def _os_events(events: int) -> int:
    return (_os_select.POLLIN if events & POLLIN else 0) | (
        _os_select.POLLOUT if events & POLLOUT else 0
    )


def _own_events(bits: int) -> int:
    # After a hang-up a read returns at once, with what is left or with nothing.
    events = POLLIN if bits & (_os_select.POLLIN | _os_select.POLLHUP) else 0
    if bits & _os_select.POLLOUT:
        events |= POLLOUT
    if bits & _BROKEN:
        events |= POLLERR
    return events
