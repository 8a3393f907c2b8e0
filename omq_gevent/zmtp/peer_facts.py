"""What a handshake found out about the peer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["PeerFacts"]


class PeerFacts(NamedTuple):
    """What the peer said about itself, checked; constant for the life of the connection.

    ``properties`` is all of its metadata, ``Socket-Type`` and ``Identity`` included. ``identity``
    is empty unless the peer is a REQ, DEALER or ROUTER that gave one. The version is the announced
    one, which may be newer than ours: compare ``(major, minor)`` as a pair, since 4.0 comes after
    3.1. ``user_id`` is empty when no authenticator was asked.
    """

    socket_type: str
    identity: bytes
    properties: Mapping[str, bytes]
    mechanism: str
    major: int
    minor: int
    user_id: str
