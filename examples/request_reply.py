"""Two REP servers answer the requests of three REQ clients, all in one process."""

from __future__ import annotations

import gevent

import omq_gevent as omq


def serve(server: omq.REP, name: bytes) -> None:
    for [number] in server:
        server.send([name, b"%d" % int(number) ** 2])


def ask(endpoints: list[str], number: int) -> None:
    with omq.REQ() as client:
        for endpoint in endpoints:
            client.connect(endpoint)
        client.wait_connected(len(endpoints), timeout=5.0)  # or the first one there is asked first
        for n in (number, number + 10):
            client.send(b"%d" % n)
            name, square = client.receive(timeout=5.0)
            print(f"{n} squared is {square.decode()}, says {name.decode()}")


def main() -> None:
    with omq.REP.bind("tcp://127.0.0.1:*") as one, omq.REP.bind("tcp://127.0.0.1:*") as two:
        servers = [gevent.spawn(serve, one, b"one"), gevent.spawn(serve, two, b"two")]
        endpoints = [one.last_endpoint, two.last_endpoint]
        gevent.joinall([gevent.spawn(ask, endpoints, n) for n in (1, 2, 3)], raise_error=True)
    gevent.joinall(servers, raise_error=True)  # closing the sockets ended their loops


if __name__ == "__main__":
    main()
