"""Subscriptions: what a SUB tells its publishers, and whom a publisher's message goes to."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omq_gevent.zmtp.subscriptions import SubscriptionCounts, SubscriptionIndex

short_prefixes = st.text("ab", max_size=4).map(str.encode)


class CountedTopic(bytes):
    """A topic that counts how often it is cut, which is once for each look-up."""

    cuts = 0

    def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
        type(self).cuts += 1
        return super().__getitem__(key)  # type: ignore[call-overload, no-any-return]


def look_ups(index: SubscriptionIndex[str], topic: bytes) -> int:
    CountedTopic.cuts = 0
    index.match(CountedTopic(topic))
    return CountedTopic.cuts


# The subscriber's side.


def test_only_the_first_subscription_and_the_last_cancellation_are_sent() -> None:
    counts = SubscriptionCounts()
    assert counts.add(b"a")
    assert not counts.add(b"a")
    assert not counts.remove(b"a")
    assert counts.matches(b"abc")
    assert counts.remove(b"a")
    assert not counts.matches(b"abc")
    assert counts.add(b"a")


def test_cancelling_what_is_not_subscribed_sends_nothing() -> None:
    counts = SubscriptionCounts()
    assert not counts.remove(b"a")
    counts.add(b"ab")
    assert not counts.remove(b"a")
    assert counts.matches(b"ab")


def test_iteration_gives_each_prefix_once_and_survives_changes() -> None:
    counts = SubscriptionCounts()
    for prefix in (b"b", b"", b"b", b"a"):
        counts.add(prefix)
    seen = []
    for prefix in counts:
        seen.append(prefix)
        counts.add(prefix + b"more")
        counts.remove(prefix)
    assert seen == [b"b", b"", b"a"]


def test_prefixes_are_binary_and_the_empty_one_matches_all() -> None:
    counts = SubscriptionCounts()
    assert not counts.matches(b"")
    counts.add(b"\0\xff")
    assert counts.matches(b"\0\xff\0")
    assert not counts.matches(b"\0")
    assert not counts.matches(b"")
    counts.add(b"")
    assert counts.matches(b"")
    assert counts.matches(b"x")


@given(st.lists(st.tuples(st.booleans(), short_prefixes)), short_prefixes)
def test_matches_agrees_with_startswith(steps: list[tuple[bool, bytes]], topic: bytes) -> None:
    counts = SubscriptionCounts()
    model: Counter[bytes] = Counter()
    for subscribe, prefix in steps:
        if subscribe:
            model[prefix] += 1
            assert counts.add(prefix) == (model[prefix] == 1)
        else:
            assert counts.remove(prefix) == (model[prefix] == 1)
            model[prefix] = max(0, model[prefix] - 1)
    left = [prefix for prefix, count in model.items() if count]
    assert sorted(counts) == sorted(left)
    assert counts.matches(topic) == topic.startswith(tuple(left))


# The publisher's side.


def test_add_tells_what_is_new() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    assert index.add(b"a", "p") == (True, True)
    assert index.add(b"a", "q") == (True, False)
    assert index.add(b"a", "p") == (False, False)
    assert index.add(b"", "p") == (True, True)
    assert len(index) == 2
    assert index.prefixes_of("p") == (b"a", b"")
    assert index.prefixes_of("nobody") == ()


def test_one_cancel_ends_a_repeated_subscription() -> None:
    # libzmq's SUB sends SUBSCRIBE for each call, and CANCEL only for the last.
    index: SubscriptionIndex[str] = SubscriptionIndex()
    for _ in range(3):
        index.add(b"a", "p")
    assert index.remove(b"a", "p") == (True, True)
    assert index.match(b"abc") == ()
    assert len(index) == 0


def test_remove_tells_what_is_gone() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.add(b"a", "p")
    index.add(b"a", "q")
    assert index.remove(b"a", "p") == (True, False)
    assert index.remove(b"a", "p") == (False, False)
    assert index.remove(b"b", "q") == (False, False)
    assert index.remove(b"a", "nobody") == (False, False)
    assert index.remove(b"a", "q") == (True, True)
    assert index.remove(b"a", "q") == (False, False)


def test_remove_peer_tells_the_prefixes_that_nobody_else_has() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    for prefix in (b"a", b"b", b""):
        index.add(prefix, "p")
    index.add(b"b", "q")
    assert index.remove_peer("p") == [b"a", b""]
    assert index.remove_peer("p") == []
    assert index.match(b"a") == ()
    assert index.match(b"b") == ("q",)


def test_a_peer_is_matched_once_however_many_prefixes_fit() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    for prefix in (b"", b"a", b"ab", b"abc"):
        index.add(prefix, "p")
    index.add(b"ab", "q")
    index.add(b"abd", "r")
    assert sorted(index.match(b"abc")) == ["p", "q"]
    assert sorted(index.match(b"a")) == ["p"]


def test_an_empty_topic_matches_only_the_empty_prefix() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.add(b"a", "p")
    assert index.match(b"") == ()
    index.add(b"", "q")
    assert index.match(b"") == ("q",)


def test_a_match_may_be_iterated_while_subscriptions_change() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.add(b"a", "p")
    index.add(b"a", "q")
    served = []
    for peer in index.match(b"a"):
        served.append(peer)
        index.remove_peer(peer)
        index.add(b"a", "late")
    assert served == ["p", "q"]
    assert index.match(b"a") == ("late",)


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "leave"]), short_prefixes, st.integers(0, 3))
    ),
    st.lists(short_prefixes, min_size=1),
)
def test_index_agrees_with_a_plain_set(
    steps: list[tuple[str, bytes, int]], topics: list[bytes]
) -> None:
    index: SubscriptionIndex[int] = SubscriptionIndex()
    model: set[tuple[bytes, int]] = set()
    for step, prefix, peer in steps:
        index.match(topics[0])
        had = {known for known, _ in model}
        if step == "add":
            assert index.add(prefix, peer) == ((prefix, peer) not in model, prefix not in had)
            model.add((prefix, peer))
        elif step == "remove":
            there = (prefix, peer) in model
            model.discard((prefix, peer))
            gone = there and all(known != prefix for known, _ in model)
            assert index.remove(prefix, peer) == (there, gone)
        else:
            model = {entry for entry in model if entry[1] != peer}
            assert set(index.remove_peer(peer)) == had - {known for known, _ in model}
    assert len(index) == len({known for known, _ in model})
    for peer in range(4):
        assert set(index.prefixes_of(peer)) == {known for known, who in model if who == peer}
    for topic in topics:
        matched = index.match(topic)
        assert len(matched) == len(set(matched))
        assert set(matched) == {who for known, who in model if topic.startswith(known)}


# Cost.


@pytest.mark.parametrize("count", [10, 1_000, 50_000])
def test_a_match_takes_one_look_up_for_each_length_in_use(count: int) -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    for number in range(count):
        index.add(b"%08d" % number, "p")
        index.add(b"sensor.%05d." % number, "p")
    assert look_ups(index, b"00000003 and then some") == 2
    index.remove_peer("p")
    assert look_ups(index, b"00000003 and then some") == 0


def test_prefixes_longer_than_the_topic_cost_nothing() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    for length in range(1, 2_000):
        index.add(b"x" * length, "hostile")
    assert look_ups(index, b"abc") == 3


def test_very_long_and_deeply_nested_prefixes_come_and_go() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    huge = b"x" * 5_000_000
    nested = [b"x" * length for length in range(3_000)]
    for prefix in [huge, *nested]:
        index.add(prefix, "hostile")
    assert index.match(huge) == ("hostile",)
    index.remove(huge, "hostile")
    assert set(index.remove_peer("hostile")) == set(nested)
    assert len(index) == 0
    assert index.match(huge) == ()
