"""Kernel options of sockets: from the options of a ZeroMQ socket to ``setsockopt``."""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """One call of ``setsockopt``; *option* is the ZeroMQ option that asked for it."""

    option: str
    level: int
    number: int
    value: int | bytes

    def apply(self, sock: socket.socket) -> None:
        """Set it.

        :raises OSError: with the system's errno; the message names the option.
        """
        try:
            sock.setsockopt(self.level, self.number, self.value)
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror} (option {self.option}={self.value!r})"
            ) from None


class SocketOptions:
    """The settings for sockets of one address family, read from *options* once.

    :raises OSError: ENOPROTOOPT when an option is set that this system does not have.
    """

    def __init__(self, options: Any, family: int) -> None:
        inherited = list(_device(options, family))
        self._accepted: list[Setting] = [*_buffers(options), *_tcp(options, family)]
        self._new = inherited + self._accepted

    def apply(self, sock: socket.socket) -> None:
        """Set all on a new socket. Before it connects or listens: buffers count only then."""
        for setting in self._new:
            setting.apply(sock)

    def apply_to_accepted(self, sock: socket.socket) -> None:
        """Set all on an accepted socket that not every system lets it inherit.

        An accepted socket always has its listener's device, and setting it needs privileges.
        """
        for setting in self._accepted:
            setting.apply(sock)


def _buffers(options: Any) -> Iterator[Setting]:
    for option, name in (("sndbuf", "SO_SNDBUF"), ("rcvbuf", "SO_RCVBUF")):
        size = getattr(options, option)
        if size is not None:
            yield Setting(option, socket.SOL_SOCKET, getattr(socket, name), size)


def _device(options: Any, family: int) -> Iterator[Setting]:
    device = options.bind_to_device
    if device is not None and family != socket.AF_UNIX:
        number = _number("bind_to_device", "SO_BINDTODEVICE")
        yield Setting("bind_to_device", socket.SOL_SOCKET, number, device.encode())


def _tcp(options: Any, family: int) -> Iterator[Setting]:
    if family == socket.AF_UNIX:
        return
    yield Setting("TCP_NODELAY", socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    yield from _keepalive(options)
    if options.tcp_user_timeout is not None:
        number = _number("tcp_user_timeout", "TCP_USER_TIMEOUT")
        # Milliseconds; 0 would mean the system's default.
        milliseconds = max(1, math.ceil(options.tcp_user_timeout * 1000))
        yield Setting("tcp_user_timeout", socket.IPPROTO_TCP, number, milliseconds)
    if options.tos is not None:
        if family == socket.AF_INET6:
            yield Setting("tos", socket.IPPROTO_IPV6, _number("tos", "IPV6_TCLASS"), options.tos)
        else:
            yield Setting("tos", socket.IPPROTO_IP, _number("tos", "IP_TOS"), options.tos)
    if options.priority is not None:
        # After the type of service, from which Linux derives a priority too.
        number = _number("priority", "SO_PRIORITY")
        yield Setting("priority", socket.SOL_SOCKET, number, options.priority)


def _keepalive(options: Any) -> Iterator[Setting]:
    if options.tcp_keepalive is None:
        return
    yield Setting(
        "tcp_keepalive", socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(options.tcp_keepalive)
    )
    for option, *names in (
        ("tcp_keepalive_idle", "TCP_KEEPIDLE", "TCP_KEEPALIVE"),  # the latter is macOS's name
        ("tcp_keepalive_interval", "TCP_KEEPINTVL"),
        ("tcp_keepalive_count", "TCP_KEEPCNT"),
    ):
        value = getattr(options, option)
        if value is not None and options.tcp_keepalive:
            yield Setting(option, socket.IPPROTO_TCP, _number(option, *names), value)


def _number(option: str, *names: str) -> int:
    for name in names:
        number = getattr(socket, name, None)
        if number is not None:
            return int(number)
    raise OSError(errno.ENOPROTOOPT, f"this system has no {names[0]} (option {option})")
