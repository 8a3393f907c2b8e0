"""The scale benchmark runs, with a small crowd, and the targets hold for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_small_crowd_is_within_the_targets() -> None:
    arguments = ["--peers", "300", "--seconds", "1", "--engines", "omq_gevent", "--check"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    rows = [line.split(",")[0] for line in done.stdout.splitlines()]
    for figure in ("all connected", "memory per idle connection", "all back after a restart"):
        assert figure in rows
    few, many = (
        float(line.split("us")[1].split()[0])
        for line in done.stdout.splitlines()
        if line.startswith("PUB send with")
    )
    assert many < 5 * few, "matching must not depend on the number of subscriptions"
