"""Judges what became of every message.

A message's way is a chain of hops. At each: who has accepted (or read) it must have written it,
what was written whole must be read at the other end, what was read must be delivered. Where the
chain ends there must be an explanation; without one the loss is *unaccounted*.
"""

from __future__ import annotations

import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.soak import journal
from tools.soak.chaos import RELAY, Incarnation
from tools.soak.message import TOPICS
from tools.soak.topology import SOCKETS_PER_PROCESS

KILLED = "in a killed process"
CUT = "in flight at a cut"
LEFT = "to one that had left"
SILENT = "to one too silent"
REFUSED = "to one that refused us"
DROPPED = "dropped and told"
GIVEN_UP = "given up by its asker"
LINGER = "linger was over"

MOST_IN_FLIGHT = 32 * 1024 * 1024
"""Bytes that the kernel can hold between two processes, with the relay between them."""

Conns = dict[int, array]  # by connection: numbers in order


class Witness:
    """All that one incarnation has written down, but for the notes."""

    def __init__(self, incarnation: Incarnation, directory: Path) -> None:
        self.number = incarnation.number
        self.node = incarnation.node
        self.fate = incarnation.fate
        self.peers: dict[int, int] = {}  # incarnation at the other end of each connection
        self.ports: dict[int, list[int | None]] = {}
        self.reasons: dict[int, str] = {}
        self.samples: list[dict[str, int]] = []
        self.faults: list[str] = []
        self.crashes: list[str] = []
        self.dropped = 0
        self.linger_was_over = False
        for fact in journal.read_facts(directory, self.number):
            getattr(self, f"_{fact.pop('fact')}")(**fact)
        if self.samples:
            self.dropped = max(self.dropped, self.samples[-1]["dropped"])

    def _connection(self, number: int, ports: list[int | None]) -> None:
        self.ports[number] = ports

    def _peer(self, number: int, peer: int) -> None:
        self.peers[number] = peer

    def _ended(self, number: int, reason: str, detail: str) -> None:
        self.reasons[number] = reason

    def _sample(self, **sample: int) -> None:
        self.samples.append(sample)

    def _corrupt(self, what: str, number: int = 0) -> None:
        self.faults.append(what)

    def _crashed(self, error: str) -> None:
        self.crashes.append(error)

    def _leaving(self) -> None:
        pass

    def _closed(self, seconds: float, dropped: int) -> None:
        self.dropped = dropped
        self.linger_was_over = seconds > 9.5

    @property
    def lived_long(self) -> bool:
        """Whether there is enough to tell growth from a start."""
        return len(self.samples) >= WARM_UP + 3 * ENOUGH_SAMPLES

    @property
    def gone(self) -> bool:
        """Whether it ended at a moment that nobody had prepared."""
        return self.fate in ("killed", "crashed")


class Account:
    """What became of the messages of one group."""

    def __init__(self) -> None:
        self.accepted = 0
        self.delivered = 0
        self.explained: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.examples: list[str] = []

    def fault(self, kind: str, count: int, example: str) -> None:
        if count:
            self.wrong[kind] += count
            self.examples.append(f"{kind}: {example}")


