"""Everything in the README that can be checked: its programs, its options, its links."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from omq_gevent.options import Options

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^### (.+?)$|^## (.+?)$|^```python\n(.*?)^```$", README, re.M | re.S)


def programs():
    heading = ""
    for third, second, program in PROGRAMS:
        heading = third or second or heading
        if program:
            yield pytest.param(program, id=heading)


@pytest.mark.parametrize("program", list(programs()))
def test_program_runs_and_its_assertions_hold(program):
    # In development mode warnings, such as that of an unclosed socket, are shown.
    command = [sys.executable, "-X", "dev", "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert "assert " in program


def test_all_sections_with_a_program_were_found():
    assert README.count("```python") == len(list(programs())) >= 6


def test_every_option_is_in_the_overview_once():
    _, _, section = README.partition("\n## Options\n")
    section, _, _ = section.partition("\n## ")
    listed = [
        name
        for line in section.splitlines()
        if line.startswith("| ")
        for name in re.findall(r"`(\w+)`", line)
    ]
    assert sorted(listed) == sorted(option.name for option in Options())


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
