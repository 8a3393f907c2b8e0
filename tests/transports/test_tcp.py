"""tcp: what a bound endpoint listens on, who can reach it, and how a dial ends."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest
import zmq.green as zmq
from gevent import socket as cooperative
from zope.interface.verify import verifyObject

import omq_gevent as omq
from omq_gevent import endpoint as endpoints
from omq_gevent.interfaces import IDialer, IListener, ITransport
from omq_gevent.options import Options
from omq_gevent.transports import happy_eyeballs, resolve
from omq_gevent.transports.tcp import tcp


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
on_linux = pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux")


@pytest.fixture
def libzmq():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def names():
    """Host names of the test's own: a dict from name to addresses, seen by gevent's resolver."""
    known = {}

    class Resolver:
        def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
            gevent.sleep(0.01)
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            found = []
            for address in known[host]:
                six = ":" in address
                of = socket.AF_INET6 if six else socket.AF_INET
                if family in (0, of):
                    found.append((of, type, 6, "", (address, 0, 0, 0) if six else (address, 0)))
            return found

    hub = gevent.get_hub()
    before = hub.resolver
    hub.resolver = Resolver()
    yield known
    hub.resolver = before


@contextlib.contextmanager
def unprivileged():
    """Be another user for a while, if this one is root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def listen(text, **options):
    host = SimpleNamespace(options=Options(**options))
    return tcp.listen(endpoints.parse(text), host)


def dial(text, **options):
    return tcp.dialer(endpoints.parse(text), SimpleNamespace(options=Options(**options))).dial()


def port_of(text):
    return endpoints.parse(text).port


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def can_connect(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with cooperative.socket(family) as sock:
        try:
            sock.connect((host, port))
        except OSError:
            return False
        return True


def exchange(push, pull):
    push.send(b"hello")
    assert pull.receive(timeout=5) == [b"hello"]


# -- what is listened on ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["tcp://*:*", "tcp://*:0"])
@needs_ipv6
def test_a_wildcard_listens_on_both_families_at_one_port(text):
    listener = listen(text)
    port = port_of(listener.endpoint)
    assert listener.endpoint == f"tcp://0.0.0.0:{port}"
    assert can_connect("127.0.0.1", port)
    assert can_connect("::1", port)
    listener.close()


def test_ipv6_may_be_left_out():
    listener = listen("tcp://*:*", ipv6=False)
    port = port_of(listener.endpoint)
    assert can_connect("127.0.0.1", port)
    assert not can_connect("::1", port)
    listener.close()


@needs_ipv6
@pytest.mark.parametrize("host", ["localhost", ""])
def test_loopback_is_both_addresses(host):
    listener = listen(f"tcp://{host}:*")
    port = port_of(listener.endpoint)
    assert listener.endpoint == f"tcp://{host or '127.0.0.1'}:{port}"
    assert can_connect("127.0.0.1", port)
    assert can_connect("::1", port)
    listener.close()


@needs_ipv6
def test_the_ipv6_wildcard_is_reached_over_ipv4_too():
    listener = listen("tcp://[::]:*")
    port = port_of(listener.endpoint)
    assert listener.endpoint == f"tcp://[::]:{port}"
    assert can_connect("127.0.0.1", port)
    assert can_connect("::1", port)
    listener.close()


@on_linux
def test_an_interface_is_bound_by_name_and_printed_as_its_address():
    listener = listen("tcp://lo:*")
    port = port_of(listener.endpoint)
    assert listener.endpoint == f"tcp://127.0.0.1:{port}"
    assert can_connect("127.0.0.1", port)
    listener.close()


def test_a_name_with_several_addresses_is_bound_on_those_that_are_ours(names):
    names["several.test"] = ["192.0.2.200", "127.0.0.2", "127.0.0.3"]
    listener = listen("tcp://several.test:*")
    port = port_of(listener.endpoint)
    assert listener.endpoint == f"tcp://several.test:{port}"
    assert can_connect("127.0.0.2", port)
    assert can_connect("127.0.0.3", port)
    listener.close()


def test_another_port_is_chosen_when_the_first_is_taken_in_one_family(monkeypatch):
    # The second address takes the port that the first one got, as if by chance.
    real = resolve.to_bind("*", True)[0]
    blocker = listen("tcp://127.0.0.1:0")
    taken = port_of(blocker.endpoint)

    class Once(resolve.Address):
        used = False

        def with_port(self, port):
            if not Once.used:
                Once.used = True
                return (self.host, taken)
            return (self.host, port)

    second = Once(real.family, "127.0.0.1")
    monkeypatch.setattr(
        resolve, "to_bind", lambda host, ipv6: [resolve.Address(real.family, "127.0.0.2"), second]
    )
    listener = listen("tcp://127.0.0.2:0")
    assert can_connect("127.0.0.1", port_of(listener.endpoint))
    assert port_of(listener.endpoint) != taken
    listener.close()
    blocker.close()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tcp://192.0.2.200:*", errno.EADDRNOTAVAIL),
        ("tcp://no-such-host.test:*", errno.ENODEV),
        (f"tcp://{'a' * 64}:*", errno.ENODEV),
    ],
)
def test_a_bind_that_cannot_work_says_so_at_once(names, text, number):
    with omq.PULL() as pull, pytest.raises(OSError, match=text[len("tcp://") : -2]) as caught:
        pull.bind(text)
    assert caught.value.errno == number


