"""The web server: a WSGI application that knows nothing of gevent, and the server that runs it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any, Callable

from gevent.pywsgi import WSGIServer

LONGEST_WAIT = 10.0
"""Seconds that a client waits for the workers."""


def make_application(ask: Callable[[bytes, float], bytes]) -> Callable[..., Iterable[bytes]]:
    """A WSGI application that answers every request with what *ask* returns."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        try:
            answer = ask(body, LONGEST_WAIT)
        except TimeoutError:
            start_response("504 Gateway Timeout", [("Content-Type", "text/plain")])
            return [b"no worker answered in time\n"]
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))]
        start_response("200 OK", headers)
        return [answer]

    return application


def serve(application: Callable[..., Iterable[bytes]]) -> WSGIServer:
    """Start serving *application* on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    # pywsgi sends head and body apart, and the second would wait for the client's delayed
    # acknowledgement (40 ms on Linux). Connections inherit this from their listener.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = WSGIServer(listener, application, log=None)
    server.start()
    return server
