"""Show what a peer sent in a message or a log line: printable ASCII on one line, never long."""

from __future__ import annotations

__all__ = ["printable"]

_SHOWN = 40


def printable(text: bytes) -> str:
    """Return the peer's *text* with everything but printable ASCII escaped, cut after 40 bytes."""
    shown = text[:_SHOWN].decode("latin-1").encode("unicode_escape").decode("ascii")
    return shown if len(text) <= _SHOWN else shown + "..."
