"""The registry: names for parts, and no surprises."""

from __future__ import annotations

import logging

import pytest
from zope.interface import Invalid, implementer, provider

from omq_gevent import NotRegistered, registry
from omq_gevent.interfaces import (
    IEngineFactory,
    IMechanism,
    IMonitor,
    IMonitorFactory,
    IRoutingFactory,
    ITransport,
)
from omq_gevent.mechanisms.null import NULL, Null
from omq_gevent.monitors.queue import QueueMonitor


@provider(IMonitorFactory)
@implementer(IMonitor)
class Silent:
    def notify(self, event):
        pass


@pytest.fixture
def silent():
    registry.register(IMonitorFactory, "silent", Silent)
    yield Silent
    registry.unregister(IMonitorFactory, "silent")


@pytest.fixture
def plugins(monkeypatch):
    """A list to put entry points into; plug-ins are as if they were not loaded yet."""
    entry_points = []
    monkeypatch.setattr(registry, "_entry_points", lambda: entry_points)
    monkeypatch.setattr(registry, "_plugins", registry._Plugins())
    return entry_points


class EntryPoint:
    value = "some.module:register"

    def __init__(self, name, register):
        self.name = name
        self._register = register

    def load(self):
        return self._register


def test_what_is_registered_is_found(silent):
    assert registry.monitor("silent") is silent
    assert "silent" in registry.names(IMonitorFactory)


@pytest.mark.parametrize(
    "interface", [IEngineFactory, IMechanism, IMonitorFactory, IRoutingFactory, ITransport]
)
def test_every_built_in_name_leads_to_a_part(interface):
    names = registry.names(interface)
    assert names
    for name in names:
        assert interface.providedBy(registry.lookup(interface, name)), name


def test_a_name_is_not_taken_over_silently(silent):
    with pytest.raises(ValueError, match="IMonitorFactory 'silent' is registered already"):
        registry.register(IMonitorFactory, "silent", QueueMonitor)
    with pytest.raises(ValueError, match="replace=True"):
        registry.register(IMonitorFactory, "queue", silent)
    assert registry.monitor("silent") is silent
    assert registry.monitor("queue") is QueueMonitor


def test_a_replaced_built_in_comes_back():
    mine = Null()
    registry.register(IMechanism, "NULL", mine, replace=True)
    assert registry.mechanism("NULL") is mine
    registry.unregister(IMechanism, "NULL")
    assert registry.mechanism("NULL") is NULL


def test_what_was_not_registered_cannot_be_unregistered():
    with pytest.raises(NotRegistered, match="'queue'"):
        registry.unregister(IMonitorFactory, "queue")


def test_an_incomplete_part_is_refused():
    @provider(ITransport)
    class Half:
        @staticmethod
        def listen(endpoint, host):
            pass

    for part in (Half, object()):
        with pytest.raises(Invalid):
            registry.register(ITransport, "half", part)
    assert "half" not in registry.names(ITransport)


def test_an_unknown_name_tells_the_known_ones():
    with pytest.raises(NotRegistered, match=r"no ITransport.*'carrier'.*inproc, ipc, tcp"):
        registry.transport("carrier")


def test_names_of_different_kinds_do_not_meet(silent):
    with pytest.raises(NotRegistered):
        registry.mechanism("silent")


def test_plug_ins_are_loaded_once_and_only_for_unknown_names(plugins):
    calls = []

    def load():
        calls.append(1)
        registry.register(IMonitorFactory, "silent", Silent)

    plugins.append(EntryPoint("silent", load))
    assert registry.monitor("queue") is QueueMonitor
    assert calls == []
    assert registry.monitor("silent") is Silent
    registry.unregister(IMonitorFactory, "silent")
    with pytest.raises(NotRegistered):
        registry.monitor("silent")
    assert calls == [1]


def test_a_plug_in_may_use_the_registry_while_it_loads(plugins):
    def load():
        with pytest.raises(NotRegistered):
            registry.monitor("silent")
        assert registry.transport("tcp")

    plugins.append(EntryPoint("curious", load))
    with pytest.raises(NotRegistered) as raised:
        registry.monitor("silent")
    assert "failed" not in str(raised.value)


def test_a_plug_in_that_fails_is_logged_and_named(plugins, caplog):
    plugins.append(EntryPoint("broken", lambda: 1 / 0))
    plugins.append(EntryPoint("taken", lambda: registry.register(IMechanism, "NULL", Null())))
    with caplog.at_level(logging.ERROR), pytest.raises(NotRegistered) as raised:
        registry.monitor("silent")
    assert "broken (some.module:register): ZeroDivisionError" in str(raised.value)
    assert "taken (some.module:register): ValueError" in str(raised.value)
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError, ValueError]
