"""The handshake, driven with bytes: two of ours against each other, and against libzmq's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface import implementer

from omq_gevent.errors import (
    AuthenticationFailed,
    CommandError,
    GreetingError,
    HandshakeError,
    IncompatiblePeer,
    InvalidTransition,
    MechanismMismatch,
    MetadataError,
    PeerRejected,
    ProtocolError,
)
from omq_gevent.interfaces.mechanism import IMechanism, IMechanismSession
from omq_gevent.mechanisms.null import Null
from omq_gevent.zmtp.handshake import MAX_BYTES, Handshake
from omq_gevent.zmtp.socket_type import COMPATIBLE

# Captured from libzmq 4.3.5.
LIBZMQ_SIGNATURE = bytes.fromhex("ff00000000000000017f")
LIBZMQ_MAJOR = b"\x03"
LIBZMQ_REST = b"\x01NULL" + bytes(48)
LIBZMQ_GREETING = LIBZMQ_SIGNATURE + LIBZMQ_MAJOR + LIBZMQ_REST
LIBZMQ_READY = {
    "PAIR": "041a0552454144590b536f636b65742d547970650000000450414952",
    "PUB": "04190552454144590b536f636b65742d5479706500000003505542",
    "SUB": "04190552454144590b536f636b65742d5479706500000003535542",
    "REQ": "04260552454144590b536f636b65742d5479706500000003524551084964656e7469747900000000",
    "REP": "04190552454144590b536f636b65742d5479706500000003524550",
    "DEALER": "04290552454144590b536f636b65742d54797065000000064445414c4552"
    "084964656e7469747900000000",
    "ROUTER": "04290552454144590b536f636b65742d5479706500000006524f55544552"
    "084964656e7469747900000000",
    "PULL": "041a0552454144590b536f636b65742d547970650000000450554c4c",
    "PUSH": "041a0552454144590b536f636b65742d547970650000000450555348",
    "XPUB": "041a0552454144590b536f636b65742d547970650000000458505542",
    "XSUB": "041a0552454144590b536f636b65742d547970650000000458535542",
}
LIBZMQ_READY_BOB = {
    "REQ": "04290552454144590b536f636b65742d5479706500000003524551084964656e7469747900000003424f42",
    "DEALER": "042c0552454144590b536f636b65742d54797065000000064445414c4552"
    "084964656e7469747900000003424f42",
    "ROUTER": "042c0552454144590b536f636b65742d5479706500000006524f55544552"
    "084964656e7469747900000003424f42",
}
LIBZMQ_READY_X_HELLO = (
    "043a0552454144590b536f636b65742d54797065000000064445414c4552"
    "084964656e746974790000000007582d68656c6c6f00000005576f726c64"
)

PAIRS = [(ours, theirs) for ours in sorted(COMPATIBLE) for theirs in sorted(COMPATIBLE)]
LEGAL_PAIRS = [(ours, theirs) for ours, theirs in PAIRS if theirs in COMPATIBLE[ours]]
OTHER_PAIRS = [pair for pair in PAIRS if pair not in LEGAL_PAIRS]


@implementer(IMechanismSession)
class RecordingSession:
    """A session of two commands, GIMME and TAKE, that can be told to misbehave."""

    user_id = "joe"

    def __init__(self, mechanism: Secretive, as_server: bool, metadata: bytes) -> None:
        self.mechanism = mechanism
        self.encrypts = mechanism.encrypts
        self.status = "handshaking"
        self.peer_metadata = b""
        self.as_server = as_server
        self.metadata = metadata
        self.wiped = False

    def start(self) -> list[bytes]:
        return [] if self.as_server else [b"\x05GIMME" + self.metadata]

    def receive(self, command: bytes) -> list[bytes]:
        if self.mechanism.raises is not None:
            self.status = "failed"
            raise self.mechanism.raises
        name, self.peer_metadata = command[1 : command[0] + 1], command[command[0] + 1 :]
        assert name == (b"GIMME" if self.as_server else b"TAKE")
        self.status = "ready"
        return [b"\x04TAKE" + self.metadata] if self.as_server else []

    def encode(self, frame_flags: int, body: bytes) -> bytes:
        return bytes((frame_flags,)) + body

    def decode(self, body: bytes) -> tuple[int, bytes]:
        return body[0], body[1:]

    def wipe(self) -> None:
        self.wiped = True


@implementer(IMechanism)
@dataclass
class Secretive:
    """A mechanism with roles, which keeps its sessions for the test to look at."""

    server: bool = False
    encrypts: bool = False
    raises: Exception | None = None
    name: str = "SECRETIVE"
    sessions: list[RecordingSession] = field(default_factory=list)

    def check(self) -> None:
        pass

    def is_server(self, accepted: bool) -> bool:
        return self.server

    def session(self, as_server: bool, metadata: bytes) -> RecordingSession:
        self.sessions.append(RecordingSession(self, as_server, metadata))
        return self.sessions[-1]


def handshake(
    socket_type: str = "PAIR",
    identity: bytes = b"",
    mechanism: IMechanism | None = None,
    properties: dict[str, bytes] | None = None,
    max_bytes: int = MAX_BYTES,
) -> Handshake:
    mechanism = mechanism or Null()
    return Handshake(
        socket_type=socket_type,
        compatible=COMPATIBLE[socket_type],
        identity=identity,
        mechanism=mechanism,
        as_server=mechanism.is_server(accepted=False),
        properties=properties or {},
        max_bytes=max_bytes,
    )


def pieces(data: bytes, size: int | None) -> Iterator[bytes]:
    step = size or max(len(data), 1)
    return (data[start : start + step] for start in range(0, len(data), step))


def talk(left: Handshake, right: Handshake, size: int | None = None) -> None:
    """Carry bytes between the two, *size* at a time, until neither has any more to say."""
    to_right, to_left = left.start(), right.start()
    while to_right or to_left:
        answers = [right.receive(piece) for piece in pieces(to_right, size)]
        to_right = b"".join(left.receive(piece) for piece in pieces(to_left, size))
        to_left = b"".join(answers)


def frame(body: bytes, flags: int = 4) -> bytes:
    if len(body) > 255:
        return bytes((flags | 2,)) + len(body).to_bytes(8, "big") + body
    return bytes((flags, len(body))) + body


def prop(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


def ready(socket_type: bytes | None = b"PAIR", *properties: bytes) -> bytes:
    """Return the frame of a READY command."""
    kind = b"" if socket_type is None else prop(b"Socket-Type", socket_type)
    return frame(b"\x05READY" + kind + b"".join(properties))


def greeted(socket_type: str = "PAIR", max_bytes: int = MAX_BYTES) -> Handshake:
    """Return a handshake that has the peer's greeting and has sent READY."""
    hand = handshake(socket_type, max_bytes=max_bytes)
    assert b"READY" in hand.receive(LIBZMQ_GREETING)
    return hand


