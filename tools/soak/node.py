"""One process with sockets: ``python -m tools.soak.node SPECIFICATION``, which is JSON."""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
import weakref
from pathlib import Path
from typing import Any, Callable

import gevent
from gevent.pool import Group

import omq_gevent as omq
from tools.soak import journal, tap
from tools.soak.commands import die_with_parent, obey
from tools.soak.message import Corrupt, Number, check, make, random_bodies, topic
from tools.soak.topology import SOCKETS_PER_PROCESS, Node, load

LINGER = 10.0
"""Seconds that a socket which leaves has for what it has accepted."""

SAMPLE_EVERY = 1.0
ANSWER_WITHIN = 3.0
WORKERS = 4

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Counted(journal.Journal):
    """A journal that knows how many notes it has taken, so that a standstill can be seen."""

    total = 0

    def note(self, *args: Any, **kwargs: Any) -> None:
        self.total += 1
        super().note(*args, **kwargs)

    def note_all(self, notes: list[bytes]) -> None:
        self.total += len(notes)
        super().note_all(notes)


class Process:
    """What all roles share; what a role's users do is below."""

    def __init__(self, node: Node, incarnation: int, directory: Path, seed: int) -> None:
        self.rng = random.Random(seed * 1_000_003 + incarnation)
        self.pool = self.rng.randbytes(512 * 1024)
        self.node = node
        self.journal = Counted(directory, incarnation)
        self.finishing = False
        self.surplus = 0  # messages of a flood that are to be sent
        self.answers = itertools.count(1)
        self.users = Group()
        self._greenlets: weakref.WeakSet[Any] = weakref.WeakSet()
        gevent.Greenlet.add_spawn_callback(self._greenlets.add)
        tap.install(self.journal)
        self.sockets = [self._open(kind, incarnation) for kind in node.sockets]
        for index, sock in enumerate(self.sockets):
            stream = incarnation * SOCKETS_PER_PROCESS + index
            for user in ROLES[node.role].get(sock.socket_type, ()):
                self.spawn(user, self, sock, stream)
        if node.role in ("broker", "forwarder"):
            self.spawn(omq.proxy, *self.sockets)
        gevent.spawn(self._sample)

    def _open(self, kind: Any, incarnation: int) -> omq.Socket:
        metadata = {tap.PROPERTY: str(incarnation).encode()}
        sock: omq.Socket = getattr(omq, kind.type)(metadata=metadata, **kind.options)
        for prefix in kind.subscriptions:
            if kind.type == "XSUB":
                sock.send(b"\1" + prefix.encode())
            else:
                sock.subscribe(prefix.encode())  # type: ignore[attr-defined]
        for endpoint in kind.binds:
            sock.bind(endpoint)
        for endpoint in kind.connects:
            sock.connect(endpoint)
        return sock

    def spawn(self, function: Callable[..., None], *args: Any) -> None:
        self.users.spawn(function, *args).rawlink(self._user_ended)

    def _user_ended(self, greenlet: Any) -> None:
        if greenlet.exception is not None:
            self.journal.fact("crashed", error=repr(greenlet.exception))

    def _sample(self) -> None:
        while True:
            gevent.sleep(SAMPLE_EVERY)
            self.journal.fact(
                "sample",
                memory=int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
                if sys.platform == "linux"
                else 0,
                descriptors=len(os.listdir("/dev/fd")),
                greenlets=sum(1 for greenlet in list(self._greenlets) if not greenlet.dead),
                dropped=sum(sock.stats.dropped for sock in self.sockets),
            )

    # -- commands --------------------------------------------------------------------------

    def ready(self) -> bool:
        return True

    def status(self) -> list[int]:
        """Notes so far, and messages that wait in the sockets."""
        stats = [sock.stats for sock in self.sockets]
        return [self.journal.total, sum(stat.send_queued + stat.receive_queued for stat in stats)]

    def flood(self, count: int) -> bool:
        self.surplus += count
        return True

    def finish(self) -> bool:
        """Accept nothing new; what is under way goes on."""
        self.finishing = True
        return True

    def leave(self) -> None:
        """Close the sockets with a linger and end."""
        self.finishing = True
        self.users.kill()
        self.journal.fact("leaving")
        start = time.monotonic()
        closing = [gevent.spawn(sock.close, LINGER) for sock in self.sockets]
        gevent.joinall(closing, raise_error=True)
        self.journal.fact(
            "closed",
            seconds=time.monotonic() - start,
            dropped=sum(sock.stats.dropped for sock in self.sockets),
        )

    # -- what users do ---------------------------------------------------------------------

    def bodies(self) -> list[bytes]:
        return random_bodies(self.rng, self.pool)

    def pause(self) -> None:
        """Between two bursts."""
        gevent.sleep(self.rng.expovariate(1) * self.node.pause)

    def burst(self) -> int:
        count = 1 + self.surplus + self.rng.randrange(self.node.burst)
        self.surplus = 0
        return count

    def received(self, message: list[bytes]) -> list[bytes]:
        """Note a delivery; the bodies."""
        try:
            number, bodies = check(message)
        except Corrupt as error:
            self.journal.fact("corrupt", what=str(error))
            return []
        self.journal.note(journal.DELIVERED, *number)
        return bodies


