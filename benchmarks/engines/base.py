"""The interface between the workloads and an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Callable


class Socket:
    """One socket. ``send`` and ``receive`` are the engine's own methods, so that nothing of the
    benchmark lies between the loop and the engine; a message is what ``receive`` returns. The
    other two send and receive lists of frames; engines without a ROUTER need not have them."""

    endpoint: str
    send: Callable[[Any], Any]
    receive: Callable[[], Any]
    send_frames: Callable[[Any], Any]
    receive_frames: Callable[[], Any]

    def send_many(self, message: bytes, count: int) -> None:
        send = self.send
        for _ in range(count):
            send(message)

    def receive_many(self, count: int) -> None:
        receive = self.receive
        for _ in range(count):
            receive()

    def body(self, message: Any) -> bytes:
        """The only frame of a received message."""
        body: bytes = message
        return body

    def wait_peers(self, count: int) -> None:
        """Wait until *count* peers are there, where the engine does not do so by itself."""

    def close(self) -> None:
        """Close at once, whatever is still queued."""


class Engine(ABC):
    """Makes the sockets of one measurement; *size* is the bytes of each of its messages."""

    version: str

    def __init__(self, size: int) -> None:
        self.size = size

    @abstractmethod
    def bind(self, pattern: str, endpoint: str) -> Socket:
        """Make a socket of type *pattern*, such as ``PULL``, on a port that the system chooses."""

    @abstractmethod
    def connect(self, pattern: str, endpoint: str) -> Socket:
        """Make a socket of type *pattern*; SUB sockets subscribe to everything."""

    @abstractmethod
    def receive_from_all(self, sockets: Sequence[Socket], count: int) -> None:
        """Receive *count* messages from each of *sockets*, as they come."""

    @staticmethod
    @abstractmethod
    def wait_readable(descriptor: int) -> None:
        """Wait for the next command while the sockets do what they have left to do."""