def failing(hand: Handshake, data: bytes, error: type[ProtocolError]) -> str:
    """Feed *data*, which must fail; return the message of the error."""
    with pytest.raises(error) as caught:
        hand.receive(data)
    assert not hand.done
    with pytest.raises(InvalidTransition):
        hand.receive(b"")
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 500
    return text


# Two of ours.


@pytest.mark.parametrize(("ours", "theirs"), LEGAL_PAIRS)
def test_every_legal_pair_of_socket_types_completes(ours: str, theirs: str) -> None:
    left, right = handshake(ours), handshake(theirs)
    talk(left, right)
    assert left.done
    assert right.done
    assert left.peer.socket_type == theirs
    assert right.peer.socket_type == ours
    assert left.remainder == right.remainder == b""


@pytest.mark.parametrize(("ours", "theirs"), OTHER_PAIRS)
def test_every_other_pair_is_refused_by_both_ends(ours: str, theirs: str) -> None:
    left, right = handshake(ours), handshake(theirs)
    to_left = right.receive(left.start())
    to_right = left.receive(right.start())
    assert failing(left, to_left, IncompatiblePeer) == (
        f"a {ours} socket cannot talk to a {theirs} socket"
    )
    failing(right, to_right, IncompatiblePeer)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 65])
def test_bytes_may_be_cut_anywhere(size: int) -> None:
    left = handshake("DEALER", b"left")
    right = handshake("ROUTER", b"right", properties={"X-Big": b"x" * 300})
    talk(left, right, size)
    assert left.peer.identity == b"right"
    assert left.peer.properties["X-Big"] == b"x" * 300
    assert right.peer.identity == b"left"


