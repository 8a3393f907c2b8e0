"""What a fork leaves of the parent's sockets in the child, and what the parent notices: nothing."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import socket
import stat
import subprocess
import sys
import threading
import traceback
import warnings

import gevent
import gevent.os
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:*"
FAST = {"reconnect_interval": 0.01}


class Child:
    """A fork that runs *function* and hands back what it returns."""

    def __init__(self, function):
        self._reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # there may be threads
            self.pid = os.fork()
        if self.pid == 0:
            try:
                try:
                    outcome = (function(), None)
                except BaseException:
                    outcome = (None, traceback.format_exc())
                os.write(writer, pickle.dumps(outcome))
            finally:
                os._exit(0)
        os.close(writer)

    def join(self):
        gevent.os.make_nonblocking(self._reader)
        data = b""
        with gevent.Timeout(15):
            while chunk := gevent.os.nb_read(self._reader, 65536):
                data += chunk
        os.close(self._reader)
        os.waitpid(self.pid, 0)
        value, error = pickle.loads(data)
        assert error is None, error
        return value


def in_child(function):
    return Child(function).join()


def error_of(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__, str(error)
    return None


def sockets_open() -> set[int]:
    """The inode of every socket that this process has open."""
    found = set()
    for name in os.listdir("/dev/fd"):
        try:
            status = os.fstat(int(name))
        except OSError:  # the descriptor of this listing
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.add(status.st_ino)
    return found


def linked(binding, connecting, endpoint=TCP, **options):
    bound = binding.bind(endpoint, **options)
    connected = connecting.connect(bound.last_endpoint, **options)
    bound.wait_connected(timeout=5)
    connected.wait_connected(timeout=5)
    return bound, connected


def test_every_use_in_the_child_says_whose_socket_it_is():
    pair, peer = linked(omq.PAIR, omq.PAIR)
    sub = omq.SUB.bind(TCP)

    def child():
        calls = {
            "send": lambda: pair.send(b"x"),
            "receive": lambda: pair.receive(timeout=1),
            "receive at once": lambda: pair.receive(timeout=0),
            "bind": lambda: pair.bind(TCP),
            "connect": lambda: peer.connect("tcp://127.0.0.1:9"),
            "unbind": lambda: pair.unbind(pair.last_endpoint),
            "disconnect": lambda: peer.disconnect(peer.last_endpoint),
            "wait_connected": lambda: pair.wait_connected(timeout=1),
            "subscribe": lambda: sub.subscribe(b"x"),
        }
        return os.getpid(), {name: error_of(call) for name, call in calls.items()}

    forked, errors = in_child(child)
    for name, error in errors.items():
        assert error is not None, f"{name} raised nothing"
        assert error[0] == "SocketForked", name
        assert f"process {os.getpid()}" in error[1]
        assert f"process {forked}" in error[1]
        assert "make a new socket after the fork" in error[1]
    assert issubclass(omq.SocketForked, omq.SocketClosed)
    for sock in (pair, peer, sub):
        sock.close()


def test_what_does_not_need_the_parent_does_the_sensible_thing():
    pair, peer = linked(omq.PAIR, omq.PAIR)
    peer.send(b"for the parent")
    assert pair.poll(timeout=5)

    def child():
        ready = pair.poll(timeout=5, events=omq.POLLIN | omq.POLLOUT)
        pair.linger = 0
        seen = (pair.closed, ready, list(pair), pair.peers, pair.stats.receive_queued, pair.linger)
        pair.close()
        peer.stop()
        return seen, "closed" in repr(pair)

    seen, in_repr = in_child(child)
    assert seen == (True, omq.POLLIN | omq.POLLOUT, [], [], 0, 0)
    assert in_repr
    assert pair.receive(timeout=5) == [b"for the parent"]
    pair.close()
    peer.close()


@pytest.mark.parametrize("endpoint", [TCP, "ipc://*", "inproc://fork"])
def test_the_parent_notices_nothing(endpoint):
    pull, push = linked(omq.PULL, omq.PUSH, endpoint, heartbeat_interval=0.02, **FAST)
    events = [pull.monitor(), push.monitor()]

    def child():
        gevent.sleep(0.15)  # several heartbeats
        push.close()
        pull.close()
        gc.collect()
        gevent.sleep(0.05)

    def traffic():
        for number in range(400):
            push.send(b"%d" % number)
            if number % 10 == 0:
                gevent.sleep(0.002)

    sending = gevent.spawn(traffic)
    gevent.sleep(0.02)
    children = [Child(child) for _ in range(2)]
    received = [int(pull.receive(timeout=5)[0]) for _ in range(400)]
    for forked in children:
        forked.join()
    sending.join()
    push.send(b"the last")
    assert pull.receive(timeout=5) == [b"the last"]
    assert received == list(range(400))
    assert [str(event) for monitor in events for event in monitor._events] == []
    pull.close()
    push.close()


def test_descriptors_are_released_at_once():
    before = sockets_open()
    sockets = [*linked(omq.PULL, omq.PUSH), *linked(omq.PULL, omq.PUSH, "ipc://*")]
    sockets += [omq.PUSH.connect("tcp://127.0.0.1:9")]
    assert len(sockets_open() - before) >= 6
    assert in_child(sockets_open) - before == set()
    for sock in sockets:
        sock.stop()


def test_descriptors_on_their_way_in_or_out_are_released_too():
    before = sockets_open()
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for sock in waiting:  # they fill the backlog, so that nobody else gets through
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    dealer = omq.DEALER.bind(TCP)
    flood = socket.create_connection(("127.0.0.1", int(dealer.last_endpoint.rpartition(":")[2])))
    gevent.sleep(0.05)
    flood.sendall(b"\xff" + bytes(8) + b"\x7f\x03")
    mine = {os.fstat(sock.fileno()).st_ino for sock in (full, *waiting, flood)}
    dealer.stop()  # with unread input: the connection is not closed at once
    push = omq.PUSH.connect(f"tcp://127.0.0.1:{full.getsockname()[1]}")
    gevent.sleep(0.05)
    assert sockets_open() - before - mine, "nothing was on its way"
    assert in_child(sockets_open) - before - mine == set()
    push.stop()
    for sock in (full, *waiting, flood):
        sock.close()


def test_an_address_is_free_again_when_the_parent_closes_although_the_child_lives():
    pull = omq.PULL.bind(TCP)
    endpoint = pull.last_endpoint
    ready, say_ready = os.pipe()
    go_on, say_go_on = os.pipe()

    def stay():
        os.close(say_go_on)
        os.write(say_ready, b"x")
        os.read(go_on, 1)

    child = Child(stay)
    os.read(ready, 1)
    pull.close()
    with omq.PULL.bind(endpoint):
        pass
    os.close(say_go_on)
    child.join()
    for descriptor in (ready, say_ready, go_on):
        os.close(descriptor)


def test_greenlets_of_the_parents_sockets_do_not_run_in_the_child():
    sockets = linked(omq.PULL, omq.PUSH, heartbeat_interval=0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = server.getsockname()[1]
    dialing = omq.PUSH.connect(f"tcp://127.0.0.1:{nobody}", **FAST)
    called = []
    dialing.monitor(called.append)
    gevent.sleep(0.03)
    assert called

    def child():
        called.clear()
        told = []
        handler = logging.Handler()
        handler.emit = told.append
        logger = logging.getLogger("omq_gevent")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        gevent.sleep(0.2)
        alive = [g for g in gc.get_objects() if type(g) is gevent.Greenlet and not g.dead]
        return [record.getMessage() for record in told], [str(e) for e in called], alive

    assert in_child(child) == ([], [], [])
    for sock in (*sockets, dialing):
        sock.stop()


def test_who_waited_in_the_parents_socket_is_told_in_the_child_and_goes_on_in_the_parent():
    pull = omq.PULL.bind(TCP)
    outcomes = []

    def wait():
        try:
            outcomes.append(pull.receive()[0])
        except omq.SocketClosed as error:
            outcomes.append(type(error).__name__)

    waiting = gevent.spawn(wait)
    gevent.sleep(0)

    def child():
        gevent.sleep(0.02)
        return outcomes

    def fork_in_a_greenlet():
        return in_child(child)

    assert gevent.spawn(fork_in_a_greenlet).get() == ["SocketForked"]
    assert outcomes == []
    with omq.PUSH.connect(pull.last_endpoint) as push:
        push.send(b"message")
        waiting.join(5)
    assert outcomes == [b"message"]
    pull.close()


def test_a_message_that_was_about_to_be_received_is_received_once():
    pull, push = linked(omq.PULL, omq.PUSH, "inproc://about-to-be-received")
    received = []
    waiting = gevent.spawn(lambda: received.append(pull.receive()))
    gevent.sleep(0)
    push.send(b"message")  # the waiting greenlet is due to run, and has not yet

    def child():
        with pytest.raises(omq.SocketForked):
            waiting.get(timeout=5)
        return received

    assert in_child(child) == []
    waiting.join(5)
    assert received == [[b"message"]]
    pull.close()
    push.close()


def test_new_sockets_work_at_once_even_for_the_same_endpoints():
    pull, push = linked(omq.PULL, omq.PUSH)
    name = "inproc://after-the-fork"
    held = omq.PULL.bind(name)

    def child():
        with omq.PUSH.connect(push.last_endpoint) as mine:
            mine.send(b"from the child")
        with omq.PULL.bind(name) as other, omq.PUSH.connect(name) as mine:
            mine.send(b"within the child")
            return other.receive(timeout=5)

    assert in_child(child) == [b"within the child"]
    push.send(b"from the parent")
    assert sorted(pull.receive(timeout=5)[0] for _ in range(2)) == [
        b"from the child",
        b"from the parent",
    ]
    for sock in (pull, push, held):
        sock.close()


def test_a_socket_that_was_not_used_yet_is_for_whoever_uses_it():
    pull = omq.PULL.bind(TCP)
    push = omq.PUSH(linger=5)

    def use():
        push.connect(pull.last_endpoint)
        push.send(b"%d" % os.getpid())
        push.close()

    child = Child(use)
    use()
    child.join()
    received = {int(pull.receive(timeout=5)[0]) for _ in range(2)}
    assert received == {os.getpid(), child.pid}
    pull.close()


def test_a_fork_of_a_fork():
    pull, push = linked(omq.PULL, omq.PUSH)

    def child():
        mine = omq.PUSH.connect(push.last_endpoint)

        def grandchild():
            with omq.PUSH.connect(push.last_endpoint) as new:
                new.send(b"from the grandchild")
            return error_of(push.send, b"x"), error_of(mine.send, b"x")

        errors = in_child(grandchild)
        mine.send(b"from the child")
        mine.close()
        return os.getpid(), errors

    child_pid, (first, second) = in_child(child)
    assert f"made in process {os.getpid()}" in first[1]
    assert f"made in process {child_pid}" in second[1]
    assert sorted(pull.receive(timeout=5)[0] for _ in range(2)) == [
        b"from the child",
        b"from the grandchild",
    ]
    pull.close()
    push.close()


def test_the_file_of_an_ipc_endpoint_stays_the_parents(tmp_path):
    path = tmp_path / "socket"
    pull = omq.PULL.bind(f"ipc://{path}")
    anonymous = omq.PULL.bind("ipc://*")

    def child():
        for sock in (pull, anonymous):
            sock.close()
        return path.exists()

    assert in_child(child)
    for sock in (pull, anonymous):
        with omq.PUSH.connect(sock.last_endpoint) as push:
            push.send(b"still here")
            assert sock.receive(timeout=5) == [b"still here"]
        sock.close()
    assert not path.exists()


def test_monitors_end_without_a_word():
    pull = omq.PULL()
    monitor = pull.monitor()
    called = []
    pull.monitor(called.append)
    pull.bind(TCP)
    gevent.sleep(0)

    def child():
        before = len(called)
        kinds = [event.kind for event in monitor]
        gevent.sleep(0.02)
        return kinds, called[before:]

    assert in_child(child) == (["listening"], [])
    pull.close()
    assert [event.kind for event in monitor] == ["listening", "closed", "monitor_stopped"]
    gevent.sleep(0)
    assert [event.kind for event in called] == ["listening", "closed", "monitor_stopped"]


def test_a_fork_in_another_thread():
    before = sockets_open()
    pull, push = linked(omq.PULL, omq.PUSH)
    children = []

    def child():
        left = sockets_open() - before
        with omq.PUSH.connect(push.last_endpoint) as new:
            new.send(b"from the child")
        return error_of(push.send, b"x")[0], left

    thread = threading.Thread(target=lambda: children.append(Child(child)))
    thread.start()
    thread.join()
    assert children[0].join() == ("SocketForked", set())
    assert pull.receive(timeout=5) == [b"from the child"]
    push.send(b"from the parent")
    assert pull.receive(timeout=5) == [b"from the parent"]
    pull.close()
    push.close()


LIST_INODES = """
import os
for name in os.listdir("/dev/fd"):
    try:
        print(os.fstat(int(name)).st_ino)
    except OSError:
        pass
