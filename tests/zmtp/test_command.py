"""Command bodies: built, parsed, and refused when malformed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.errors import CommandError
from omq_gevent.zmtp import command


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (command.subscribe(b"abc"), b"\x09SUBSCRIBEabc"),
        (command.subscribe(b""), b"\x09SUBSCRIBE"),
        (command.cancel(b"abc"), b"\x06CANCELabc"),
        (command.ping(3), b"\x04PING\x00\x1e"),
        (command.ping(0, b"ABCD"), b"\x04PING\0\0ABCD"),
        (command.pong(b"ABCD"), b"\x04PONGABCD"),
        (command.error("400"), b"\x05ERROR\x03400"),
        (command.ready(b"meta"), b"\x05READYmeta"),
        (command.encode(b"JOIN", b"movies"), b"\x04JOINmovies"),
    ],
)
def test_bodies(body: bytes, expected: bytes) -> None:
    assert body == expected
    assert command.encode(*command.parse(body)) == body


@given(st.binary(min_size=1, max_size=255), st.binary(max_size=300))
def test_parse_undoes_encode(name: bytes, data: bytes) -> None:
    assert command.parse(command.encode(name, data)) == (name, data)


@pytest.mark.parametrize("name", [b"", b"N" * 256])
def test_a_name_has_1_to_255_bytes(name: bytes) -> None:
    with pytest.raises(ValueError, match="command name"):
        command.encode(name)


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"", "empty"), (b"\0", "without a name"), (b"\0AB", "without a name"), (b"\x05PING", "5")],
)
def test_malformed_commands_are_refused(body: bytes, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        command.parse(body)


@pytest.mark.parametrize(
    ("seconds", "deciseconds"),
    [
        (0, 0),
        (0.01, 1),
        (0.1, 1),
        (0.3, 3),
        (1.1, 11),
        (65.5, 655),
        (65.6, 655),
        (6553.5, 655),
        (1e300, 655),
        (math.inf, 655),
    ],
)
def test_the_ttl_never_wraps_in_a_libzmq_peer(seconds: float, deciseconds: int) -> None:
    _, data = command.parse(command.ping(seconds))
    assert int.from_bytes(data, "big") == deciseconds
    assert command.parse_ping(data) == (deciseconds / 10, b"")


@pytest.mark.parametrize("seconds", [-0.1, math.nan, -math.inf])
def test_a_ttl_is_not_negative(seconds: float) -> None:
    with pytest.raises(ValueError, match="TTL"):
        command.ping(seconds)


def test_a_context_comes_back_up_to_16_bytes() -> None:
    context = bytes(range(16))
    _, data = command.parse(command.ping(1.5, context))
    assert command.parse_ping(data) == (1.5, context)
    with pytest.raises(ValueError, match="at most 16"):
        command.ping(1.5, bytes(17))
    with pytest.raises(CommandError, match="at most 16"):
        command.parse_ping(b"\0\0" + bytes(17))


@pytest.mark.parametrize("data", [b"", b"\0"])
def test_a_ping_without_its_ttl_is_refused(data: bytes) -> None:
    with pytest.raises(CommandError, match="TTL"):
        command.parse_ping(data)


def test_the_longest_ttl_of_a_peer_is_taken_as_it_is() -> None:
    assert command.parse_ping(b"\xff\xff") == (6553.5, b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x03400", "400"),
        (b"\0", ""),
        (b"\x03400 and more", "400"),
        (b"\x13Invalid socket type", "Invalid socket type"),
        (b"\x05\r\n\x1b\0\xe9", r"\r\n\x1b\x00\xe9"),
    ],
)
def test_the_reason_of_an_error_is_safe_to_log(data: bytes, reason: str) -> None:
    assert command.parse_error(data) == reason


@given(st.binary(max_size=255))
def test_no_reason_breaks_a_line(raw: bytes) -> None:
    reason = command.parse_error(bytes((len(raw),)) + raw)
    assert reason.isascii()
    assert reason.isprintable()


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xff400"])
def test_an_error_whose_reason_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(CommandError, match="cut short"):
        command.parse_error(data)


@given(st.text(max_size=400))
def test_whatever_the_reason_what_goes_out_is_printable_and_fits(reason: str) -> None:
    name, data = command.parse(command.error(reason))
    assert name == b"ERROR"
    assert data[0] == len(data) - 1
    assert data[1:].decode("ascii").isprintable()
