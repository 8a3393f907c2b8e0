"""The same worker with neither gevent nor omq_gevent: pyzmq on libzmq, one request at a time."""

from __future__ import annotations

import sys

import zmq

from gateway.protocol import ANSWER, READY, STOP, work, worth_telling

SIZE = 2
"""Requests sent to us at once: one in work, one waiting."""


def main(name: str, gateway: str, events_endpoint: str) -> None:
    with zmq.Context() as context:
        events = context.socket(zmq.PUB)
        events.linger = 1000
        events.bind(events_endpoint)
        requests = context.socket(zmq.DEALER)
        requests.linger = 1000
        requests.identity = name.encode()
        requests.connect(gateway)
        requests.send_multipart([READY, b"%d" % SIZE, events_endpoint.encode()])
        with requests, events:
            run(name, requests, events)


def run(name: str, requests: zmq.Socket[bytes], events: zmq.Socket[bytes]) -> None:
    poller = zmq.Poller()
    poller.register(requests, zmq.POLLIN)
    poller.register(sys.stdin.fileno(), zmq.POLLIN)  # a pipe that ends when the parent does
    answered = 0
    while True:
        ready = dict(poller.poll())
        if sys.stdin.fileno() in ready:
            return
        kind, *rest = requests.recv_multipart()
        if kind == STOP:
            return
        key, body = rest
        requests.send_multipart([ANSWER, key, work(body)])
        answered += 1
        if worth_telling(answered):
            events.send_multipart([name.encode(), b"%d requests answered" % answered])


if __name__ == "__main__":
    main(*sys.argv[1:])