def test_peer_facts_tell_all_that_was_learnt() -> None:
    left = handshake("REQ", b"me", properties={"X-App": b"\x00\xff"})
    right = handshake("ROUTER")
    talk(left, right)
    facts = right.peer
    assert facts.socket_type == "REQ"
    assert facts.identity == b"me"
    assert facts.properties == {"Socket-Type": b"REQ", "Identity": b"me", "X-App": b"\x00\xff"}
    assert facts.mechanism == "NULL"
    assert (facts.major, facts.minor) == (3, 1)
    assert facts.user_id == ""


def test_peer_and_session_are_only_there_when_done() -> None:
    hand = greeted()
    assert not hand.done
    with pytest.raises(InvalidTransition):
        _ = hand.peer
    with pytest.raises(InvalidTransition):
        _ = hand.session
    hand.receive(ready())
    assert hand.done
    assert hand.peer.socket_type == "PAIR"
    assert hand.session.status == "ready"


def test_nothing_is_taken_after_the_end() -> None:
    hand = greeted()
    hand.receive(ready())
    with pytest.raises(InvalidTransition):
        hand.receive(b"x")
    assert hand.done


# Greeting.


def test_our_greeting_is_64_bytes_of_version_3_1_with_zero_padding() -> None:
    sent = handshake().start()
    assert sent == b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(16) + b"\0" + bytes(31)
    assert len(sent) == 64


def test_whole_greeting_is_sent_before_anything_is_heard() -> None:
    # Also when the peer turns out to use another mechanism, so that it learns ours.
    hand = handshake()
    assert len(hand.start()) == 64
    failing(hand, LIBZMQ_GREETING.replace(b"NULL\0", b"PLAIN"), MechanismMismatch)


def test_greeting_staged_as_libzmq_does() -> None:
    hand = handshake("PUSH")
    hand.start()
    assert hand.receive(LIBZMQ_SIGNATURE) == b""
    assert hand.receive(LIBZMQ_MAJOR) == b""
    assert hand.receive(LIBZMQ_REST) == bytes.fromhex(LIBZMQ_READY["PUSH"])
    assert hand.receive(bytes.fromhex(LIBZMQ_READY["PULL"])) == b""
    assert hand.done


def test_rest_of_greeting_and_ready_in_one_burst() -> None:
    hand = handshake("PULL")
    hand.receive(LIBZMQ_SIGNATURE)
    burst = LIBZMQ_MAJOR + LIBZMQ_REST + bytes.fromhex(LIBZMQ_READY["PUSH"])
    assert hand.receive(burst) == bytes.fromhex(LIBZMQ_READY["PULL"])
    assert hand.done


def test_only_the_last_bit_of_the_signature_counts() -> None:
    hand = handshake()
    hand.receive(b"\xff" + bytes(8) + b"\x01" + LIBZMQ_GREETING[10:] + ready())
    assert hand.done


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=31, max_size=31), st.integers(0, 255))
def test_padding_filler_and_as_server_are_ignored(pad: bytes, filler: bytes, role: int) -> None:
    hand = handshake()
    hand.receive(b"\xff" + pad + b"\x7f" + LIBZMQ_GREETING[10:32] + bytes((role,)) + filler)
    hand.receive(ready())
    assert hand.done


def test_every_version_has_a_defined_outcome() -> None:
    for major in range(256):
        for minor in range(256):
            data = LIBZMQ_SIGNATURE + bytes((major, minor)) + LIBZMQ_GREETING[12:] + ready()
            hand = handshake()
            if major < 3:
                with pytest.raises(GreetingError):
                    hand.receive(data)
            else:
                hand.receive(data)
                assert (hand.peer.major, hand.peer.minor) == (major, minor)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"PLAIN", "PLAIN"),
        (b"CURVE", "CURVE"),
        (b"null", "null"),
        (b"", ""),
        (b"NULL\0X", r"NULL\x00X"),
        (b"NULL" + bytes(15) + b"X", "X"),
        (b"\r\nGET\x1b[0m", r"\r\nGET\x1b[0m"),
    ],
)
def test_another_mechanism_is_refused_naming_both(name: bytes, shown: str) -> None:
    hand = handshake()
    greeting = LIBZMQ_GREETING[:12] + name.ljust(20, b"\0") + bytes(32)
    text = failing(hand, greeting + ready(), MechanismMismatch)
    assert shown in text
    assert "this socket uses NULL" in text
    assert hand.farewell == b""


