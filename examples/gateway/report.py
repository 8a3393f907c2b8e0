"""The table at the end, and what must have happened for the demonstration to count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What was counted during one run."""

    requests: int
    latencies: list[float]
    served: Counter[str]
    served_after_restart: int
    events: Counter[str]
    redispatched: int
    reconnects: int
    lost: int
    failures: list[str]

    def table(self) -> str:
        rows = [("requests", f"{self.requests}"), ("answers", f"{len(self.latencies)}")]
        for percent in (50, 90, 99):
            rows.append((f"latency p{percent}", f"{self._percentile(percent) * 1000:.1f} ms"))
        rows += [(f"answered by {name}", f"{n}") for name, n in sorted(self.served.items())]
        rows += [
            ("events from workers", f"{sum(self.events.values())}"),
            ("re-dispatched", f"{self.redispatched}"),
            ("reconnects", f"{self.reconnects}"),
            ("lost", f"{self.lost}"),
        ]
        width = max(len(name) for name, _ in rows)
        rule = "-" * (width + 14)
        lines = [f"{name:<{width}}  {value:>12}" for name, value in rows]
        return "\n".join([rule, *lines, rule])

    def problems(self, workers: list[str]) -> list[str]:
        """What went wrong or did not happen at all; empty after a good run."""
        found = list(self.failures[:5])
        if self.lost:
            found.append(f"{self.lost} of {self.requests} requests got no right answer")
        found += [f"{name} answered nothing" for name in workers if not self.served[name]]
        found += [f"no event came from {name}" for name in workers if not self.events[name]]
        if not self.redispatched:
            found.append("the killed worker held no request")
        if not self.served_after_restart:
            found.append("the worker that was started again answered nothing")
        if not self.reconnects:
            found.append("no socket reconnected")
        return found

    def _percentile(self, percent: int) -> float:
        ordered = sorted(self.latencies)
        return ordered[len(ordered) * percent // 100] if ordered else float("nan")
