"""Metadata: properties out and in, and what a peer may not send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.errors import MetadataError
from omq_gevent.zmtp.metadata import MAX_SIZE, encode, parse

NAMES = st.from_regex(r"\A[A-Za-z0-9._+-]{1,255}\Z").filter(
    lambda name: name.lower() not in ("socket-type", "identity", "resource")
)


def prop(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


def test_properties_byte_by_byte() -> None:
    expected = b"\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0"
    assert encode({"Socket-Type": b"REQ", "Identity": b""}) == expected
    assert encode([("Socket-Type", b"REQ"), ("Identity", b"")]) == expected
    assert parse(expected) == {"Socket-Type": b"REQ", "Identity": b""}


def test_no_properties() -> None:
    assert encode({}) == b""
    assert parse(b"") == {}


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=5))
def test_parse_undoes_encode(properties: dict[str, bytes]) -> None:
    if len({name.lower() for name in properties}) == len(properties):
        assert parse(encode(properties)) == properties


@pytest.mark.parametrize("name", [b"SOCKET-TYPE", b"socket-type", b"Socket-type"])
def test_the_names_of_the_protocol_are_known_in_any_case(name: bytes) -> None:
    assert parse(prop(name, b"PUSH")) == {"Socket-Type": b"PUSH"}


def test_other_names_are_kept_as_they_came() -> None:
    assert parse(prop(b"X-hello", b"World")) == {"X-hello": b"World"}


@pytest.mark.parametrize("second", [b"Identity", b"IDENTITY"])
def test_a_property_may_not_come_twice(second: bytes) -> None:
    with pytest.raises(MetadataError, match="twice"):
        parse(prop(b"Identity", b"a") + prop(second, b"b"))


@given(st.integers(1, 60))
def test_no_metadata_may_end_early(missing: int) -> None:
    whole = encode({"Socket-Type": b"DEALER", "Identity": b"BOB", "Resource": b"a/b"})
    complete = {0, 22, 38, 54}  # where a property ends
    cut = len(whole) - missing
    if cut > 0 and cut not in complete:
        with pytest.raises(MetadataError):
            parse(whole[:cut])


def test_a_single_trailing_byte_is_refused() -> None:
    with pytest.raises(MetadataError, match="ends within"):
        parse(prop(b"Identity", b"") + b"\0")


@pytest.mark.parametrize("name", [b"", b"a b", b"a\0", b"\xe9", b"a\n", b"a:b"])
def test_illegal_names_are_refused_and_shown_escaped(name: bytes) -> None:
    with pytest.raises(MetadataError, match="illegal property name") as caught:
        parse(prop(name, b"x"))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [2, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_value_that_claims_more_than_there_is_is_refused(size: int) -> None:
    with pytest.raises(MetadataError, match=f"claims {size} bytes, 1 are there"):
        parse(b"\x01A" + size.to_bytes(4, "big") + b"x")


@pytest.mark.parametrize("length", [1, 254, 255])
def test_names_up_to_255_bytes(length: int) -> None:
    name = "N" * length
    assert parse(encode({name: b"v"})) == {name: b"v"}


def test_64_kib_are_accepted_and_no_more() -> None:
    value = bytes(MAX_SIZE - 6)
    assert parse(encode({"X": value})) == {"X": value}
    with pytest.raises(MetadataError, match="at most 65536"):
        parse(prop(b"X", value + b"\0"))
    with pytest.raises(ValueError, match="at most 65536"):
        encode({"X": value + b"\0"})


@pytest.mark.parametrize("name", ["", "a b", "N" * 256, "\xe9", "a\n"])
def test_we_send_no_illegal_names(name: str) -> None:
    with pytest.raises(ValueError, match="property name"):
        encode({name: b""})


@given(st.binary(max_size=80))
def test_garbage_is_parsed_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        properties = parse(data)
    except MetadataError:
        return
    assert sum(5 + len(name) + len(value) for name, value in properties.items()) == len(data)