class Oracle:
    def __init__(self, incarnations: Iterable[Incarnation], directory: Path) -> None:
        self.witnesses = {one.number: Witness(one, directory) for one in incarnations}
        self.accounts: defaultdict[str, Account] = defaultdict(Account)
        self._cuts = {
            port
            for fact in journal.read_facts(directory, RELAY)
            if fact["fact"] == "cut"
            for port in fact["ports"]
        }
        # kind → stream → incarnation → connection → numbers
        self._notes: dict[int, Any] = {
            kind: defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: array("I"))))
            for kind in range(1, 6)
        }
        # stream → incarnation → connection → bytes of each message written, as the numbers are
        self._sizes: Any = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: array("I"))))
        self._lost_bytes: Counter[tuple[int, int]] = Counter()
        self._allowance = {number: one.dropped for number, one in self.witnesses.items()}
        for number in self.witnesses:
            for kind, connection, stream, count, size in journal.read_notes(directory, number):
                self._notes[kind][stream][number][connection].append(count)
                if kind == journal.WRITTEN:
                    self._sizes[stream][number][connection].append(size)

    def judge(self) -> None:
        streams = sorted({stream for notes in self._notes.values() for stream in notes})
        for stream in streams:
            self._judge(stream)
        for witness in self.witnesses.values():
            account = self.accounts[witness.node.group]
            for fault in witness.faults:
                account.fault("corrupt", 1, f"{witness.node.name}: {fault}")
            for crash in witness.crashes:
                account.fault("crashed", 1, f"{witness.node.name}: {crash}")
        for (number, connection), size in self._lost_bytes.items():
            if size > MOST_IN_FLIGHT:
                witness = self.witnesses[number]
                self.accounts[witness.node.group].fault(
                    "too much lost", 1, f"{size} bytes on connection {connection} of {number}"
                )

    @property
    def most_lost_at_once(self) -> int:
        """Bytes that were lost with one connection."""
        return max(self._lost_bytes.values(), default=0)

    # -- one stream ------------------------------------------------------------------------

    def _judge(self, stream: int) -> None:
        origin = self.witnesses[stream // SOCKETS_PER_PROCESS]
        account = self.accounts[origin.node.group]
        accepted = set(self._notes[journal.ACCEPTED][stream][origin.number][0])
        given_up = set(self._notes[journal.GIVEN_UP][stream][origin.number][0])
        written = self._notes[journal.WRITTEN][stream]
        read = self._notes[journal.READ][stream]
        delivered = self._notes[journal.DELIVERED][stream]
        fan_out = origin.node.role == "publisher"
        account.accepted += len(accepted)
        account.delivered += sum(len(of[0]) for of in delivered.values())

        self._check_origin(account, origin, accepted, given_up, written[origin.number], fan_out)
        for number, connections in list(written.items()):
            for connection, numbers in connections.items():
                self._check_link(account, stream, number, connection, numbers, read)
                self._check_rising(account, stream, number, connection, numbers)
        for number, connections in list(read.items()):
            holder = self.witnesses[number]
            self._check_holder(account, stream, holder, connections, written, delivered)
            self._check_order(account, stream, holder, connections, delivered[number][0])
        self._check_doubles(account, stream, written, delivered, fan_out)

    def _check_origin(
        self,
        account: Account,
        origin: Witness,
        accepted: set[int],
        given_up: set[int],
        written: Conns,
        fan_out: bool,
    ) -> None:
        """What was accepted must have been written."""
        name = origin.node.name
        on_wire = {number for numbers in written.values() for number in numbers}
        if not origin.gone:
            invented = on_wire - accepted - given_up
            account.fault("invented", len(invented), f"{name}: {sorted(invented)[:5]}")
        if fan_out:
            self._check_gaps(account, origin, sorted(accepted), written)
            return
        unwritten = accepted - on_wire
        withdrawn = unwritten & given_up
        account.explained[GIVEN_UP] += len(withdrawn)
        unwritten -= withdrawn
        if origin.gone:
            account.explained[KILLED] += len(unwritten)
        elif origin.linger_was_over:
            account.explained[LINGER] += len(unwritten)
        else:
            self._allow(account, origin, unwritten, "accepted, never written")

    def _check_gaps(
        self, account: Account, publisher: Witness, offered: list[int], written: Conns
    ) -> None:
        """From its first to its last message a subscriber must have got all that it wanted."""
        for connection, numbers in written.items():
            got = set(numbers)
            missing: set[int] = set()
            for residue in range(TOPICS):
                wanted = [number for number in numbers if number % TOPICS == residue]
                if wanted:
                    first, last = wanted[0], wanted[-1]
                    missing |= {
                        number
                        for number in offered
                        if first < number < last and number % TOPICS == residue
                    } - got
            if publisher.gone:
                account.explained[KILLED] += len(missing)
            else:
                self._allow(account, publisher, missing, f"left out on connection {connection}")

    def _allow(self, account: Account, holder: Witness, lost: set[int], what: str) -> None:
        """Losses that the socket itself has counted and told its monitors."""
        told = min(len(lost), self._allowance[holder.number])
        self._allowance[holder.number] -= told
        account.explained[DROPPED] += told
        account.fault(
            "unaccounted", len(lost) - told, f"{holder.node.name}: {what}: {sorted(lost)[:5]}"
        )

    def _check_link(
        self, account: Account, stream: int, number: int, connection: int, numbers: array, read: Any
    ) -> None:
        """What the kernel has wholly taken must be read at the other end."""
        writer = self.witnesses[number]
        peer = writer.peers.get(connection)
        came = {one for of in read[peer].values() for one in of} if peer in read else set()
        lost = set(numbers) - came
        if not lost:
            return
        why = self._why_lost(writer, connection)
        if why is None:
            account.fault(
                "unaccounted",
                len(lost),
                f"{writer.node.name} ({number}) to {peer}: written, never read: {sorted(lost)[:5]},"
                f" connection {connection} ended with {writer.reasons.get(connection)}",
            )
            return
        account.explained[why] += len(lost)
        self._lost_bytes[number, connection] += sum(
            size
            for one, size in zip(numbers, self._sizes[stream][number][connection])
            if one in lost
        )

    def _why_lost(self, writer: Witness, connection: int) -> str | None:
        peer = self.witnesses.get(writer.peers.get(connection, 0))
        if writer.gone or (peer is not None and peer.gone):
            return KILLED
        if self._cuts.intersection(writer.ports.get(connection, ())):
            return CUT
        if peer is None:
            return None
        if peer.fate == "left":
            return LEFT
        theirs = [
            reason
            for number, reason in peer.reasons.items()
            if peer.peers.get(number) == writer.number
        ]
        reasons = [writer.reasons.get(connection), *theirs]
        if "HeartbeatTimeout" in reasons:
            return SILENT
        return REFUSED if "PeerRefused" in reasons else None

    def _check_holder(
        self,
        account: Account,
        stream: int,
        holder: Witness,
        connections: Conns,
        written: Any,
        delivered: Any,
    ) -> None:
        """What was read must be delivered, or passed on."""
        have = {number for numbers in connections.values() for number in numbers}
        if holder.node.role == "forwarder":
            self._check_gaps(account, holder, sorted(have), written[holder.number])
            return
        if holder.node.role == "broker":
            onward = written[holder.number].values()
        else:
            onward = delivered[holder.number].values()
        stuck = have - {number for numbers in onward for number in numbers}
        if holder.gone:
            account.explained[KILLED] += len(stuck)
        elif holder.fate == "left":
            account.explained[LEFT] += len(stuck)
        else:
            self._allow(account, holder, stuck, f"{stream}: read, then nothing")

    def _check_rising(
        self, account: Account, stream: int, number: int, connection: int, numbers: array
    ) -> None:
        """Where no lost link can have given anything back, numbers rise on each connection."""
        writer = self.witnesses[number]
        if writer.node.role in ("answerer", "broker"):
            return  # several users number, respectively several askers' requests are mixed
        if writer.node.role == "producer" and writer.reasons:
            return
        falls = sum(1 for one, other in zip(numbers, numbers[1:]) if other <= one)
        account.fault("out of order", falls, f"{writer.node.name}, connection {connection}")

    def _check_order(
        self,
        account: Account,
        stream: int,
        holder: Witness,
        connections: Conns,
        delivered: array,
    ) -> None:
        """What came on one connection is delivered in that order."""
        places = {
            number: (connection, place)
            for connection, numbers in connections.items()
            for place, number in enumerate(numbers)
        }
        last: dict[int, int] = {}
        for number in delivered:
            connection, place = places.get(number, (None, 0))
            if connection is None:
                account.fault("invented", 1, f"{holder.node.name}: {stream}/{number}")
                continue
            if place < last.get(connection, -1):
                account.fault("out of order", 1, f"{holder.node.name}: {stream}/{number}")
            last[connection] = place

    def _check_doubles(
        self, account: Account, stream: int, written: Any, delivered: Any, fan_out: bool
    ) -> None:
        def several(groups: Iterable[Iterable[int]]) -> list[int]:
            counts = Counter(number for numbers in groups for number in numbers)
            return [number for number, count in counts.items() if count > 1]

        if fan_out:
            for number, of in delivered.items():
                twice = several(of.values())
                account.fault("delivered twice", len(twice), f"at {number}: {twice[:5]}")
            return
        for number, of in written.items():
            twice = several(of.values())
            name = self.witnesses[number].node.name
            account.fault("written twice", len(twice), f"{name}: {stream}: {twice[:5]}")
        twice = several(of[0] for of in delivered.values())
        account.fault("delivered twice", len(twice), f"{stream}: {twice[:5]}")

    # -- resources -------------------------------------------------------------------------

    def growth(self) -> Iterator[tuple[Witness, str, float, float]]:
        """Of each process that lived long enough: what of it grew, from where, to where."""
        for witness in self.witnesses.values():
            if not witness.lived_long:
                continue
            samples = witness.samples[WARM_UP:]
            third = len(samples) // 3
            for what, (factor, slack) in FLAT.items():
                early = [sample[what] for sample in samples[:third]]
                late = [sample[what] for sample in samples[-third:]]
                before, after = statistics.median(early), statistics.median(late)
                if after > max(max(early), before * factor) + slack:
                    yield witness, what, before, after


WARM_UP = 3
ENOUGH_SAMPLES = 3
FLAT = {"memory": (1.25, 8 << 20), "descriptors": (1.0, 4), "greenlets": (1.0, 4)}
"""Growth from the first to the last third of a life that is no leak: a factor and a constant."""
