"""What a process writes down about each message, so that it outlives the process.

Every note is one system call: what a killed process had noted is in the file.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTE = struct.Struct("=BIIII")  # kind, connection, stream, number, bytes on the wire

ACCEPTED = 1
"""``send`` has returned."""
WRITTEN = 2
"""The kernel has taken the last byte."""
READ = 3
"""The last byte was read from the kernel."""
DELIVERED = 4
"""``receive`` has returned it."""
GIVEN_UP = 5
"""A request whose answer the user waits for no longer."""


class Journal:
    """One incarnation's notes (binary, many) and facts (JSON, few)."""

    def __init__(self, directory: Path, incarnation: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._notes = os.open(directory / f"{incarnation}.notes", flags, 0o600)
        self._facts = os.open(directory / f"{incarnation}.facts", flags, 0o600)

    def note(self, kind: int, stream: int, number: int, connection: int = 0, size: int = 0) -> None:
        os.write(self._notes, NOTE.pack(kind, connection, stream, number, size))

    def note_all(self, notes: list[bytes]) -> None:
        """Write packed notes in one call."""
        os.write(self._notes, b"".join(notes))

    def fact(self, kind: str, **facts: Any) -> None:
        os.write(self._facts, json.dumps({"fact": kind, **facts}).encode() + b"\n")


def read_notes(directory: Path, incarnation: int) -> Iterator[tuple[int, int, int, int, int]]:
    path = directory / f"{incarnation}.notes"
    if not path.exists():  # killed before it began
        return
    with path.open("rb") as file:
        while data := file.read(NOTE.size * 65536):
            whole = len(data) - len(data) % NOTE.size
            yield from NOTE.iter_unpack(data[:whole])


def read_facts(directory: Path, incarnation: int) -> list[dict[str, Any]]:
    path = directory / f"{incarnation}.facts"
    if not path.exists():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in whole]
