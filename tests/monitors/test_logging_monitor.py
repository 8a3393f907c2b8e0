"""LoggingMonitor and the levels: one readable line per event, and no flood."""

from __future__ import annotations

import logging

import pytest

from omq_gevent import PULL, ConnectionLost, GreetingError
from omq_gevent.monitors import levels
from omq_gevent.monitors.event import KINDS, MonitorEvent
from omq_gevent.monitors.levels import Levels
from omq_gevent.monitors.logging import LoggingMonitor


def test_one_line_per_event_in_the_log_of_choice(caplog):
    log = logging.getLogger("the.gateway")
    with caplog.at_level(logging.INFO, "the.gateway"), PULL() as pull:
        pull.monitor(LoggingMonitor(log, level=logging.INFO))
        endpoint = pull.bind("tcp://127.0.0.1:0")
    lines = [record.message for record in caplog.records if record.name == "the.gateway"]
    assert lines == [f"PULL listening {endpoint}", "PULL closed", "PULL monitor_stopped"]


def test_by_default_each_event_has_its_own_level(caplog):
    with caplog.at_level(logging.DEBUG, "omq_gevent.events"), PULL() as pull:
        pull.monitor("logging")
        pull.bind("tcp://127.0.0.1:0")
    found = [(r.levelname, r.message.split()[1]) for r in caplog.records if "events" in r.name]
    assert found == [("INFO", "listening"), ("DEBUG", "closed"), ("DEBUG", "monitor_stopped")]


def test_a_message_is_logged_by_its_size_only():
    event = MonitorEvent("message_sent", message=(b"secret", b""), socket_type="PUSH")
    assert str(event) == "PUSH message_sent 2 frames, 6 bytes"


def test_an_event_is_readable():
    event = MonitorEvent(
        "connect_retried",
        "tcp://10.0.0.1:5555",
        error=ConnectionRefusedError(111, "Connection refused"),
        interval=0.25,
        attempt=3,
        socket_type="REQ",
    )
    assert str(event) == (
        "REQ connect_retried tcp://10.0.0.1:5555 next attempt in 0.250 s "
        "([Errno 111] Connection refused)"
    )
    assert MonitorEvent("closed").reason == ""
    assert MonitorEvent("disconnected", error=EOFError()).reason == "EOFError"


def test_an_event_cannot_be_changed():
    with pytest.raises(AttributeError):
        MonitorEvent("closed").kind = "open"  # type: ignore[misc]


def test_only_the_first_of_a_row_of_retries_is_seen():
    chooser = Levels()
    row = [
        chooser.level_of(MonitorEvent("connect_retried", attempt=attempt)) for attempt in (1, 2, 3)
    ]
    assert row == [logging.INFO, logging.DEBUG, logging.DEBUG]


def test_a_peer_that_only_looks_in_is_no_warning_but_nonsense_is():
    chooser = Levels()
    left = MonitorEvent("handshake_failed", error=ConnectionLost("gone"))
    nonsense = MonitorEvent("handshake_failed", error=GreetingError("an HTTP request"))
    assert chooser.level_of(left) == logging.DEBUG
    assert chooser.level_of(nonsense) == logging.WARNING
    assert chooser.level_of(MonitorEvent("disconnected")) == logging.DEBUG
    assert chooser.level_of(MonitorEvent("disconnected", peer=object())) == logging.INFO


@pytest.mark.parametrize("kind", ["message_dropped", "accept_failed"])
def test_a_warning_that_repeats_falls_quiet_for_a_while(kind, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(levels.time, "monotonic", lambda: now)
    chooser = Levels()
    event = MonitorEvent(kind)
    assert chooser.level_of(event) == logging.WARNING
    now += levels.QUIET_SECONDS / 2
    assert chooser.level_of(event) == logging.DEBUG
    now += levels.QUIET_SECONDS
    assert chooser.level_of(event) == logging.WARNING


def test_levels_are_given_to_known_kinds_only():
    assert set(levels.LEVELS) <= KINDS
