"""What must not outlive a fork.

The child of a fork gets a copy of everything: descriptors, the hub with its timers and callbacks,
greenlets that wait. To use any of it would disturb the parent. So whatever holds descriptors or
lets greenlets run is watched here, and in the child, before anything else runs there, it is
abandoned: its descriptors are closed, without a word to the peers, and its greenlets end.
"""

from __future__ import annotations

import logging
import os
from typing import Any
from weakref import WeakSet

import gevent

logger = logging.getLogger("omq_gevent.fork")

_watched: WeakSet[Any] = WeakSet()


def watch(holder: Any) -> None:
    """Have ``holder.abandon()`` called in the child of every fork, while *holder* lives.

    It runs inside of ``os.fork``: it may neither switch nor wait for a lock, as another thread,
    which is not there any more, may have held that. ``holder.hub`` is the hub it uses.
    """
    _watched.add(holder)


def _in_child() -> None:
    holders = list(_watched)
    _watched.clear()
    # First of all: the loops share with the parent what the kernel watches for them, and one that
    # stops watching a descriptor (libuv does so at once) would stop the parent's watching, too.
    # gevent itself does this for patched forks only, and for the hub of this thread; doing it
    # twice does no harm.
    gevent.reinit()
    for hub in {holder.hub for holder in holders}:
        if hub.loop is not None:
            hub.loop.reinit()
    for holder in holders:
        try:
            holder.abandon()
        except Exception:
            logger.exception("%r could not be abandoned after a fork", holder)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
