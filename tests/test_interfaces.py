"""Every implementation of every interface keeps to it: all classes, and a living instance of each.

Whoever adds a class that implements one of our interfaces makes an instance of it in `alive`.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
from contextlib import ExitStack, contextmanager

import pytest
from zope.interface import implementedBy, providedBy
from zope.interface.verify import verifyClass, verifyObject

import omq_gevent
from omq_gevent import interfaces
from omq_gevent.socket import Socket
from omq_gevent.testing.host import TestHost

OURS = frozenset(getattr(interfaces, name) for name in interfaces.__all__)


def modules():
    """Every module of the package that can be imported here; some need an extra."""
    yield omq_gevent
    for found in pkgutil.walk_packages(omq_gevent.__path__, "omq_gevent."):
        if found.name.startswith("omq_gevent.interfaces") or found.name.endswith("__main__"):
            continue
        try:
            yield importlib.import_module(found.name)
        except ImportError as error:
            if (error.name or "").startswith("omq_gevent"):
                raise


def implementations():
    """Each class of ours that implements interfaces of ours, with them."""
    found = {}
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                ours = OURS.intersection(implementedBy(value))
                if ours:
                    found[value] = ours
    return found


IMPLEMENTATIONS = implementations()


def name_of(cls):
    return f"{cls.__module__}.{cls.__qualname__}"


def socket_types(parent=Socket):
    for cls in parent.__subclasses__():
        if cls.socket_type and cls.__module__ == "omq_gevent.sockets":
            yield cls
        yield from socket_types(cls)


@contextmanager
def alive(tmp_path):
    """Sockets of every type, linked over every transport, watched by every monitor."""
    with ExitStack() as stack:
        enter = stack.enter_context
        for socket_type in socket_types():
            enter(socket_type(linger=0)).bind("tcp://127.0.0.1:0")
        for endpoint in ("tcp://127.0.0.1:0", f"ipc://{tmp_path}/socket", "inproc://alive"):
            bound, dialed = enter(omq_gevent.PAIR(linger=0)), enter(omq_gevent.PAIR(linger=0))
            for monitor in (None, "logging", lambda event: None):
                bound.monitor(monitor)
            dialed.connect(bound.bind(endpoint))
            bound.wait_connected(timeout=5)
            dialed.wait_connected(timeout=5)
        host = TestHost()
        stack.callback(host.close)
        yield


@pytest.mark.parametrize("cls", sorted(IMPLEMENTATIONS, key=name_of), ids=name_of)
def test_a_class_keeps_to_its_interfaces(cls):
    for interface in IMPLEMENTATIONS[cls]:
        verifyClass(interface, cls)
    for interface in OURS.intersection(providedBy(cls)):
        verifyObject(interface, cls)


def test_an_instance_of_each_class_keeps_to_its_interfaces(tmp_path):
    with alive(tmp_path):
        found = {type(thing): thing for thing in gc.get_objects() if type(thing) in IMPLEMENTATIONS}
        for cls, thing in found.items():
            for interface in IMPLEMENTATIONS[cls]:
                verifyObject(interface, thing)
        missing = [name_of(cls) for cls in IMPLEMENTATIONS if cls not in found]
        found.clear()
        del thing
    assert missing == [], "make one of each in `alive`"


def test_no_interface_is_without_an_implementation():
    kept = set().union(*IMPLEMENTATIONS.values())
    for cls in IMPLEMENTATIONS:
        kept.update(providedBy(cls))
    implied = {base for interface in kept for base in interface.__iro__}
    assert {interface.__name__ for interface in OURS - implied} == set()


def test_all_interfaces_are_public():
    """No interface hides in a module of the contracts without being exported."""
    defined = {
        value
        for found in pkgutil.iter_modules(interfaces.__path__, "omq_gevent.interfaces.")
        for value in vars(importlib.import_module(found.name)).values()
        if isinstance(value, type(interfaces.IMonitor)) and value.__module__ == found.name
    }
    assert {interface.__name__ for interface in defined} == set(interfaces.__all__)


@pytest.mark.parametrize("interface", sorted(OURS, key=lambda i: i.__name__))
def test_an_interface_says_what_it_is_for(interface):
    assert interface.__doc__.strip()
    for name, description in interface.namesAndDescriptions():
        assert description.__doc__.strip(), f"{interface.__name__}.{name} has no description"
