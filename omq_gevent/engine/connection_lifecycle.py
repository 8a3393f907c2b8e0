"""The whole arc of one connection, with every side effect in one ordered place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable

import gevent
from gevent import GreenletExit
from gevent.event import AsyncResult
from zope.interface import implementer

from omq_gevent.engine.barrier import Barrier
from omq_gevent.engine.zmtp_connection import ZmtpConnection
from omq_gevent.errors import (
    AuthenticationFailed,
    ConnectionLost,
    HandshakeTimeout,
    InvalidTransition,
    PeerRefused,
    ProtocolError,
)
from omq_gevent.interfaces import IConnectionLifecycle
from omq_gevent.zmtp.codec import codec_for
from omq_gevent.zmtp.handshake import Handshake

TRANSITIONS: dict[str, frozenset[str]] = {
    "new": frozenset({"handshaking", "ready", "closed"}),
    "handshaking": frozenset({"ready", "closed"}),
    "ready": frozenset({"closed"}),
    "closed": frozenset(),
}

HANDSHAKE_READ = 4096


@implementer(IConnectionLifecycle)
class ConnectionLifecycle:
    """new → handshaking → ready → closed (inproc: new → ready → closed), for one peer link.

    Scope: a single link. What the socket does when its first peer comes, or while it closes, is
    its `SocketLifecycle`'s.

    ``lost`` and ``close`` do their work once, whoever calls them first; both never switch, so
    they may be called from the hub. The pumps of the link live on ``barrier``; when one of them
    dies, for whatever reason, a link on that greenlet (not a ``finally`` inside it) reports the
    loss, which takes down the others.
    """

    def __init__(
        self, engine: Any, endpoint: str, wrap: Callable[[Any], Any], dial: Any = None
    ) -> None:
        self.state = "new"
        self.endpoint = endpoint
        self.dial = dial
        self.connection: Any = None
        self.reason: BaseException | None = None
        self.done: AsyncResult[Any] = AsyncResult()
        self.barrier = Barrier(parent=engine.lifecycle.barrier)
        self._engine = engine
        self._wrap = wrap
        self._stream: Any = None
        self._mechanism: Any = None
        engine.track(self)

    # -- new → handshaking → ready ---------------------------------------------------------

    def handshake(self, stream: Any, accepted: bool, mechanism: Any = None) -> None:
        """Begin the ZMTP handshake over *stream*; *accepted* is true if the peer came to us.

        *mechanism* stands in for the socket's own.
        """
        self._transition("handshaking")
        self._stream = stream
        self._mechanism = mechanism or self._engine.mechanism
        self._spawn("receive", self._shake_hands_and_read, accepted)

    def ready_direct(self, connection: Any) -> None:
        """Take a *connection* that needs no handshake, such as one end of an inproc link.

        :raises PeerRefused: when the routing strategy does not want this peer; the lifecycle is
            closed then.
        """
        try:
            self._ready(connection)
        except ProtocolError as error:
            self.lost(error)
            raise
        except Exception as error:  # must not become the other socket's trouble
            self._engine.fatal(error)
            self.lost(error)
            raise PeerRefused("the other socket is dead") from error

    def _shake_hands_and_read(self, accepted: bool) -> None:
        engine = self._engine
        options = engine.options
        limit = options.handshake_timeout
        with gevent.Timeout.start_new(
            limit, HandshakeTimeout(f"the handshake was not finished within {limit} s")
        ):
            connection = self._shake_hands(accepted)
        self._ready(connection)
        if self.state == "ready":
            self.connection.read()

    def _shake_hands(self, accepted: bool) -> ZmtpConnection:
        engine = self._engine
        stream = self._stream
        handshake = Handshake(
            socket_type=engine.socket_type,
            compatible=engine.compatible,
            identity=engine.options.identity,
            mechanism=self._mechanism,
            as_server=self._mechanism.is_server(accepted),
            properties=engine.options.metadata,
        )
        try:
            self._write(handshake.start())
            while not handshake.done:
                data = stream.read(HANDSHAKE_READ)
                if not data:
                    raise ConnectionLost(handshake.why_closed())
                self._write(handshake.receive(data))
        except ProtocolError:
            if handshake.farewell:
                with suppress(OSError):
                    stream.write_now([handshake.farewell])
            handshake.abandon()
            raise
        except BaseException:
            if handshake.done:  # only the last words were not written
                handshake.session.wipe()
            handshake.abandon()
            raise
        return ZmtpConnection(
            stream,
            codec_for(handshake.session, engine.options.max_message_size),
            handshake.peer,
            self.endpoint,
            handshake.remainder,
            dialed=self.dial is not None,
        )

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._stream.write_now([data]) :]
            if data:
                self._stream.wait_writable()

    def _ready(self, connection: Any) -> None:
        engine = self._engine
        self.connection = self._wrap(connection)
        self.connection.assigned_identity = engine.assigned_identities.get(self.dial, b"")
        self.connection.expel = self._fail
        engine.register(self)
        engine.emit("handshake_succeeded", self.endpoint, connection=self.connection)
        if self.state == "closed":  # by a monitor that was just told
            return
        engine.routing.connection_added(self.connection)
        engine.lifecycle.peer_joined(self.connection)
        self._transition("ready")
        if self.dial is not None:
            self.dial.succeeded()
        self._supervise()

    def _supervise(self) -> None:
        connection = self.connection
        if connection.direct:
            connection.start()
            return
        connection.start(self._spawn, self._fail)
        options = self._engine.options
        if options.heartbeat_interval:
            connection.start_heartbeat(
                options.heartbeat_interval, options.heartbeat_ttl, options.heartbeat_timeout
            )

    # -- → closed --------------------------------------------------------------------------

    def record(self, reason: BaseException) -> None:
        """Keep *reason* as the cause of the coming loss; the first one wins."""
        if self.reason is None:
            if isinstance(reason, (OSError, ProtocolError)):
                # Monitors may keep it for long, and the frames of its traceback would keep alive
                # all that the peer had sent.
                reason = reason.with_traceback(None)
            self.reason = reason

    def lost(self, reason: BaseException | None = None) -> None:
        """The link is gone: close, and dial again where the endpoint is still wanted."""
        if reason is not None:
            self.record(reason)
        self._tear_down(reconnect=True)

    def close(self) -> None:
        """End the link for good."""
        self._tear_down(reconnect=False)

    def abandon(self) -> None:
        """Release the descriptor, and tell nobody: the engine is abandoned."""
        if self.state == "closed":
            return
        self._transition("closed")
        if self.connection is None:
            if self._stream is not None:
                self._stream.close()
        elif not self.connection.direct:
            self.connection.close()

    def _tear_down(self, reconnect: bool) -> None:
        if self.state == "closed":
            return
        engine = self._engine
        was = self.state
        self._transition("closed")
        engine.unregister(self)
        if self.connection is not None:
            self.connection.dismissed = not reconnect
            try:
                engine.routing.connection_removed(self.connection)
            except Exception as error:  # the rest of the sequence must still happen
                engine.fatal(error)
            self.connection.close()
        elif self._stream is not None:
            self._stream.close()
        if was == "handshaking" and self.connection is None and self.reason is not None:
            refused = isinstance(self.reason, AuthenticationFailed)
            kind = "authentication_failed" if refused else "handshake_failed"
            engine.emit(kind, self.endpoint, error=self.reason, stream=self._stream)
        engine.emit(
            "disconnected",
            self.endpoint,
            error=self.reason,
            connection=self.connection,
            stream=self._stream,
        )
        self.done.set(self.reason)
        engine.lifecycle.peer_left(len(engine.connections))
        if reconnect and self.dial is not None:
            self.dial.again(self.reason)
        self.barrier.stop()

    def _transition(self, state: str) -> None:
        if state not in TRANSITIONS[self.state]:
            raise InvalidTransition(f"a connection cannot go from {self.state} to {state}")
        self.state = state

    # -- pumps -----------------------------------------------------------------------------

    def _spawn(self, role: str, function: Any, *args: Any) -> None:
        pump = self.barrier.spawn_named(
            f"{self._engine.socket_type} {role} {self.endpoint}", self._run, function, *args
        )
        pump.rawlink(self._pump_ended)

    def _run(self, function: Any, *args: Any) -> None:
        try:
            function(*args)
        except (OSError, ProtocolError) as error:
            self.record(error)
        except Exception as error:
            self.record(error)
            self._engine.fatal(error)

    def _fail(self, error: BaseException) -> None:
        """Report a loss that was seen, or decided on, outside the pumps; never switches."""
        if self.state == "closed":
            return
        self.record(error)
        if not isinstance(error, (OSError, ProtocolError)):
            self._engine.fatal(error)
        self._engine.hub.loop.run_callback(self.lost)

    def _pump_ended(self, pump: Any) -> None:
        # A send pump that has nothing left to wait for ends in peace.
        if self.reason is not None or pump.exception or isinstance(pump.value, GreenletExit):
            self.lost()
