"""How long to wait before the next attempt to dial."""

from __future__ import annotations

import random
import time
from typing import Union

Interval = Union[float, tuple[float, float], None]

STABLE = 1.0
"""Seconds; a link that lasted so long was a success, one that did not may have been a refusal: a
PAIR that has its peer already, or a ROUTER that knows the identity, lets us in and closes."""

BRIEF_CEILING = 1.0
REFUSAL_CEILING = 10.0
"""Seconds; a peer that drops us at once, or refuses us for what we are, is asked ever less often,
up to these."""

_SOFTEST = 0.05


class Backoff:
    """Delays for one endpoint: a fixed interval, or a range that doubles from its low end.

    The count of failures starts again only when a link has lasted: a peer that accepts and closes
    is not hammered. Jitter spreads a crowd of peers after a server's restart.
    """

    def __init__(self, interval: Interval, jitter: bool) -> None:
        self._interval = interval
        self._jitter = jitter
        self._failures = 0
        self._refusals = 0
        self._ready_at: float | None = None

    @property
    def gives_up(self) -> bool:
        return self._interval is None

    @property
    def attempts(self) -> int:
        """How many delays were asked for since the last success."""
        return self._failures

    def link_ready(self) -> None:
        """A handshake has succeeded; whether that counts is seen when the link ends."""
        self._ready_at = time.monotonic()

    def next_delay(self, refused: bool = False) -> float | None:
        """Seconds to wait now; None when there is to be no other attempt.

        With *refused* the peer has turned us away for a reason that time alone does not mend.
        """
        if self._interval is None:
            return None
        brief = self._link_was_brief()
        if isinstance(self._interval, tuple):
            low, high = self._interval
            most_jitter = 1.0
        else:
            low = high = self._interval
            most_jitter = 1.5
        delay = min(low * 2.0 ** min(self._failures, 40), high)
        self._failures += 1
        if refused or brief:
            start, ceiling = (low, BRIEF_CEILING) if brief else (_SOFTEST, REFUSAL_CEILING)
            delay = max(delay, min(start * 2.0**self._refusals, ceiling))
            self._refusals = min(self._refusals + 1, 40)
        if self._jitter:
            delay *= random.uniform(0.5, most_jitter)
        return delay

    def _link_was_brief(self) -> bool:
        if self._ready_at is None:
            return False
        lasted = time.monotonic() - self._ready_at
        self._ready_at = None
        self._failures = 0
        if lasted >= STABLE:
            self._refusals = 0
        return lasted < STABLE