@pytest.mark.parametrize(
    "downgrade",
    [
        pytest.param(LIBZMQ_GREETING, id="weaker mechanism"),
        pytest.param(LIBZMQ_SIGNATURE + b"\x01\x05\x00\x00", id="ZMTP 2.0"),
        pytest.param(b"\x01\x00", id="ZMTP 1.0 anonymous"),
        pytest.param(b"\xff" + bytes(7) + b"\x04\x00" + bytes(64), id="ZMTP 1.0 long"),
    ],
)
@pytest.mark.parametrize("server", [True, False])
def test_a_downgrade_never_yields_a_connection(downgrade: bytes, server: bool) -> None:
    mechanism = Secretive(server=server)
    hand = handshake(mechanism=mechanism)
    with pytest.raises((MechanismMismatch, GreetingError)):
        hand.receive(downgrade)
    assert not hand.done
    assert mechanism.sessions == []


@pytest.mark.parametrize(
    "opening",
    [
        b"\x00",
        b"\x01\x00",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\xff" + bytes(8) + b"\x7e",
    ],
)
def test_what_is_not_zmtp_3_is_refused_at_once(opening: bytes) -> None:
    failing(handshake(), opening, GreetingError)


def test_a_greeting_cut_short_waits_without_answer() -> None:
    hand = handshake()
    assert hand.receive(LIBZMQ_GREETING[:-1]) == b""
    assert not hand.done


@pytest.mark.parametrize("server_accepts", [True, False])
def test_roles_do_not_depend_on_who_connected(server_accepts: bool) -> None:
    server, client = Secretive(server=True), Secretive(server=False)
    ends = [handshake(mechanism=server), handshake(mechanism=client)]
    assert ends[0].start()[32] == 1
    assert ends[1].start()[32] == 0
    talk(*(ends if server_accepts else reversed(ends)))
    assert ends[0].done
    assert ends[1].done
    assert server.sessions[0].as_server
    assert not client.sessions[0].as_server
    assert ends[0].peer.user_id == "joe"
    assert ends[0].peer.mechanism == "SECRETIVE"


# READY and metadata.


def test_ready_follows_the_greeting_without_waiting_for_the_peers() -> None:
    hand = handshake("PULL")
    assert hand.receive(LIBZMQ_GREETING) == bytes.fromhex(LIBZMQ_READY["PULL"])
    assert not hand.done


@pytest.mark.parametrize("socket_type", sorted(LIBZMQ_READY))
def test_our_ready_is_the_one_that_libzmq_sends(socket_type: str) -> None:
    sent = handshake(socket_type).receive(LIBZMQ_GREETING)
    assert sent == bytes.fromhex(LIBZMQ_READY[socket_type])


@pytest.mark.parametrize("socket_type", sorted(LIBZMQ_READY))
def test_libzmqs_ready_is_understood(socket_type: str) -> None:
    ours = min(COMPATIBLE[socket_type])
    hand = handshake(ours)
    answer = b""
    for piece in pieces(LIBZMQ_GREETING + bytes.fromhex(LIBZMQ_READY[socket_type]), 1):
        answer += hand.receive(piece)
    assert answer == bytes.fromhex(LIBZMQ_READY.get(ours, ""))
    assert hand.peer.socket_type == socket_type
    assert hand.peer.identity == b""


@pytest.mark.parametrize("socket_type", sorted(LIBZMQ_READY_BOB))
def test_identity_is_sent_and_received_as_libzmq_does(socket_type: str) -> None:
    wire = bytes.fromhex(LIBZMQ_READY_BOB[socket_type])
    assert handshake(socket_type, b"BOB").receive(LIBZMQ_GREETING) == wire
    hand = greeted("ROUTER")
    hand.receive(wire)
    assert hand.peer.identity == b"BOB"


@pytest.mark.parametrize("socket_type", sorted(set(COMPATIBLE) - {"REQ", "DEALER", "ROUTER"}))
def test_other_socket_types_send_no_identity(socket_type: str) -> None:
    assert b"Identity" not in handshake(socket_type, b"BOB").receive(LIBZMQ_GREETING)


