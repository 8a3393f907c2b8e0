"""What the rounds have shown: one engine beside another, round by round.

Absolute figures of one machine drift from minute to minute. What ran side by side within one round
had the same machine, so only ratios within rounds are compared.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Ratio(NamedTuple):
    """Median and range of a ratio over the rounds."""

    median: float
    least: float
    most: float


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """How *ours* relates to *theirs*, which were measured in the same rounds."""
    ratios = [our / their for our, their in zip(ours, theirs)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


class Target(NamedTuple):
    """What a ratio has to be; *point*, *metric* and *engine* say of what."""

    title: str
    point: str
    metric: str
    engine: str
    bound: float
    at_least: bool

    def met(self, measured: Ratio | None) -> bool:
        """Whether the median keeps to the bound; never where nothing was measured."""
        if measured is None:
            return False
        if self.at_least:
            return measured.median >= self.bound
        return measured.median <= self.bound


TARGETS = (
    Target("PUSH/PULL 128 B throughput", "push_pull_128", "rate", "zmq.green", 5.0, True),
    Target("REQ/REP 128 B round trip p50", "req_rep_128", "p50", "zmq.green", 0.6, False),
)
