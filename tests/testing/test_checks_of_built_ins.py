"""The checks for plug-in authors, passed by every part of our own."""

from __future__ import annotations

import itertools

import pytest

from omq_gevent import registry
from omq_gevent.engine.engine import GeventEngine
from omq_gevent.interfaces import ITransport
from omq_gevent.mechanisms.null import NULL
from omq_gevent.monitors.callable import CallableMonitor
from omq_gevent.monitors.logging import LoggingMonitor
from omq_gevent.monitors.queue import QueueMonitor
from omq_gevent.testing import check_engine, check_mechanism, check_monitor, check_transport

numbers = itertools.count()


@pytest.mark.parametrize("scheme", registry.names(ITransport))
def test_transports(scheme, tmp_path):
    bind_endpoints = {
        "tcp": lambda: "tcp://127.0.0.1:0",
        "ipc": lambda: f"ipc://{tmp_path}/{next(numbers)}",
        "inproc": lambda: f"inproc://check-{next(numbers)}",
    }
    check_transport(registry.transport(scheme), bind_endpoints[scheme])


def test_null():
    check_mechanism(NULL, NULL)


@pytest.mark.parametrize(
    "make_monitor",
    [QueueMonitor, LoggingMonitor, lambda: CallableMonitor(lambda event: None)],
    ids=["queue", "logging", "callable"],
)
def test_monitors(make_monitor):
    check_monitor(make_monitor)


def test_the_gevent_engine():
    check_engine(GeventEngine)
