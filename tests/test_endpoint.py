"""Endpoints: parsing, canonical text, and what may be bound or connected to."""

from __future__ import annotations

import errno
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.endpoint import Endpoint, check_bind, check_connect, parse
from omq_gevent.errors import EndpointError

TCP = [
    # text, host, port, canonical text
    ("tcp://127.0.0.1:5555", "127.0.0.1", 5555, "tcp://127.0.0.1:5555"),
    ("tcp://example.com:65535", "example.com", 65535, "tcp://example.com:65535"),
    ("tcp://host_with-odd.name:1", "host_with-odd.name", 1, "tcp://host_with-odd.name:1"),
    ("tcp://*:5555", "*", 5555, "tcp://*:5555"),
    ("tcp://*:*", "*", 0, "tcp://*:0"),
    ("tcp://*:0", "*", 0, "tcp://*:0"),
    ("tcp://:5555", "", 5555, "tcp://:5555"),
    ("tcp://:*", "", 0, "tcp://:0"),
    ("tcp://eth0:5555", "eth0", 5555, "tcp://eth0:5555"),
    ("tcp://br-lan.100:*", "br-lan.100", 0, "tcp://br-lan.100:0"),
    ("tcp://h:007", "h", 7, "tcp://h:7"),
    ("tcp://[::1]:5555", "::1", 5555, "tcp://[::1]:5555"),
    ("tcp://[0:0:0:0:0:0:0:1]:5555", "::1", 5555, "tcp://[::1]:5555"),
    ("tcp://[2001:DB8::A]:1", "2001:db8::a", 1, "tcp://[2001:db8::a]:1"),
    ("tcp://[fe80::1%eth0]:5555", "fe80::1%eth0", 5555, "tcp://[fe80::1%eth0]:5555"),
    ("tcp://[::]:*", "::", 0, "tcp://[::]:0"),
    ("tcp://::1:5555", "::1", 5555, "tcp://[::1]:5555"),
    ("TCP://h:1", "h", 1, "tcp://h:1"),
]


@pytest.mark.parametrize(("text", "host", "port", "canonical"), TCP)
def test_tcp_endpoint_has_host_and_port(text, host, port, canonical):
    endpoint = parse(text)
    assert (endpoint.scheme, endpoint.host, endpoint.port) == ("tcp", host, port)
    assert (endpoint.source_host, endpoint.source_port) == (None, None)
    assert str(endpoint) == canonical
    assert f"tcp://{endpoint.address}" == canonical


@pytest.mark.parametrize(
    ("text", "source", "target"),
    [
        ("tcp://10.0.0.1:4000;10.0.0.2:5555", ("10.0.0.1", 4000), ("10.0.0.2", 5555)),
        ("tcp://eth0:*;h:5555", ("eth0", 0), ("h", 5555)),
        ("tcp://*:4000;[::1]:5555", ("*", 4000), ("::1", 5555)),
        ("tcp://[::1]:0;[::1]:5555", ("::1", 0), ("::1", 5555)),
    ],
)
def test_tcp_source_address(text, source, target):
    endpoint = parse(text)
    assert (endpoint.source_host, endpoint.source_port) == source
    assert (endpoint.host, endpoint.port) == target
    assert str(endpoint) == text.replace("*;", "0;")


