"""The checks for plug-in authors fail where they should, and say what is wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import gevent
import pytest
from zope.interface import Invalid, implementer, provider

from omq_gevent import registry
from omq_gevent.engine.engine import GeventEngine
from omq_gevent.interfaces import IEngineFactory, IMechanism, IMonitor, ITransport
from omq_gevent.mechanisms.null import NULL, Null, NullSession
from omq_gevent.monitors.queue import QueueMonitor
from omq_gevent.testing import check_engine, check_mechanism, check_monitor, check_transport
from omq_gevent.testing.switching import no_switch

_path = Path(__file__).parent.parent / "plugin" / "omq_gevent_sample.py"
_spec = importlib.util.spec_from_file_location("omq_gevent_sample", _path)
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)


def test_a_switch_is_noticed_and_its_absence_too():
    with pytest.raises(AssertionError, match="the nap switched"), no_switch("the nap"):
        gevent.sleep(0)
    with no_switch("nothing"):
        pass


def test_what_does_not_even_say_that_it_is_a_part():
    with pytest.raises(Invalid):
        check_monitor(object)
    with pytest.raises(Invalid):
        check_mechanism(object(), NULL)
    with pytest.raises(Invalid):
        check_transport(object(), str)
    with pytest.raises(Invalid):
        check_engine(object)


# -- monitors ------------------------------------------------------------------------------


@implementer(IMonitor)
class Napping:
    def notify(self, event):
        gevent.sleep(0)


@implementer(IMonitor)
class Picky:
    def notify(self, event):
        if event.kind == "handshake_succeeded" and event.peer is not None:
            raise KeyError(event.kind)


class NeverLeaving(QueueMonitor):
    def close(self):
        pass


@pytest.mark.parametrize(
    ("make", "complaint"),
    [(Napping, "switched"), (Picky, "taken out"), (NeverLeaving, r"close\(\) did not call")],
)
def test_bad_monitors(make, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_monitor(make)


# -- mechanisms ----------------------------------------------------------------------------


def null_with(**overrides):
    """A NULL whose sessions differ from what they should be."""
    session_type = type("BadSession", (NullSession,), overrides)

    @implementer(IMechanism)
    class Bad(Null):
        def session(self, as_server, metadata):
            return session_type(metadata)

    return Bad()


def xor_with(**overrides):
    session_type = type("BadSession", (sample.XorSession,), overrides)

    @implementer(IMechanism)
    class Bad(sample.Xor):
        def session(self, as_server, metadata):
            return session_type(7, metadata)

    return Bad(7)


def crash(self, body):
    name, data = body[1 : 1 + body[0]], body[1 + body[0] :]
    assert name in (b"READY", b"ERROR")
    self.peer_metadata, self.status = data, "ready"
    return []


def take_anything(self, name, data):
    self.peer_metadata = data.translate(self._table)
    return []


@pytest.mark.parametrize(
    ("mechanism", "complaint"),
    [
        (null_with(start=lambda self: [b"READY"]), "not the body of a command"),
        (null_with(start=lambda self: []), "nothing more to say"),
        (null_with(receive=crash), "raised"),
        (null_with(encode=lambda self, flags, body: body), r"encode\(\) must raise"),
        (xor_with(encoded_size=lambda self, size: size), r"encoded_size\(\) said 0"),
        (xor_with(decode=lambda self, body: (0, body[5:])), "does not give back"),
        (xor_with(take=take_anything), "was taken"),
    ],
)
def test_bad_mechanisms(mechanism, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_mechanism(mechanism, mechanism)


def test_mechanisms_that_do_not_go_together():
    with pytest.raises(AssertionError, match="names differ"):
        check_mechanism(NULL, sample.Xor(7))
    with pytest.raises(AssertionError):
        check_mechanism(sample.Xor(7), sample.Xor(8))


# -- transports ----------------------------------------------------------------------------


def memory_with(**overrides):
    """The sample's transport with streams that differ from what they should be."""
    stream_type = type("BadStream", (sample.MemoryStream,), overrides)

    class Dialer(sample.MemoryDialer):
        def dial(self):
            near = super().dial()
            return stream_type(near._incoming, near._outgoing, near.remote)

    @implementer(ITransport)
    class Bad(sample.MemoryTransport):
        def dialer(self, endpoint, host):
            return Dialer(str(endpoint), self._listeners)

    return Bad()


def take_all(self, buffers):
    for buffer in buffers:
        self._outgoing.data += buffer
    self._outgoing.readable.set()
    return sum(map(len, buffers))


def take_with_a_nap(self, buffers):
    gevent.sleep(0)
    return sample.MemoryStream.write_now(self, buffers)


def read_too_much(self, size):
    return sample.MemoryStream.read(self, size + 1)


@pytest.mark.parametrize(
    ("transport", "complaint"),
    [
        (memory_with(write_now=take_all), "still takes more"),
        (memory_with(write_now=take_with_a_nap), "switched"),
        (memory_with(read=read_too_much), "more bytes than asked for"),
        (memory_with(wait_writable=lambda self: None), "although nothing was read"),
        (memory_with(close=lambda self: None), r"read\(\) did not return|ended"),
    ],
)
def test_bad_streams(transport, complaint, monkeypatch):
    monkeypatch.setattr("omq_gevent.testing.switching.PATIENCE", 0.2)
    with pytest.raises(AssertionError, match=complaint):
        check_transport(transport, lambda: "memory://here")


def test_a_transport_that_lends_an_address_twice():
    @implementer(ITransport)
    class Generous(sample.MemoryTransport):
        def listen(self, endpoint, host):
            self._listeners.pop(str(endpoint), None)
            return super().listen(endpoint, host)

    with pytest.raises(AssertionError, match="bound twice"):
        check_transport(Generous(), lambda: "memory://here")


def test_a_transport_that_nobody_could_name():
    with pytest.raises(AssertionError, match="register the transport"):
        check_transport(sample.MemoryTransport(), lambda: "memory://here")


def test_a_good_transport_passes_once_it_is_registered():
    transport = sample.MemoryTransport()
    registry.register(ITransport, "memory", transport)
    try:
        check_transport(transport, lambda: "memory://here")
    finally:
        registry.unregister(ITransport, "memory")


# -- engines -------------------------------------------------------------------------------


@provider(IEngineFactory)
class Impatient(GeventEngine):
    """Drops what is queued when it is closed."""

    def close(self, linger):
        super().close(0)


@provider(IEngineFactory)
class Discreet(GeventEngine):
    """Tells nobody anything."""

    def emit(self, kind, endpoint=None, **facts):
        pass


@pytest.mark.parametrize(
    ("engine", "complaint"), [(Impatient, "nothing was received"), (Discreet, "events told")]
)
def test_bad_engines(engine, complaint, monkeypatch):
    monkeypatch.setattr("omq_gevent.testing.engine.PATIENCE", 0.2)
    with pytest.raises(AssertionError, match=complaint):
        check_engine(engine)
