"""Encode and read the metadata of a handshake: a list of named properties.

A property is the length of the name (1 byte), the name, the length of the value (4 bytes, network
order) and the value. Names are compared without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Union

from ..errors import MetadataError
from .printable import printable

__all__ = ["MAX_SIZE", "Properties", "encode", "parse"]

MAX_SIZE = 64 * 1024
"""Most bytes that the metadata of one peer may take."""

Properties = Union[Mapping[str, bytes], Iterable[tuple[str, bytes]]]

_NAME = re.compile(rb"[A-Za-z0-9._+-]{1,255}")
# libzmq compares names byte for byte, so these must go out, and are kept, in just this spelling.
_CANONICAL = {name.lower(): name for name in ("Socket-Type", "Identity", "Resource")}


def encode(properties: Properties) -> bytes:
    """Return the properties as metadata, in the order given.

    Raises ValueError if a name is not 1 to 255 of the characters A-Z, a-z, 0-9 and ``-_.+``, or
    if the whole takes more than 64 KiB.
    """
    parts: list[bytes] = []
    for name, value in properties.items() if isinstance(properties, Mapping) else properties:
        raw = name.encode("utf-8")
        if not _NAME.fullmatch(raw):
            raise ValueError(
                f"property name {name!r}: 1 to 255 characters of A-Z a-z 0-9 - _ . + are needed"
            )
        parts += bytes((len(raw),)), raw, len(value).to_bytes(4, "big"), value
    encoded = b"".join(parts)
    if len(encoded) > MAX_SIZE:
        raise ValueError(f"metadata of {len(encoded)} bytes: at most {MAX_SIZE} can be sent")
    return encoded


def parse(data: bytes) -> dict[str, bytes]:
    """Return the properties by name; the names that ZMTP defines get its own spelling.

    Raises MetadataError if the metadata is cut short, takes more than 64 KiB, names a property
    twice, or has a name that is empty or holds a character that no name may hold.
    """
    end = len(data)
    if end > MAX_SIZE:
        raise MetadataError(f"metadata of {end} bytes: at most {MAX_SIZE} are accepted")
    properties: dict[str, bytes] = {}
    seen = set()
    position = 0
    while position < end:
        stop = position + 1 + data[position]
        value_start = stop + 4
        if value_start > end:
            raise MetadataError("metadata ends within a property's name or length")
        raw = data[position + 1 : stop]
        if not _NAME.fullmatch(raw):
            raise MetadataError(f"illegal property name '{printable(raw)}'")
        name = raw.decode("ascii")
        key = name.lower()
        if key in seen:
            raise MetadataError(f"property {printable(raw)} is given twice")
        seen.add(key)
        size = int.from_bytes(data[stop:value_start], "big")
        position = value_start + size
        if position > end:
            raise MetadataError(
                f"property {printable(raw)} claims {size} bytes, {end - value_start} are there"
            )
        properties[_CANONICAL.get(key, name)] = data[value_start:position]
    return properties
