"""What happens to the processes while they talk, and how they come to an end."""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from benchmarks.processes import Child, Failed
from tools.soak.topology import Node, Specification, Topology, dump

CALM = 1.5
"""Seconds without any news after which nothing is under way any more."""

END_WITHIN = 90.0
NICENESS = 5
RELAY = 0  # its incarnation


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait, so that no process is started that nobody knows of."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Incarnation:
    """A process from its start to its end; *fate* is ``alive``, ``killed``, ``left`` (while others
    went on), ``ended`` (with all others) or ``crashed``."""

    def __init__(self, number: int, node: Node, child: Child) -> None:
        self.number = number
        self.node = node
        self.child = child
        self.fate = "alive"
        self.paused = False
        self.leaving_until = 0.0


class Chaos:
    """Starts the processes of a topology, harms them for a while, lets them finish."""

    def __init__(self, topology: Topology, directory: Path, seed: int) -> None:
        self._topology = topology
        self._directory = directory
        self._seed = seed
        self._rng = random.Random(seed + 1)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._relay: Child | None = None
        self._now: dict[str, Incarnation] = {}  # by name of the node
        self.incarnations: list[Incarnation] = []
        self.harm: Counter[str] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> Chaos:
        return self

    def __exit__(self, *_exc: object) -> None:
        for incarnation in self._now.values():
            incarnation.child.kill()
        if self._relay is not None:
            self._relay.kill()

    def start(self) -> None:
        specification = {
            "directory": str(self._directory),
            "incarnation": RELAY,
            "seed": self._seed,
            "ways": self._topology.relays,
            "niceness": NICENESS,
        }
        with _uninterrupted():
            self._relay = Child("tools.soak.relay", json.dumps(specification))
        for node in self._topology.nodes:
            self._start(node)
        self._relay.call("ready")
        for incarnation in self._now.values():
            incarnation.child.call("ready", 60)

    def harm_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        deeds = {
            self._kill: 3,
            self._pause: 3,
            self._leave: 2,
            self._cut: 8,
            self._stall: 6,
            self._flood: 5,
        }
        while time.monotonic() < end:
            self._do_what_is_due()
            [deed] = self._rng.choices(list(deeds), list(deeds.values()))
            deed()
            time.sleep(self._rng.uniform(0.05, 0.7))

    def finish(self) -> None:
        """Heal everything, let everything arrive, close everything."""
        while self._agenda or any(one.fate == "alive" and one.leaving_until for one in self._all()):
            self._do_what_is_due()
            time.sleep(0.05)
        for one in self._all():
            one.child.call("finish", 60)
        self._wait_for_calm()
        for one in self._all():
            one.child.start("leave", 60)
        for one in self._all():
            try:
                one.child.result(60)
                one.fate = "ended"
            except Failed as error:
                self._crashed(one, error)

    def _wait_for_calm(self) -> None:
        end = time.monotonic() + END_WITHIN
        before: list[Any] = []
        calm_since = time.monotonic()
        while time.monotonic() < end:
            now = [one.child.call("status", 60) for one in self._all()]
            if now != before or any(queued for _, queued in now):
                before, calm_since = now, time.monotonic()
            elif time.monotonic() - calm_since > CALM:
                return
            time.sleep(0.1)
        busy = [one.node.name for one, (_, queued) in zip(self._all(), before) if queued]
        self.failures.append(f"no rest after {END_WITHIN:.0f} s; queued at {busy}")

    # -- processes -------------------------------------------------------------------------

    def _all(self) -> list[Incarnation]:
        return list(self._now.values())

    def _start(self, node: Node) -> None:
        number = len(self.incarnations) + 1
        specification = Specification(node, number, str(self._directory), self._seed, NICENESS)
        with _uninterrupted():
            child = Child("tools.soak.node", dump(specification))
            incarnation = self._now[node.name] = Incarnation(number, node, child)
        self.incarnations.append(incarnation)

    def _start_again(self, one: Incarnation) -> None:
        self._later(self._rng.uniform(0, 1.5), lambda: self._start(one.node))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._order), action))

    def _do_what_is_due(self) -> None:
        while self._agenda and self._agenda[0][0] <= time.monotonic():
            heapq.heappop(self._agenda)[2]()
        for one in self._all():
            if one.fate != "alive":
                continue
            if one.leaving_until:
                self._look_after_leaving(one)
            elif one.child.has_ended():
                self._crashed(one, Failed(one.child.last_words()))
                self._start_again(one)

    def _look_after_leaving(self, one: Incarnation) -> None:
        try:
            if not one.child.finished(0):
                if time.monotonic() < one.leaving_until:
                    return
                raise Failed("did not close in time")
            one.child.result(0)
            one.fate = "left"
        except Failed as error:
            self._crashed(one, error)
        one.child.kill()
        self._start_again(one)

    def _crashed(self, one: Incarnation, error: Failed) -> None:
        one.fate = "crashed"
        self.failures.append(f"{one.node.name}: {error}")
        one.child.kill()

    # -- deeds -----------------------------------------------------------------------------

    def _victim(self) -> Incarnation | None:
        possible = [
            one
            for one in self._all()
            if one.fate == "alive" and not one.paused and not one.leaving_until
        ]
        return self._rng.choice(possible) if possible else None

    def _kill(self) -> None:
        one = self._victim()
        if one is not None:
            one.child.kill()
            one.fate = "killed"
            self.harm["killed"] += 1
            self._start_again(one)

    def _pause(self) -> None:
        one = self._victim()
        if one is None:
            return

        def go_on() -> None:
            one.paused = False
            os.kill(one.child.pid, signal.SIGCONT)

        one.paused = True
        os.kill(one.child.pid, signal.SIGSTOP)
        self.harm["stopped"] += 1
        self._later(self._rng.choice((0.1, 0.5, 2.5)), go_on)

    def _leave(self) -> None:
        one = self._victim()
        if one is None:
            return
        one.child.start("leave")
        one.leaving_until = time.monotonic() + 40
        self.harm["left"] += 1

    def _flood(self) -> None:
        one = self._victim()
        if one is not None:
            one.child.call("flood", 60, count=2000)
            self.harm["flooded"] += 1

    def _cut(self) -> None:
        assert self._relay is not None
        if self._relay.call("cut", 60):
            self.harm["cut"] += 1

    def _stall(self) -> None:
        assert self._relay is not None
        if self._relay.call("stall", 60, length=self._rng.choice((0.2, 1.0))):
            self.harm["stalled"] += 1
