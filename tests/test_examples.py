"""The small examples print what they promise. The large one has a test of its own."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def output_of(name: str) -> list[str]:
    command = [sys.executable, "-X", "dev", EXAMPLES / f"{name}.py"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def test_request_reply():
    lines = output_of("request_reply")
    assert {line.partition(",")[0] for line in lines} == {
        f"{n} squared is {n * n}" for n in (1, 2, 3, 11, 12, 13)
    }
    assert Counter(line.rpartition(" ")[2] for line in lines) == {"one": 3, "two": 3}


def test_publish_subscribe():
    lines = output_of("publish_subscribe")
    ann = [line for line in lines if line.startswith("ann")]
    bob = [line for line in lines if line.startswith("bob")]
    hears = "{} hears of {}"
    assert ann == [hears.format("ann", x) for x in ("oslo: snow", "oslo: fog", "all: the end")]
    assert bob == [
        hears.format("bob", x) for x in ("oslo: snow", "rome: sun", "oslo: fog", "all: the end")
    ]


def test_pipeline():
    total = sum(n * n for n in range(100))
    assert output_of("pipeline") == [f"the squares of 0 to 99 add up to {total}"]