def test_identity_of_other_socket_types_is_ignored() -> None:
    hand = greeted("PULL")
    hand.receive(ready(b"PUSH", prop(b"Identity", b"\0" * 300)))
    assert hand.peer.identity == b""


def test_application_properties_are_sent_and_received() -> None:
    wire = bytes.fromhex(LIBZMQ_READY_X_HELLO)
    sent = handshake("DEALER", properties={"X-hello": b"World"}).receive(LIBZMQ_GREETING)
    assert sent == wire
    hand = greeted("ROUTER")
    hand.receive(wire)
    assert hand.peer.properties["X-hello"] == b"World"


def test_every_resource_is_accepted() -> None:
    hand = greeted()
    hand.receive(ready(b"PAIR", prop(b"resource", b"no/such/thing")))
    assert hand.peer.properties["Resource"] == b"no/such/thing"


def test_property_names_are_compared_without_regard_to_case() -> None:
    hand = greeted("ROUTER")
    hand.receive(ready(None, prop(b"sOCKET-tYPE", b"DEALER"), prop(b"IDENTITY", b"x")))
    assert hand.peer.socket_type == "DEALER"
    assert hand.peer.identity == b"x"


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(b"\x0bSocket-Type\xff\xff\xff\xff", id="value longer than the frame"),
        pytest.param(prop(b"Socket-Type", b"PAIR") + b"\xffX", id="name longer than the frame"),
        pytest.param(prop(b"Socket-Type", b"PAIR") + b"\x01", id="one trailing octet"),
        pytest.param(prop(b"Socket-Type", b"PAIR") + prop(b"", b"x"), id="zero-length name"),
        pytest.param(prop(b"Socket-Type", b"PAIR") * 2, id="two socket types"),
        pytest.param(prop(b"Identity", b"a") + prop(b"identity", b"b"), id="two identities"),
        pytest.param(prop(b"X-\xc3\xa9", b"a"), id="name that is not ASCII"),
        pytest.param(prop(b"X-\r\n", b"a"), id="name with a line break"),
    ],
)
def test_malformed_metadata_is_refused(metadata: bytes) -> None:
    failing(greeted(), frame(b"\x05READY" + metadata), MetadataError)


def test_long_names_and_large_values_within_the_limit_are_accepted() -> None:
    hand = greeted()
    hand.receive(ready(b"PAIR", prop(b"n" * 255, b""), prop(b"X-Large", b"v" * 60_000)))
    assert len(hand.peer.properties["X-Large"]) == 60_000


@pytest.mark.parametrize("metadata", [b"", prop(b"Identity", b"x")])
def test_a_peer_without_socket_type_is_refused(metadata: bytes) -> None:
    hand = greeted()
    failing(hand, frame(b"\x05READY" + metadata), HandshakeError)
    assert hand.farewell == frame(b"\x05ERROR\x13missing-socket-type")


@pytest.mark.parametrize("name", [b"pair", b"PAIR\0", b"", b"STREAM", b"\xff\r\n" * 100])
def test_an_unknown_socket_type_is_refused(name: bytes) -> None:
    failing(greeted(), ready(name), IncompatiblePeer)


def test_a_wrong_socket_type_is_answered_with_error() -> None:
    left, right = handshake("PUSH"), handshake("PUSH")
    left.receive(right.start())
    failing(left, right.receive(left.start()), IncompatiblePeer)
    assert left.farewell == frame(b"\x05ERROR\x18incompatible-socket-type")
    assert failing(right, left.farewell, PeerRejected).endswith("incompatible-socket-type")


@pytest.mark.parametrize(
    ("identity", "accepted"),
    [
        (b"", True),
        (b"x" * 255, True),
        (b"x\0", True),
        (b"x" * 256, False),
        (b"x" * 60_000, False),
        (b"\0", False),
        (b"\0abc", False),
    ],
)
def test_identity_has_at_most_255_bytes_and_no_leading_nul(identity: bytes, accepted: bool) -> None:
    hand = greeted("ROUTER")
    wire = ready(b"DEALER", prop(b"Identity", identity))
    if accepted:
        hand.receive(wire)
        assert hand.peer.identity == identity
    else:
        failing(hand, wire, HandshakeError)
        assert hand.farewell == frame(b"\x05ERROR\x10invalid-identity")