def test_a_socket_that_is_closed_while_its_bind_looks_up_a_name(names):
    names["slow.test"] = ["127.0.0.1"]
    port = free_port()
    pull = omq.PULL()
    binding = gevent.spawn(pull.bind, f"tcp://slow.test:{port}")
    gevent.sleep(0)
    pull.close()
    with pytest.raises(omq.SocketClosed):
        binding.get(timeout=5)
    assert not can_connect("127.0.0.1", port)


def test_ipv6_only_with_ipv6_off():
    with pytest.raises(omq.EndpointError, match="ipv6 is off") as caught:
        listen("tcp://[::1]:*", ipv6=False)
    assert caught.value.errno == errno.ENODEV


@pytest.mark.parametrize("host", ["127.0.0.1", "*", "localhost"])
def test_an_address_in_use(host):
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull, omq.PULL() as other:
        text = f"tcp://{host}:{port_of(pull.last_endpoint)}"
        with pytest.raises(OSError, match=re.escape(text)) as caught:
            other.bind(text)
        assert caught.value.errno == errno.EADDRINUSE


@on_linux
def test_a_port_that_only_root_may_bind():
    limit = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if limit <= 1:
        pytest.skip("every port is allowed")
    text = f"tcp://127.0.0.1:{limit - 1}"
    with omq.PULL() as pull, unprivileged(), pytest.raises(PermissionError, match=text):
        pull.bind(text)


def test_the_port_can_be_bound_again_at_once():
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull:
        text = pull.last_endpoint
        with omq.PUSH.connect(text) as push:
            exchange(push, pull)
            pull.unbind(text)
            pull.bind(text)
            pull.wait_connected(timeout=5)
            exchange(push, pull)


@pytest.mark.parametrize(
    "text",
    ["tcp://*:*", "tcp://127.0.0.1:*", "tcp://localhost:*", "tcp://:*", "tcp://[::]:*"],
)
def test_the_resolved_endpoint_can_be_connected_to_and_unbound(text):
    if "[" in text and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with omq.PULL.bind(text) as pull, omq.PUSH.connect(pull.last_endpoint) as push:
        exchange(push, pull)
        port = port_of(pull.last_endpoint)
        pull.unbind(pull.last_endpoint)
        assert not can_connect("127.0.0.1", port)


def test_closing_a_listener_wakes_nobody_and_prints_nothing(capfd):
    listener = listen("tcp://localhost:*")
    greenlets = [gevent.spawn(accept) for accept in listener.acceptors]
    gevent.sleep(0)
    turns = []
    turn = gevent.get_hub().loop.run_callback(turns.append, True)
    listener.close()
    listener.close()
    assert turns == []
    turn.stop()
    gevent.killall(greenlets, block=False)
    gevent.joinall(greenlets, timeout=2)
    assert all(greenlet.dead for greenlet in greenlets)
    assert capfd.readouterr().err == ""


