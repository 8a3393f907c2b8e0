"""The greeting: what we send, what we accept, how we name what is no greeting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.errors import GreetingError
from omq_gevent.zmtp.greeting import SIZE, Greeting, GreetingReader, encode

SIGNATURE = b"\xff\0\0\0\0\0\0\0\0\x7f"


def read(data: bytes) -> GreetingReader:
    reader = GreetingReader()
    assert reader.feed(data)
    return reader


def test_our_greeting_byte_by_byte() -> None:
    expected = SIGNATURE + b"\x03\x01" + b"CURVE" + bytes(15) + b"\x01" + bytes(31)
    assert encode(b"CURVE", as_server=True) == expected
    assert len(expected) == SIZE
    assert encode(b"CURVE")[32] == 0


@pytest.mark.parametrize("mechanism", [b"", b"A" * 21, b"null", b"NU LL", b"NULL\0", b"NULL\n"])
def test_a_name_that_no_greeting_can_carry_is_refused(mechanism: bytes) -> None:
    with pytest.raises(ValueError, match="mechanism name"):
        encode(mechanism)


@pytest.mark.parametrize("mechanism", [b"A", b"A" * 20, b"X-1_.+"])
def test_names_up_to_the_whole_field_survive(mechanism: bytes) -> None:
    assert read(encode(mechanism)).greeting.mechanism == mechanism


@given(st.integers(0, 100), st.binary(max_size=100))
def test_pieces_of_any_size_give_the_same_greeting(cut: int, after: bytes) -> None:
    stream = encode(b"PLAIN", as_server=True) + after
    reader = GreetingReader()
    done = reader.feed(stream[:cut])
    assert done is (len(stream[:cut]) >= SIZE)
    assert reader.feed(stream[cut:])
    assert reader.greeting == Greeting(3, 1, b"PLAIN", True)
    assert reader.remainder == after


def test_one_byte_at_a_time() -> None:
    reader = GreetingReader()
    done = [reader.feed(bytes((octet,))) for octet in encode(b"NULL")]
    assert done == [False] * 63 + [True]
    assert reader.remainder == b""


def test_padding_filler_and_as_server_are_not_judged() -> None:
    data = b"\xff" + b"U" * 8 + b"\x01" + b"\x03\x09" + b"NULL".ljust(20, b"\0") + b"\xff" * 32
    assert read(data).greeting == Greeting(3, 9, b"NULL", True)


@pytest.mark.parametrize("field", [b"NULL\0X", b"\0NULL", b"null"])
def test_all_twenty_bytes_of_the_name_count(field: bytes) -> None:
    data = SIGNATURE + b"\x03\0" + field.ljust(20, b"\0") + bytes(32)
    assert read(data).greeting.mechanism == field


def test_every_version_has_a_defined_outcome() -> None:
    rest = b"NULL".ljust(20, b"\0") + bytes(32)
    for major in range(256):
        for minor in range(256):
            data = SIGNATURE + bytes((major, minor)) + rest
            if major >= 3:
                assert read(data).greeting[:2] == (major, minor)
            else:
                with pytest.raises(GreetingError):
                    GreetingReader().feed(data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", r"an HTTP request: 'GET / HTTP/1.1\\r\\nHost"),
        (b"POST /x", "an HTTP request"),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "a TLS ClientHello"),
        (b"\x01\0", "a ZMTP 1.0 greeting"),
        (b"\x04\0ABC", "a ZMTP 1.0 greeting"),
        (b"\xff\0\0\0\0\0\0\x01\x01\0", "a ZMTP 1.0 peer's long identity"),
        (SIGNATURE + b"\0", r"ZMTP 1.0 \(revision 0\)"),
        (SIGNATURE + b"\x01\x05", r"ZMTP 2.0 \(revision 1\)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "'SSH-2.0-OpenSSH_9.2"),
        (b"\0", r"'\\x00'"),
        (b"\x1b[2J\n" * 100, r"'\\x1b\[2J\\n"),
    ],
)
def test_what_came_instead_is_named_on_one_short_line(data: bytes, named: str) -> None:
    with pytest.raises(GreetingError, match=named) as caught:
        GreetingReader().feed(data)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("data", "bad_at"),
    [(b"GET /", 0), (b"\xff" + bytes(8) + b"\x7e", 9), (SIGNATURE + b"\x02", 10)],
)
def test_the_first_wrong_byte_ends_it(data: bytes, bad_at: int) -> None:
    reader = GreetingReader()
    for octet in data[:bad_at]:
        assert not reader.feed(bytes((octet,)))
    with pytest.raises(GreetingError):
        reader.feed(data[bad_at : bad_at + 1])
