"""``python -m benchmarks.run``: measure omq_gevent beside the others and print a table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

from benchmarks import table
from benchmarks.engines import MODULES
from benchmarks.processes import Failed, Pair
from benchmarks.results import OURS, Results
from benchmarks.workloads import pub_sub, push_pull, req_rep
from benchmarks.workloads.point import Outcome, Point

WORKLOADS = {"push_pull": push_pull, "req_rep": req_rep, "pub_sub": pub_sub}

SIZES = (16, 128, 1024, 16 * 1024)


class Run:
    """Rounds of A B C A B C ... for one point after the other."""

    def __init__(self, points: Sequence[Point], engines: Sequence[str], seconds: float) -> None:
        self.results = Results(points, engines)
        self._seconds = seconds
        self._deadline = 5 + 10 * seconds
        self._pairs: dict[str, Pair] = {}
        self._steps_done = 0
        self._steps = 0

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_exc: object) -> None:
        for pair in self._pairs.values():
            pair.kill()
        self._say("")

    def measure(self, rounds: int) -> None:
        points = self.results.points
        engines = [engine for engine in self.results.engines if self._can_run(engine)]
        self._steps = len(points) * len(engines) * (rounds + 1)
        for point in points:
            counts = {engine: self._prepare(point, engine) for engine in engines}
            for number in range(1, rounds + 1):
                for engine, count in counts.items():
                    self._progress(f"{point.title}, round {number}, {engine}")
                    if self.results.failure(point, engine) is None:
                        self._measure(point, engine, count)
            for engine in engines:
                if self.results.failure(point, engine) is None:
                    self._attempt(point, engine, self._pairs[engine].close)

    def _can_run(self, engine: str) -> bool:
        self._say(f"starting {engine}")
        try:
            self.results.versions[engine] = self._pair(engine).version
        except Failed as error:
            self.results.not_run(engine, str(error))
            return False
        return True

    def _pair(self, engine: str) -> Pair:
        """The processes of *engine*; new ones if they have failed before."""
        if engine not in self._pairs:
            self._pairs[engine] = Pair(engine)
        return self._pairs[engine]

    def _prepare(self, point: Point, engine: str) -> int:
        """Open the sockets; return how many messages take the time that a run is to take."""
        self._progress(f"{point.title}, {engine}")
        count = point.first_count

        def prepare() -> None:
            nonlocal count
            pair = self._pair(engine)
            point.prepare(pair)
            while True:
                seconds = point.run(pair, count, self._deadline).seconds
                # A run of a few milliseconds says too little about a long one.
                enough = seconds >= self._seconds / 4
                factor = self._seconds / max(seconds, 1e-6)
                count = max(100, int(count * (factor if enough else min(8.0, factor))))
                if enough:
                    return

        self._attempt(point, engine, prepare)
        return count

    def _measure(self, point: Point, engine: str, count: int) -> None:
        def measure() -> None:
            pair = self._pairs[engine]
            before = pair.cpu_seconds()
            outcome: Outcome = point.run(pair, count, self._deadline)
            self.results.add(point, engine, outcome, pair.cpu_seconds() - before)

        self._attempt(point, engine, measure)

    def _attempt(self, point: Point, engine: str, action: Callable[[], None]) -> None:
        """Note it where *action* fails; then the engine's next point gets fresh processes."""
        try:
            action()
        except Failed as error:
            self.results.failed(point, engine, str(error))
            pair = self._pairs.pop(engine, None)
            if pair is not None:
                pair.kill()

    def _progress(self, what: str) -> None:
        self._steps_done += 1
        self._say(f"{self._steps_done * 100 // self._steps:3d} % {what}")

    @staticmethod
    def _say(what: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    points = [
        point
        for workload in options.workloads
        for point in WORKLOADS[workload].points(options.sizes, options.quick)
    ]
    with Run(points, options.engines, options.seconds) as run:
        run.measure(options.rounds)
        results = run.results
    if options.json is not None:
        options.json.write_text(json.dumps(results.as_json(), indent=1) + "\n", encoding="utf-8")
    print("\n".join([*table.lines(results), "", *table.target_lines(results)]))
    met = all(target.met(measured) for target, measured in results.targets())
    return 1 if options.check and not met else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often to measure everything (5)")
    parser.add_argument("--seconds", type=float, help="how long one measurement takes (0.25)")
    parser.add_argument(
        "--sizes", type=_numbers, help=f"PUSH/PULL, bytes ({','.join(map(str, SIZES))})"
    )
    parser.add_argument(
        "--engines", type=_names(MODULES), default=list(MODULES), help=",".join(MODULES)
    )
    parser.add_argument(
        "--workloads", type=_names(WORKLOADS), default=list(WORKLOADS), help=",".join(WORKLOADS)
    )
    parser.add_argument("--quick", action="store_true", help="fewer points, 3 rounds of 0.15 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args(arguments)
    if OURS not in options.engines:
        parser.error(f"--engines must name {OURS}: everything is compared with it")
    if options.rounds is None:
        options.rounds = 3 if options.quick else 5
    if options.seconds is None:
        options.seconds = 0.15 if options.quick else 0.25
    if options.sizes is None:
        options.sizes = [128] if options.quick else list(SIZES)
    if options.rounds < 1 or options.seconds <= 0 or min(options.sizes) < 1:
        parser.error("--rounds, --seconds and --sizes must be positive")
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(known: Mapping[str, object]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return chosen

    return names


if __name__ == "__main__":
    sys.exit(main())
