"""A program that starts processes as multiprocessing does, with and without patching."""

from __future__ import annotations

import sys

if __name__ == "__main__" and "patched" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

import multiprocessing
import os
from multiprocessing.connection import wait

import gevent

import omq_gevent as omq

OPTIONS = {"heartbeat_interval": 0.02, "reconnect_interval": 0.01}
parents = omq.PUSH(immediate=True)  # each process that imports this module has its own


def work(method: str, endpoint: str) -> None:
    """The child: what has become of the parent's socket, and a socket of its own."""
    try:
        parents.send(b"from the child's copy", timeout=0)
    except omq.SocketForked:
        copy = b"forked"
    except omq.SendTimeout:
        copy = b"a new one"
    gevent.sleep(0.05)
    with omq.PUSH.connect(endpoint) as push:
        push.send([method.encode(), copy, b"%d" % os.getpid()])


def main(methods: list[str]) -> None:
    pull = omq.PULL.bind("tcp://127.0.0.1:*", **OPTIONS)
    parents.heartbeat_interval = 0.02
    parents.connect(pull.last_endpoint)
    parents.wait_connected(timeout=5)
    events = parents.monitor()

    processes = []
    for method in methods:
        context = multiprocessing.get_context(method)
        processes.append(context.Process(target=work, args=(method, pull.last_endpoint)))
        processes[-1].start()
    answers = {}
    for number in range(len(processes)):
        parents.send(b"%d" % number)
    for _ in range(2 * len(processes)):
        message = pull.receive(timeout=20)
        if len(message) == 3:
            answers[message[0].decode()] = (message[1].decode(), int(message[2]))
    for process in processes:
        assert wait([process.sentinel], 10), process
        # Where os.waitpid is gevent's, multiprocessing may not learn it, or not at once.
        assert process.exitcode in (0, None), process
    for method, process in zip(methods, processes):
        copy, pid = answers[method]
        assert pid == process.pid
        print(method, copy)
    assert not len(events), list(events)
    parents.close()
    pull.close()


if __name__ == "__main__":
    main(sys.argv[2:])
