"""No test may leave anything behind: greenlet, descriptor, thread, socket file, child process."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import stat
import threading
import time
import traceback
import weakref
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.hub
import pytest

SETTLE_SECONDS = 1.0

# Without this the hub would only print the failure that pytest-timeout raises inside some other
# greenlet, and the test that waits for that greenlet would hang on, or pass.
gevent.hub.Hub.SYSTEM_ERROR = (*gevent.hub.Hub.SYSTEM_ERROR, pytest.fail.Exception)

# Noted when they start: searching the garbage collector's lists for them would take 10 ms a test.
_started: weakref.WeakSet[gevent.Greenlet] = weakref.WeakSet()
gevent.Greenlet.add_spawn_callback(_started.add)

_failed = pytest.StashKey[bool]()


class Snapshot:
    """What a test could leave behind, as it is now; *directory* is searched for socket files."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self.greenlets = weakref.WeakSet(_living_greenlets())
        self.descriptors = _descriptors()
        self.threads = _threads()
        self.pool_threads = gevent.get_hub().threadpool.size

    def leaks(self) -> list[str]:
        """Name everything that is there now and was not when this snapshot was taken."""
        found = [_describe_greenlet(g) for g in _living_greenlets() if g not in self.greenlets]
        found += [_describe_descriptor(fd) for fd, _ in _descriptors() - self.descriptors]
        threads = _threads() - self.threads
        # gevent resolves host names in threads that it keeps, and only their number is known.
        if len(threads) > gevent.get_hub().threadpool.size - self.pool_threads:
            found += [_describe_thread(thread) for thread in threads]
        if self.directory is not None:
            found += [
                f"socket file {path}" for path in self.directory.rglob("*") if path.is_socket()
            ]
        return found

    def leaks_that_stay(self) -> list[str]:
        """Name what is still there when the hub has had time to finish what is under way."""
        deadline = time.monotonic() + SETTLE_SECONDS
        rounds = 0
        while (found := self.leaks()) and time.monotonic() < deadline:
            rounds += 1
            if rounds == 10:
                gc.collect()
            gevent.sleep(0 if rounds < 10 else 0.01)
        return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    uses_files = "tmp_path" in request.fixturenames
    before = Snapshot(request.getfixturevalue("tmp_path") if uses_files else None)
    yield
    if request.node.stash.get(_failed, False):
        return  # one report is enough, and its traceback keeps alive what the test held
    if leaks := before.leaks_that_stay():
        pytest.fail("the test left behind:\n  " + "\n  ".join(leaks), pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def no_child_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + SETTLE_SECONDS
    while (children := _children()) and time.monotonic() < deadline:
        gevent.sleep(0.01)
    if children:
        pytest.fail("child processes are left:\n  " + "\n  ".join(children), pytrace=False)


def _living_greenlets() -> list[gevent.Greenlet]:
    return [greenlet for greenlet in _started if not greenlet.dead]


def _describe_greenlet(greenlet: gevent.Greenlet) -> str:
    stack = traceback.extract_stack(greenlet.gr_frame) if greenlet.gr_frame else []
    inside = os.path.dirname(gevent.__file__)
    own = [frame for frame in stack if not frame.filename.startswith((inside, "src/gevent"))]
    return f"{greenlet!r}" + (f", waiting in {own[-1].filename}:{own[-1].lineno}" if own else "")


def _descriptors() -> set[tuple[int, int]]:
    """Return number and inode of each open socket and pipe."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the descriptor of this listing is closed already
            status = os.fstat(int(name))
            if stat.S_ISSOCK(status.st_mode) or stat.S_ISFIFO(status.st_mode):
                found.add((int(name), status.st_ino))
    return found


def _describe_descriptor(number: int) -> str:
    try:
        with socket.socket(fileno=os.dup(number)) as sock:
            text = f"descriptor {number}: {sock.family.name} {sock.type.name} {sock.getsockname()}"
            with contextlib.suppress(OSError):
                text += f" -> {sock.getpeername()}"
            return text
    except OSError:
        return f"descriptor {number}: a pipe"


def _threads() -> set[int]:
    """Return the identifier of each thread; on Linux also of those that no Python code started."""
    try:
        return {int(name) for name in os.listdir("/proc/self/task")}
    except FileNotFoundError:
        return {thread.native_id for thread in threading.enumerate()}


def _describe_thread(identifier: int) -> str:
    for thread in threading.enumerate():
        if thread.native_id == identifier:
            return f"thread {thread!r}"
    with contextlib.suppress(OSError):
        return f"native thread {Path(f'/proc/self/task/{identifier}/comm').read_text().strip()!r}"
    return f"native thread {identifier}"


def _children() -> list[str]:
    """Name each child process, where the kernel tells, but for those that multiprocessing keeps."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if not any(keeper in command for keeper in ("resource_tracker", "forkserver")):
                    found.append(f"process {child}: {command or 'ended, but never waited for'}")
    return found