@pytest.mark.parametrize(
    ("text", "path", "abstract", "unix_address"),
    [
        ("ipc:///tmp/a.sock", "/tmp/a.sock", False, b"/tmp/a.sock"),
        ("ipc://relative/a", "relative/a", False, b"relative/a"),
        ("ipc:///tmp/caf\u00e9 1", "/tmp/caf\u00e9 1", False, "/tmp/caf\u00e9 1".encode()),
        ("ipc://@name", "@name", True, b"\0name"),
        ("ipc://*", "*", False, b"*"),
    ],
)
def test_ipc_endpoint_has_a_path(text, path, abstract, unix_address):
    endpoint = parse(text)
    assert (endpoint.scheme, endpoint.path) == ("ipc", path)
    assert endpoint.is_abstract is abstract
    assert endpoint.unix_address == unix_address
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "scheme", "address"),
    [
        ("inproc://name", "inproc", "name"),
        ("inproc://a name/with:anything;*", "inproc", "a name/with:anything;*"),
        ("lz4+tcp://h:1", "lz4+tcp", "h:1"),
        ("ws://h:80/path?x=y", "ws", "h:80/path?x=y"),
        ("made-up.2://x://y", "made-up.2", "x://y"),
    ],
)
def test_other_schemes_keep_their_address(text, scheme, address):
    endpoint = parse(text)
    assert (endpoint.scheme, endpoint.address) == (scheme, address)
    assert (endpoint.host, endpoint.port, endpoint.path) == (None, None, None)
    assert str(endpoint) == text
    check_bind(endpoint)
    check_connect(endpoint)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no '://'"),
        ("x", "no '://'"),
        ("127.0.0.1:5555", "no '://'"),
        ("tcp:/h:1", "no '://'"),
        ("://h:1", "name of a transport"),
        (" tcp://h:1", "name of a transport"),
        ("2cp://h:1", "name of a transport"),
        ("t_p://h:1", "name of a transport"),
        ("tcp://", "nothing after"),
        ("inproc://", "nothing after"),
        ("ipc://", "nothing after"),
        ("made-up://", "nothing after"),
        ("tcp://*", "no port"),
        ("tcp://127.0.0.1", "no port"),
        ("tcp://h:", "port ''"),
        ("tcp://h:http", "port 'http'"),
        ("tcp://h:-1", "port '-1'"),
        ("tcp://h:+1", "port '+1'"),
        ("tcp://h: 1", "port ' 1'"),
        ("tcp://h:1/", "port '1/'"),
        ("tcp://h:1\n", "port '1\\n'"),
        ("tcp://h:\u0661", "port"),
        ("tcp://h:\u00b2", "port"),
        ("tcp://h:65536", "greater than 65535"),
        ("tcp://h:" + "9" * 5000, "greater than 65535"),
        ("tcp://h/path:1", "'h/path' is not"),
        ("tcp://user@h:1", "'user@h' is not"),
        ("tcp://a b:1", "'a b' is not"),
        ("tcp://**:1", "'**' is not"),
        ("tcp://[]:1", "IPv6"),
        ("tcp://[::1:5555", "is not a host"),
        ("tcp://::1]:5555", "is not a host"),
        ("tcp://[::g]:5555", "IPv6"),
        ("tcp://[127.0.0.1]:5555", "IPv6"),
        ("tcp://[h]:5555", "IPv6"),
        ("tcp://[*]:5555", "is not a host"),
        ("tcp://a:b:1", "IPv6"),
        ("tcp://;h:1", "no port"),
        ("tcp://s:1;", "no port"),
        ("tcp://s;h:1", "no port"),
        ("tcp://s:1;h", "no port"),
        ("tcp://:1;h:1", "no host"),
        ("tcp://r:1;s:1;h:1", "'r:1;s' is not"),
        ("ipc://@", "no name after '@'"),
        ("ipc:///tmp/a\0b", "NUL"),
        ("ipc://\ud800", "cannot be encoded"),
    ],
)
def test_bad_endpoint_is_named_with_its_problem(text, problem):
    with pytest.raises(EndpointError) as caught:
        parse(text)
    assert caught.value.errno == errno.EINVAL
    assert repr(text) in str(caught.value)
    assert problem in str(caught.value).replace(repr(text), "")


@pytest.mark.parametrize("value", [None, b"tcp://h:1", 5555, ("tcp", "h", 1), parse("tcp://h:1")])
def test_endpoint_must_be_str(value):
    with pytest.raises(TypeError, match="an endpoint is a str") as caught:
        parse(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("path", ["/" + "a" * 106, "@" + "a" * 107, "/" + "\u00e9" * 53])
def test_longest_ipc_path(path):
    assert parse(f"ipc://{path}").path == path


@pytest.mark.parametrize("path", ["/" + "a" * 107, "@" + "a" * 108, "/" + "\u00e9" * 54])
def test_ipc_path_too_long(path):
    with pytest.raises(EndpointError, match="at most 107 fit") as caught:
        parse(f"ipc://{path}")
    assert caught.value.errno == errno.ENAMETOOLONG
    assert path in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="paths of 107 bytes, abstract names")
