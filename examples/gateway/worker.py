"""A worker process: takes requests from the gateway and answers them, several at a time."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys

import gevent
from gevent.pool import Pool
from gevent.socket import wait_read

import omq_gevent as omq
from gateway.protocol import ANSWER, READY, STOP, work, worth_telling

SIZE = 8
"""Requests in work at once."""


class Worker:
    """One greenlet for each request; all of them send on the same two sockets."""

    def __init__(self, name: str, requests: omq.DEALER, events: omq.PUB) -> None:
        self._name = name.encode()
        self._requests = requests
        self._events = events
        self._answered = 0

    def run(self) -> None:
        pool = Pool()
        for kind, *rest in self._requests:
            if kind == STOP:
                break
            pool.spawn(self._serve, *rest)
        pool.join()

    def _serve(self, key: bytes, body: bytes) -> None:
        self._requests.send([ANSWER, key, work(body)])
        self._answered += 1
        if worth_telling(self._answered):
            self._events.send([self._name, b"%d requests answered" % self._answered])


def main(name: str, gateway: str, events_endpoint: str) -> None:
    events = omq.PUB.bind(events_endpoint, linger=1.0)
    # Said again whenever the connection was lost and is back.
    ready = [READY, b"%d" % SIZE, events.last_endpoint.encode()]
    requests = omq.DEALER.connect(gateway, identity=name.encode(), hello_message=ready, linger=1.0)
    with events, requests:
        running = gevent.spawn(Worker(name, requests, events).run)
        # Standard input is a pipe from the parent; it ends when the parent does, even by SIGKILL.
        orphaned = gevent.spawn(wait_read, sys.stdin.fileno())
        gevent.wait([running, orphaned], count=1)
        gevent.killall([running, orphaned])
        running.get()


if __name__ == "__main__":
    main(*sys.argv[1:])
