"""What an option may be set to: checks that say in words what they accept.

A `Check` turns the value that was given into the value that is kept, or raises `OptionError` or
`OptionTypeError` with the reason. The functions below build checks for the kinds of value that
socket options have. ``bool`` is never taken for a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

from omq_gevent.errors import OptionError, OptionTypeError

if TYPE_CHECKING:
    from typing import Union

    BackOff = Union[float, tuple[float, float]]

T = TypeVar("T")

LONGEST = 1e9
"""Seconds (31 years): the longest time that every event loop backend can count."""

INT_MAX = 2**31 - 1
"""The largest number that setsockopt takes."""

METADATA_MAX = 64_000
"""Bytes of encoded metadata: leaves room for our own properties in a 64 KiB handshake."""

_PROPERTY_NAME_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+"
)


class Check(Generic[T]):
    """Turn a value into what the option keeps, or raise `OptionError` or `OptionTypeError`.

    ``accepts`` says in words what is accepted; it completes the sentence "accepted: ...".
    """

    def __init__(self, accepts: str, convert: Callable[[Any], T]) -> None:
        self.accepts = accepts
        self._convert = convert

    def __call__(self, value: object) -> T:
        return self._convert(value)


def optional(check: Check[T], meaning: str, *, or_else: float | None = None) -> Check[T | None]:
    """Accept None as well, which means ``meaning``; ``or_else`` is a number that means the same."""

    def convert(value: object) -> T | None:
        # Not isinstance: False is an int and equals 0.
        if value is None or (type(value) is type(or_else) and value == or_else):
            return None
        return check(value)

    none = "None" if or_else is None else f"None or {or_else}"
    return Check(f"{check.accepts}, or {none} ({meaning})", convert)


def flag() -> Check[bool]:
    """Accept True and False, and nothing that merely counts as true."""

    def convert(value: object) -> bool:
        if not isinstance(value, bool):
            raise OptionTypeError(f"it is {_kind(value)}")
        return value

    return Check("True or False", convert)


def count(minimum: int = 0, maximum: int | None = None, unit: str = "") -> Check[int]:
    """Accept a whole number, both limits included."""

    def convert(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise OptionTypeError(f"it is {_kind(value)}")
        if value < minimum:
            raise OptionError("it is too small")
        if maximum is not None and value > maximum:
            raise OptionError("it is too large")
        return value

    kind = f"a whole number of {unit}" if unit else "a whole number"
    limits = f">= {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    return Check(f"{kind} {limits}", convert)


def seconds(*, zero: bool = True, maximum: float = LONGEST) -> Check[float]:
    """Accept a finite number of seconds, an int or a float; ``zero`` says whether 0 is accepted."""

    def convert(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise OptionTypeError(f"it is {_kind(value)}")
        if isinstance(value, float) and math.isnan(value):
            raise OptionError("it is not a number")
        if value < 0:
            raise OptionError("it is negative")
        if value == 0 and not zero:
            raise OptionError("it is zero")
        if value > maximum:
            raise OptionError("it is too long")
        return value

    return Check(f"seconds, a number {'>=' if zero else '>'} 0 and <= {maximum:.10g}", convert)


def back_off() -> Check[BackOff]:
    """Accept seconds above zero, or a (min, max) pair of them, which is kept as a tuple."""
    one = seconds(zero=False)

    def convert(value: object) -> BackOff:
        if not isinstance(value, (tuple, list)):
            return one(value)
        if len(value) != 2:
            raise OptionError(f"it has {len(value)} items")
        first, last = one(value[0]), one(value[1])
        if first > last:
            raise OptionError("its min is greater than its max")
        return first, last

    return Check(f"{one.accepts}, or a tuple (min, max) of two such numbers", convert)


def byte_string(minimum: int = 0, maximum: int | None = None, *, nul: bool = True) -> Check[bytes]:
    """Accept a bytes-like object, kept as bytes; ``nul`` says whether it may start with a NUL."""

    def convert(value: object) -> bytes:
        text = _to_bytes(value)
        if len(text) < minimum:
            raise OptionError("it is empty" if not text else f"it has {len(text)} bytes")
        if maximum is not None and len(text) > maximum:
            raise OptionError(f"it has {len(text)} bytes")
        if not nul and text.startswith(b"\0"):
            raise OptionError("names that start with a NUL are kept for generated ones")
        return text

    limits = f" of at least {minimum}" if maximum is None else f" of {minimum} to {maximum}"
    size = "" if maximum is None and not minimum else f"{limits} bytes"
    return Check(f"bytes{size}{'' if nul else ' that do not start with a NUL'}", convert)


def message() -> Check[tuple[bytes, ...]]:
    """Accept bytes (a message of one frame) or a sequence of them, kept as a tuple of frames."""

    def convert(value: object) -> tuple[bytes, ...]:
        if not isinstance(value, (list, tuple)):
            return (_to_bytes(value),)
        if not value:
            raise OptionError("a message has at least one frame")
        return tuple(_to_bytes(frame) for frame in value)

    return Check("bytes, or a list or tuple of bytes (one for each frame)", convert)


def choice(*names: str) -> Check[str]:
    """Accept one of these names."""
    accepts = " or ".join(repr(name) for name in names)
    return Check(accepts, lambda value: _one_of(names, value))


def subset(*names: str) -> Check[frozenset[str]]:
    """Accept any number of these names, kept as a frozenset."""

    def convert(value: object) -> frozenset[str]:
        return frozenset(_one_of(names, item) for item in _items(value))

    return Check(f"a set, list or tuple with any of {', '.join(map(repr, names))}", convert)


def id_set() -> Check[frozenset[int]]:
    """Accept any number of process, user or group ids, kept as a frozenset."""
    one = count()

    def convert(value: object) -> frozenset[int]:
        return frozenset(one(item) for item in _items(value))

    return Check("a set, list or tuple of whole numbers >= 0", convert)


def device_name() -> Check[str]:
    """Accept the name of a network interface: at most 15 bytes, no slash, blank or NUL."""

    def convert(value: object) -> str:
        if not isinstance(value, str):
            raise OptionTypeError(f"it is {_kind(value)}")
        if not 1 <= len(value.encode("utf-8", "replace")) <= 15:
            raise OptionError("it is empty" if not value else "it is too long")
        if any(character in "/\0" or character.isspace() for character in value):
            raise OptionError("it has a character that no interface name has")
        return value

    return Check("the name of a network interface, such as 'eth0'", convert)


def metadata_properties() -> Check[Mapping[str, bytes]]:
    """Accept handshake properties of the application's own, kept as a read-only copy."""

    def convert(value: object) -> Mapping[str, bytes]:
        if not isinstance(value, Mapping):
            raise OptionTypeError(f"it is {_kind(value)}")
        properties = {_property_name(name): _to_bytes(text) for name, text in value.items()}
        if len({name.lower() for name in properties}) < len(properties):
            raise OptionError("two names differ only in upper and lower case")
        # On the wire: one octet of name length, four of value length.
        if sum(5 + len(name) + len(text) for name, text in properties.items()) > METADATA_MAX:
            raise OptionError("it is too large")
        return MappingProxyType(properties)

    return Check(
        "a mapping of names that start with 'X-' (letters, digits, '-', '_', '.', '+'; at most"
        f" 255) to bytes, {METADATA_MAX} bytes in all",
        convert,
    )


