"""What every security mechanism must do: checked without any I/O, as it is written."""

from __future__ import annotations

import re
from typing import Any

from zope.interface.verify import verifyObject

from omq_gevent.errors import InvalidTransition, ProtocolError
from omq_gevent.interfaces import IMechanism, IMechanismSession
from omq_gevent.zmtp import command, metadata
from omq_gevent.zmtp.codec import codec_for
from omq_gevent.zmtp.frame import COMMAND, MORE
from omq_gevent.zmtp.handshake import Handshake

ROUNDS = 16
"""A handshake that takes more exchanges than this is taken not to end."""

BODIES = (b"", b"a", b"b" * 255, b"c" * 256, bytes(range(256)) * 300)
NONSENSE = (b"", b"\0", b"\x05READ", b"\x07NONSENSE", b"\x08NONSENSE", b"\xffREADY")


def check_mechanism(client: Any, server: Any) -> None:
    """Check a mechanism by its two configurations: *client* connects, *server* accepts.

    They must accept each other. A mechanism without roles is given twice.

    :raises AssertionError: when one breaks the contract of `IMechanism` or `IMechanismSession`.
    :raises zope.interface.Invalid: when one does not provide them completely.
    """
    for mechanism in (client, server):
        verifyObject(IMechanism, mechanism)
        verifyObject(IMechanismSession, _session(mechanism, True))
        _is_well_configured(mechanism)
    assert client.name == server.name, f"the names differ: {client.name!r} and {server.name!r}"
    _sessions_agree(client, server)
    _sessions_are_independent(client, server)
    _survives_nonsense(client, server)
    _carries_messages(client, server)


def _session(mechanism: Any, accepted: bool, ours: bytes = b"") -> Any:
    return mechanism.session(mechanism.is_server(accepted), ours)


def _is_well_configured(mechanism: Any) -> None:
    name = mechanism.name
    assert re.fullmatch(r"[A-Z0-9_.+-]{1,20}", name), (
        f"name {name!r} is not 1 to 20 of A-Z 0-9 - _ . +"
    )
    assert mechanism.check() is None, "check() raises or returns nothing"
    for accepted in (True, False):
        answer = mechanism.is_server(accepted)
        assert isinstance(answer, bool), f"is_server({accepted}) gave {answer!r}, not a bool"


def _shake_hands(near: Any, far: Any) -> None:
    """Pass commands between two new sessions until both are ready."""
    assert near.status == far.status == "handshaking", "a new session's status is handshaking"
    to_far, to_near = _bodies(near.start()), _bodies(far.start())
    for _ in range(ROUNDS):
        if not to_far and not to_near:
            break
        answers: list[bytes] = []
        for body in to_far:
            answers += _bodies(far.receive(body))
        to_far = []
        for body in to_near:
            to_far += _bodies(near.receive(body))
        to_near = answers
    for session in (near, far):
        assert session.status == "ready", (
            f"both sides have nothing more to say, but the status is {session.status!r}"
        )


def _bodies(bodies: Any) -> list[bytes]:
    for body in bodies:
        assert isinstance(body, bytes), f"a command body is bytes, not {type(body).__name__}"
        try:
            command.parse(body)
        except ProtocolError as error:
            raise AssertionError(f"{body!r} is not the body of a command: {error}") from error
    return list(bodies)


def _sessions_agree(client: Any, server: Any) -> None:
    near, far = (
        _session(client, False, b"\1Athe client's"),
        _session(server, True, b"\1Athe server's"),
    )
    assert near.encrypts == far.encrypts, "one side encrypts and the other does not"
    _shake_hands(near, far)
    assert far.peer_metadata == b"\1Athe client's", "the server did not get the client's metadata"
    assert near.peer_metadata == b"\1Athe server's", "the client did not get the server's metadata"
    for session in (near, far):
        assert isinstance(session.user_id, str), "user_id is a str"
    if near.encrypts:
        _ciphers_agree(near, far)
    else:
        _refuses_to_encrypt(near)
    for session in (near, far):
        session.wipe()
        session.wipe()


def _ciphers_agree(near: Any, far: Any) -> None:
    for sender, receiver in ((near, far), (far, near)):
        for flags in (0, MORE, COMMAND):
            for body in BODIES:
                sealed = sender.encode(flags, body)
                assert isinstance(sealed, bytes), "encode() returns bytes"
                size = sender.encoded_size(len(body))
                assert len(sealed) == size, (
                    f"encode() made {len(sealed)} bytes of {len(body)}, encoded_size() said {size}"
                )
                opened = receiver.decode(sealed)
                assert opened == (flags, body), "decode() does not give back what encode() took"
    for size in (0, 1, 255, 256, 65536):
        assert near.encoded_size(size) <= near.encoded_size(size + 1), "encoded_size() shrinks"


