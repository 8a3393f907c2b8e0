"""Subscriptions as messages: which frames are requests, and which are data."""

from __future__ import annotations

import pytest

from omq_gevent.zmtp import subscription_message
from omq_gevent.zmtp.subscription_message import split


@pytest.mark.parametrize("prefix", [b"", b"A", b"\x00\x01", b"x" * 70_000])
def test_what_is_built_is_recognised(prefix: bytes) -> None:
    frames = [subscription_message.subscribe(prefix), subscription_message.cancel(prefix)]
    assert split(frames, only_first=False) == ([(True, prefix), (False, prefix)], [])


def test_empty_frames_and_other_first_octets_are_data() -> None:
    frames = [b"", b"\x02", b"data"]
    assert split(frames, only_first=False) == ([], frames)


def test_requests_are_taken_out_from_among_the_data() -> None:
    frames = [b"one", b"\x01A", b"two", b"\x00B"]
    assert split(frames, only_first=False) == ([(True, b"A"), (False, b"B")], [b"one", b"two"])


def test_only_the_first_frame_may_be_looked_at() -> None:
    assert split([b"\x01A", b"\x01B"], only_first=True) == ([(True, b"A")], [b"\x01B"])
    assert split([b"data", b"\x01B"], only_first=True) == ([], [b"data", b"\x01B"])
