"""What the pages in docs/ say is so: links, paths, tests, numbers, states, events, options."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from omq_gevent.engine import connection_lifecycle, socket_lifecycle
from omq_gevent.monitors.event import KINDS
from omq_gevent.monitors.levels import LEVELS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
MONITORING = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")

TABLES = {
    "SocketLifecycle": socket_lifecycle.TRANSITIONS,
    "ConnectionLifecycle": connection_lifecycle.TRANSITIONS,
}
DIAGRAMS = dict(
    re.findall(r"^```mermaid\nstateDiagram-v2\n\s+%% (\w+)\n(.*?)^```$", ARCHITECTURE, re.M | re.S)
)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(page: str, head: str) -> Iterator[list[str]]:
    """The cells of the table whose first line begins with *head*."""
    _, found, table = page.partition(f"\n{head}")
    assert found, f"there is no table {head!r}"
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = {link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    for target in targets:
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{target} leads nowhere"
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M)
            assert heading in {re.sub(r"[^\w-]", "", t.lower().replace(" ", "-")) for t in titles}


def test_every_path_in_the_architecture_exists() -> None:
    named = set(re.findall(r"`([\w./]+\.py)`", ARCHITECTURE))
    named |= set(re.findall(r"`([\w/]+/)`", ARCHITECTURE))
    assert len(named) > 20
    places = (ROOT, ROOT / "omq_gevent", ROOT / "tests/routing")
    assert [path for path in named if not any((place / path).exists() for place in places)] == []


def test_every_test_in_the_architecture_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", ARCHITECTURE))
    defined = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(named) > 20
    assert named - defined == set()


def test_every_number_in_the_architecture_is_the_real_one() -> None:
    table = list(rows(ARCHITECTURE, "| module | name | value |"))
    assert table
    for module, name, value, _ in table:
        dotted = module.strip("`")[: -len(".py")].replace("/", ".")
        real = getattr(importlib.import_module(f"omq_gevent.{dotted}"), name.strip("`"))
        assert real == ast.literal_eval(value), f"{module} {name}"


def test_the_layers_are_those_that_imports_are_checked_for() -> None:
    layers = load(ROOT / "tests/test_layers.py").LEVEL
    section = ARCHITECTURE.partition("\n## Layers\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\d+\. (.*)$", section, re.M)
    named = [[name for name in re.findall(r"`(\w+)`", line) if name in layers] for line in lines]
    assert [{layers[name] for name in names} for names in named] == [
        {level} for level in range(len(lines))
    ]


def test_each_lifecycle_has_a_diagram() -> None:
    assert DIAGRAMS.keys() == TABLES.keys()


@pytest.mark.parametrize("name", TABLES)
def test_a_diagram_shows_exactly_the_moves_that_are_allowed(name: str) -> None:
    moves = [line.partition(":")[0].split(" --> ") for line in DIAGRAMS[name].strip().splitlines()]
    drawn = {(source.strip(), target.strip()) for source, target in moves}
    allowed = {(source, target) for source, targets in TABLES[name].items() for target in targets}
    ends = {(source, "[*]") for source, targets in TABLES[name].items() if not targets}
    assert len(moves) == len(drawn)
    assert drawn == {("[*]", "new")} | allowed | ends


@pytest.mark.parametrize("name", TABLES)
def test_the_words_below_a_diagram_say_the_same(name: str) -> None:
    _, _, after = ARCHITECTURE.partition(DIAGRAMS[name])
    found = re.search(r"^In words: (.*)$", after, re.M)
    assert found is not None
    said = set()
    for chain in re.split(r"[;,]", found[1]):
        states = [part.split()[-1].strip(".") for part in chain.split(" → ")]
        said |= set(zip(states, states[1:]))
    assert said == {(source, target) for source in TABLES[name] for target in TABLES[name][source]}


def test_the_options_are_those_that_are_declared() -> None:
    tool = load(ROOT / "tools/document_options.py")
    written = tool.PAGE.read_text(encoding="utf-8")
    assert written == tool.document(), "run make docs"
    assert all(f"`{name}`" in written for name in tool.Options.declared())


def test_the_events_are_those_that_are_told_at_those_levels() -> None:
    table = list(rows(MONITORING, "| kind | when |"))
    kinds = [row[0].strip("`") for row in table]
    assert sorted(kinds) == sorted(KINDS)
    # How loud the first retry is depends on the event.
    levels: dict[str, Any] = {kind: LEVELS.get(kind, 10) for kind in KINDS} | {
        "connect_retried": 20
    }
    names = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR"}
    shown = {kind: re.split(r"\W", row[3])[0] for kind, row in zip(kinds, table)}
    assert shown == {kind: names[level] for kind, level in levels.items()}


PROGRAMS = [
    pytest.param(program, id=f"{page.stem}-{number}")
    for page in PAGES[1:]
    for number, program in enumerate(
        re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    )
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs_and_its_assertions_hold(program: str) -> None:
    command = [sys.executable, "-X", "dev", "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert "assert " in program
