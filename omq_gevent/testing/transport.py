"""What every transport must do: with streams, with direct links, and below real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable

import gevent
from zope.interface.verify import verifyObject

from omq_gevent import registry
from omq_gevent.endpoint import check_connect, parse
from omq_gevent.errors import NotRegistered
from omq_gevent.interfaces import (
    IDialer,
    IDirectDialer,
    IDirectListener,
    IDirectTransport,
    IListener,
    ITransport,
)
from omq_gevent.sockets import PAIR
from omq_gevent.testing.host import TestHost
from omq_gevent.testing.stream import check_stream_pair
from omq_gevent.testing.switching import PATIENCE, eventually, no_switch, within
from omq_gevent.zmtp import command


def check_transport(transport: Any, make_bind_endpoint: Callable[[], str]) -> None:
    """Check *transport*, which is registered under the scheme of its endpoints.

    *make_bind_endpoint* returns the text of an endpoint to bind to, a new or a wildcard one at
    each call.

    :raises AssertionError: when it breaks the contract of `ITransport` or what it makes breaks
        that of listeners, dialers, streams and connections.
    :raises zope.interface.Invalid: when one of them does not provide its interface completely.
    """
    verifyObject(ITransport, transport)
    if IDirectTransport.providedBy(transport):
        verifyObject(IDirectTransport, transport)
        _check_direct(transport, make_bind_endpoint)
    else:
        _check_streams(transport, make_bind_endpoint)
    _check_sockets(transport, make_bind_endpoint)


def _listen(transport: Any, text: str, host: TestHost) -> Any:
    listener = within("listen()", transport.listen, parse(text), host)
    try:
        resolved = parse(listener.endpoint)
        check_connect(resolved)
        assert str(resolved) == listener.endpoint, (
            f"{listener.endpoint!r} is not spelt as endpoints are: {str(resolved)!r}"
        )
        assert resolved.scheme == parse(text).scheme, "the listener's endpoint has another scheme"
        marker = object()
        assert listener.wrap(marker) is not None, "wrap() returns a connection, maybe the same"
    except BaseException:
        listener.close()
        raise
    return listener


def _close(listener: Any) -> None:
    with no_switch("close() of a listener"):
        listener.close()
        listener.close()


# -- streams -------------------------------------------------------------------------------


class _Door:
    """A listener whose acceptors run, as they do in an engine."""

    def __init__(self, transport: Any, text: str) -> None:
        self.host = TestHost()
        self.listener = _listen(transport, text, self.host)
        verifyObject(IListener, self.listener)
        self._greenlets = [gevent.spawn(self._accept, way) for way in self.listener.acceptors]

    def _accept(self, accept: Callable[[], Any]) -> None:
        while True:
            self.host.stream_accepted(accept(), self.listener.endpoint)

    def next_stream(self) -> Any:
        eventually(lambda: self.host.streams, "accepting a peer that has connected")
        return self.host.streams.pop(0)

    def close(self) -> None:
        # As an engine does it: the greenlets are only told, for nothing may switch here.
        for greenlet in self._greenlets:
            greenlet.kill(block=False)
        _close(self.listener)
        within("killing the acceptors", gevent.joinall, self._greenlets)
        for stream in self.host.streams:
            stream.close()
        self.host.close()


@contextmanager
def _door(transport: Any, text: str) -> Iterator[_Door]:
    door = _Door(transport, text)
    try:
        yield door
    finally:
        door.close()


def _check_streams(transport: Any, make_bind_endpoint: Callable[[], str]) -> None:
    host = TestHost()
    with _door(transport, make_bind_endpoint()) as door:
        endpoint = door.listener.endpoint
        with no_switch("dialer()"):
            dialer = transport.dialer(parse(endpoint), host)
        verifyObject(IDialer, dialer)
        assert dialer.endpoint == endpoint, f"the dialer of {endpoint} is for {dialer.endpoint}"
        for ends in (1, -1):
            near = within("dial()", dialer.dial)
            check_stream_pair(*(near, door.next_stream())[::ends])
        _an_address_is_taken_once(transport, endpoint)
        _a_dial_may_be_killed(dialer, door)
    _nobody_is_there(dialer)
    with _door(transport, endpoint) as door:  # the address is free again
        near = within("dial()", dialer.dial)
        check_stream_pair(near, door.next_stream())
    host.close()


def _an_address_is_taken_once(transport: Any, endpoint: str) -> None:
    host = TestHost()
    try:
        second = transport.listen(parse(endpoint), host)
    except OSError:
        host.close()
        return
    second.close()
    raise AssertionError(f"{endpoint} could be bound twice; listen() must raise OSError")


def _a_dial_may_be_killed(dialer: Any, door: _Door) -> None:
    dialing = gevent.spawn(dialer.dial)
    gevent.sleep(0)
    within("killing a greenlet in dial()", dialing.kill)
    if not isinstance(dialing.value, gevent.GreenletExit) and dialing.value is not None:
        dialing.value.close()
    after = within("dial() after one that was killed", dialer.dial)
    after.close()


def _nobody_is_there(dialer: Any) -> None:
    try:
        stream = within("dial() where nobody listens", dialer.dial)
    except OSError:
        return
    stream.close()
    raise AssertionError("dial() to an endpoint that was closed must raise OSError")


# -- direct links --------------------------------------------------------------------------


def _check_direct(transport: Any, make_bind_endpoint: Callable[[], str]) -> None:
    for bind_first in (True, False):
        binding = TestHost()
        connecting = TestHost(binding.context)
        _check_links(transport, make_bind_endpoint(), binding, connecting, bind_first)
        binding.close()
        connecting.close()


def _check_links(
    transport: Any, text: str, binding: TestHost, connecting: TestHost, bind_first: bool
) -> None:
    if bind_first:
        listener = _start_listening(transport, text, binding)
        dialer = _start_dialing(transport, text, connecting)
    else:
        dialer = _start_dialing(transport, text, connecting)
        listener = _start_listening(transport, text, binding)
    eventually(lambda: binding.links and connecting.links, "linking up both sides")
    _check_link(connecting, binding)
    with no_switch("again()"):
        dialer.again(None)
    eventually(lambda: len(binding.links) == len(connecting.links) == 2, "linking up again")
    with no_switch("cancel()"):
        dialer.cancel()
        dialer.cancel()
    connecting.links[-1].close()
    _close(listener)


def _start_listening(transport: Any, text: str, host: TestHost) -> Any:
    listener = _listen(transport, text, host)
    verifyObject(IDirectListener, listener)
    with no_switch("start() of a listener"):
        listener.start()
    return listener


def _start_dialing(transport: Any, text: str, host: TestHost) -> Any:
    dialer = transport.dialer(parse(text), host)
    verifyObject(IDirectDialer, dialer)
    with no_switch("start() of a dialer"):
        dialer.start()
    return dialer


def _check_link(dialed: TestHost, bound: TestHost) -> None:
    near, far = dialed.links[0], bound.links[0]
    assert near.direct, "the connection of a direct transport must say that it is direct"
    assert far.direct, "the connection of a direct transport must say that it is direct"
    assert near.dialed, "the connecting side's connection says dialed"
    assert not far.dialed, "the binding side's connection does not say dialed"
    for connection, host in ((near, bound), (far, dialed)):
        with no_switch("a push to an outlet"):
            connection.outlet.push([b"a", b"b"])
            connection.outlet.push([b""])
        assert host.arrived(2) == [[b"a", b"b"], [b""]], "messages did not arrive as they were sent"
        connection.send_command(command.subscribe(b"x"))
        assert host.arrived(1) == [(b"SUBSCRIBE", b"x")], "a command did not arrive as it was sent"
    with no_switch("close() of a connection"):
        near.close()
        near.close()
    eventually(lambda: bound.lost, "telling the other side that a link was closed")
    assert bound.lost == [far], "link_lost() was called for another connection"


# -- below sockets -------------------------------------------------------------------------


def _check_sockets(transport: Any, make_bind_endpoint: Callable[[], str]) -> None:
    text = make_bind_endpoint()
    scheme = parse(text).scheme
    found = None
    with suppress(NotRegistered):
        found = registry.transport(scheme)
    assert found is transport, f"register the transport under its scheme {scheme!r} to check it"
    with PAIR(linger=0) as other:
        with PAIR(linger=0, reconnect_interval=0.01) as one:
            one.connect(other.bind(text))
            _exchange(one, other)
            _exchange(other, one)
            other.unbind(other.last_endpoint)
            one.wait_disconnected(timeout=PATIENCE)
            other.bind(one.last_endpoint)
            one.wait_connected(timeout=PATIENCE)
            _exchange(one, other)
        other.wait_disconnected(timeout=PATIENCE)


def _exchange(sender: PAIR, receiver: PAIR) -> None:
    messages = [[b""], [b"a", b"", b"c"], [b"x" * 300, b"y" * 1_000_000], [b"last"]]
    for message in messages:
        sender.send(message, timeout=PATIENCE)
    for message in messages:
        assert receiver.receive(timeout=PATIENCE) == message, "a message arrived changed"
