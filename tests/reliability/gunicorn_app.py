"""A WSGI application that asks a REP server, as gunicorn loads it before it forks its workers."""

from __future__ import annotations

import json
import os

import omq_gevent as omq

ENDPOINT = os.environ["OMQ_TEST_SERVER"]
OPTIONS = {"read_timeout": 10.0}

masters = omq.REQ.connect(ENDPOINT, identity=b"master", **OPTIONS)
masters.send(b"at the start")
AT_THE_START = masters.receive()[0].decode()


def application(environ, start_response):
    try:
        masters.send(b"from a worker")
        inherited = "sent"
    except omq.SocketForked as error:
        inherited = str(error)
    with omq.REQ.connect(ENDPOINT, **OPTIONS) as req:
        req.send(environ["PATH_INFO"].encode())
        reply = req.receive()[0].decode()
    answer = {
        "pid": os.getpid(),
        "reply": reply,
        "at the start": AT_THE_START,
        "inherited": inherited,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
