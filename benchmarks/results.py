"""The results of a run, as they are collected, and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

from benchmarks.ratios import TARGETS, Ratio, Target, ratio
from benchmarks.workloads.point import CPU, Outcome, Point

OURS = "omq_gevent"


class Results:
    """Figures by point, engine and metric, one for each round; or why there are none."""

    def __init__(self, points: Sequence[Point], engines: Sequence[str]) -> None:
        self.points = points
        self.engines = engines
        self.versions: dict[str, str] = {}
        self._values: dict[tuple[str, str, str], list[float]] = {}
        self._failures: dict[tuple[str, str], str] = {}
        self._not_run: dict[str, str] = {}

    def add(self, point: Point, engine: str, outcome: Outcome, cpu_seconds: float) -> None:
        values = {**outcome.values, CPU.key: cpu_seconds / outcome.messages * 1e6}
        for metric, value in values.items():
            self._values.setdefault((point.key, engine, metric), []).append(value)

    def failed(self, point: Point, engine: str, reason: str) -> None:
        self._failures[point.key, engine] = reason

    def not_run(self, engine: str, reason: str) -> None:
        self._not_run[engine] = reason

    def failure(self, point: Point, engine: str) -> str | None:
        """Why *engine* has no figures at *point*; None if it has."""
        return self._failures.get((point.key, engine))

    def state(self, point: Point, engine: str) -> str | None:
        """What the table shows instead of figures; None if there are some."""
        if engine in self._not_run:
            return "not run"
        return "FAILED" if self.failure(point, engine) else None

    def values(self, point: str, engine: str, metric: str) -> list[float]:
        """The figures of every round; empty unless the engine got through all of them."""
        if (point, engine) in self._failures:
            return []
        return self._values.get((point, engine, metric), [])

    def ratio(self, point: str, metric: str, engine: str) -> Ratio | None:
        """omq_gevent by *engine*; None unless both have figures."""
        ours = self.values(point, OURS, metric)
        theirs = self.values(point, engine, metric)
        return ratio(ours, theirs) if ours and theirs else None

    def targets(self) -> list[tuple[Target, Ratio | None]]:
        """The targets that this run was asked to measure, each with what it found."""
        keys = [point.key for point in self.points]
        return [
            (target, self.ratio(target.point, target.metric, target.engine))
            for target in TARGETS
            if target.point in keys and target.engine in self.engines
        ]

    def failures(self) -> list[str]:
        titles = {point.key: point.title for point in self.points}
        return [
            *(f"{engine}: {why}" for engine, why in self._not_run.items()),
            *(f"{titles[p]}, {engine}: {why}" for (p, engine), why in self._failures.items()),
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": machine(),
            "versions": self.versions,
            "not_run": self._not_run,
            "points": [self._point_as_json(point) for point in self.points],
            "targets": [
                {
                    "title": target.title,
                    "engine": target.engine,
                    "bound": target.bound,
                    "at_least": target.at_least,
                    "ratio": None if measured is None else measured._asdict(),
                    "met": target.met(measured),
                }
                for target, measured in self.targets()
            ],
        }

    def _point_as_json(self, point: Point) -> dict[str, Any]:
        metrics = list(dict.fromkeys([*point.metrics, CPU]))
        engines: dict[str, Any] = {}
        for engine in self.engines:
            if engine in self._not_run:
                continue
            shown: dict[str, Any] = {"failure": self.failure(point, engine)}
            for metric in metrics:
                measured = self.ratio(point.key, metric.key, engine)
                shown[metric.key] = {
                    "rounds": self._values.get((point.key, engine, metric.key), []),
                    "ratio": None if measured is None else measured._asdict(),
                }
            engines[engine] = shown
        return {
            "key": point.key,
            "title": point.title,
            "metrics": [metric._asdict() for metric in metrics],
            "engines": engines,
        }


def machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
