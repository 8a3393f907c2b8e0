"""The barrier takes its greenlets down together, nested ones included."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from omq_gevent.engine.barrier import Barrier
from omq_gevent.errors import InvalidTransition


def test_stopping_the_parent_takes_down_what_was_spawned_in_the_child() -> None:
    parent = Barrier()
    child = Barrier(parent)
    pump = child.spawn(Event().wait)
    parent.stop_and_wait()
    assert pump.dead
    assert not len(child)


def test_stopping_the_child_leaves_the_parent_s_own_greenlets_alone() -> None:
    parent = Barrier()
    child = Barrier(parent)
    own = parent.spawn(Event().wait)
    pump = child.spawn(Event().wait)
    child.stop_and_wait()
    assert pump.dead
    assert not own.dead
    parent.stop_and_wait()


def test_a_stopped_barrier_takes_no_new_greenlets() -> None:
    barrier = Barrier()
    barrier.stop()
    with pytest.raises(InvalidTransition, match="stopped"):
        barrier.spawn(Event().wait)


def test_a_child_of_a_stopped_parent_takes_none_either() -> None:
    parent = Barrier()
    child = Barrier(parent)
    parent.stop()
    with pytest.raises(InvalidTransition, match="stopped"):
        child.spawn(Event().wait)


def test_a_member_cannot_wait_for_the_end_of_its_own_barrier() -> None:
    barrier = Barrier()
    refused = []

    def suicide() -> None:
        with pytest.raises(InvalidTransition, match="member") as caught:
            barrier.stop_and_wait()
        refused.append(caught.value)

    barrier.spawn(suicide).join(timeout=5)
    assert refused
    barrier.stop_and_wait()


def test_stop_does_not_switch_and_may_be_called_from_the_hub() -> None:
    barrier = Barrier()
    pump = barrier.spawn(Event().wait)
    gevent.get_hub().loop.run_callback(barrier.stop)
    pump.join(timeout=5)
    assert pump.dead


def test_a_greenlet_killed_before_its_first_switch_still_tells_its_link() -> None:
    barrier = Barrier()
    ended = Event()
    started = []
    pump = barrier.spawn_named("pump", started.append, True)
    pump.rawlink(lambda _greenlet: ended.set())
    barrier.stop()
    assert ended.wait(timeout=5)
    assert not started
    assert pump.name == "pump"