# -- inherited descriptors -------------------------------------------------------------------


def test_a_listening_descriptor_is_taken_over():
    inherited = socket.socket()
    inherited.bind(("127.0.0.1", 0))
    inherited.listen()
    port = inherited.getsockname()[1]
    with omq.PULL(use_fd=inherited.detach()) as pull:
        assert pull.bind("tcp://127.0.0.1:*") == f"tcp://127.0.0.1:{port}"
        assert pull.use_fd is None
        with omq.PUSH.connect(pull.last_endpoint) as push:
            exchange(push, pull)
        pull.unbind(pull.last_endpoint)
        assert not can_connect("127.0.0.1", port)


def test_a_descriptor_that_does_not_listen_stays_the_callers():
    with socket.socket() as idle, omq.PULL(use_fd=idle.fileno()) as pull:
        with pytest.raises(omq.EndpointError, match="use_fd"):
            pull.bind("tcp://127.0.0.1:*")
        idle.bind(("127.0.0.1", 0))  # it is still open
        assert pull.use_fd == idle.fileno()


def test_a_descriptor_of_another_kind_is_refused():
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(b"\0omq-test-%d" % os.getpid())
        local.listen()
        with pytest.raises(omq.EndpointError, match="use_fd"):
            listen("tcp://127.0.0.1:*", use_fd=local.fileno())


# -- dialing ---------------------------------------------------------------------------------


@needs_ipv6
@pytest.mark.parametrize("bound", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("asked", ["localhost", "", "[::]"])
def test_localhost_meets_a_listener_on_either_family(bound, asked):
    with omq.PULL.bind(f"tcp://{bound}:*") as pull:
        port = port_of(pull.last_endpoint)
        with omq.PUSH.connect(f"tcp://{asked}:{port}") as push:
            exchange(push, pull)


def test_all_addresses_of_a_name_are_tried(names):
    listener = listen("tcp://127.0.0.3:*")
    port = port_of(listener.endpoint)
    names["several.test"] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    stream = dial(f"tcp://several.test:{port}")
    assert stream.remote == f"127.0.0.3:{port}"
    stream.close()
    listener.close()


def test_when_all_addresses_fail_each_reason_is_told(names):
    listener = listen("tcp://127.0.0.1:*")
    port = port_of(listener.endpoint)
    listener.close()
    names["several.test"] = ["127.0.0.1", "127.0.0.2"]
    with pytest.raises(ConnectionRefusedError) as caught:
        dial(f"tcp://several.test:{port}")
    assert "127.0.0.1" in str(caught.value)
    assert "127.0.0.2" in str(caught.value)


def test_the_addresses_of_both_families_are_tried_by_turns(names):
    names["both.test"] = ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]
    tried = [address.host for address in resolve.to_connect("both.test", True)]
    assert tried == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]
    assert [a.host for a in resolve.to_connect("both.test", False)] == ["192.0.2.1", "192.0.2.2"]


def test_a_host_that_does_not_exist_fails_the_dial_only(names):
    with pytest.raises(omq.EndpointError) as caught:
        dial("tcp://no-such-host.test:5555")
    assert caught.value.errno == errno.ENODEV
    with (
        omq.PULL.bind("tcp://127.0.0.1:*") as pull,
        omq.PUSH.connect(
            f"tcp://late.test:{port_of(pull.last_endpoint)}", reconnect_interval=0.02
        ) as push,
    ):
        gevent.sleep(0.05)
        names["late.test"] = ["127.0.0.1"]
        exchange(push, pull)


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("label-that-is-too-long-" + "x" * 60 + ".test", "cannot be a host's name"),
        ("[fe80::1%nosuch0]", "no interface 'nosuch0'"),
    ],
)
def test_a_host_that_cannot_exist_is_named(host, problem):
    with pytest.raises(omq.EndpointError, match=problem) as caught:
        dial(f"tcp://{host}:5555")
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(omq.EndpointError, match=problem):
        listen(f"tcp://{host}:*")


