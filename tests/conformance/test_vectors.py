"""Recorded and computed wire bytes, replayed through the protocol modules.

Every entry of vectors.json is either checked here, in both directions where we send such bytes
too, or named in NOT_HERE with the reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omq_gevent.errors import CommandError, GreetingError
from omq_gevent.zmtp import command, metadata
from omq_gevent.zmtp.decoder import Command, Decoder
from omq_gevent.zmtp.frame import LONG, encode_command, encode_message
from omq_gevent.zmtp.greeting import GreetingReader, encode
from omq_gevent.zmtp.socket_type import COMPATIBLE
from omq_gevent.zmtp.subscriptions import SubscriptionCounts

VECTORS: dict[str, dict[str, Any]] = {
    vector["name"]: vector
    for vector in json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
}

# fmt: off
NOT_HERE = (
    ("belongs to the PLAIN mechanism", (
        "plain.hello", "plain.hello.libzmq", "plain.welcome", "plain.initiate",
        "plain.initiate.libzmq", "plain.ready", "plain.ready.with_zap_metadata",
        "plain.error.400", "plain.error.500", "plain.error.300",
    )),
    ("belongs to the CURVE mechanism", (
        "curve.keys", "curve.hello", "curve.hello.libzmq", "curve.cookie", "curve.welcome",
        "curve.welcome.libzmq", "curve.initiate", "curve.initiate.libzmq", "curve.ready",
        "curve.ready.libzmq", "curve.message.c", "curve.message.s", "curve.message.c.more",
        "curve.message.c.ping", "curve.message.c.subscribe", "curve.message.libzmq",
        "curve.plaintext.vouch", "curve.error.300",
    )),
    ("belongs to authentication", (
        "zap.request.plain", "zap.reply.plain", "zap.request.null", "zap.request.curve",
        "null.zap.300", "z85.helloworld", "z85.zero", "z85.max", "z85.invalid",
    )),
    ("belongs to the WebSocket and UDP transports", (
        "ws.server.101", "ws.zws2.server.identity", "ws.zws2.server.multipart",
        "ws.server.len125", "ws.server.len126", "ws.server.len65536", "ws.pong", "ws.close",
        "ws.null.server.ready", "ws.null.server.message", "ws.sub.subscribe", "ws.sub.cancel",
        "ws.client.request", "ws.client.ready.masked", "ws.null.pong", "ws.null.close", "ws.ping",
        "ws.client.masked.example", "ws.upgrade.example", "udp.radio",
    )),
    ("is what libzmq sends to peers of ZMTP 1.0 and 2.0 only, and we are ZMTP 3", (
        "zmtp2.greeting.SUB.rev0", "zmtp2.after_greeting.SUB.rev0", "zmtp2.greeting.SUB.rev1",
        "zmtp2.after_greeting.SUB.rev1", "zmtp2.after_greeting.SUB.rev2",
        "zmtp2.response.DEALER.BOB", "zmtp2.identity.DEALER.BOB", "zmtp1.response.DEALER",
        "zmtp1.response.DEALER.BOB", "zmtp1.message", "zmtp1.message.multi",
        "zmtp1.pub_to_unversioned",
    )),
    ("is an encoding of messages outside of ZMTP", ("mme.example",)),
)

GREETINGS = {
    "null.greeting": b"NULL",
    "null.greeting.identity_BOB": b"NULL",
    "zmtp2.greeting.SUB.rev2": b"NULL",
    "plain.greeting.server": b"PLAIN",
    "plain.greeting.client": b"PLAIN",
    "curve.greeting.server": b"CURVE",
}
STAGES = (
    "greeting.stage1.signature", "greeting.stage2.major", "greeting.stage3.rest",
    "greeting.stage4.ready",
)
CONNECTOR = ("connector.stage1", "connector.after_greeting")

OLD_GREETINGS = {
    "zmtp1.greeting.anonymous": "ZMTP 1.0",
    "zmtp1.greeting.id_ABC": "ZMTP 1.0",
    "zmtp2.greeting.rfc15.dealer": "ZMTP 2.0",
}

READY = {f"null.ready.{name}": [("Socket-Type", name.encode())] for name in COMPATIBLE}
for _name in ("REQ", "DEALER", "ROUTER"):
    READY[f"null.ready.{_name}"].append(("Identity", b""))
    READY[f"null.ready.{_name}.identity_BOB"] = [
        ("Socket-Type", _name.encode()), ("Identity", b"BOB"),
    ]
READY["null.ready.REP.identity_BOB"] = READY["null.ready.REP"]
READY["null.ready.DEALER.metadata"] = [*READY["null.ready.DEALER"], ("X-hello", b"World")]
READY["null.zap.200"] = READY["null.ready.DEALER"]
READY["ready.resource"] = [
    ("Socket-Type", b"DEALER"), ("Identity", b""), ("Resource", b"system/name-service/test"),
]

MESSAGES = {
    "frame.empty": [b""],
    "frame.short": [b"hello"],
    "frame.multipart": [b"a", b"", b"bc"],
    "req.request": [b"", b"hi"],
    "req.request.correlate": [bytes.fromhex("7d005f51"), b"", b"hi"],
    "rep.reply.envelope": [b"env1", b"env2", b"", b"yo"],
    "dealer.probe_router": [b""],
    "xpub.welcome_msg": [b"WELCOME"],
    "hello_msg": [b"HELLO"],
    "radio.message": [b"movies", b"Godfather"],
    "server.reply": [b"yo"],
    "sub.3.0.preexisting": [b"\x01pre"],
    "sub.3.0.subscribe_abc": [b"\x01abc"],
    "sub.3.0.subscribe_empty": [b"\x01"],
    "sub.3.0.subscribe_dup": [b"\x01abc"],
    "sub.3.0.cancel_abc": [b"\x00abc"],
    "xsub.3.0.send_01abc": [b"\x01abc"],
    "xsub.3.0.send_00abc": [b"\x00abc"],
    "xsub.3.0.user": [b"user msg"],
    "xsub.3.0.replay": [b"\x01keep"],
    "xsub.3.1.send_01abc": [b"\x01abc"],
    "xsub.3.1.send_00abc": [b"\x00abc"],
    "xsub.3.1.user": [b"user msg"],
}

CONTEXT = b"ABCDEFGHIJKLMNOP"
COMMANDS = {
    "sub.3.1.preexisting": command.subscribe(b"pre"),
    "sub.3.1.subscribe_abc": command.subscribe(b"abc"),
    "sub.3.1.subscribe_empty": command.subscribe(b""),
    "sub.3.1.subscribe_dup": command.subscribe(b"abc"),
    "sub.3.1.cancel_abc": command.cancel(b"abc"),
    "xsub.3.1.replay": command.subscribe(b"keep"),
    "ping.ttl3000ms": command.ping(3.0),
    "ping.default_ttl": command.ping(0),
    **{f"ping.ctx{size}": command.ping(0, CONTEXT[:size]) for size in (0, 1, 4, 16)},
    **{f"pong.ctx{size}": command.pong(CONTEXT[:size]) for size in (0, 1, 4, 16)},
    # libzmq's answers to contexts that are too long: it cuts them to 16 bytes.
    "pong.ctx17": command.pong(CONTEXT),
    "pong.ctx40": command.pong(CONTEXT),
    "pong.ctx300": command.pong(b"z" * 16),
    "null.zap.400": command.error("400"),
    "curve.error.400": command.error("400"),
    "curve.error.500": command.error("500"),
    "error.rfc.example": command.error("400"),
    "error.invalid_socket_type": command.error("Invalid socket type"),
    "dish.join": command.encode(b"JOIN", b"movies"),
    "dish.leave": command.encode(b"LEAVE", b"movies"),
    "dish.join_empty": command.encode(b"JOIN"),
}

TOO_LONG_CONTEXTS = ("ping.ctx17", "ping.ctx40")

TOPIC_SIZES = (244, 245, 246, 247, 253, 254, 255, 256)
BEGINNINGS = {
    "frame.255": encode_message([b"x" * 255]),
    "frame.256": encode_message([b"x" * 256]),
    "frame.more_long": encode_message([b"x" * 70_000, b"y"]),
    "dish.join255": encode_command(command.encode(b"JOIN", b"g" * 255)),
    **{
        f"sub.3.1.subscribe_len{size}": encode_command(command.subscribe(b"t" * size))
        for size in TOPIC_SIZES
    },
    **{
        f"sub.3.0.subscribe_len{size}": encode_message([b"\x01" + b"t" * size])
        for size in TOPIC_SIZES if size != 255
    },
}
END = "frame.more_long.tail"
WRONG_IN_LIBZMQ = "sub.3.0.subscribe_len255"
# fmt: on

SILENT_CANCELS = tuple(
    f"sub.3.{minor}.cancel_{which}" for minor in (0, 1) for which in ("first_of_two", "unknown")
)

CHECKED = (
    *GREETINGS,
    *STAGES,
    *CONNECTOR,
    *OLD_GREETINGS,
    *READY,
    *MESSAGES,
    *COMMANDS,
    *TOO_LONG_CONTEXTS,
    *BEGINNINGS,
    END,
    WRONG_IN_LIBZMQ,
    *SILENT_CANCELS,
)


def wire(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name]["hex"])


def feed_all_ways(data: bytes) -> list[Any]:
    """Decode, whole and one byte at a time; both must give the same."""
    whole = Decoder().feed(data)
    decoder = Decoder()
    assert [item for octet in data for item in decoder.feed(bytes((octet,)))] == whole
    return whole


def test_every_vector_is_checked_or_named_with_a_reason() -> None:
    elsewhere = [name for _, names in NOT_HERE for name in names]
    accounted = [*CHECKED, *elsewhere]
    assert len(accounted) == len(set(accounted))
    assert set(accounted) == set(VECTORS)


@pytest.mark.parametrize(("name", "mechanism"), GREETINGS.items())
def test_greetings(name: str, mechanism: bytes) -> None:
    reader = GreetingReader()
    assert reader.feed(wire(name))
    assert reader.greeting == (3, 1, mechanism, False)
    # libzmq puts the length of its identity, plus one, into the padding; ours is zero.
    assert encode(mechanism)[9:] == wire(name)[9:]


@pytest.mark.parametrize("names", [STAGES, CONNECTOR])
def test_a_greeting_that_comes_in_stages_with_ready_behind_it(names: tuple[str, ...]) -> None:
    reader = GreetingReader()
    done = [reader.feed(wire(name)) for name in names]
    assert done[0] is False
    assert done[-1] is True
    (ready,) = Decoder().feed(reader.remainder)
    assert command.parse(ready)[0] == b"READY"


@pytest.mark.parametrize(("name", "version"), OLD_GREETINGS.items())
def test_older_protocols_are_named(name: str, version: str) -> None:
    with pytest.raises(GreetingError, match=version):
        GreetingReader().feed(wire(name))


@pytest.mark.parametrize(("name", "properties"), READY.items())
def test_ready(name: str, properties: list[tuple[str, bytes]]) -> None:
    assert encode_command(command.ready(metadata.encode(properties))) == wire(name)
    (body,) = feed_all_ways(wire(name))
    verb, data = command.parse(body)
    assert verb == b"READY"
    assert metadata.parse(data) == dict(properties)


@pytest.mark.parametrize(("name", "frames"), MESSAGES.items())
def test_messages(name: str, frames: list[bytes]) -> None:
    assert encode_message(frames) == wire(name)
    assert feed_all_ways(wire(name)) == [frames]


@pytest.mark.parametrize(("name", "body"), COMMANDS.items())
def test_commands(name: str, body: bytes) -> None:
    assert encode_command(body) == wire(name)
    (item,) = feed_all_ways(wire(name))
    assert type(item) is Command
    assert item == body


@pytest.mark.parametrize("name", TOO_LONG_CONTEXTS)
def test_a_ping_with_too_long_a_context_is_refused(name: str) -> None:
    (body,) = feed_all_ways(wire(name))
    verb, data = command.parse(body)
    assert verb == b"PING"
    with pytest.raises(CommandError):
        command.parse_ping(data)


@pytest.mark.parametrize(("name", "whole"), BEGINNINGS.items())
def test_the_beginning_of_longer_frames(name: str, whole: bytes) -> None:
    assert whole.startswith(wire(name))
    assert len(whole) == VECTORS[name].get("wire_len", len(whole))
    assert len(feed_all_ways(whole)) == 1


def test_the_end_of_a_long_message() -> None:
    assert BEGINNINGS["frame.more_long"].endswith(wire(END))


def test_a_bug_of_libzmq_that_we_do_not_share() -> None:
    # libzmq gives this frame a size of eight bytes without saying LONG.
    ours = encode_message([b"\x01" + b"t" * 255])
    assert ours[0] == LONG
    assert wire(WRONG_IN_LIBZMQ)[0] == 0
    assert ours[1:].startswith(wire(WRONG_IN_LIBZMQ)[1:])
    assert len(ours) == VECTORS[WRONG_IN_LIBZMQ]["wire_len"]
    assert feed_all_ways(ours) == [[b"\x01" + b"t" * 255]]


@pytest.mark.parametrize("name", SILENT_CANCELS)
def test_cancellations_that_send_nothing(name: str) -> None:
    assert wire(name) == b""
    counts = SubscriptionCounts()
    if name.endswith("first_of_two"):
        counts.add(b"abc")
        counts.add(b"abc")
    assert counts.remove(b"abc") is False
