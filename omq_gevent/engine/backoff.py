"""How long to wait before the next attempt to dial."""

from __future__ import annotations

import random
from typing import Union

Interval = Union[float, tuple[float, float], None]

REFUSAL_CEILING = 10.0
"""Seconds; a peer that refused us for what we are is asked ever less often, up to this."""


class Backoff:
    """Delays for one endpoint: a fixed interval, or a range that doubles from its low end.

    The count of failures starts again only when a handshake has succeeded: a peer that accepts
    and closes is not hammered. Jitter spreads a crowd of peers after a server's restart.
    """

    def __init__(self, interval: Interval, jitter: bool) -> None:
        self._interval = interval
        self._jitter = jitter
        self._failures = 0
        self._refusals = 0

    @property
    def gives_up(self) -> bool:
        return self._interval is None

    @property
    def attempts(self) -> int:
        """How many delays were asked for since the last success."""
        return self._failures

    def reset(self) -> None:
        self._failures = 0
        self._refusals = 0

    def next_delay(self, refused: bool = False) -> float | None:
        """Seconds to wait now; None when there is to be no other attempt.

        With *refused* the peer has turned us away for a reason that time alone does not mend.
        """
        if self._interval is None:
            return None
        if isinstance(self._interval, tuple):
            low, high = self._interval
        else:
            low = high = self._interval
        delay = min(low * 2.0 ** min(self._failures, 40), high)
        self._failures += 1
        if refused:
            delay = max(delay, min(max(low, 0.05) * 2.0**self._refusals, REFUSAL_CEILING))
            self._refusals = min(self._refusals + 1, 40)
        if self._jitter:
            delay *= random.uniform(0.5, 1.5)
        return delay
