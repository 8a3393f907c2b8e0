"""What every engine must do: the core that a socket rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import gevent
from zope.interface.verify import verifyObject

from omq_gevent.context import Context
from omq_gevent.errors import EndpointError, ReceiveTimeout, SendTimeout, SocketClosed
from omq_gevent.interfaces import IEngine, IEngineFactory
from omq_gevent.monitors.queue import QueueMonitor
from omq_gevent.options import Options
from omq_gevent.testing.switching import PATIENCE, eventually, no_switch, within

ANYWHERE = "tcp://127.0.0.1:0"


def check_engine(factory: Any) -> None:
    """Check the engines that *factory* makes, over tcp.

    :raises AssertionError: when one breaks the contract of `IEngine`.
    :raises zope.interface.Invalid: when one does not provide it completely.
    """
    verifyObject(IEngineFactory, factory)
    with _engines(factory, "PAIR") as (engine,):
        verifyObject(IEngine, engine)
        _is_made_without_effects(engine)
    _exchanges(factory)
    _keeps_to_timeouts(factory)
    _loses_nothing_to_a_killed_greenlet(factory)
    _knows_its_endpoints(factory)
    _lingers(factory)
    _closes(factory)
    _tells_monitors(factory)


@contextmanager
def _engines(factory: Any, *socket_types: str, **options: Any) -> Iterator[list[Any]]:
    context = Context()
    engines = [factory(name, Options(**options), context) for name in socket_types]
    try:
        yield engines
    finally:
        for engine in engines:
            within("close(0)", engine.close, 0)


@contextmanager
def _pair(factory: Any, **options: Any) -> Iterator[list[Any]]:
    with _engines(factory, "PAIR", "PAIR", **options) as (one, other):
        other.connect(one.bind(ANYWHERE))
        eventually(lambda: one.connections and other.connections, "connecting two engines")
        yield [one, other]


def _raises(
    error: type[BaseException], what: str, function: Callable[..., Any], *args: Any
) -> None:
    try:
        within(what, function, *args)
    except error:
        return
    raise AssertionError(f"{what} must raise {error.__name__}")


def _receive(engine: Any) -> Any:
    try:
        return engine.receive(PATIENCE)
    except ReceiveTimeout as error:
        raise AssertionError(f"nothing was received within {PATIENCE} s") from error


def _is_made_without_effects(engine: Any) -> None:
    assert engine.lifecycle.state == "new", "a new engine has the state new"
    assert engine.last_endpoint == "", "a new engine has no last endpoint"
    with no_switch("open()"):
        engine.open()
        engine.open()
    assert engine.lifecycle.state == "open", "an open engine has the state open"


def _exchanges(factory: Any) -> None:
    messages = [[b""], [b"a", b"", b"c"], [b"x" * 300, b"y" * 1_000_000], [b"last"]]
    with _pair(factory) as (one, other):
        for sender, receiver in ((one, other), (other, one)):
            for message in messages:
                within("send()", sender.send, list(message), PATIENCE)
            for message in messages:
                assert _receive(receiver) == message, "a message arrived changed"
        other.send([b"kept"], PATIENCE)
        message = _receive(one)
        one.give_back(message)
        assert one.readable(), "readable() after give_back()"
        assert one.receive(0) == [b"kept"], "give_back() makes a message the next one"


def _keeps_to_timeouts(factory: Any) -> None:
    with _engines(factory, "PAIR", send_hwm=1) as (engine,):
        for timeout in (0, 0.01):
            _raises(ReceiveTimeout, f"receive({timeout})", engine.receive, timeout)
        engine.connect("tcp://127.0.0.1:1")
        engine.send([b"fills the queue"], 0)
        for timeout in (0, 0.01):
            _raises(SendTimeout, f"send({timeout}) to a full queue", engine.send, [b""], timeout)
        assert not engine.writable(), "writable() with a full queue"
        assert not engine.readable(), "readable() with nothing received"


def _loses_nothing_to_a_killed_greenlet(factory: Any) -> None:
    with _pair(factory) as (one, other):
        receivers = [gevent.spawn(one.receive, None) for _ in range(3)]
        gevent.sleep(0)
        within("killing a greenlet in receive()", receivers[0].kill)
        for number in range(2):
            other.send([b"%d" % number], PATIENCE)
        within("receive()", gevent.joinall, receivers)
        got = sorted(receiver.get()[0] for receiver in receivers[1:])
        assert got == [b"0", b"1"], "a killed receiver took a message along"


def _knows_its_endpoints(factory: Any) -> None:
    with _engines(factory, "PAIR", "PAIR") as (one, other):
        endpoint = one.bind(ANYWHERE)
        assert one.last_endpoint == endpoint, "last_endpoint is what bind() returned"
        assert not endpoint.endswith(":0"), "bind() returns the endpoint with its real port"
        _raises(OSError, "bind() to an address in use", other.bind, endpoint)
        _raises(EndpointError, "unbind() of what is not bound", other.unbind, endpoint)
        _raises(EndpointError, "disconnect() of what is not connected", one.disconnect, endpoint)
        _raises(EndpointError, "connect() to nonsense", one.connect, "nonsense")
        other.connect(endpoint)
        eventually(lambda: one.connections, "connecting")
        other.disconnect(endpoint)
        eventually(lambda: not one.connections, "disconnecting")
        one.unbind(endpoint)
        other.bind(endpoint)


def _lingers(factory: Any) -> None:
    with _engines(factory, "PAIR", "PAIR") as (one, other):
        endpoint = one.bind(ANYWHERE)
        other.connect(endpoint)
        other.send([b"sent before the link stood"], 0)
        within("close(linger)", other.close, PATIENCE)
        assert _receive(one) == [b"sent before the link stood"], "close() lost a message"


def _closes(factory: Any) -> None:
    with _pair(factory) as (one, other):
        outcome: list[BaseException] = []
        waiting = gevent.spawn(_note_error, outcome, one.receive, None)
        gevent.sleep(0)
        within("close(0)", one.close, 0)
        within("a receive() that waited when the engine was closed", waiting.join)
        assert isinstance(outcome[0], SocketClosed), "close() gives waiting calls SocketClosed"
        assert one.lifecycle.state == "closed", "a closed engine has the state closed"
        assert not one.connections, "a closed engine has no connections"
        within("close(0) again", one.close, 0)
        for what, function, args in (
            ("send()", one.send, ([b""], 0)),
            ("receive()", one.receive, (0,)),
            ("bind()", one.bind, (ANYWHERE,)),
            ("connect()", one.connect, (ANYWHERE,)),
        ):
            _raises(SocketClosed, f"{what} of a closed engine", function, *args)
        eventually(lambda: not other.connections, "noticing that the peer was closed")
        with no_switch("stop()"):
            other.stop()


def _note_error(outcome: list[BaseException], function: Callable[..., Any], *args: Any) -> None:
    try:
        function(*args)
    except BaseException as error:
        outcome.append(error)


def _tells_monitors(factory: Any) -> None:
    monitor, late = QueueMonitor(), QueueMonitor()
    with _engines(factory, "PAIR") as (engine,):
        with no_switch("add_monitor()"):
            engine.add_monitor(monitor)
        engine.bind(ANYWHERE)
    kinds = [event.kind for event in monitor]
    assert kinds == ["listening", "closed", "monitor_stopped"], f"the events told were {kinds}"
    engine.add_monitor(late)
    assert [event.kind for event in late] == ["monitor_stopped"], (
        "a monitor of a closed engine gets monitor_stopped at once, and nothing else"
    )