def test_looking_up_a_name_holds_up_nobody_else(names):
    names["slow.test"] = ["127.0.0.1"]
    listener = listen("tcp://127.0.0.1:*")
    ticks = []
    ticker = gevent.get_hub().loop.timer(0.001, repeat=0.001)
    ticker.start(ticks.append, None)
    stream = dial(f"tcp://slow.test:{port_of(listener.endpoint)}")
    assert ticks
    ticker.stop()
    ticker.close()
    stream.close()
    listener.close()


class SilentHost:
    """A listener whose backlog is full: whoever connects to it waits."""

    def __init__(self, host, port=0):
        self.listener = cooperative.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.filling = []
        for _ in range(3):
            sock = cooperative.socket()
            sock.setblocking(False)
            sock.connect_ex((host, self.port))
            self.filling.append(sock)

    def close(self):
        for sock in (self.listener, *self.filling):
            sock.close()


@pytest.fixture
def silent():
    host = SilentHost("127.0.0.1")
    yield host
    host.close()


@on_linux
def test_the_next_address_is_tried_beside_one_that_does_not_answer(names, silent):
    listener = listen(f"tcp://127.0.0.2:{silent.port}")
    names["half.test"] = ["127.0.0.1", "127.0.0.2"]
    started = time.monotonic()
    stream = dial(f"tcp://half.test:{silent.port}")
    assert happy_eyeballs.STAGGER * 0.9 < time.monotonic() - started < 0.9
    assert stream.remote == f"127.0.0.2:{silent.port}"
    stream.close()
    listener.close()


@on_linux
@pytest.mark.parametrize("after", [0, 0.005, 0.03, 0.06, 0.1])
def test_a_dial_can_be_killed_anywhere(names, silent, monkeypatch, after):
    # While it looks the name up, waits for one address, for two, for all.
    monkeypatch.setattr(happy_eyeballs, "STAGGER", 0.03)
    other = SilentHost("127.0.0.2", silent.port)
    names["silent.test"] = ["127.0.0.1", "127.0.0.2", "127.0.0.1"]
    descriptors = len(os.listdir("/proc/self/fd"))
    dialing = gevent.spawn(dial, f"tcp://silent.test:{silent.port}")
    gevent.sleep(after)
    assert not dialing.ready()
    dialing.kill()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    other.close()


@on_linux
def test_connect_timeout_ends_a_dial_that_nobody_answers(silent):
    with omq.PUSH(connect_timeout=0.05, reconnect_interval=0.01, linger=0) as push:
        monitor = push.monitor()
        push.connect(f"tcp://127.0.0.1:{silent.port}")
        for event in monitor:
            if event.kind == "connect_retried":
                break
    assert event.error.errno in (None, errno.ETIMEDOUT)
    assert "0.05" in str(event.error)


@on_linux
def test_a_socket_closes_while_it_dials(silent):
    push = omq.PUSH.connect(f"tcp://127.0.0.1:{silent.port}")
    gevent.sleep(0.01)
    started = time.monotonic()
    push.close(linger=0)
    assert time.monotonic() - started < 0.5


def test_a_socket_that_met_itself_is_refused_and_leaves_the_port_free():
    port = free_port()
    with pytest.raises(ConnectionRefusedError, match="itself"):
        dial(f"tcp://127.0.0.1:{port};127.0.0.1:{port}")
    listen(f"tcp://127.0.0.1:{port}").close()


@pytest.mark.parametrize("source", ["127.0.0.2:*", "127.0.0.2:0", "127.0.0.2:{free}"])
def test_the_source_address(source):
    source = source.format(free=free_port())
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull:
        target = pull.last_endpoint[len("tcp://") :]
        with omq.PUSH.connect(f"tcp://{source};{target}") as push:
            exchange(push, pull)
            host, port = pull.peers[0].address.split(":")
            assert host == "127.0.0.2"
            if source[-1] not in "*0" or not source.endswith((":0", ":*")):
                assert port == source.split(":")[1]
            push.disconnect(push.last_endpoint)


