"""Drops are counted one by one and told in portions."""

from __future__ import annotations

from typing import Any

import pytest

from omq_gevent.routing import drops
from omq_gevent.routing.drops import DropCounter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(drops, "time", made)
    return made


@pytest.fixture
def told() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def counter(told: list[tuple[Any, ...]]) -> DropCounter:
    return DropCounter(
        lambda kind, connection, count, detail: told.append((kind, connection, count, detail))
    )


def test_the_first_drop_is_told_at_once_and_more_of_them_once_a_second(
    clock: Clock, counter: DropCounter, told: list[tuple[Any, ...]]
) -> None:
    for _ in range(50):
        counter.add("peer", "full")
    assert told == [("message_dropped", "peer", 1, "full")]
    clock.now += 1
    counter.add("peer", "full", 2)
    assert told[1:] == [("message_dropped", "peer", 51, "full")]
    assert counter.dropped == 52


def test_each_reason_and_each_peer_is_told_of(
    clock: Clock, counter: DropCounter, told: list[tuple[Any, ...]]
) -> None:
    counter.add("peer", "full")
    counter.add("peer", "left")
    counter.add("other", "full")
    assert [event[1::2] for event in told] == [
        ("peer", "full"),
        ("peer", "left"),
        ("other", "full"),
    ]


def test_what_was_not_told_is_told_when_the_peer_goes(
    clock: Clock, counter: DropCounter, told: list[tuple[Any, ...]]
) -> None:
    for _ in range(3):
        counter.add("peer", "full")
    counter.connection_gone("peer")
    assert told[1:] == [("message_dropped", "peer", 2, "full")]
    counter.connection_gone("peer")
    assert len(told) == 2


def test_what_was_not_told_is_told_at_the_end(
    clock: Clock, counter: DropCounter, told: list[tuple[Any, ...]]
) -> None:
    for _ in range(3):
        counter.add(None, "unknown")
    counter.stop()
    assert told[1:] == [("message_dropped", None, 2, "unknown")]
