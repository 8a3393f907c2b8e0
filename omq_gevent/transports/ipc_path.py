"""The file of an ipc endpoint: bound race-free, recovered when stale, removed only if it is ours.

A file whose listener is gone keeps others from binding. It is told from a live one by connecting:
only one that refuses is unlinked, nothing that is not a socket ever is. Between that probe and
the unlinking another process may do the same and already listen on a new file, or may just have
bound and not listen yet. So probe, unlink, bind and listen happen under a lock on the directory
(flock, which leaves no file behind). That protects from everyone who uses this module, not from
programs that unlink what they find; and where a directory cannot be locked (no permission to read
it, some network file systems), or stays locked for `LOCK_PATIENCE` seconds, there is no lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator

import gevent

from omq_gevent.transports.stream import PlainSocket

LOCK_PATIENCE = 1.0
_LOCK_POLL = 0.005


class SocketFile:
    """The file of a socket that listens, to be removed by the process that made it."""

    def __init__(self, path: str) -> None:
        status = os.lstat(path)
        # The working directory may change, and a fork's copy of the listener may be closed.
        self._path = os.path.abspath(path)
        self._file = (status.st_dev, status.st_ino)
        self._process = os.getpid()

    def remove(self) -> None:
        """Unlink the file if it is still the same one.

        Call it before the socket is closed, which keeps the file's number from being given away.
        """
        if os.getpid() != self._process:
            return
        with contextlib.suppress(OSError):
            status = os.lstat(self._path)
            if (status.st_dev, status.st_ino) == self._file:
                os.unlink(self._path)


def listen(sock: socket.socket, path: str, backlog: int) -> SocketFile:
    """Bind *sock* to *path*, in place of a stale socket file if there is one, and listen.

    Switches only while another process binds in the same directory.

    :raises OSError: EADDRINUSE when there is a live listener, or a file that is no socket.
    """
    with _locked(os.path.dirname(path) or "."):
        try:
            sock.bind(os.fsencode(path))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _remove_stale(path)
            sock.bind(os.fsencode(path))
        file = SocketFile(path)
        try:
            sock.listen(backlog)
        except BaseException:
            file.remove()
            raise
        return file


def _remove_stale(path: str) -> None:
    """Unlink *path* if it is a socket file that nobody listens on; else raise EADDRINUSE."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EADDRINUSE, "Address already in use, by a file that is not a socket")
    if not _refuses(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _refuses(path: str) -> bool:
    with PlainSocket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        error: int = probe.connect_ex(os.fsencode(path))
    return error == errno.ECONNREFUSED


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    descriptor = _open(directory)
    try:
        if descriptor is not None:
            _lock(descriptor)
        yield
    finally:
        if descriptor is not None:
            # Closing would do, but for the copies that forks of this process may have.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _open(directory: str) -> int | None:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # what is wrong with it, bind tells
        return None


def _lock(descriptor: int) -> None:
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                return
            gevent.sleep(_LOCK_POLL)
        except OSError:
            return
