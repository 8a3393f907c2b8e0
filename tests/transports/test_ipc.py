"""ipc: files that are recovered, spared and removed; who may connect."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest
import zmq.green as zmq
from zope.interface.verify import verifyObject

import omq_gevent as omq
from omq_gevent import endpoint as endpoints
from omq_gevent.interfaces import IDialer, IListener, ITransport
from omq_gevent.options import Options
from omq_gevent.transports import ipc_path
from omq_gevent.transports.ipc import ipc

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
NOBODY = 65534


@pytest.fixture
def libzmq():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def path():
    # Not tmp_path, which may be longer than a socket's path can be.
    with tempfile.TemporaryDirectory(prefix="omq-test-") as directory:
        yield Path(directory, "socket")


@contextlib.contextmanager
def unprivileged():
    """Be another user for a while, if this one is root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def listen(text, **options):
    return ipc.listen(endpoints.parse(text), SimpleNamespace(options=Options(**options)))


def dial(text, **options):
    return ipc.dialer(endpoints.parse(text), SimpleNamespace(options=Options(**options))).dial()


def exchange(push, pull):
    push.send(b"hello")
    assert pull.receive(timeout=5) == [b"hello"]


def leave_stale(path):
    """Leave a socket file behind, as a process does that is killed."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
    return path.stat().st_ino


def fill_backlog(path, clients):
    """Connect until the listener has no more room; *clients* closes the connections."""
    with contextlib.suppress(BlockingIOError):
        while True:
            clients.callback(dial(f"ipc://{path}").close)


# -- endpoints -------------------------------------------------------------------------------


def test_a_path_and_its_removal(path):
    with omq.PULL.bind(f"ipc://{path}") as pull:
        assert pull.last_endpoint == f"ipc://{path}"
        with omq.PUSH.connect(f"ipc://{path}") as push:
            exchange(push, pull)
            assert stat.S_ISSOCK(path.stat().st_mode)
        pull.unbind(pull.last_endpoint)
        assert not path.exists()
        pull.bind(f"ipc://{path}")
    assert not path.exists()


def test_a_relative_path_is_removed_from_where_it_was_made(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with omq.PULL.bind("ipc://socket") as pull:
        assert pull.last_endpoint == "ipc://socket"
        with omq.PUSH.connect("ipc://socket") as push:
            exchange(push, pull)
        monkeypatch.chdir("/")
    assert not path.exists()


def test_any_path_is_a_private_one_that_is_gone_afterwards():
    with omq.PULL.bind("ipc://*") as pull, omq.PUSH.connect(pull.last_endpoint) as push:
        made = Path(endpoints.parse(pull.last_endpoint).path)
        assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
        exchange(push, pull)
    assert not made.parent.exists()


def test_any_path_where_temporary_names_are_too_long(tmp_path, monkeypatch):
    directory = tmp_path / ("d" * 100)
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    with omq.PULL() as pull, pytest.raises(omq.EndpointError) as caught:
        pull.bind("ipc://*")
    assert caught.value.errno == errno.ENAMETOOLONG
    assert list(directory.iterdir()) == []


@on_linux
def test_an_abstract_name():
    name = f"ipc://@omq-test-{os.getpid()}"
    with omq.PULL.bind(name) as pull, omq.PUSH.connect(name) as push:
        assert pull.last_endpoint == name
        exchange(push, pull)
        with omq.PULL() as other, pytest.raises(OSError, match="in use") as caught:
            other.bind(name)
        assert caught.value.errno == errno.EADDRINUSE
        pull.unbind(name)
        pull.bind(name)


def test_a_missing_directory(path):
    with omq.PULL() as pull, pytest.raises(FileNotFoundError) as caught:
        pull.bind(f"ipc://{path}/missing/socket")
    assert f"{path}/missing/socket" in str(caught.value)


def test_a_directory_that_is_not_ours_to_write(path):
    path.parent.chmod(0o555)
    with omq.PULL() as pull, unprivileged(), pytest.raises(PermissionError, match=str(path)):
        pull.bind(f"ipc://{path}")
    path.parent.chmod(0o700)


def test_a_socket_that_is_not_ours_to_connect_to_is_not_stale(path):
    with omq.PULL.bind(f"ipc://{path}") as pull, omq.PULL() as thief:
        path.parent.chmod(0o755)
        path.chmod(0)
        with unprivileged(), pytest.raises(OSError, match="in use"):
            thief.bind(f"ipc://{path}")
        assert path.exists()
        path.chmod(0o700)
        with omq.PUSH.connect(f"ipc://{path}") as push:
            exchange(push, pull)


def test_dialing_a_path_that_does_not_exist_names_it(path):
    with pytest.raises(FileNotFoundError, match=str(path)):
        dial(f"ipc://{path}")


def test_connect_before_bind(path):
    with omq.PUSH.connect(f"ipc://{path}", reconnect_interval=0.01) as push:
        push.send(b"early")
        gevent.sleep(0.02)
        with omq.PULL.bind(f"ipc://{path}") as pull:
            assert pull.receive(timeout=5) == [b"early"]


@on_linux
def test_a_full_backlog_is_an_error_and_not_a_busy_wait(path):
    with socket.socket(socket.AF_UNIX) as full, contextlib.ExitStack() as clients:
        full.bind(str(path))
        full.listen(0)
        fill_backlog(path, clients)
        with pytest.raises(BlockingIOError, match=str(path)):
            dial(f"ipc://{path}")
    path.unlink()


# -- files that are there already ------------------------------------------------------------


def test_a_stale_file_is_replaced(path):
    leave_stale(path)
    with omq.PULL.bind(f"ipc://{path}") as pull, omq.PUSH.connect(f"ipc://{path}") as push:
        exchange(push, pull)
    assert not path.exists()


def test_a_live_listener_is_never_robbed(path):
    with omq.PULL.bind(f"ipc://{path}") as pull:
        with omq.PULL() as thief:
            with pytest.raises(OSError, match=str(path)) as caught:
                thief.bind(f"ipc://{path}")
            assert caught.value.errno == errno.EADDRINUSE
        with omq.PUSH.connect(f"ipc://{path}") as push:
            exchange(push, pull)


@on_linux
def test_a_listener_that_is_too_busy_to_accept_is_live(path):
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as clients:
        busy.bind(str(path))
        busy.listen(0)
        fill_backlog(path, clients)
        with pytest.raises(OSError, match="in use"):
            listen(f"ipc://{path}")
        assert path.exists()
    path.unlink()


@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "fifo"])
def test_what_is_not_a_socket_is_never_removed(path, kind):
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    elif kind == "symlink":
        path.symlink_to("nowhere")
    else:
        os.mkfifo(path)
    before = path.lstat()
    with pytest.raises(OSError, match="not a socket") as caught:
        listen(f"ipc://{path}")
    assert caught.value.errno == errno.EADDRINUSE
    assert path.lstat().st_ino == before.st_ino


def test_a_socket_of_another_type_is_not_stale(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(OSError, match="in use"):
            listen(f"ipc://{path}")
    path.unlink()


def test_a_file_that_another_has_put_in_its_place_is_left_alone(path):
    listener = listen(f"ipc://{path}")
    path.unlink()
    inode = leave_stale(path)
    listener.close()
    assert path.stat().st_ino == inode
    path.unlink()


def test_a_file_that_is_gone_already_does_not_matter(path):
    listener = listen(f"ipc://{path}")
    path.unlink()
    listener.close()
    listener.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forks_copy_does_not_remove_the_file(path):
    listener = listen(f"ipc://{path}")
    child = os.fork()
    if child == 0:
        listener.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert path.exists()
    listener.close()


RACER = """
import sys, gevent
from types import SimpleNamespace
from omq_gevent import endpoint
from omq_gevent.options import Options
from omq_gevent.transports.ipc import ipc
host = SimpleNamespace(options=Options())
print("ready", flush=True)
sys.stdin.readline()
try:
    listener = ipc.listen(endpoint.parse(sys.argv[1]), host)
