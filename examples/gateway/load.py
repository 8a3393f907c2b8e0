"""Clients that ask the web server over HTTP and check each answer."""

from __future__ import annotations

import http.client
import time

from gevent.pool import Group

from gateway.protocol import answer_to

THINKING_TIME = 0.025
"""Seconds between an answer and the client's next request."""

PATIENCE = 15.0
"""Seconds that a client waits for the web server."""


class Load:
    """*clients* greenlets, each with a connection of its own and plain blocking calls."""

    def __init__(self, port: int, clients: int) -> None:
        self._port = port
        self._until = float("inf")
        self._group = Group()
        self.requests = 0
        self.latencies: list[float] = []
        self.failures: list[str] = []
        for number in range(clients):
            self._group.spawn(self._client, number)

    @property
    def lost(self) -> int:
        """Requests that got no right answer."""
        return self.requests - len(self.latencies)

    def finish(self) -> None:
        """Let every client wait for its last answer, then return."""
        self._until = 0.0
        self._group.join()

    def kill(self) -> None:
        self._group.kill()

    def _client(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        orders = 0
        while time.monotonic() < self._until:
            orders += 1
            self._ask(connection, b"order %d of client %d" % (orders, number))
            time.sleep(THINKING_TIME)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        self.requests += 1
        started = time.monotonic()
        try:
            connection.request("POST", "/orders", body)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            connection.close()
            return
        if response.status == 200 and answer == answer_to(body):
            self.latencies.append(time.monotonic() - started)
        else:
            self.failures.append(f"{response.status} {answer!r} to {body!r}")
