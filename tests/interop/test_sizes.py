"""Large messages and many messages, both ways."""

from __future__ import annotations

import random

import pytest

pytestmark = pytest.mark.interop

MIB = 1024 * 1024
NOISE = random.Random(1).randbytes(MIB)


@pytest.mark.parametrize(
    "sizes",
    [[MIB], [20 * MIB], [1, 20 * MIB, 0, MIB]],
    ids=["1-MiB", "20-MiB", "multipart"],
)
def test_large_messages_go_there_and_back(linked, sizes):
    ours, theirs = linked("DEALER", "DEALER")
    message = [(NOISE * 20)[:size] for size in sizes]
    ours.send(message)
    assert theirs.echo() == sizes
    received = ours.receive()
    assert [len(frame) for frame in received] == sizes
    assert received == message


MANY = [[b"%d" % number, b"!" * (number % 300)] for number in range(2000)]


def test_a_burst_of_ours_arrives_whole_and_in_order(linked):
    ours, theirs = linked("PUSH", "PULL")
    for message in MANY:
        ours.send(message)
    assert theirs.receive_some(len(MANY)) == MANY


def test_a_burst_of_theirs_arrives_whole_and_in_order(linked):
    ours, theirs = linked("PULL", "PUSH")
    theirs.send(*MANY)
    assert [ours.receive() for _ in MANY] == MANY
