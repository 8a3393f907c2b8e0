"""Hands requests to workers, and what a lost worker still held to another one.

ZeroMQ cannot know whether a request that the kernel has taken was answered; only the application
can. So the dispatcher remembers which worker holds which request, and has the ROUTER tell it of
lost workers (``disconnect_message``). That notice arrives in the stream of messages, behind the
last answer that the worker managed to send.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from contextlib import suppress
from typing import Callable

from gevent.event import AsyncResult

import omq_gevent as omq
from gateway.protocol import ANSWER, LEFT, READY, REQUEST, STOP


class Request:
    """One question and the place where its answer will be."""

    def __init__(self, key: bytes, body: bytes) -> None:
        self.key = key
        self.body = body
        self.answer: AsyncResult[bytes] = AsyncResult()


class Worker:
    """A connected worker and the requests that it holds, by key."""

    def __init__(self, identity: bytes, size: int) -> None:
        self.identity = identity
        self.size = size
        self.holds: dict[bytes, Request] = {}

    @property
    def free(self) -> bool:
        return len(self.holds) < self.size


class Dispatcher:
    """The gateway's side of the ROUTER; any number of greenlets may `ask` at once."""

    def __init__(self, router: omq.ROUTER, on_ready: Callable[[str], None]) -> None:
        self._router = router
        self._on_ready = on_ready
        self._keys = itertools.count(1)
        self._waiting: deque[Request] = deque()
        self.workers: dict[str, Worker] = {}
        self.served: Counter[str] = Counter()
        self.joined: Counter[str] = Counter()
        self.redispatched = 0

    def ask(self, body: bytes, timeout: float) -> bytes:
        """The workers' answer to *body*; to the caller a function that takes a while.

        :raises TimeoutError: when there was none within *timeout* seconds.
        """
        request = Request(b"%d" % next(self._keys), body)
        self._waiting.append(request)
        self._dispatch()
        answer = request.answer.wait(timeout)
        if answer is None:
            raise TimeoutError(f"no answer within {timeout} s")
        return answer

    def run(self) -> None:
        """Take what the workers send until the socket is closed."""
        for identity, kind, *rest in self._router:
            name = identity.decode()
            if kind == READY:
                self._worker_joined(name, Worker(identity, int(rest[0])), rest[1].decode())
            elif kind == ANSWER:
                self._answered(name, *rest)
            elif kind == LEFT:
                self._worker_left(name)
            self._dispatch()

    def stop_workers(self) -> None:
        """Ask every worker to end."""
        for worker in list(self.workers.values()):
            with suppress(omq.Unroutable):
                self._router.send([worker.identity, STOP])

    def _dispatch(self) -> None:
        while self._waiting:
            name = next((name for name, worker in self.workers.items() if worker.free), None)
            if name is None:
                return
            # To the end of the dictionary, so that the workers take turns.
            worker = self.workers[name] = self.workers.pop(name)
            request = self._waiting.popleft()
            worker.holds[request.key] = request
            try:
                self._router.send([worker.identity, REQUEST, request.key, request.body])
            except omq.Unroutable:  # the worker is gone, and the notice is on its way to us
                worker.size = 0
                if worker.holds.pop(request.key, None):
                    self._waiting.appendleft(request)

    def _answered(self, name: str, key: bytes, answer: bytes) -> None:
        request = self.workers[name].holds.pop(key)
        request.answer.set(answer)
        self.served[name] += 1

    def _worker_joined(self, name: str, worker: Worker, events_endpoint: str) -> None:
        self.workers[name] = worker
        self.joined[name] += 1
        self._on_ready(events_endpoint)

    def _worker_left(self, name: str) -> None:
        worker = self.workers.pop(name, None)
        if worker is None:
            return  # it never said READY
        # To the front: these have waited longest.
        self._waiting.extendleft(reversed(worker.holds.values()))
        self.redispatched += len(worker.holds)