# Frames of the handshake.


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"\x05" + ready()[1:], id="MORE on a command"),
        pytest.param(b"\xfc" + ready()[1:], id="reserved bits"),
        pytest.param(b"\x06" + bytes(7) + ready()[1:], id="long form of a short body"),
    ],
)
def test_unusual_frames_of_ready_are_understood(wire: bytes) -> None:
    hand = greeted()
    hand.receive(wire)
    assert hand.done


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 0xF8])
def test_a_message_before_ready_is_refused(flags: int) -> None:
    failing(greeted(), bytes((flags,)), HandshakeError)


def test_a_message_in_the_burst_of_the_greeting_is_refused() -> None:
    failing(handshake(), LIBZMQ_GREETING + b"\x00\x02hi", HandshakeError)


@pytest.mark.parametrize("tail", [b"\x00\x02hi", b"\x04", b"x" * 200_000])
def test_bytes_after_ready_are_left_untouched(tail: bytes) -> None:
    hand = greeted()
    assert hand.receive(ready() + tail) == b""
    assert hand.done
    assert hand.remainder == tail


def test_a_second_ready_is_not_part_of_the_handshake() -> None:
    hand = greeted()
    hand.receive(ready() + ready())
    assert hand.remainder == ready()


@pytest.mark.parametrize(
    "body",
    [b"\x04PING\0\0", b"\x09SUBSCRIBE", b"\x05HELLO", b"\x07WELCOME", b"\x05ready", b"\x01\n"],
)
def test_any_command_but_ready_and_error_is_refused(body: bytes) -> None:
    hand = greeted()
    failing(hand, frame(body), HandshakeError)
    assert hand.farewell == b""


@pytest.mark.parametrize("body", [b"", b"\0", b"\x05", b"\x05READ", b"\xffREADY"])
def test_a_command_body_that_is_too_short_is_refused(body: bytes) -> None:
    failing(greeted(), frame(body), CommandError)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x03400", "400"),
        (b"\x00", ""),
        (b"\x07a\r\nb\x1b\0\xff", r"a\r\nb\x1b\x00\xff"),
    ],
)
def test_error_of_the_peer_is_fatal_and_its_reason_printable(data: bytes, reason: str) -> None:
    hand = greeted()
    with pytest.raises(PeerRejected) as caught:
        hand.receive(frame(b"\x05ERROR" + data))
    assert caught.value.reason == reason
    assert hand.farewell == b""
    with pytest.raises(InvalidTransition):
        hand.receive(frame(b"\x05ERROR" + data))


@pytest.mark.parametrize("data", [b"", b"\x04400", b"\xff"])
def test_error_with_a_malformed_reason_is_refused(data: bytes) -> None:
    failing(greeted(), frame(b"\x05ERROR" + data), CommandError)


