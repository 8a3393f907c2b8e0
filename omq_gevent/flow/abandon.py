"""What must not outlive its process or its thread.

The child of a fork gets a copy of everything: descriptors, the hub with its timers and callbacks,
greenlets that wait. To use any of it would disturb the parent. And when a thread ends, its hub
will never run again. So whatever holds descriptors or lets greenlets run is watched here, and
abandoned: in the child of a fork before anything else runs there, or when its thread ends.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import gevent
from gevent import monkey

logger = logging.getLogger("omq_gevent.abandon")

_watched: WeakSet[Any] = WeakSet()


def watch(holder: Any) -> None:
    """Have ``holder.abandon()`` called in the child of a fork, and when this thread ends.

    It releases descriptors without a word to the peers, and lets nothing run any more. It may
    neither switch nor, as threads that held them may be gone, wait for locks. ``holder.hub`` is
    the hub that it uses.
    """
    _watched.add(holder)
    if not hasattr(_of_this_thread, "end"):
        _of_this_thread.end = _ThreadEnd()
    _of_this_thread.end.holders.add(holder)


def _abandon(holders: Iterable[Any]) -> None:
    for holder in holders:
        _watched.discard(holder)
        try:
            holder.abandon()
        except Exception:
            logger.exception("%r could not be abandoned", holder)


def _in_child() -> None:
    holders = list(_watched)
    # First of all: the loops share with the parent what the kernel watches for them, and one that
    # stops watching a descriptor (libuv does so at once) would stop the parent's watching, too.
    # gevent itself does this for patched forks only, and for the hub of this thread; doing it
    # twice does no harm.
    gevent.reinit()
    for hub in {holder.hub for holder in holders}:
        if hub.loop is not None:
            hub.loop.reinit()
    _abandon(holders)


class _ThreadEnd:
    """Lives in the variables of one thread, and so ends with it."""

    def __init__(self) -> None:
        self.holders: WeakSet[Any] = WeakSet()
        self._process = os.getpid()

    def __del__(self) -> None:
        # The end of a process takes care of itself; and in a fork's child the other threads of
        # the parent seem to end.
        if sys.is_finalizing() or os.getpid() != self._process:
            return
        _abandon(list(self.holders))
        # What these have left behind is watched already, by the next one of this class.
        with suppress(AttributeError):
            del _of_this_thread.end


_of_this_thread = monkey.get_original("_thread", "_local")()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
