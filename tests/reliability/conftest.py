"""Throws an exception into a greenlet at every place where it gives control away, one at a time.

A scenario is a generator function: it sets things up with the `Rig` that it is given, yields an
`Operation`, and gets back what came of it (`Outcome`), to check what must hold then. It is run once
to count the places where the victim switches to the hub, and then again for each of them and each
way to strike there. What every scenario must hold is checked here: the exception comes out as it
went in, nobody is left in a queue of waiters, nothing is left of a socket that was closed. The
leak check of all tests does the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable

import gevent
import pytest
from gevent import GreenletExit, get_hub, getcurrent

import omq_gevent as omq
from omq_gevent.flow.wait_queue import Callback, WaitQueue

PATIENCE = 5.0
MOST_PLACES = 12
"""So many switch points of one operation are tried at most; the summary tells of the others."""


class UserError(Exception):
    """What a program may throw into its own greenlets."""


class Interrupt(BaseException):
    """As KeyboardInterrupt, which gevent would pass on to the main greenlet."""


EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "GreenletExit": GreenletExit,
    "gevent.Timeout": gevent.Timeout,
    "Exception": lambda: UserError("thrown in"),
    "BaseException": lambda: Interrupt("thrown in"),
    # What ``gevent.Timeout(1, TimeoutError("mine"))`` throws: an OSError, but not the system's.
    "OSError": lambda: TimeoutError("thrown in"),
}

AT_ONCE, NEXT, AFTER_IO = "at once", "next", "after I/O"
BEFORE_WAKING, WAKING = "before its waking", "while it is woken"
"""When to throw: instead of the switch; after what the hub had to do already; after it has looked
at descriptors and timers; in the hub's turn in which the queue that the victim waits in is told to
wake somebody, before or after that is seen to. The last three may meet a victim whose turn was
arranged for already."""

WAYS = [
    *((name, AT_ONCE) for name in EXCEPTIONS),
    *(("GreenletExit", when) for when in (NEXT, AFTER_IO, BEFORE_WAKING, WAKING)),
]


class Operation:
    """What a scenario wants to have disturbed.

    *function* runs in a greenlet, and *meanwhile*, which is to make an end to its waiting, beside
    it in the test's own. That greenlet is the victim, or else the first that *victim* recognizes.
    """

    def __init__(
        self,
        function: Callable[[], Any],
        meanwhile: Callable[[], Any],
        victim: Callable[[Any], bool] | None,
    ) -> None:
        self.function = function
        self.meanwhile = meanwhile
        self.victim = victim


class Outcome:
    """``value`` or ``error`` of the operation; ``thrown`` is what has hit the victim, if it was."""

    def __init__(self) -> None:
        self.completed = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.thrown: BaseException | None = None

    def run(self, function: Callable[[], Any]) -> None:
        try:
            self.value = function()
            self.completed = True
        except BaseException as error:
            self.error = error


Scenario = Callable[["Rig"], Generator[Operation, Outcome, None]]


class Switches:
    """Counts how often the victim switches to the hub, and throws *exception* at one of those
    places. Every wait in gevent goes through ``Hub.switch``, which is replaced meanwhile."""

    def __init__(
        self, place: int = 0, exception: BaseException | None = None, when: str = AT_ONCE
    ) -> None:
        self.count = 0
        self.of_user = True  # else the victim is a greenlet of the engine
        self.thrown: BaseException | None = None
        self._place = place
        self._exception = exception
        self._when = when
        self._is_victim: Callable[[Any], bool] = lambda _greenlet: False
        self._victim: Any = None
        self._timer: Any = None
        self._armed = False

    def __enter__(self) -> Switches:
        self._hub = get_hub()
        self._really_switch = self._hub.switch
        self._hub.switch = self._switch
        return self

    def __exit__(self, *_exc: object) -> None:
        del self._hub.switch
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        self._victim = self._is_victim = None  # type: ignore[assignment]

    def watch(self, is_victim: Callable[[Any], bool]) -> None:
        self._is_victim = is_victim

    def _switch(self) -> Any:
        current = getcurrent()
        if self._victim is None and self._is_victim(current):
            self._victim = current
        if current is self._victim:
            self.count += 1
            if self.count == self._place:
                self._strike()
        return self._really_switch()

    def _strike(self) -> None:
        loop = self._hub.loop
        if self._when == AT_ONCE:
            self.thrown = self._exception
            raise self.thrown  # type: ignore[misc]
        if self._when == NEXT:
            loop.run_callback(self._throw)
        elif self._when in (BEFORE_WAKING, WAKING):
            self._armed = True
        else:
            self._timer = loop.timer(0)
            self._timer.start(self._throw)

    def waking(self, queue: WaitQueue, wake: Callable[[], None]) -> None:
        """*queue* is to wake somebody, which *wake* arranges."""
        victim_waits = self._armed and any(
            isinstance(waiter, Callback) or waiter.greenlet is self._victim
            for waiter in queue.waiting
        )
        self._armed = self._armed and not victim_waits
        if victim_waits and self._when == BEFORE_WAKING:
            self._hub.loop.run_callback(self._throw)
        wake()
        if victim_waits and self._when == WAKING:
            self._hub.loop.run_callback(self._throw)

    def _throw(self) -> None:
        if self._victim is not None and not self._victim.dead:
            self.thrown = self._exception
            self._victim.throw(self.thrown)


class Rig:
    """The sockets of one run, and what scenarios often need."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.patch = patch
        self.sockets: list[omq.Socket] = []
        # Who is killed as often as here would be dialed ever less often.
        patch.setattr("omq_gevent.engine.backoff.STABLE", 0.0)

    _names = itertools.count()

    def endpoint(self, scheme: str) -> str:
        """Where nobody has bound yet."""
        if scheme == "tcp":
            return "tcp://127.0.0.1:0"
        name = f"{next(self._names)}"
        return f"ipc://{self.directory}/{name}" if scheme == "ipc" else f"inproc://{name}"

    def socket(self, kind: str, **options: Any) -> Any:
        sock = getattr(omq, kind)(**options)
        self.sockets.append(sock)
        return sock

    def pair(
        self, scheme: str, kind: str, peer_kind: str, peer: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """Two sockets that are connected; *peer* are the options of the second, which binds."""
        binding = self.socket(peer_kind, **(peer or {}))
        connecting = self.socket(kind, **options)
        connecting.connect(binding.bind(self.endpoint(scheme)))
        connecting.wait_connected(timeout=PATIENCE)
        binding.wait_connected(timeout=PATIENCE)
        return connecting, binding

    def disturb(
        self,
        function: Callable[[], Any],
        meanwhile: Callable[[], Any] = lambda: None,
        victim: Callable[[Any], bool] | None = None,
    ) -> Operation:
        """What a scenario yields."""
        return Operation(function, meanwhile, victim)

    def until(self, condition: Callable[[], Any]) -> None:
        with gevent.Timeout(PATIENCE, AssertionError("what was waited for did not happen")):
            while not condition():
                gevent.sleep(0.0005)

    def check_waiters(self) -> None:
        for sock in self.sockets:
            for queue in _wait_queues(sock):
                stale = [w for w in queue.waiting if getattr(w, "greenlet", None) is None]
                assert not stale, f"{sock!r} has waiters of which nobody is left: {stale}"

    def close(self) -> None:
        for sock in self.sockets:
            sock.close(linger=0)
        for sock in self.sockets:
            engine = sock._engine
            self.until(lambda engine=engine: not len(engine.lifecycle.barrier))
            assert not engine.lifecycles
            assert not engine.connections
            for queue in _wait_queues(sock):
                self.until(lambda queue=queue: not queue.waiting)


def _wait_queues(sock: omq.Socket) -> Iterator[WaitQueue]:
    engine = sock._engine
    holders = [engine.lifecycle, engine.routing]
    holders += [member.monitor for member in engine.monitors.members]
    for holder in holders:
        for value in _attributes(holder):
            if isinstance(value, WaitQueue):
                yield value
            elif type(value).__module__.startswith("omq_gevent.flow.") and value not in holders:
                holders.append(value)


def _attributes(holder: Any) -> Iterator[Any]:
    yield from getattr(holder, "__dict__", {}).values()
    for kind in type(holder).__mro__:
        for name in getattr(kind, "__slots__", ()):
            yield getattr(holder, name, None)


class Tally:
    """One line of the summary."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found = 0
        self.tried = 0
        self.runs = 0
        self.hits = 0

    def __str__(self) -> str:
        left = self.found - self.tried
        left_out = f", {left} left out" if left else ""
        return (
            f"{self.name}: {self.found} switch points, {self.tried} tried{left_out}; "
            f"{self.runs} runs, {self.hits} hits"
        )


_TALLIES = pytest.StashKey[list[Tally]]()


@pytest.fixture
def at_every_switch(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Tally]:
    """Return a function that runs a scenario undisturbed, and then disturbed at each place."""
    # What is thrown here needs no traceback on the terminal.
    thrown = (gevent.Timeout, UserError, Interrupt, TimeoutError, omq.SocketClosed)
    monkeypatch.setattr(get_hub(), "NOT_ERROR", (*get_hub().NOT_ERROR, *thrown))

    current: list[Switches] = []
    for name in ("notify", "wake_all"):
        monkeypatch.setattr(WaitQueue, name, _announced(getattr(WaitQueue, name), current))

    def run_all(scenario: Scenario, name: str = "") -> Tally:
        tally = Tally(name or request.node.name)
        with monkeypatch.context() as patch:
            counting = _run(scenario, Rig(tmp_path, patch), Switches())
        tally.found = counting.count
        ways = [way for way in WAYS if counting.of_user or way[1] not in (BEFORE_WAKING, WAKING)]
        tally.tried = min(tally.found, MOST_PLACES)
        for place in range(1, tally.tried + 1):
            for exception, when in ways:
                switches = Switches(place, EXCEPTIONS[exception](), when)
                current[:] = [switches]
                try:
                    with monkeypatch.context() as patch:
                        _run(scenario, Rig(tmp_path, patch), switches)
                except BaseException as error:
                    where = f"{exception} {when} at switch {place} of {tally.found}"
                    raise AssertionError(f"{tally.name}, {where}: {error!r}") from error
                tally.runs += 1
                tally.hits += switches.thrown is not None
        print(tally)
        request.config.stash.setdefault(_TALLIES, []).append(tally)
        return tally

    return run_all


def _announced(wake: Callable[[Any], None], current: list[Switches]) -> Callable[[Any], None]:
    def announce_and_wake(queue: Any) -> None:
        if current:
            current[0].waking(queue, partial(wake, queue))
        else:
            wake(queue)

    return announce_and_wake


def _run(scenario: Scenario, rig: Rig, switches: Switches) -> Switches:
    try:
        steps = scenario(rig)
        operation = next(steps)
        outcome = Outcome()
        with switches:
            greenlet = gevent.Greenlet(outcome.run, operation.function)
            switches.of_user = operation.victim is None
            switches.watch(operation.victim or (lambda current: current is greenlet))
            greenlet.start()
            gevent.sleep(0)
            operation.meanwhile()
            greenlet.join(PATIENCE)
            assert greenlet.dead, "the operation does not end"
        outcome.thrown = switches.thrown
        if operation.victim is None:
            assert outcome.error is switches.thrown, f"{outcome.error!r} came out"
        elif outcome.error is not None:
            raise outcome.error
        try:
            steps.send(outcome)
        except StopIteration:
            pass
        else:
            raise AssertionError("a scenario has one operation")
        rig.check_waiters()
    finally:
        rig.close()
    return switches


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    tallies = config.stash.get(_TALLIES, [])
    if not tallies:
        return
    if config.option.verbose > 0 and config.option.capture != "no":  # else they were shown
        terminalreporter.section("cancellation, by operation")
        for tally in tallies:
            terminalreporter.write_line(str(tally))
    total = Tally(f"cancellation: {len(tallies)} operations")
    for tally in tallies:
        total.found += tally.found
        total.tried += tally.tried
        total.runs += tally.runs
        total.hits += tally.hits
    terminalreporter.write_line(str(total))