def _refuses_to_encrypt(session: Any) -> None:
    for method, args in (("encode", (0, b"")), ("decode", (b"",)), ("encoded_size", (0,))):
        try:
            getattr(session, method)(*args)
        except InvalidTransition:
            continue
        raise AssertionError(f"{method}() must raise InvalidTransition: encrypts is False")


def _sessions_are_independent(client: Any, server: Any) -> None:
    """Two handshakes at once, with one of them going wrong."""
    pairs = [(_session(client, False), _session(server, True)) for _ in range(2)]
    pairs[0][1].start()
    _only_protocol_errors(pairs[0][1], b"\x08NONSENSE")
    pairs[0][0].wipe()
    _shake_hands(*pairs[1])


def _survives_nonsense(client: Any, server: Any) -> None:
    for mechanism, accepted in ((client, False), (server, True)):
        for nonsense in NONSENSE:
            session = _session(mechanism, accepted)
            session.start()
            _only_protocol_errors(session, nonsense)
            assert session.status == "failed", (
                f"the command {nonsense!r} was taken; the status is {session.status!r}"
            )
            session.wipe()
    _survives_mutilation(client, server)
    if _session(client, False).encrypts:
        for sealed in (b"", b"\0", b"\x07MESSAGE", bytes(100)):
            near, far = _session(client, False), _session(server, True)
            _shake_hands(near, far)
            _only_protocol_errors(near, sealed, near.decode)


def _survives_mutilation(client: Any, server: Any) -> None:
    """Each command of a handshake in turn, cut short or with a byte changed."""
    for step in range(ROUNDS):
        sizes = _handshake_spoilt(client, server, step, None)
        if sizes is None:
            return
        for cut in {0, 1, sizes // 2, max(0, sizes - 1)}:
            _handshake_spoilt(client, server, step, cut)
        for position in range(0, sizes, max(1, sizes // 32)):
            _handshake_spoilt(client, server, step, ~position)


def _handshake_spoilt(client: Any, server: Any, step: int, where: int | None) -> int | None:
    """Run a handshake whose command number *step* is cut at *where*, or, if that is negative, has
    byte ``~where`` changed. Return the command's size; None if there are not so many commands."""
    near, far = _session(client, False), _session(server, True)
    waiting = [(far, body) for body in near.start()] + [(near, body) for body in far.start()]
    number = 0
    while waiting:
        session, body = waiting.pop(0)
        if number == step:
            if where is None:
                return len(body)
            spoilt = body[:where] if where >= 0 else _changed(body, ~where)
            _only_protocol_errors(session, spoilt)
            return len(body)
        number += 1
        other = near if session is far else far
        waiting += [(other, answer) for answer in session.receive(body)]
    return None


def _changed(body: bytes, position: int) -> bytes:
    return body[:position] + bytes((body[position] ^ 1,)) + body[position + 1 :]


def _only_protocol_errors(session: Any, data: bytes, method: Any = None) -> None:
    """Let *session* take *data*: what it does not like is the peer's fault, not a crash."""
    try:
        (method or session.receive)(data)
    except ProtocolError:
        assert session.status == "failed", f"an error was raised, but status is {session.status!r}"
    except Exception as error:
        raise AssertionError(
            f"{data!r} from a peer raised {type(error).__name__}; only ProtocolError may be raised"
        ) from error


def _carries_messages(client: Any, server: Any) -> None:
    """The same as two sockets would see it: greetings, handshakes and then frames."""
    near, far = (
        _handshake(mechanism, accepted) for mechanism, accepted in ((client, False), (server, True))
    )
    to_far, to_near = near.start(), far.start()
    for _ in range(ROUNDS):
        if near.done and far.done:
            break
        answer = far.receive(to_far) if to_far and not far.done else b""
        to_far = near.receive(to_near) if to_near and not near.done else b""
        to_near = answer
    assert near.done, "two sockets with these mechanisms never finish their handshake"
    assert far.done, "two sockets with these mechanisms never finish their handshake"
    properties = metadata.parse(near.session.peer_metadata)
    assert properties["Socket-Type"] == b"PAIR", "the metadata did not come through"
    sender, receiver = codec_for(near.session, 10**6), codec_for(far.session, 10**6)
    messages = [[body] for body in BODIES] + [list(BODIES)]
    wire = b"".join(sender.encode_batch(messages)) + sender.encode_command(command.ping(1.0))
    assert len(wire) > sum(map(sender.wire_size, messages))
    items = receiver.decoder.feed(far.remainder + wire)
    assert items == [*messages, command.ping(1.0)], (
        "messages did not come through as they were sent"
    )
    for codec in (sender, receiver):
        codec.wipe()


def _handshake(mechanism: Any, accepted: bool) -> Handshake:
    return Handshake(
        socket_type="PAIR",
        compatible=frozenset({"PAIR"}),
        identity=b"",
        mechanism=mechanism,
        as_server=mechanism.is_server(accepted),
    )
