"""Subscriptions in the form of messages: ZMTP 3.0's, and the one that applications see.

An octet of 1 (subscribe) or 0 (cancel) comes before the prefix. Peers of ZMTP 3.1 have commands
for this, but many of them go on sending messages, so a publisher must take both at any version.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cancel", "split", "subscribe"]


def subscribe(prefix: bytes) -> bytes:
    """Return the frame that subscribes to all topics that begin with *prefix*."""
    return b"\x01" + prefix


def cancel(prefix: bytes) -> bytes:
    """Return the frame that ends a subscription."""
    return b"\x00" + prefix


def split(
    message: Sequence[bytes], only_first: bool
) -> tuple[list[tuple[bool, bytes]], list[bytes]]:
    """Return the requests in *message* and the frames that are none.

    A request is (True to subscribe or False to cancel, prefix). With *only_first* no frame but
    the first is taken for one.
    """
    requests = []
    rest = []
    for position, frame in enumerate(message):
        if frame and frame[0] <= 1 and not (only_first and position):
            requests.append((frame[0] == 1, frame[1:]))
        else:
            rest.append(frame)
    return requests, rest
