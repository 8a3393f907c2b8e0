"""The interface between the run and a workload."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from benchmarks.processes import Pair


class Metric(NamedTuple):
    key: str
    title: str
    unit: str
    higher_is_better: bool


class Outcome(NamedTuple):
    """What one run has brought."""

    seconds: float
    """That the measured part took; the next run is sized by it."""

    messages: int
    """Deliveries, or round trips, in all: those of the warm-up too."""

    values: dict[str, float]
    """By the key of each metric."""


class Point(ABC):
    """One thing to measure of every engine."""

    key: str
    title: str
    metrics: tuple[Metric, ...]
    first_count: ClassVar[int] = 500
    """Messages of the first run, which only serves to size the others."""

    @abstractmethod
    def prepare(self, pair: Pair) -> None:
        """Open the sockets."""

    @abstractmethod
    def run(self, pair: Pair, count: int, deadline: float) -> Outcome:
        """Measure *count* messages after some that warm up; *deadline* is in seconds."""


CPU = Metric("cpu", "CPU per million", " s", False)
"""Computed for every run; a point that lists it has it shown."""


def warm_up(count: int) -> int:
    """How many messages precede *count* measured ones."""
    return max(10, count // 10)
