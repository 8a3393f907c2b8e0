"""Who talks to whom: drawn at random, the same for the same seed."""

from __future__ import annotations

import json
import random
import socket
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tools.soak.message import TOPICS

SOCKETS_PER_PROCESS = 16

_PORTS = range(20_000, 32_000)
"""Below the ports that systems give away, so that a port is still free after a restart."""


_anywhere = random.SystemRandom()  # two runs of one seed must not meet at the same ports


class Kind(NamedTuple):
    """One socket."""

    type: str
    binds: list[str]
    connects: list[str]
    options: dict[str, Any]
    subscriptions: list[str]


class Node(NamedTuple):
    """One process. *pause* is the mean time between bursts in seconds."""

    name: str
    group: str
    role: str
    sockets: list[Kind]
    pause: float
    burst: int
    slowness: float


class Specification(NamedTuple):
    node: Node
    incarnation: int
    directory: str
    seed: int
    niceness: int


def dump(specification: Specification) -> str:
    return json.dumps(specification)


def load(text: str) -> Specification:
    node, *rest = json.loads(text)
    *plain, kinds, pause, burst, slowness = node
    return Specification(
        Node(*plain, [Kind(*kind) for kind in kinds], pause, burst, slowness), *rest
    )


class Topology:
    """All processes; ``relays`` maps the ports of the relay to those it passes on to."""

    def __init__(self, rng: random.Random, directory: Path, small: bool) -> None:
        self.nodes: list[Node] = []
        self.relays: dict[int, int] = {}
        self._rng = rng
        self._directory = directory
        self._taken: set[int] = set()
        self._files = 0
        several = 2 if small else 3
        self._pipeline_out(several)
        self._pipeline_in(several)
        self._pool(askers=1 if small else 2, answerers=2)
        self._tree(subscribers=2 if small else 4)
        for scheme in ("tcp",) if small else ("tcp", "ipc"):
            self._pair(scheme)

    def _pipeline_out(self, consumers: int) -> None:
        end = self._endpoint()
        self._add("fan-out", "producer", self._kind("PUSH", binds=[end]))
        for _ in range(consumers):
            self._add("fan-out", "consumer", self._kind("PULL", connects=[self._way(end)]))

    def _pipeline_in(self, producers: int) -> None:
        # Two ways in, so that both transports are used.
        ends = [self._endpoint("tcp"), self._endpoint("ipc")]
        self._add("fan-in", "consumer", self._kind("PULL", binds=ends))
        for index in range(producers):
            way = self._way(ends[index % 2])
            self._add("fan-in", "producer", self._kind("PUSH", connects=[way]))

    def _pool(self, askers: int, answerers: int) -> None:
        front, back = self._endpoint(), self._endpoint()
        self._add(
            "pool", "broker", self._kind("ROUTER", [front]), self._kind("DEALER", binds=[back])
        )
        options = {"req_relaxed": True, "req_correlate": True}
        for _ in range(askers):
            kinds = [self._kind("REQ", connects=[self._way(front)], **options) for _ in range(4)]
            self._add("pool", "asker", *kinds)
        for _ in range(answerers):
            self._add("pool", "answerer", self._kind("REP", connects=[self._way(back)]))

    def _tree(self, subscribers: int) -> None:
        root, branch = self._endpoint(), self._endpoint()
        nodrop = {"xpub_nodrop": self._rng.random() < 0.5}
        self._add("tree", "publisher", self._kind("PUB", [root], **nodrop))
        self._add(
            "tree",
            "forwarder",
            # Wants everything by itself: what comes down must not depend on who is below just now.
            self._kind("XSUB", connects=[self._way(root)], subscriptions=[""]),
            self._kind("XPUB", [branch], **nodrop),
        )
        for index in range(subscribers):
            way = self._way(branch if index else root)
            wanted = self._rng.sample(range(TOPICS), self._rng.randrange(1, TOPICS))
            prefixes = [f"topic-{number}" for number in wanted] if index % 2 else [""]
            self._add(
                "tree", "subscriber", self._kind("SUB", connects=[way], subscriptions=prefixes)
            )

    def _pair(self, scheme: str) -> None:
        end = self._endpoint(scheme)
        group = f"pair ({scheme})"
        self._add(group, "pair", self._kind("PAIR", [end]))
        self._add(group, "pair", self._kind("PAIR", connects=[self._way(end)]))

    # -- parts -----------------------------------------------------------------------------

    def _add(self, group: str, role: str, *kinds: Kind) -> None:
        number = sum(1 for node in self.nodes if node.group == group and node.role == role)
        self.nodes.append(
            Node(
                name=f"{group}/{role}-{number}",
                group=group,
                role=role,
                sockets=list(kinds),
                pause=self._rng.uniform(0.01, 0.05),
                burst=self._rng.choice((5, 25, 100)),
                slowness=self._rng.choice((0, 0, 0.01)),
            )
        )

    def _kind(
        self,
        type_: str,
        binds: list[str] | None = None,
        connects: list[str] | None = None,
        subscriptions: list[str] | None = None,
        **options: Any,
    ) -> Kind:
        rng = self._rng
        options["send_hwm"] = rng.choice((10, 100, 1000))
        options["recv_hwm"] = rng.choice((10, 100, 1000))
        if rng.random() < 0.5:  # so that writes are cut by the kernel all the time
            options["sndbuf"] = options["rcvbuf"] = 8192
        if rng.random() < 0.3:
            options["heartbeat_interval"] = 0.5
            options["heartbeat_timeout"] = 1.0
        return Kind(type_, binds or [], connects or [], options, subscriptions or [])

    def _endpoint(self, scheme: str | None = None) -> str:
        scheme = scheme or ("ipc" if self._rng.random() < 0.25 else "tcp")
        if scheme == "tcp":
            return f"tcp://127.0.0.1:{self._port()}"
        self._files += 1
        return f"ipc://{self._directory}/{self._files}.sock"

    def _way(self, endpoint: str) -> str:
        """Where to connect so as to reach *endpoint*: mostly through the relay."""
        if endpoint.startswith("ipc") or self._rng.random() < 0.3:
            return endpoint
        port = self._port()
        self.relays[port] = int(endpoint.rpartition(":")[2])
        return f"tcp://127.0.0.1:{port}"

    def _port(self) -> int:
        while True:
            port = _anywhere.choice(_PORTS)
            if port in self._taken:
                continue
            self._taken.add(port)
            with closing(socket.socket()) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
