"""A PUB sends weather reports; each SUB gets those of the towns that it asked for."""

from __future__ import annotations

import gevent

import omq_gevent as omq

REPORTS = [(b"oslo", b"snow"), (b"rome", b"sun"), (b"oslo", b"fog"), (b"all", b"the end")]


def listen(endpoint: str, name: str, towns: list[bytes]) -> None:
    with omq.SUB.connect(endpoint, subscribe=[*towns, b"all"]) as subscriber:
        for town, report in subscriber:
            print(f"{name} hears of {town.decode()}: {report.decode()}")
            if town == b"all":
                return


def main() -> None:
    with omq.PUB.bind("tcp://127.0.0.1:*") as publisher:
        endpoint = publisher.last_endpoint
        listeners = [
            gevent.spawn(listen, endpoint, "ann", [b"oslo"]),
            gevent.spawn(listen, endpoint, "bob", [b"oslo", b"rome"]),
        ]
        # What nobody has subscribed to yet is not kept for later.
        publisher.wait_subscribed(b"all", n=2, timeout=5.0)
        for town, report in REPORTS:
            publisher.send([town, report])
        gevent.joinall(listeners, raise_error=True)


if __name__ == "__main__":
    main()