@pytest.mark.parametrize("path", ["/tmp/" + "x" * 102, "@omq-test-" + "x" * 98])
def test_kernel_takes_the_longest_unix_address(path):
    endpoint = parse(f"ipc://{path}")
    with (
        socket.socket(socket.AF_UNIX) as kernel_socket,
        pytest.raises((FileNotFoundError, ConnectionRefusedError)),
    ):
        kernel_socket.connect(endpoint.unix_address)


@pytest.mark.parametrize(
    "text",
    ["tcp://*:*", "tcp://:0", "tcp://eth0:1", "tcp://[::]:0", "ipc://*", "ipc://@a", "inproc://a"],
)
def test_bind_takes_wildcards(text):
    check_bind(parse(text))


def test_bind_refuses_a_source_address():
    with pytest.raises(EndpointError, match="for connect, not for bind") as caught:
        check_bind(parse("tcp://eth0:0;h:1"))
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    "text",
    ["tcp://h:1", "tcp://:1", "tcp://*:0;h:1", "tcp://[::1]:1", "ipc://a", "inproc://*"],
)
def test_connect_takes_complete_addresses(text):
    check_connect(parse(text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tcp://*:5555", "host to connect to"),
        ("tcp://*:*", "host to connect to"),
        ("tcp://h:*", "port number"),
        ("tcp://h:0", "port number"),
        ("tcp://:0", "port number"),
        ("tcp://s:1;h:0", "port number"),
        ("ipc://*", "path to connect to"),
    ],
)
def test_connect_refuses_wildcards(text, problem):
    with pytest.raises(EndpointError, match=problem) as caught:
        check_connect(parse(text))
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("tcp://*:*", "tcp://*:4711"),
        ("tcp://[::1]:0", "tcp://[::1]:4711"),
        ("tcp://:0", "tcp://:4711"),
    ],
)
def test_with_port_names_what_a_bind_came_to(text, resolved):
    endpoint = parse(text).with_port(4711)
    assert str(endpoint) == resolved
    assert endpoint == parse(resolved)


def test_endpoints_made_from_socket_addresses_equal_parsed_ones():
    assert Endpoint.tcp("::1", 5555) == parse("tcp://[::1]:5555")
    assert Endpoint.tcp("h", 1, "eth0", 0) == parse("tcp://eth0:*;h:1")
    assert Endpoint.ipc("@name") == parse("ipc://@name")


def test_equal_endpoints_are_one_dictionary_key():
    spellings = ["tcp://*:0", "tcp://*:*", "TCP://*:00"]
    assert len({parse(text) for text in spellings}) == 1


def test_endpoint_is_immutable():
    with pytest.raises(AttributeError):
        parse("tcp://h:1").port = 2


# -- properties ------------------------------------------------------------------------------

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
hosts = st.one_of(
    names,
    st.just("*"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda ip: f"[{ip}]"),
    st.ip_addresses(v=6).map(lambda ip: f"[{ip.exploded.upper()}%eth0]"),
)
ports = st.one_of(st.integers(0, 65535).map(str), st.just("*"))
addresses = st.builds("{}:{}".format, hosts, ports)
ipc_paths = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
good_endpoints = st.one_of(
    addresses.map("tcp://{}".format),
    ports.map("tcp://:{}".format),
    st.builds("tcp://{};{}".format, addresses, addresses),
    ipc_paths.filter(lambda path: path not in ("", "@") and len(path.encode()) <= 107).map(
        "ipc://{}".format
    ),
    st.text(min_size=1).map("inproc://{}".format),
    st.builds("{}+x://{}".format, st.sampled_from(["lz4", "Vendor"]), st.text(min_size=1)),
)


@given(good_endpoints)
def test_canonical_text_parses_to_the_same_endpoint(text):
    endpoint = parse(text)
    assert parse(str(endpoint)) == endpoint
    assert str(parse(str(endpoint))) == str(endpoint)


schemes = st.sampled_from(["", "tcp://", "ipc://", "inproc://", "x://", "tcp://h:", "tcp://["])
pieces = st.one_of(st.text(), st.text("[]:;*@%/.0123456789abcdef\0 \n\ud800"))


@given(st.builds("{}{}".format, schemes, pieces))
def test_any_text_parses_or_raises_endpoint_error(text):
    try:
        endpoint = parse(text)
    except EndpointError:
        return
    assert parse(str(endpoint)) == endpoint
