"""A PUSH deals numbers to four workers; a PULL collects what they make of them."""

from __future__ import annotations

import gevent

import omq_gevent as omq

TASKS = 100


def work(tasks: str, results: str) -> None:
    with omq.PULL.connect(tasks) as source, omq.PUSH.connect(results) as sink:
        for [number] in source:
            sink.send(b"%d" % int(number) ** 2)


def main() -> None:
    with omq.PUSH.bind("tcp://127.0.0.1:*") as tasks, omq.PULL.bind("tcp://127.0.0.1:*") as results:
        ends = tasks.last_endpoint, results.last_endpoint
        workers = [gevent.spawn(work, *ends) for _ in range(4)]
        tasks.wait_connected(len(workers), timeout=5.0)  # or the first would get it all
        for number in range(TASKS):
            tasks.send(b"%d" % number)
        total = sum(int(results.receive(timeout=5.0)[0]) for _ in range(TASKS))
        print(f"the squares of 0 to {TASKS - 1} add up to {total}")
        gevent.killall(workers)


if __name__ == "__main__":
    main()
