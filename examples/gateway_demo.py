"""A gevent web server whose requests are answered by worker processes, over ZeroMQ.

    HTTP clients ── gevent.pywsgi ── ROUTER ══ tcp ══ DEALER ── worker processes
                                       SUB ══ ipc ══ PUB

Real HTTP requests come in for some seconds. Meanwhile one worker is killed and started again, and
one worker is not omq_gevent at all but libzmq. What happens to the gateway's sockets is logged as
it happens; a table comes at the end. The exit status is 0 if every request was answered.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import importlib.util
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import gevent

import omq_gevent as omq
from gateway.dispatcher import Dispatcher
from gateway.lifecycle_log import LifecycleLog
from gateway.load import Load
from gateway.processes import WorkerProcess
from gateway.protocol import LEFT
from gateway.report import Report
from gateway.web import make_application, serve

MODULES = {
    "worker-1": "gateway.worker",
    "worker-2": "gateway.worker",
    "worker-3": "gateway.worker",
    "libzmq-1": "gateway.zmq_worker",
}
VICTIM = "worker-2"

START_LIMIT = 8.0
"""Seconds within which a worker must be there."""

OVERTIME = 10.0
"""Seconds that everything but the load may take."""


class Demo:
    """The gateway, its workers and its clients."""

    def __init__(self, stack: ExitStack, log: LifecycleLog) -> None:
        self._log = log
        self._events_seen: Counter[str] = Counter()
        self._subscribed: set[str] = set()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-"))
        router = omq.ROUTER(
            router_mandatory=True, disconnect_message=LEFT, heartbeat_interval=1.0, linger=1.0
        )
        self._events = omq.SUB(subscribe=b"", reconnect_interval=(0.1, 0.5))
        monitor = router.monitor()
        self._events.monitor(monitor)
        following = gevent.spawn(log.follow, monitor)
        stack.callback(following.join)
        stack.callback(self._events.close)
        stack.callback(router.close)
        self._dispatcher = Dispatcher(router, self._worker_ready)
        endpoint = router.bind("tcp://127.0.0.1:*")
        gevent.spawn(self._dispatcher.run)
        gevent.spawn(self._read_events)
        self._server = serve(make_application(self._dispatcher.ask))
        stack.callback(self._server.stop)
        self._processes = {
            name: WorkerProcess(name, module, endpoint, f"ipc://{folder}/{name}")
            for name, module in MODULES.items()
        }
        for process in self._processes.values():
            stack.callback(process.end)
        stack.callback(self._stop_workers)

    def run(self, duration: float, clients: int) -> Report:
        """Have *clients* send requests for *duration* seconds, and disturb them."""
        for process in self._processes.values():
            process.start()
        self._wait(lambda: len(self._dispatcher.workers) == len(MODULES), "all workers are there")
        self._log.say(f"{len(MODULES)} workers are ready; {clients} clients start asking")
        load = Load(self._server.server_port, clients)
        try:
            time.sleep(duration * 0.3)
            self._kill()
            time.sleep(duration * 0.3)
            served_before = self._restart()
            time.sleep(duration * 0.4)
            load.finish()
        finally:
            load.kill()
        self._log.say("the clients have stopped")
        return Report(
            requests=load.requests,
            latencies=load.latencies,
            served=self._dispatcher.served,
            served_after_restart=self._dispatcher.served[VICTIM] - served_before,
            events=self._events_seen,
            redispatched=self._dispatcher.redispatched,
            reconnects=self._log.reconnects,
            lost=load.lost,
            failures=load.failures,
        )

    def _kill(self) -> None:
        # Frozen first, so that it certainly holds requests when it dies.
        process = self._processes[VICTIM]
        worker = self._dispatcher.workers[VICTIM]
        process.freeze()
        time.sleep(0.1)
        self._wait(lambda: bool(worker.holds), f"{VICTIM} holds a request")
        self._log.say(f"killing {VICTIM}, which holds {len(worker.holds)} requests")
        process.kill()

    def _restart(self) -> int:
        """Start the killed worker again and return what it had answered before."""
        dispatcher = self._dispatcher
        self._log.say(f"starting {VICTIM} again")
        self._processes[VICTIM].start()
        self._wait(lambda: VICTIM in dispatcher.workers, f"{VICTIM} is back")
        return dispatcher.served[VICTIM]

    def _stop_workers(self) -> None:
        self._events.reconnect_enabled = False  # the workers go for good
        self._dispatcher.stop_workers()

    def _worker_ready(self, events_endpoint: str) -> None:
        if events_endpoint not in self._subscribed:
            self._subscribed.add(events_endpoint)
            self._events.connect(events_endpoint)

    def _read_events(self) -> None:
        for topic, text in self._events:
            name = topic.decode()
            self._events_seen[name] += 1
            self._log.say(f"event   {name}: {text.decode()}")

    @staticmethod
    def _wait(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"gave up waiting until {what}")
            time.sleep(0.01)


@contextmanager
def ended_by(*signals: int) -> Iterator[None]:
    """Turn *signals* into an orderly end of the main program, whichever greenlet is running."""
    main = gevent.getcurrent()
    watchers = [
        gevent.signal_handler(number, gevent.kill, main, SystemExit(128 + number))
        for number in signals
    ]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--duration", type=float, default=8.0, help="seconds of load (8)")
    parser.add_argument("--clients", type=int, default=16, help="HTTP clients at once (16)")
    arguments = parser.parse_args()
    if importlib.util.find_spec("zmq") is None:
        return print_and_fail("this needs pyzmq for one of its workers: use `make demo`")
    log = LifecycleLog()
    with ended_by(signal.SIGINT, signal.SIGTERM), ExitStack() as stack:
        limit = arguments.duration + OVERTIME
        stack.enter_context(gevent.Timeout(limit, SystemExit(f"not through after {limit} s")))
        report = Demo(stack, log).run(arguments.duration, arguments.clients)
    print(report.table())
    problems = report.problems(list(MODULES))
    return print_and_fail(*problems) if problems else 0


def print_and_fail(*lines: str) -> int:
    print(*lines, sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
