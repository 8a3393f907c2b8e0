"""CallableMonitor: a function that may block or fail, without anybody noticing."""

from __future__ import annotations

import logging

import gevent
import pytest
from gevent.event import Event

from omq_gevent import PULL, PUSH
from omq_gevent.monitors.broadcast import Broadcast
from omq_gevent.monitors.callable import CallableMonitor
from omq_gevent.monitors.event import MonitorEvent


def test_the_function_gets_every_event_to_the_last():
    seen = []
    stopped = Event()

    def function(event):
        seen.append(event.kind)
        if event.kind == "monitor_stopped":
            stopped.set()

    with PULL() as pull:
        pull.monitor(function)
        pull.bind("tcp://127.0.0.1:0")
    assert stopped.wait(5)
    assert seen == ["listening", "closed", "monitor_stopped"]


def test_a_function_that_blocks_holds_nobody_up():
    release = Event()
    seen = []

    def function(event):
        release.wait()
        seen.append(event.kind)

    with PULL() as pull:
        monitor = pull.monitor(function)
        endpoint = pull.bind("tcp://127.0.0.1:0")
        with PUSH.connect(endpoint) as push:
            for number in range(100):
                push.send(b"%d" % number)
            assert [pull.receive(5) for _ in range(100)][-1] == [b"99"]
    assert seen == []
    release.set()
    gevent.wait([monitor._greenlet], timeout=5)
    assert seen[:2] == ["listening", "accepted"]
    assert seen[-1] == "monitor_stopped"


def test_what_waits_for_a_slow_function_is_bounded():
    broadcast = Broadcast("PUSH")
    seen = []
    monitor = CallableMonitor(lambda event: seen.append(event.detail), size=2)
    broadcast.add(monitor)
    for number in range(5):
        broadcast.emit(MonitorEvent("accepted", detail=number))
    gevent.sleep(0)
    assert seen == [3, 4]
    assert monitor.dropped == 3
    broadcast.stop()
    gevent.sleep(0)


def test_a_failure_is_logged_and_the_next_event_is_tried(caplog):
    seen = []

    def function(event):
        seen.append(event.kind)
        if len(seen) == 1:
            raise ZeroDivisionError("the first one is bad")

    broadcast = Broadcast("PUSH")
    broadcast.add(CallableMonitor(function))
    broadcast.emit(MonitorEvent("listening"))
    broadcast.stop()
    with caplog.at_level(logging.ERROR, "omq_gevent.monitor"):
        gevent.sleep(0)
    assert seen == ["listening", "monitor_stopped"]
    [record] = caplog.records
    assert record.exc_info[0] is ZeroDivisionError
    assert "listening" in record.message


def test_events_of_a_killed_greenlet_are_taken_up_by_the_next():
    seen = []
    broadcast = Broadcast("PUSH")
    monitor = CallableMonitor(lambda event: seen.append(event.kind))
    broadcast.add(monitor)
    broadcast.emit(MonitorEvent("listening"))
    monitor._greenlet.kill()
    broadcast.stop()
    gevent.sleep(0)
    assert seen == ["listening", "monitor_stopped"]


def test_a_function_may_close_its_socket():
    stopped = Event()
    push = PUSH()

    def function(event):
        if event.kind == "listening":
            push.close()
        elif event.kind == "monitor_stopped":
            stopped.set()

    push.monitor(function)
    push.bind("tcp://127.0.0.1:0")
    assert stopped.wait(5)
    assert push.closed


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="callable"):
        CallableMonitor("print")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0"):
        CallableMonitor(print, size=0)