@pytest.mark.parametrize("size", [MAX_BYTES, 2**31, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_huge_command_is_refused_by_its_header(size: int) -> None:
    failing(greeted(), b"\x06" + size.to_bytes(8, "big"), HandshakeError)


def test_the_limit_counts_greeting_and_commands_together() -> None:
    wire = ready()
    exact = greeted(max_bytes=64 + len(wire))
    exact.receive(wire)
    assert exact.done
    failing(greeted(max_bytes=64 + len(wire) - 1), wire, HandshakeError)


def test_the_limit_counts_all_commands_together() -> None:
    class Endless(RecordingSession):
        def receive(self, command: bytes) -> list[bytes]:
            return []

    mechanism = Secretive()
    mechanism.session = lambda as_server, metadata: Endless(  # type: ignore[method-assign]
        mechanism, as_server, metadata
    )
    hand = handshake(mechanism=mechanism, max_bytes=1000)
    hand.receive(hand.start())
    for _ in range((1000 - 64) // 3):
        hand.receive(b"\x04\x01x")
    assert "1000" in failing(hand, b"\x04\x01x", HandshakeError)


def test_a_peer_that_echoes_us_is_refused_where_types_differ() -> None:
    hand = handshake("REQ")
    answer = hand.receive(hand.start())
    failing(hand, answer, IncompatiblePeer)


@given(st.binary(max_size=600), st.integers(1, 80))
def test_nonsense_after_the_greeting_never_breaks_us(nonsense: bytes, size: int) -> None:
    hand = greeted()
    for piece in pieces(nonsense, size):
        try:
            # NULL has nothing more to say, so nothing of the peer's can leak back to it.
            assert hand.receive(piece) == b""
        except ProtocolError:
            break
    assert not hand.done


@given(st.binary(max_size=100))
def test_nonsense_from_the_start_never_breaks_us(nonsense: bytes) -> None:
    hand = handshake()
    refusal = ""
    try:
        assert hand.receive(nonsense) == b""
    except ProtocolError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert not hand.done


@given(st.lists(st.integers(1, 80), max_size=20), st.binary(max_size=50))
def test_every_cut_of_the_same_bytes_has_the_same_outcome(cuts: list[int], tail: bytes) -> None:
    wire = LIBZMQ_GREETING + ready(b"DEALER", prop(b"Identity", b"BOB")) + tail
    hand = handshake("ROUTER")
    position = 0
    sent = b""
    for cut in [*cuts, len(wire)]:
        sent += hand.receive(wire[position : position + cut])
        position += cut
        if hand.done:
            break
    assert sent == bytes.fromhex(LIBZMQ_READY["ROUTER"])
    assert hand.peer.identity == b"BOB"
    assert hand.remainder + wire[position:] == tail


# Mechanisms with roles and secrets.


@pytest.mark.parametrize("status", ["400", "500"])
def test_a_failed_authentication_is_told_to_the_peer(status: str) -> None:
    mechanism = Secretive(server=True, encrypts=True, raises=AuthenticationFailed(status))
    hand = handshake(mechanism=mechanism)
    client = handshake(mechanism=Secretive())
    client_says = client.receive(hand.start())
    hand.receive(client.start())
    failing(hand, client_says, AuthenticationFailed)
    assert hand.farewell == frame(b"\x05ERROR\x03" + status.encode())


def test_try_again_later_is_told_by_silence() -> None:
    hand = handshake(mechanism=Secretive(server=True, raises=AuthenticationFailed("300")))
    hand.receive(handshake(mechanism=Secretive()).start())
    failing(hand, b"\x04\x01x", AuthenticationFailed)
    assert hand.farewell == b""


@pytest.mark.parametrize(
    ("server", "encrypts", "says_goodbye"),
    [
        (True, True, True),
        (True, False, True),
        (False, False, True),
        (False, True, False),
    ],
)
def test_a_client_that_encrypts_sends_no_error_in_clear(
    server: bool, encrypts: bool, says_goodbye: bool
) -> None:
    mechanism = Secretive(server=server, encrypts=encrypts)
    hand = handshake("PUSH", mechanism=mechanism)
    hand.receive(hand.start())
    name = b"\x05GIMME" if server else b"\x04TAKE"
    failing(hand, frame(name + prop(b"Socket-Type", b"PUB")), IncompatiblePeer)
    assert bool(hand.farewell) == says_goodbye
    assert mechanism.sessions[0].wiped


def test_a_session_with_a_bug_ends_the_handshake_and_is_wiped() -> None:
    mechanism = Secretive(raises=ZeroDivisionError("bug"))
    hand = handshake(mechanism=mechanism)
    hand.receive(hand.start())
    with pytest.raises(ZeroDivisionError):
        hand.receive(b"\x04\x01x")
    assert mechanism.sessions[0].wiped
    with pytest.raises(InvalidTransition):
        hand.receive(b"")


def test_abandon_wipes_an_unfinished_session() -> None:
    mechanism = Secretive()
    hand = handshake(mechanism=mechanism)
    hand.receive(hand.start())
    hand.abandon()
    assert mechanism.sessions[0].wiped
    hand.abandon()
    with pytest.raises(InvalidTransition):
        hand.receive(b"")


def test_abandon_before_the_greeting_and_after_the_end_does_no_harm() -> None:
    handshake().abandon()
    server, client = Secretive(server=True), Secretive()
    left, right = handshake(mechanism=server), handshake(mechanism=client)
    talk(left, right)
    left.abandon()
    assert left.done
    assert not server.sessions[0].wiped
    assert left.session is server.sessions[0]


def test_no_session_is_made_for_a_peer_that_sends_no_greeting() -> None:
    mechanism = Secretive()
    hand = handshake(mechanism=mechanism)
    hand.receive(LIBZMQ_GREETING[:63])
    assert mechanism.sessions == []
