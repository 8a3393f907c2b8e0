"""Write docs/options.md from the declarations of the options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omq_gevent import sockets
from omq_gevent.options import Option, Options
from omq_gevent.socket import Socket

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"

SOCKET_TYPES = [
    member.socket_type
    for member in vars(sockets).values()
    if isinstance(member, type) and issubclass(member, Socket) and member.socket_type
]

HEAD = """\
# Options

Each is a keyword argument when a socket is made, an attribute afterwards, and a keyword argument of
`Context` for all sockets made in it. A value that is not accepted is refused when it is set, and
the error says what would be. Times are in seconds, sizes in bytes. An option that a socket type
does not heed is refused unless it has its default value.

Written by `make docs` from [omq_gevent/options.py](../omq_gevent/options.py); change it there.

| option | default | accepted | socket types | what it does |
|---|---|---|---|---|
"""


def document() -> str:
    """Return the page as it should be."""
    options = [option for name, option in Options.declared().items() if name == option.name]
    return HEAD + "".join(f"| {' | '.join(map(_cell, _row(option)))} |\n" for option in options)


def _row(option: Option[object]) -> list[str]:
    names = f"`{option.name}`"
    if option.aliases:
        names += f", also {_names(option.aliases)}"
    return [names, _default(option.default), option.check.accepts, _types(option), option.doc]


def _default(value: object) -> str:
    if isinstance(value, Mapping):
        value = dict(value)
    return "none" if value == frozenset() else f"`{value!r}`"


def _types(option: Option[object]) -> str:
    heeding = [name for name in SOCKET_TYPES if option.applies_to(name)]
    others = [name for name in SOCKET_TYPES if not option.applies_to(name)]
    if not others:
        return "all"
    return f"all but {', '.join(others)}" if len(others) < 3 else ", ".join(heeding)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
