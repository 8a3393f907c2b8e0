"""QueueMonitor: bounded, never in the engine's way, ends with its sockets."""

from __future__ import annotations

import gevent
import pytest

from omq_gevent import PULL, PUSH, SocketClosed, WaitTimeout
from omq_gevent.monitors.broadcast import Broadcast
from omq_gevent.monitors.event import MonitorEvent
from omq_gevent.monitors.queue import QueueMonitor


def kinds(monitor):
    return [event.kind for event in monitor]


def test_events_come_in_order_and_end_after_the_last():
    broadcast = Broadcast("PUSH")
    monitor = QueueMonitor()
    broadcast.add(monitor)
    broadcast.emit(MonitorEvent("listening"))
    broadcast.emit(MonitorEvent("closed"))
    broadcast.stop()
    assert kinds(monitor) == ["listening", "closed", "monitor_stopped"]
    assert kinds(monitor) == []


def test_a_full_queue_drops_its_oldest_events_and_counts_them():
    broadcast = Broadcast("PUSH")
    monitor = QueueMonitor(size=3)
    broadcast.add(monitor)
    for number in range(5):
        broadcast.emit(MonitorEvent("accepted", detail=number))
    assert monitor.dropped == 2
    assert [monitor.get(timeout=0).detail for _ in range(3)] == [2, 3, 4]
    broadcast.stop()
    assert kinds(monitor) == ["monitor_stopped"]


def test_a_reader_that_waits_is_woken():
    broadcast = Broadcast("PUSH")
    monitor = QueueMonitor()
    broadcast.add(monitor)
    readers = [gevent.spawn(monitor.get) for _ in range(2)]
    gevent.sleep(0)
    broadcast.emit(MonitorEvent("listening"))
    broadcast.emit(MonitorEvent("closed"))
    gevent.joinall(readers, timeout=5)
    assert [reader.value.kind for reader in readers] == ["listening", "closed"]
    broadcast.stop()


def test_get_gives_up_in_time():
    broadcast = Broadcast("PUSH")
    monitor = QueueMonitor()
    broadcast.add(monitor)
    with pytest.raises(WaitTimeout):
        monitor.get(timeout=0)
    with pytest.raises(WaitTimeout, match=r"0\.01 s"):
        monitor.get(timeout=0.01)
    broadcast.stop()


def test_readers_that_wait_learn_of_the_end():
    broadcast = Broadcast("PUSH")
    monitor = QueueMonitor()
    broadcast.add(monitor)
    readers = [gevent.spawn(kinds, monitor) for _ in range(3)]
    gevent.sleep(0)
    broadcast.stop()
    gevent.joinall(readers, timeout=5)
    assert sorted(map(len, (reader.value for reader in readers))) == [0, 0, 1]
    with pytest.raises(SocketClosed):
        monitor.get()


def test_nothing_can_come_to_a_monitor_of_no_socket():
    with pytest.raises(SocketClosed):
        QueueMonitor().get()
    assert list(QueueMonitor()) == []


def test_close_leaves_the_socket_and_keeps_what_was_told():
    broadcast = Broadcast("PUSH")
    monitor = QueueMonitor()
    broadcast.add(monitor)
    broadcast.emit(MonitorEvent("listening"))
    monitor.close()
    monitor.close()
    broadcast.emit(MonitorEvent("accepted"))
    assert kinds(monitor) == ["listening", "monitor_stopped"]


def test_one_monitor_of_two_sockets_ends_with_the_last():
    monitor = QueueMonitor()
    with PULL() as pull, PUSH() as push:
        assert pull.monitor(monitor) is monitor
        push.monitor(monitor)
        push.close()
        assert [monitor.get(0).kind for _ in range(2)] == ["closed", "monitor_stopped"]
        endpoint = pull.bind("tcp://127.0.0.1:0")
        event = monitor.get(0)
        assert (event.socket_type, event.kind, event.endpoint) == ("PULL", "listening", endpoint)
    assert kinds(monitor) == ["closed", "monitor_stopped"]


@pytest.mark.parametrize("size", [0, -1])
def test_a_queue_holds_something(size):
    with pytest.raises(ValueError, match=str(size)):
        QueueMonitor(size)
