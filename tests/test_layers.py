"""Imports point one way: each module may only use what lies in its own layer or below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    {"interfaces"},
    {"_version", "endpoint", "errors", "message", "option_checks", "options"},
    {"mechanisms", "zmtp"},
    {"flow"},
    {"routing", "transports"},
    {"monitors", "registry"},
    {"engine"},
    {"context", "socket", "threadsafe"},
    {"poller", "proxy", "sockets"},
    {"__init__", "__main__", "auth", "cli", "monkey", "testing", "zmq"},
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

# Parts of the same layer or of one below that must not be seen all the same.
CLOSED = {
    "zmtp": ("mechanisms",),
    "routing": ("transports",),
    "transports": ("routing",),
    "engine": ("mechanisms", "routing", "transports"),
}
# A mechanism speaks in commands and metadata, and quotes what the peer sent.
ZMTP_FOR_MECHANISMS = {f"omq_gevent.zmtp.{name}" for name in ("command", "metadata", "printable")}

SANS_IO = ("gevent", "greenlet", "select", "selectors", "socket", "time")
FOREIGN_CLOSED = {
    "zmtp": SANS_IO,
    "mechanisms": SANS_IO,
    "flow": ("gevent.socket", "socket"),
}
FOREIGN_OF_INTERFACES = ("__future__", "collections.abc", "typing", "zope.interface")


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield dotted name and file of each module of the package; interfaces/ is part of it."""
    for folder, package in (("omq_gevent", "omq_gevent"), ("interfaces", "omq_gevent.interfaces")):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            if folder == "omq_gevent" and parts[0] == "interfaces":
                continue  # reached through the symlink
            yield ".".join((package, *parts)), path


def imports(name: str, tree: ast.Module, known: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of everything imported, wherever in the module it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = name.split(".")[: -node.level] if node.level else []
            source = ".".join(filter(None, (*origin, node.module)))
            for alias in node.names:
                full = f"{source}.{alias.name}"
                is_module = full in known or f"{full}.__init__" in known
                yield node.lineno, full if is_module or source == "gevent" else source
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = ast.unparse(node.func)
            if function in ("__import__", "import_module", "importlib.import_module"):
                yield node.lineno, str(node.args[0].value)


def part_of(name: str) -> str:
    return (name.split(".") + ["__init__"])[1]


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def fault(importer: str, imported: str) -> str | None:
    """Say why *importer* must not import *imported*, or return None if it may."""
    part = part_of(importer)
    if not within(imported, ("omq_gevent",)):
        if part == "interfaces" and not within(imported, FOREIGN_OF_INTERFACES):
            return "interfaces stand on zope.interface alone"
        if within(imported, FOREIGN_CLOSED.get(part, ())):
            return f"{part} never uses it"
        return None
    target = part_of(imported)
    if target not in LEVEL:
        return f"{target} has no layer"
    if LEVEL[target] > LEVEL[part]:
        return f"{target} lies above {part}"
    if target in CLOSED.get(part, ()):
        return f"{part} must not see {target}"
    if part == "mechanisms" and target == "zmtp" and imported not in ZMTP_FOR_MECHANISMS:
        return f"mechanisms use nothing of zmtp but {', '.join(sorted(ZMTP_FOR_MECHANISMS))}"
    return None


def violations(root: Path) -> list[str]:
    files = dict(modules(root))
    found = []
    for name, path in files.items():
        if part_of(name) not in LEVEL:
            found.append(f"{name} has no layer: give it one in {Path(__file__).name}")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, imported in imports(name, tree, set(files)):
            if why := fault(name, imported):
                found.append(f"{path.relative_to(root)}:{line} imports {imported}: {why}")
    return found


def test_every_import_points_down():
    assert violations(ROOT) == []


def test_the_whole_package_is_read():
    names = {name for name, _ in modules(ROOT)}
    assert {"omq_gevent.__init__", "omq_gevent.errors", "omq_gevent.interfaces.__init__"} <= names


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("omq_gevent/errors.py", "from omq_gevent.zmtp import frame", "zmtp lies above errors"),
        ("omq_gevent/options.py", "from .flow.queue import Queue", "flow lies above options"),
        ("omq_gevent/errors.py", "import omq_gevent", "__init__ lies above errors"),
        ("omq_gevent/errors.py", "from . import engine", "engine lies above errors"),
        ("omq_gevent/zmtp/frame.py", "import gevent.event", "zmtp never uses it"),
        ("omq_gevent/zmtp/frame.py", "from time import monotonic", "zmtp never uses it"),
        ("omq_gevent/zmtp/frame.py", "from ..mechanisms import null", "must not see mechanisms"),
        (
            "omq_gevent/mechanisms/null.py",
            "from omq_gevent.zmtp import frame",
            "nothing of zmtp but",
        ),
        ("omq_gevent/flow/queue.py", "from gevent import socket", "flow never uses it"),
        (
            "omq_gevent/routing/push.py",
            "import omq_gevent.transports.tcp",
            "must not see transports",
        ),
        ("omq_gevent/transports/tcp.py", "from ..routing import push", "must not see routing"),
        (
            "omq_gevent/engine/dial.py",
            "from ..transports.tcp import dial",
            "must not see transports",
        ),
        (
            "omq_gevent/socket.py",
            "from omq_gevent.sockets import PUSH",
            "sockets lies above socket",
        ),
        (
            "omq_gevent/flow/queue.py",
            "def f():\n    from .. import registry",
            "registry lies above",
        ),
        (
            "omq_gevent/flow/queue.py",
            "import_module('omq_gevent.engine')",
            "engine lies above flow",
        ),
        (
            "omq_gevent/flow/queue.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..engine import dial",
            "engine lies above flow",
        ),
        ("interfaces/engine.py", "import enum", "zope.interface alone"),
        ("interfaces/engine.py", "from ..errors import Error", "errors lies above interfaces"),
        ("omq_gevent/helpers.py", "", "has no layer"),
    ],
)
def test_a_planted_violation_is_found(tmp_path, path, source, complaint):
    for existing in ("mechanisms/null", "zmtp/frame", "engine/dial", "routing/push", "registry"):
        file = tmp_path / "omq_gevent" / f"{existing}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "omq_gevent/engine/__init__.py").touch()
    planted = tmp_path / path
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(source)
    [found] = violations(tmp_path)
    assert complaint in found


def test_imports_that_are_allowed(tmp_path):
    allowed = {
        "interfaces/engine.py": "from typing import Any\nfrom zope.interface import Interface",
        "omq_gevent/mechanisms/null.py": "from ..zmtp import command\nfrom ..errors import Error",
        "omq_gevent/zmtp/command.py": "import struct\nfrom omq_gevent import errors",
        "omq_gevent/errors.py": "import errno",
        "omq_gevent/flow/queue.py": "from gevent.event import Event",
        "omq_gevent/registry.py": "from omq_gevent.mechanisms import null",
        "omq_gevent/__init__.py": "from .registry import register",
    }
    for path, source in allowed.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    assert violations(tmp_path) == []
