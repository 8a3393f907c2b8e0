"""A package of a third party: a transport, a monitor and two mechanisms for omq_gevent.

`register` is what its entry point in the group ``omq_gevent.plugins`` names. Nothing here is known
to omq_gevent itself.
"""

from __future__ import annotations

import errno
from collections import Counter
from contextlib import suppress

from gevent.event import Event
from gevent.queue import Queue
from zope.interface import implementer, provider

from omq_gevent import registry
from omq_gevent.errors import (
    AuthenticationFailed,
    FrameError,
    HandshakeError,
    InvalidTransition,
    OptionError,
    PeerRejected,
)
from omq_gevent.interfaces import (
    IDialer,
    IListener,
    IMechanism,
    IMechanismSession,
    IMonitor,
    IMonitorFactory,
    IStream,
    ITransport,
)
from omq_gevent.zmtp import command

# -- memory://name: byte streams within the process ------------------------------------------

CAPACITY = 64 * 1024


class Pipe:
    """One direction of a stream."""

    def __init__(self):
        self.data = bytearray()
        self.ended = False
        self.readable = Event()
        self.writable = Event()
        self.writable.set()

    def end(self):
        self.ended = True
        self.readable.set()
        self.writable.set()


@implementer(IStream)
class MemoryStream:
    def __init__(self, incoming, outgoing, remote):
        self.remote = remote
        self._incoming = incoming
        self._outgoing = outgoing

    def read(self, size):
        pipe = self._incoming
        pipe.readable.wait()
        data = bytes(pipe.data[:size])
        del pipe.data[:size]
        if not pipe.data and not pipe.ended:
            pipe.readable.clear()
        pipe.writable.set()
        return data

    def write_now(self, buffers):
        pipe = self._outgoing
        if pipe.ended:
            raise BrokenPipeError(errno.EPIPE, "the other end is closed")
        taken = 0
        for buffer in buffers:
            piece = bytes(buffer)[: CAPACITY - len(pipe.data)]
            pipe.data += piece
            taken += len(piece)
        if taken:
            pipe.readable.set()
        if len(pipe.data) >= CAPACITY:
            pipe.writable.clear()
        return taken

    def wait_writable(self):
        self._outgoing.writable.wait()

    def close(self):
        self._incoming.end()
        self._outgoing.end()


@implementer(IListener)
class MemoryListener:
    def __init__(self, endpoint, listeners):
        if endpoint in listeners:
            raise OSError(errno.EADDRINUSE, f"{endpoint} is taken")
        self.endpoint = endpoint
        self.waiting = Queue()
        self.acceptors = [self.waiting.get]
        self._listeners = listeners
        listeners[endpoint] = self

    def wrap(self, connection):
        return connection

    def close(self):
        with suppress(KeyError):
            del self._listeners[self.endpoint]


@implementer(IDialer)
class MemoryDialer:
    def __init__(self, endpoint, listeners):
        self.endpoint = endpoint
        self._listeners = listeners

    def dial(self):
        listener = self._listeners.get(self.endpoint)
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody is at {self.endpoint}")
        there, back = Pipe(), Pipe()
        listener.waiting.put(MemoryStream(there, back, "memory"))
        return MemoryStream(back, there, self.endpoint)

    def wrap(self, connection):
        return connection


@implementer(ITransport)
class MemoryTransport:
    def __init__(self):
        self._listeners = {}

    def listen(self, endpoint, host):
        return MemoryListener(str(endpoint), self._listeners)

    def dialer(self, endpoint, host):
        return MemoryDialer(str(endpoint), self._listeners)


# -- "tally": a monitor that counts ----------------------------------------------------------


@provider(IMonitorFactory)
@implementer(IMonitor)
class Tally:
    def __init__(self):
        self.counts = Counter()

    def notify(self, event):
        self.counts[event.kind] += 1


# -- XOR: a mechanism that changes every frame -----------------------------------------------


class Session:
    """What the two mechanisms have in common."""

    encrypts = False
    user_id = ""

    def __init__(self, metadata):
        self.status = "handshaking"
        self.peer_metadata = b""
        self._metadata = metadata

    def receive(self, body):
        if self.status != "handshaking":
            raise HandshakeError("the handshake is over")
        self.status = "failed"
        name, data = command.parse(body)
        if name == b"ERROR":
            raise PeerRejected(command.parse_error(data))
        answer = self.take(name, data)
        self.status = "ready"
        return answer

    def encode(self, frame_flags, body):
        raise InvalidTransition("this mechanism does not encrypt")

    def encoded_size(self, size):
        raise InvalidTransition("this mechanism does not encrypt")

    def decode(self, body):
        raise InvalidTransition("this mechanism does not encrypt")

    def wipe(self):
        pass


@implementer(IMechanismSession)
class XorSession(Session):
    encrypts = True
    prefix = b"\x03XOR"

    def __init__(self, key, metadata):
        super().__init__(metadata)
        self._table = bytes(byte ^ key for byte in range(256))

    def start(self):
        return [command.encode(b"READY", self._metadata.translate(self._table))]

    def take(self, name, data):
        if name != b"READY":
            raise HandshakeError("expected READY")
        self.peer_metadata = data.translate(self._table)
        return []

    def encode(self, frame_flags, body):
        return self.prefix + (bytes((frame_flags,)) + body).translate(self._table)

    def encoded_size(self, size):
        return len(self.prefix) + 1 + size

    def decode(self, body):
        if not body.startswith(self.prefix) or len(body) == len(self.prefix):
            self.status = "failed"
            raise FrameError("a frame that was not encrypted")
        plain = body[len(self.prefix) :].translate(self._table)
        return plain[0], plain[1:]


@implementer(IMechanism)
class Xor:
    name = "XOR"

    def __init__(self, key):
        self._key = key

    def check(self):
        if not 0 < self._key < 256:
            raise OptionError("the key of XOR must be 1 to 255")

    def is_server(self, accepted):
        return False

    def session(self, as_server, metadata):
        return XorSession(self._key, metadata)


# -- TOKEN: a mechanism where the client shows a secret --------------------------------------


@implementer(IMechanismSession)
class TokenSession(Session):
    def __init__(self, secret, as_server, metadata):
        super().__init__(metadata)
        self._secret = secret
        self._as_server = as_server

    def start(self):
        return [] if self._as_server else [command.encode(b"TOKEN", self._shown())]

    def _shown(self):
        return bytes((len(self._secret),)) + self._secret + self._metadata

    def take(self, name, data):
        if self._as_server:
            if name != b"TOKEN" or not data:
                raise HandshakeError("expected TOKEN")
            if data[1 : 1 + data[0]] != self._secret:
                raise AuthenticationFailed("400")
            self.peer_metadata = data[1 + data[0] :]
            self.user_id = "holder"
            return [command.encode(b"READY", self._metadata)]
        if name != b"READY":
            raise HandshakeError("expected READY")
        self.peer_metadata = data
        return []

    def wipe(self):
        self._secret = b""


@implementer(IMechanism)
class Token:
    name = "TOKEN"

    def __init__(self, secret, server=False):
        self._secret = secret
        self._server = server

    def check(self):
        if not self._secret:
            raise OptionError("TOKEN needs a secret")

    def is_server(self, accepted):
        return self._server

    def session(self, as_server, metadata):
        return TokenSession(self._secret, as_server, metadata)


def register():
    registry.register(ITransport, "memory", MemoryTransport())
    registry.register(IMonitorFactory, "tally", Tally)
    registry.register(IMechanism, "XOR", Xor(0x5A))
