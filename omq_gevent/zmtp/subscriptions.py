"""Who wants which topics: the subscriber's own list, and the publisher's index of subscribers.

A subscription is a binary prefix of the first frame. To find those that match a topic, the topic
is cut to each length that any subscription has, and each cut is looked up in a dict. The cost
depends on how many *lengths* are in use (a few), not on how many subscriptions there are, and is
at most one look-up per octet of the topic however hostile the set of subscriptions is.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["SubscriptionCounts", "SubscriptionIndex"]

Peer = TypeVar("Peer", bound=Hashable)


class _PrefixLengths:
    """The distinct lengths of a set of prefixes, ascending, kept while prefixes come and go."""

    __slots__ = ("_counts", "ascending")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.ascending: list[int] = []

    def add(self, length: int) -> None:
        count = self._counts.get(length, 0)
        self._counts[length] = count + 1
        if not count:
            insort(self.ascending, length)

    def remove(self, length: int) -> None:
        self._counts[length] -= 1
        if not self._counts[length]:
            del self._counts[length]
            del self.ascending[bisect_left(self.ascending, length)]


class SubscriptionCounts:
    """The subscriptions of a SUB socket, each counted.

    Publishers keep one subscription per prefix and peer, and drop it at the first CANCEL. So only
    the last cancellation of several equal subscriptions may be told to them.
    """

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._lengths = _PrefixLengths()

    def add(self, prefix: bytes) -> bool:
        """Count one more subscription; return True if it is the first to that prefix."""
        count = self._counts.get(prefix, 0)
        self._counts[prefix] = count + 1
        if count:
            return False
        self._lengths.add(len(prefix))
        return True

    def remove(self, prefix: bytes) -> bool:
        """Count one subscription less; return True if CANCEL must be sent.

        A prefix that is not subscribed to is ignored.
        """
        count = self._counts.get(prefix, 0)
        if count > 1:
            self._counts[prefix] = count - 1
            return False
        if not count:
            return False
        del self._counts[prefix]
        self._lengths.remove(len(prefix))
        return True

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the distinct prefixes as they are now, oldest first."""
        return iter(tuple(self._counts))

    def matches(self, topic: bytes) -> bool:
        """Return whether any subscription is a prefix of *topic*."""
        counts = self._counts
        size = len(topic)
        for length in self._lengths.ascending:
            if length > size:
                return False
            if topic[:length] in counts:
                return True
        return False


class SubscriptionIndex(Generic[Peer]):
    """The subscriptions of a publisher's peers: a set of prefixes for each peer.

    Not counted: one CANCEL ends a subscription however often the peer had asked for it, because
    libzmq's SUB sends SUBSCRIBE every time but CANCEL only once.
    """

    def __init__(self) -> None:
        # Dicts serve as ordered sets, so that peers are served in the order of their coming.
        self._peers: dict[bytes, dict[Peer, None]] = {}
        self._prefixes: dict[Peer, dict[bytes, None]] = {}
        self._sizes: dict[Peer, int] = {}
        self._lengths = _PrefixLengths()  # of all prefixes but b""
        # What match() answers for a prefix, until that prefix's subscribers change. Tuples, so
        # that a fan-out may go on over one while subscribers come and go.
        self._answers: dict[bytes, tuple[Peer, ...]] = {}

    def __len__(self) -> int:
        """Return the number of distinct prefixes."""
        return len(self._peers)

    def add(self, prefix: bytes, peer: Peer) -> tuple[bool, bool]:
        """Subscribe *peer* to *prefix*; return (new for this peer, new for everybody)."""
        peers = self._peers.get(prefix)
        if peers is None:
            self._peers[prefix] = {peer: None}
            if prefix:
                self._lengths.add(len(prefix))
        elif peer in peers:
            return False, False
        else:
            peers[peer] = None
            self._answers.pop(prefix, None)
        self._prefixes.setdefault(peer, {})[prefix] = None
        self._sizes[peer] = self._sizes.get(peer, 0) + len(prefix)
        return True, peers is None

    def remove(self, prefix: bytes, peer: Peer) -> tuple[bool, bool]:
        """End a subscription; return (it was there, nobody has that prefix any more)."""
        prefixes = self._prefixes.get(peer)
        if prefixes is None or prefix not in prefixes:
            return False, False
        del prefixes[prefix]
        self._sizes[peer] -= len(prefix)
        if not prefixes:
            del self._prefixes[peer], self._sizes[peer]
        return True, self._drop(prefix, peer)

    def remove_peer(self, peer: Peer) -> list[bytes]:
        """End all subscriptions of *peer*; return the prefixes that nobody has any more."""
        self._sizes.pop(peer, None)
        return [prefix for prefix in self._prefixes.pop(peer, ()) if self._drop(prefix, peer)]

    def _drop(self, prefix: bytes, peer: Peer) -> bool:
        """Take *peer* off a prefix that it has; return whether the prefix is gone."""
        self._answers.pop(prefix, None)
        peers = self._peers[prefix]
        del peers[peer]
        if peers:
            return False
        del self._peers[prefix]
        if prefix:
            self._lengths.remove(len(prefix))
        return True

    def prefixes_of(self, peer: Peer) -> tuple[bytes, ...]:
        """Return what *peer* is subscribed to, oldest first."""
        return tuple(self._prefixes.get(peer, ()))

    def count_of(self, peer: Peer) -> int:
        """Return how many prefixes *peer* is subscribed to."""
        return len(self._prefixes.get(peer, ()))

    def size_of(self, peer: Peer) -> int:
        """Return how many bytes the prefixes of *peer* have together."""
        return self._sizes.get(peer, 0)

    def match(self, topic: bytes) -> tuple[Peer, ...]:
        """Return the peers with a subscription that is a prefix of *topic*, each once."""
        subscribed = self._peers
        found = b"" if b"" in subscribed else None
        merged: dict[Peer, None] | None = None
        size = len(topic)
        for length in self._lengths.ascending:
            if length > size:
                break
            prefix = topic[:length]
            if prefix in subscribed:
                if found is None:
                    found = prefix
                elif merged is None:
                    merged = {**subscribed[found], **subscribed[prefix]}
                else:
                    merged.update(subscribed[prefix])
        if merged is not None:
            return tuple(merged)
        if found is None:
            return ()
        answer = self._answers.get(found)
        if answer is None:
            answer = self._answers[found] = tuple(subscribed[found])
        return answer