except OSError:
    print("lost", flush=True)
else:
    print("won", flush=True)
sys.stdin.readline()
"""


@pytest.mark.slow
def test_of_many_that_find_a_stale_file_one_wins(path):
    leave_stale(path)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, f"ipc://{path}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        results = [racer.stdout.readline().strip() for racer in racers]
        assert sorted(results) == ["lost", "lost", "lost", "won"]
        dial(f"ipc://{path}").close()
    finally:
        for racer in racers:
            racer.communicate()
        path.unlink()


def test_binding_waits_for_its_turn_without_holding_up_the_hub(path, monkeypatch):
    leave_stale(path)
    directory = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    binding = gevent.spawn(listen, f"ipc://{path}")
    gevent.sleep(0.02)
    assert not binding.ready()
    os.close(directory)
    binding.get(timeout=5).close()


def test_a_directory_that_stays_locked_is_used_all_the_same(path, monkeypatch):
    monkeypatch.setattr(ipc_path, "LOCK_PATIENCE", 0.02)
    directory = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    listen(f"ipc://{path}").close()
    os.close(directory)


def test_a_bind_that_is_killed_while_it_waits_leaves_nothing(path):
    directory = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    binding = gevent.spawn(listen, f"ipc://{path}")
    gevent.sleep(0.01)
    binding.kill()
    os.close(directory)
    assert not path.exists()


# -- inherited descriptors -------------------------------------------------------------------


def test_a_listening_descriptor_is_taken_over_but_not_its_file(path):
    inherited = socket.socket(socket.AF_UNIX)
    inherited.bind(str(path))
    inherited.listen()
    with omq.PULL(use_fd=inherited.detach()) as pull:
        assert pull.bind("ipc://*") == f"ipc://{path}"
        with omq.PUSH.connect(pull.last_endpoint) as push:
            exchange(push, pull)
    assert path.exists()
    path.unlink()


# -- peers -----------------------------------------------------------------------------------


def test_a_peer_is_known_by_process_and_user(path):
    with omq.PULL.bind(f"ipc://{path}") as pull, omq.PUSH.connect(f"ipc://{path}") as push:
        push.wait_connected(timeout=5)
        pull.wait_connected(timeout=5)
        expected = f"pid {os.getpid()} uid {os.getuid()}"
        assert [peer.address for peer in (*pull.peers, *push.peers)] == [expected, expected]


@pytest.mark.parametrize(
    "filters",
    [
        {"ipc_filter_pid": {os.getpid()}},
        {"ipc_filter_uid": {os.getuid()}},
        {"ipc_filter_gid": {os.getgid()}},
        {"ipc_filter_uid": {NOBODY}, "ipc_filter_pid": {os.getpid()}},
        {"ipc_filter_gid": set(os.getgroups()) or {os.getgid()}},
    ],
)
def test_a_peer_that_a_filter_names_may_connect(path, filters):
    text = f"ipc://{path}"
    with omq.PULL.bind(text, **filters) as pull, omq.PUSH.connect(text) as push:
        exchange(push, pull)


@pytest.mark.parametrize("name", ["ipc_filter_pid", "ipc_filter_uid", "ipc_filter_gid"])
def test_a_peer_that_no_filter_names_is_refused(path, name):
    with omq.PULL(**{name: {4_000_000}}) as pull:
        monitor = pull.monitor()
        pull.bind(f"ipc://{path}")
        with omq.PUSH.connect(f"ipc://{path}", linger=0):
            for event in monitor:
                if event.kind == "accept_failed":
                    break
        assert isinstance(event.error, omq.PeerRefused)
        assert f"pid {os.getpid()} uid {os.getuid()}" in str(event.error)
        assert pull.peers == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be someone else")
def test_another_user_is_told_from_this_one(path):
    listener = listen(f"ipc://{path}", ipc_filter_uid={0})
    path.parent.chmod(0o755)
    path.chmod(0o777)
    with unprivileged():
        foreign = dial(f"ipc://{path}")
    with pytest.raises(omq.PeerRefused, match=f"uid {NOBODY}"):
        listener.acceptors[0]()
    foreign.close()
    own = dial(f"ipc://{path}")
    listener.acceptors[0]().close()
    own.close()
    listener.close()


@pytest.mark.parametrize(("option", "name"), [("sndbuf", "SO_SNDBUF"), ("rcvbuf", "SO_RCVBUF")])
@on_linux
def test_buffers_are_set_at_both_ends(path, option, name):
    listener = listen(f"ipc://{path}", **{option: 10000})
    accepting = gevent.spawn(listener.acceptors[0])
    for stream in (dial(f"ipc://{path}", **{option: 10000}), accepting.get(timeout=5)):
        assert stream._socket.getsockopt(socket.SOL_SOCKET, getattr(socket, name)) == 20000
        stream.close()
    listener.close()


# -- libzmq ----------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["path", "abstract", "any"])
def test_libzmq_connects(libzmq, path, kind):
    if kind == "abstract" and not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    text = {"path": f"ipc://{path}", "abstract": f"ipc://@omq-test-{path}", "any": "ipc://*"}[kind]
    with omq.PULL.bind(text) as pull:
        push = libzmq.socket(zmq.PUSH)
        push.connect(pull.last_endpoint)
        push.send(b"hello")
        assert pull.receive(timeout=5) == [b"hello"]


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["path", "abstract", "any"])
def test_connecting_to_libzmq(libzmq, path, kind):
    if kind == "abstract" and not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    text = {"path": f"ipc://{path}", "abstract": f"ipc://@omq-test-{path}", "any": "ipc://*"}[kind]
    pull = libzmq.socket(zmq.PULL)
    pull.bind(text)
    with omq.PUSH.connect(pull.last_endpoint.decode()) as push:
        push.send(b"hello")
        with gevent.Timeout(5):
            assert pull.recv() == b"hello"


# -- contracts -------------------------------------------------------------------------------


def test_it_provides_the_contracts(path):
    assert verifyObject(ITransport, ipc)
    listener = listen(f"ipc://{path}")
    assert verifyObject(IListener, listener)
    host = SimpleNamespace(options=Options())
    assert verifyObject(IDialer, ipc.dialer(endpoints.parse(f"ipc://{path}"), host))
    listener.close()
