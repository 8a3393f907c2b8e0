"""Whom a sender waits for, and for how long."""

from __future__ import annotations

import time

import gevent
import pytest

from omq_gevent.errors import SocketClosed
from omq_gevent.flow.deadline import Deadline
from omq_gevent.flow.outlet import Outlet
from omq_gevent.flow.patience import GRACE, YIELD_EVERY, Patience

FOREVER = Deadline(None, None)


def full_outlet(patience: Patience) -> Outlet:
    outlet = Outlet(object(), hwm=1)
    outlet.room_made = patience.look_again
    outlet.push(b"x")
    assert outlet.full
    return outlet


def test_waits_until_all_have_room() -> None:
    patience = Patience()
    outlets = [full_outlet(patience), full_outlet(patience)]
    waiting = gevent.spawn(patience.wait, outlets, FOREVER)
    for outlet in outlets:
        gevent.sleep(0.01)
        assert not waiting.dead
        outlet.take()
    assert waiting.get(timeout=2) is True
    assert not any(outlet.muted for outlet in outlets)


def test_gives_up_on_an_outlet_that_stands_still_and_does_not_wait_for_it_again() -> None:
    patience = Patience()
    outlet = full_outlet(patience)
    started = time.monotonic()
    assert patience.wait([outlet], FOREVER)
    assert time.monotonic() - started >= GRACE
    assert outlet.muted
    started = time.monotonic()
    assert patience.wait([outlet], FOREVER)
    assert time.monotonic() - started < GRACE
    outlet.take()
    assert not outlet.muted


def test_waits_on_for_an_outlet_that_moves_byte_by_byte() -> None:
    patience = Patience()
    outlet = full_outlet(patience)
    waiting = gevent.spawn(patience.wait, [outlet], FOREVER)
    end = time.monotonic() + 4 * GRACE
    while time.monotonic() < end:
        outlet.progress += 1
        gevent.sleep(GRACE / 10)
    assert not waiting.dead
    outlet.take()
    assert waiting.get(timeout=2) is True


def test_without_giving_up_only_the_deadline_ends_the_wait() -> None:
    patience = Patience()
    outlet = full_outlet(patience)
    started = time.monotonic()
    assert not patience.wait([outlet], Deadline(2 * GRACE, None), give_up=False)
    assert time.monotonic() - started >= 2 * GRACE
    assert not outlet.muted


def test_a_deadline_that_is_over_leaves_the_others_one_turn() -> None:
    patience = Patience()
    outlet = full_outlet(patience)
    gevent.spawn(outlet.take)
    assert patience.wait([outlet], Deadline(0, None))
    assert not patience.wait([full_outlet(patience)], Deadline(0, None))


def test_a_closed_outlet_is_not_waited_for() -> None:
    patience = Patience()
    outlet = full_outlet(patience)
    waiting = gevent.spawn(patience.wait, [outlet], FOREVER, False)
    gevent.sleep(0)
    outlet.close()
    patience.look_again()
    assert waiting.get(timeout=2) is True


def test_failure_reaches_those_who_wait_and_those_who_come() -> None:
    patience = Patience()
    waiting = gevent.spawn(patience.wait, [full_outlet(patience)], FOREVER, False)
    gevent.sleep(0)
    patience.fail(lambda: SocketClosed("closed"))
    waiting.join(timeout=2)
    assert isinstance(waiting.exception, SocketClosed)
    with pytest.raises(SocketClosed):
        patience.pace()


def test_a_loop_of_sends_gives_the_hub_a_turn() -> None:
    patience = Patience()
    other = gevent.spawn(lambda: None)
    for _ in range(YIELD_EVERY - 1):
        patience.pace()
    assert not other.dead
    patience.pace()
    assert other.dead
