"""The results as a table for the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.ratios import Ratio, Target
from benchmarks.results import OURS, Results, machine
from benchmarks.workloads.point import Metric, Point


def lines(results: Results) -> Iterator[str]:
    facts = machine()
    yield f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, {facts['python']}"
    yield "; ".join(f"{engine}: {version}" for engine, version in results.versions.items())
    yield ""
    yield f"{OURS}: median. Others: {OURS} / other, median over the rounds (least..most)."
    yield ""
    others = [engine for engine in results.engines if engine != OURS]
    rows = [["", "better", OURS, *(f"/ {engine}" for engine in others)]]
    for point in results.points:
        for metric in point.metrics:
            row = [f"{point.title}: {metric.title}", "more" if metric.higher_is_better else "less"]
            row.append(results.state(point, OURS) or _own(results, point, metric))
            row += [_beside(results, point, metric, engine) for engine in others]
            rows.append(row)
    yield from _aligned(rows)
    failures = results.failures()
    if failures:
        yield ""
        yield from failures


def target_lines(results: Results) -> Iterator[str]:
    for target, measured in results.targets():
        yield _target_line(target, measured)


def _target_line(target: Target, measured: Ratio | None) -> str:
    verdict = "PASS" if target.met(measured) else "FAIL"
    bound = f"{'>=' if target.at_least else '<='} {target.bound:g} x {target.engine}"
    found = "not measured" if measured is None else f"{_ratio(measured.median)} x"
    return f"{verdict} {target.title} {bound}: {found}"


def _own(results: Results, point: Point, metric: Metric) -> str:
    values = results.values(point.key, OURS, metric.key)
    if not values:
        return "-"
    figure = statistics.median(values)
    if metric.unit == "/s":
        return _rate(figure) + metric.unit
    return (f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}") + metric.unit


def _beside(results: Results, point: Point, metric: Metric, engine: str) -> str:
    state = results.state(point, engine)
    if state is not None:
        return state
    measured = results.ratio(point.key, metric.key, engine)
    if measured is None:
        return "-"
    return f"{_ratio(measured.median)} ({_ratio(measured.least)}..{_ratio(measured.most)})"


def _rate(value: float) -> str:
    return f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.3g} k"


def _ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        yield "  ".join(cells).rstrip()
