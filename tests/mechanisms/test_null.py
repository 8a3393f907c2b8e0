"""The NULL mechanism: READY for READY."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from omq_gevent.errors import CommandError, HandshakeError, InvalidTransition, PeerRejected
from omq_gevent.interfaces.mechanism import IMechanism, IMechanismSession
from omq_gevent.mechanisms.null import Null, NullSession


def session() -> NullSession:
    return Null().session(False, b"ours")


def test_both_parts_provide_their_interface() -> None:
    assert verifyObject(IMechanism, Null())
    assert verifyObject(IMechanismSession, session())


def test_null_needs_no_configuration_and_has_no_roles() -> None:
    null = Null()
    null.check()
    assert null.name == "NULL"
    assert not null.is_server(True)
    assert not null.is_server(False)
    assert null == Null()


def test_null_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Null().name = "PLAIN"  # type: ignore[misc]


def test_ready_is_sent_first_and_once() -> None:
    null = session()
    assert null.start() == [b"\x05READYours"]
    assert null.status == "handshaking"
    assert null.receive(b"\x05READYtheirs") == []
    assert null.status == "ready"
    assert null.peer_metadata == b"theirs"
    assert null.user_id == ""


def test_sessions_are_independent() -> None:
    null = Null()
    first, second = null.session(False, b"1"), null.session(False, b"2")
    first.receive(b"\x05READY")
    assert second.status == "handshaking"
    assert second.start() == [b"\x05READY2"]


def test_a_second_ready_is_an_error() -> None:
    null = session()
    null.receive(b"\x05READY")
    with pytest.raises(HandshakeError):
        null.receive(b"\x05READY")
    assert null.status == "failed"


def test_ready_after_error_is_an_error() -> None:
    null = session()
    with pytest.raises(PeerRejected):
        null.receive(b"\x05ERROR\x00")
    with pytest.raises(HandshakeError):
        null.receive(b"\x05READY")
    assert null.status == "failed"
    assert null.peer_metadata == b""


def test_error_of_the_peer_gives_its_reason_escaped() -> None:
    null = session()
    with pytest.raises(PeerRejected) as caught:
        null.receive(b"\x05ERROR\x05no\r\n!")
    assert caught.value.reason == r"no\r\n!"
    assert null.status == "failed"


@pytest.mark.parametrize("body", [b"\x05HELLO", b"\x04PING\0\0", b"\x01\n", b"\xff" + b"N" * 255])
def test_another_command_is_an_error(body: bytes) -> None:
    null = session()
    with pytest.raises(HandshakeError) as caught:
        null.receive(body)
    assert null.status == "failed"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("body", [b"", b"\0", b"\x06READY", b"\x05ERROR", b"\x05ERROR\x01"])
def test_a_malformed_command_is_an_error(body: bytes) -> None:
    null = session()
    with pytest.raises(CommandError):
        null.receive(body)
    assert null.status == "failed"


def test_null_does_not_encrypt() -> None:
    null = session()
    null.receive(b"\x05READY")
    assert not null.encrypts
    with pytest.raises(InvalidTransition):
        null.encode(0, b"x")
    with pytest.raises(InvalidTransition):
        null.decode(b"x")


def test_wipe_may_come_at_any_time() -> None:
    null = session()
    null.wipe()
    null.wipe()
