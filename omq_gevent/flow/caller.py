"""On whose behalf a greenlet runs."""

from __future__ import annotations

from typing import Any

import gevent


class Deputy(gevent.Greenlet):  # type: ignore[type-arg]  # no generic at run time
    """Makes calls for *caller*, a greenlet of another operating system thread."""

    def __init__(self, caller: Any, run: Any, *args: Any) -> None:
        super().__init__(run, *args)
        self.caller = caller


def calling_greenlet() -> Any:
    """The current greenlet, or the one that it is the deputy of."""
    current = gevent.getcurrent()
    return current.caller if type(current) is Deputy else current
