"""Broadcast: every monitor of a socket, and none of them can hurt it."""

from __future__ import annotations

import logging

from zope.interface import implementer

from omq_gevent.interfaces import IMonitor
from omq_gevent.monitors.broadcast import Broadcast
from omq_gevent.monitors.event import MonitorEvent


@implementer(IMonitor)
class Notes:
    def __init__(self):
        self.kinds = []

    def notify(self, event):
        self.kinds.append(event.kind)


@implementer(IMonitor)
class Broken:
    calls = 0

    def notify(self, event):
        self.calls += 1
        raise ZeroDivisionError("no monitor of ours")


def test_any_number_of_monitors_is_told():
    broadcast = Broadcast("PUB")
    early, late = Notes(), Notes()
    broadcast.add(early)
    broadcast.emit(MonitorEvent("listening"))
    broadcast.add(late)
    broadcast.emit(MonitorEvent("accepted"))
    broadcast.stop()
    assert early.kinds == ["listening", "accepted", "monitor_stopped"]
    assert late.kinds == ["accepted", "monitor_stopped"]


def test_a_monitor_that_raises_is_taken_out_and_reported_once(caplog):
    broadcast = Broadcast("PUB")
    broken, notes = Broken(), Notes()
    broadcast.add(broken, verbose=True)
    broadcast.add(notes)
    with caplog.at_level(logging.ERROR):
        broadcast.emit(MonitorEvent("listening"))
        broadcast.emit(MonitorEvent("accepted"))
    assert broken.calls == 1
    assert notes.kinds == ["listening", "accepted"]
    assert not broadcast.verbose
    [record] = caplog.records
    assert record.exc_info[0] is ZeroDivisionError
    assert "Broken" in record.message


def test_a_monitor_that_raises_at_its_end_disturbs_nobody():
    broadcast = Broadcast("PUB")
    broken, notes = Broken(), Notes()
    broadcast.add(broken)
    broadcast.add(notes)
    broadcast.remove(broken)
    assert broken.calls == 1
    broadcast.add(Broken())
    broadcast.stop()
    assert notes.kinds == ["monitor_stopped"]


def test_a_removed_monitor_gets_its_last_event_once():
    broadcast = Broadcast("PUB")
    notes = Notes()
    broadcast.add(notes)
    broadcast.remove(notes)
    broadcast.remove(notes)
    broadcast.emit(MonitorEvent("closed"))
    broadcast.stop()
    assert notes.kinds == ["monitor_stopped"]


def test_a_monitor_that_another_one_removes_hears_no_more():
    broadcast = Broadcast("PUB")
    notes = Notes()

    @implementer(IMonitor)
    class Remover:
        def notify(self, event):
            broadcast.remove(notes)

    broadcast.add(Remover())
    broadcast.add(notes)
    broadcast.emit(MonitorEvent("listening"))
    assert notes.kinds == ["monitor_stopped"]


def test_added_after_the_end_it_ends_at_once():
    broadcast = Broadcast("PUB")
    broadcast.stop()
    notes = Notes()
    broadcast.add(notes)
    broadcast.emit(MonitorEvent("listening"))
    assert notes.kinds == ["monitor_stopped"]


def test_messages_are_told_to_verbose_monitors_only():
    changes = []
    broadcast = Broadcast("PUB", lambda: changes.append(broadcast.verbose))
    plain, verbose = Notes(), Notes()
    broadcast.add(plain)
    assert not broadcast.verbose
    broadcast.add(verbose, verbose=True)
    broadcast.tell_message("message_sent", [b"a"])
    broadcast.add(verbose, verbose=False)
    broadcast.tell_message("message_sent", [b"b"])
    assert plain.kinds == []
    assert verbose.kinds == ["message_sent"]
    assert changes == [True, False]


def test_events_reach_the_log_without_any_monitor(caplog):
    with caplog.at_level(logging.DEBUG, "omq_gevent.monitor"):
        Broadcast("PUB").emit(MonitorEvent("bind_failed", "tcp://x", error=OSError("no")))
        Broadcast("PUB").emit(MonitorEvent("accepted", "tcp://x"))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "bind_failed tcp://x (no)"),
        ("DEBUG", "accepted tcp://x"),
    ]