"""


def test_programs_that_are_started_inherit_no_descriptor():
    sockets = [*linked(omq.PULL, omq.PUSH), *linked(omq.PULL, omq.PUSH, "ipc://*")]
    listening = socket.create_server(("127.0.0.1", 0))
    listening.set_inheritable(True)
    sockets.append(omq.PULL.bind(TCP, use_fd=listening.detach()))
    ours = sockets_open()
    output = subprocess.run(
        [sys.executable, "-S", "-c", LIST_INODES],
        close_fds=False,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    inherited = ours & {int(line) for line in output.split()}
    standard = {os.fstat(number).st_ino for number in range(3)}
    assert inherited - standard == set()
    for sock in sockets:
        sock.close()


PATCHED = """
from gevent import monkey; monkey.patch_all()
import os, time, gevent, omq_gevent as omq

pull = omq.PULL.bind("tcp://127.0.0.1:*", heartbeat_interval=0.02)
push = omq.PUSH.connect(pull.last_endpoint, heartbeat_interval=0.02)
push.wait_connected(timeout=5)
events = push.monitor()
for fork in (gevent.fork, os.fork):
    pid = fork()
    if not pid:
        try:
            push.send(b"x")
        except omq.SocketForked:
            time.sleep(0.1)
            with omq.PUSH.connect(push.last_endpoint) as new:
                new.send(b"from the child")
            os._exit(7)
    assert pull.receive(timeout=5) == [b"from the child"]
    push.send(b"from the parent")
    assert pull.receive(timeout=5) == [b"from the parent"]
    assert os.waitpid(pid, 0)[1] >> 8 == 7
assert not len(events), list(events._events)
print("done")
"""


def test_gevents_own_fork_in_a_patched_process():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PATCHED], stdout=subprocess.PIPE, timeout=20
    )
    assert done.stdout == b"done\n"