def produce(process: Process, sock: Any, stream: int) -> None:
    number = 0
    while True:
        process.pause()
        for _ in range(process.burst()):
            if process.finishing:
                return
            number += 1
            message = make(Number(stream, number), process.bodies())
            if process.node.role == "publisher":
                message = [topic(number), *message]
            sock.send(message)
            process.journal.note(journal.ACCEPTED, stream, number)


def consume(process: Process, sock: Any, _stream: int) -> None:
    for message in sock:
        process.received(message)
        if process.rng.random() < process.node.slowness:
            process.pause()


def ask(process: Process, sock: Any, stream: int) -> None:
    number = 0
    while not process.finishing:
        process.pause()
        number += 1
        request = make(Number(stream, number), process.bodies())
        try:
            sock.send(request, timeout=ANSWER_WITHIN)
            process.journal.note(journal.ACCEPTED, stream, number)
            bodies = process.received(sock.receive(timeout=ANSWER_WITHIN))
        except (omq.SendTimeout, omq.ReceiveTimeout, omq.RequestLost):
            process.journal.note(journal.GIVEN_UP, stream, number)
            continue
        if bodies != request[:1]:
            process.journal.fact("corrupt", what=f"{stream}/{number} has another one's answer")


def answer(process: Process, sock: Any, stream: int) -> None:
    for message in sock:
        process.received(message)
        if process.rng.random() < process.node.slowness:
            process.pause()
        number = next(process.answers)
        sock.send(make(Number(stream, number), message[:1]))
        process.journal.note(journal.ACCEPTED, stream, number)


ROLES: dict[str, dict[str, tuple[Callable[..., None], ...]]] = {
    "producer": {"PUSH": (produce,)},
    "consumer": {"PULL": (consume,)},
    "publisher": {"PUB": (produce,)},
    "subscriber": {"SUB": (consume,)},
    "asker": {"REQ": (ask,)},
    "answerer": {"REP": (answer,) * WORKERS},
    "pair": {"PAIR": (produce, consume)},
    "broker": {},
    "forwarder": {},
}
"""The greenlets that use each socket of a role, by the socket's type."""


def main() -> None:
    die_with_parent()
    specification = load(sys.argv[1])
    os.nice(specification.niceness)
    obey(
        Process(
            specification.node,
            specification.incarnation,
            Path(specification.directory),
            specification.seed,
        )
    )
    os._exit(0)  # whatever is left was to be closed; the journal tells if it was not


if __name__ == "__main__":
    main()