def security_mechanism() -> Check[Any]:
    """Accept a security mechanism that finds its own configuration usable."""

    def convert(value: Any) -> Any:
        if isinstance(value, type):
            raise OptionTypeError("it is a class, not an instance of it")
        if not all(callable(getattr(value, name, None)) for name in ("session", "check")):
            raise OptionTypeError(f"it is {_kind(value)}")
        value.check()
        return value

    return Check("a security mechanism: an object with the methods session and check", convert)


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _to_bytes(value: object) -> bytes:
    if isinstance(value, str):
        raise OptionTypeError("a str has no bytes until it is encoded")
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise OptionTypeError(f"there is a value of type {type(value).__name__}")
    return bytes(value)


def _items(value: object) -> Iterable[object]:
    # A str is iterable too, but its characters are never what was meant.
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise OptionTypeError(f"it is {_kind(value)}")
    return value


def _one_of(names: tuple[str, ...], value: object) -> str:
    if not isinstance(value, str):
        raise OptionTypeError(f"there is a value of type {type(value).__name__}")
    if value not in names:
        raise OptionError("there is no such name")
    return value


def _property_name(name: object) -> str:
    if not isinstance(name, str):
        raise OptionTypeError(f"there is a name of type {type(name).__name__}")
    if not name.lower().startswith("x-") or len(name) > 255:
        raise OptionError(f"the name {name!r:.60} does not start with 'X-' or is too long")
    if not _PROPERTY_NAME_CHARACTERS.issuperset(name):
        raise OptionError(f"the name {name!r:.60} has a character that is not accepted")
    return name
