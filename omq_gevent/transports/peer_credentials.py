"""Who is at the other end of a Unix domain socket, as the kernel knows it."""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

_SO_PEERGROUPS = 59  # Linux; the socket module has no name for it
_LARGEST_OPTION = 1024  # bytes that getsockopt() of Python gives

# macOS: struct xucred, and the names that the socket module does not have.
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2
_XUCRED = struct.Struct("IIh16I")


class PeerCredentials(NamedTuple):
    """Process, user and groups of a local peer at the time when it connected (or listened)."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int]
    """All groups, the supplementary ones too where the system tells them."""

    @classmethod
    def of(cls, sock: socket.socket) -> PeerCredentials | None:
        """Ask the kernel; None if *sock* is no Unix domain socket or the system cannot tell."""
        if sock.family != socket.AF_UNIX:
            return None
        if hasattr(socket, "SO_PEERCRED"):
            return cls._of_linux(sock)
        if sys.platform == "darwin":
            return cls._of_macos(sock)
        return None

    @classmethod
    def _of_linux(cls, sock: socket.socket) -> PeerCredentials:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, gid = struct.unpack("iII", raw)
        try:
            raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _LARGEST_OPTION)
        except OSError:  # an old kernel, or more groups than fit
            raw = b""
        return cls(pid, uid, gid, frozenset({gid, *struct.unpack(f"{len(raw) // 4}I", raw)}))

    @classmethod
    def _of_macos(cls, sock: socket.socket) -> PeerCredentials:
        raw = sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size)
        _version, uid, count, *groups = _XUCRED.unpack(raw)
        pid = sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
        return cls(pid, uid, groups[0], frozenset(groups[:count]))

    def __str__(self) -> str:
        return f"pid {self.pid} uid {self.uid}"