def test_any_source_address():
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull:
        port = free_port()
        target = pull.last_endpoint[len("tcp://") :]
        with omq.PUSH.connect(f"tcp://*:{port};{target}") as push:
            exchange(push, pull)
            assert pull.peers[0].address == f"127.0.0.1:{port}"


@needs_ipv6
def test_a_source_of_the_other_family_cannot_work():
    with pytest.raises(OSError, match="no address of the same family"):
        dial("tcp://127.0.0.1:0;[::1]:5555")


# -- kernel options --------------------------------------------------------------------------


def both_ends(**options):
    """The kernel sockets of both ends of a connection whose both sides have *options*."""
    listener = listen("tcp://127.0.0.1:*", **options)
    accepting = gevent.spawn(listener.acceptors[0])
    dialed = dial(listener.endpoint, **options)
    accepted = accepting.get(timeout=5)
    listener.close()
    return dialed, accepted


@on_linux
@pytest.mark.parametrize(
    ("options", "level", "name", "expected"),
    [
        ({}, socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        ({"sndbuf": 10000}, socket.SOL_SOCKET, "SO_SNDBUF", 20000),
        ({"rcvbuf": 10000}, socket.SOL_SOCKET, "SO_RCVBUF", 20000),
        ({"tcp_keepalive": True}, socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (
            {"tcp_keepalive": True, "tcp_keepalive_idle": 33},
            socket.IPPROTO_TCP,
            "TCP_KEEPIDLE",
            33,
        ),
        (
            {"tcp_keepalive": True, "tcp_keepalive_interval": 7},
            socket.IPPROTO_TCP,
            "TCP_KEEPINTVL",
            7,
        ),
        ({"tcp_keepalive": True, "tcp_keepalive_count": 5}, socket.IPPROTO_TCP, "TCP_KEEPCNT", 5),
        ({"tcp_user_timeout": 2.5}, socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 2500),
        ({"tos": 0x28}, socket.IPPROTO_IP, "IP_TOS", 0x28),
        ({"priority": 3, "tos": 0x28}, socket.SOL_SOCKET, "SO_PRIORITY", 3),
    ],
)
def test_options_are_set_at_both_ends(options, level, name, expected):
    for stream in both_ends(**options):
        assert stream._socket.getsockopt(level, getattr(socket, name)) == expected
        stream.close()


@on_linux
@needs_ipv6
def test_the_type_of_service_over_ipv6():
    listener = listen("tcp://[::1]:*", tos=0x28)
    stream = dial(listener.endpoint, tos=0x28)
    assert stream._socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0x28
    stream.close()
    listener.close()


@on_linux
def test_bind_to_device():
    try:
        dialed, accepted = both_ends(bind_to_device="lo")
    except PermissionError:
        pytest.skip("needs privileges")
    for stream in (dialed, accepted):
        name = stream._socket.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        assert name.rstrip(b"\0") == b"lo"
        stream.close()


@on_linux
def test_an_option_that_the_system_refuses_is_named():
    with pytest.raises(OSError, match="bind_to_device") as caught:
        listen("tcp://127.0.0.1:*", bind_to_device="nosuch0")
    assert caught.value.errno in (errno.ENODEV, errno.EPERM)


# -- accepting -------------------------------------------------------------------------------


def test_accepting_goes_on_when_descriptors_had_run_out():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with omq.PULL.bind("tcp://127.0.0.1:*") as pull:
        monitor = pull.monitor()
        early = socket.socket()
        gevent.sleep(0)
        with open(os.devnull) as lowest_free:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free.fileno(), hard))
        try:
            early.connect(("127.0.0.1", port_of(pull.last_endpoint)))
            for event in monitor:
                if event.kind == "accept_failed":
                    break
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert event.error.errno == errno.EMFILE
        early.close()
        with omq.PUSH.connect(pull.last_endpoint) as push:
            exchange(push, pull)


