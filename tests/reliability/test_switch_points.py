"""The disturber itself: it finds every switch point, and what is wrong there."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from functools import partial
from typing import Any, Callable

import gevent
import pytest
from gevent.event import AsyncResult, Event

from omq_gevent.flow.wait_queue import WaitQueue

Steps = Generator[Any, Any, None]


def test_it_counts_each_kind_of_wait_and_hits_all_of_them(at_every_switch: Any) -> None:
    def waits(rig: Any) -> Steps:
        event: Event = Event()
        result: AsyncResult[int] = AsyncResult()

        def wait() -> None:
            gevent.sleep(0)
            gevent.sleep(0.0001)
            event.wait()
            result.get()
            gevent.spawn(gevent.sleep, 0).join()
            gevent.get_hub().threadpool.apply(int)

        def meanwhile() -> None:
            for tell in (event.set, partial(result.set, 1)):
                gevent.sleep(0.002)
                tell()

        yield rig.disturb(wait, meanwhile)

    tally = at_every_switch(waits)
    assert (tally.found, tally.tried) == (6, 6)
    assert tally.hits >= 6 * 5  # a late one may come when all is over


def test_it_goes_no_further_than_it_says(at_every_switch: Any) -> None:
    def sleep_often(rig: Any) -> Steps:
        yield rig.disturb(lambda: [gevent.sleep(0) for _ in range(50)])

    tally = at_every_switch(sleep_often)
    assert tally.found == 50
    assert tally.tried < 50
    assert f"{50 - tally.tried} left out" in str(tally)


def losing(rig: Any) -> Steps:
    """Takes an item, and then gives control away."""
    items = ["item"]

    def take() -> str:
        item = items.pop()
        gevent.sleep(0)
        return item

    outcome = yield rig.disturb(take)
    assert items or outcome.value == "item"


def swallowing(rig: Any) -> Steps:
    def sleep_well() -> None:
        with suppress(gevent.Timeout):
            gevent.sleep(0)

    yield rig.disturb(sleep_well)


def forgetting(rig: Any) -> Steps:
    """Leaves a waiter in a queue of the socket."""
    sock = rig.socket("PULL")
    sock.bind(rig.endpoint("inproc"))
    queue: WaitQueue = sock._engine.lifecycle._changes

    def wait() -> None:
        callback = queue.call_when_ready(lambda: None)
        gevent.sleep(0)
        queue.cancel(callback)

    yield rig.disturb(wait)


@pytest.mark.parametrize(
    ("scenario", "exception", "complaint"),
    [
        (losing, "GreenletExit", "item"),
        (swallowing, "gevent.Timeout", "None came out"),
        (forgetting, "GreenletExit", "nobody is left"),
    ],
)
def test_it_notices(
    at_every_switch: Any, scenario: Callable[[Any], Steps], exception: str, complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint) as caught:
        at_every_switch(scenario)
    assert f"{exception} at once at switch 1 of 1" in str(caught.value)