def test_a_peer_that_left_the_backlog_is_passed_over(monkeypatch):
    listener = listen("tcp://127.0.0.1:*")
    [listening] = listener._listening
    kernel = listening._socket

    class Accepting:
        """The listening socket, whose first peer has left before it was accepted."""

        left = [errno.ECONNABORTED]

        def __getattr__(self, name):
            return getattr(kernel, name)

        def _accept(self):
            if self.left:
                raise OSError(self.left.pop(), "left")
            return kernel._accept()

    monkeypatch.setattr(listening, "_socket", Accepting())
    with socket.create_connection(("127.0.0.1", port_of(listener.endpoint))) as client:
        stream = listener.acceptors[0]()
        assert stream.remote == f"127.0.0.1:{client.getsockname()[1]}"
        stream.close()
    listener.close()


def test_a_crowd_that_connects_does_not_hold_up_the_others():
    listener = listen("tcp://127.0.0.1:*", backlog=1024)
    clients = [socket.socket() for _ in range(200)]
    for client in clients:
        client.connect(("127.0.0.1", port_of(listener.endpoint)))
    accepted = []
    turns = []

    def accept_all():
        while True:
            accepted.append(listener.acceptors[0]())

    accepting = gevent.spawn(accept_all)
    other = gevent.spawn(lambda: turns.append(len(accepted)))
    other.join(5)
    assert turns[0] < 200
    while len(accepted) < 200:
        gevent.sleep(0)
    accepting.kill()
    listener.close()
    for sock in (*clients, *accepted):
        sock.close()


# -- libzmq ----------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("text", ["tcp://*:*", "tcp://localhost:*", "tcp://:*", "tcp://lo:*"])
def test_libzmq_connects_to_the_resolved_endpoint(libzmq, text):
    with omq.PULL.bind(text) as pull:
        push = libzmq.socket(zmq.PUSH)
        push.connect(pull.last_endpoint)
        push.send(b"hello")
        assert pull.receive(timeout=5) == [b"hello"]


@pytest.mark.interop
@needs_ipv6
def test_libzmq_connects_over_ipv6(libzmq):
    with omq.PULL.bind("tcp://*:*") as pull:
        push = libzmq.socket(zmq.PUSH)
        push.ipv6 = True
        push.connect(f"tcp://[::1]:{port_of(pull.last_endpoint)}")
        push.send(b"hello")
        assert pull.receive(timeout=5) == [b"hello"]


@pytest.mark.interop
@pytest.mark.parametrize(
    "text", ["tcp://*:*", "tcp://127.0.0.1:*", "tcp://[::]:*", "tcp://[::1]:*"]
)
def test_what_libzmq_prints_can_be_connected_to(libzmq, text):
    pull = libzmq.socket(zmq.PULL)
    if "[" in text:
        if not has_ipv6():
            pytest.skip("this machine has no IPv6")
        pull.ipv6 = True
    pull.bind(text)
    with omq.PUSH.connect(pull.last_endpoint.decode()) as push:
        push.send(b"hello")
        with gevent.Timeout(5):
            assert pull.recv() == b"hello"


@pytest.mark.interop
@needs_ipv6
@pytest.mark.parametrize("ipv6", [False, True])
def test_localhost_meets_libzmq_on_either_family(libzmq, ipv6):
    pull = libzmq.socket(zmq.PULL)
    pull.ipv6 = ipv6
    port = pull.bind_to_random_port("tcp://[::1]" if ipv6 else "tcp://127.0.0.1")
    with omq.PUSH.connect(f"tcp://localhost:{port}") as push:
        push.send(b"hello")
        with gevent.Timeout(5):
            assert pull.recv() == b"hello"


# -- contracts -------------------------------------------------------------------------------


def test_it_provides_the_contracts():
    assert verifyObject(ITransport, tcp)
    listener = listen("tcp://127.0.0.1:*")
    assert verifyObject(IListener, listener)
    dialer = tcp.dialer(endpoints.parse(listener.endpoint), SimpleNamespace(options=Options()))
    assert verifyObject(IDialer, dialer)
    listener.close()
