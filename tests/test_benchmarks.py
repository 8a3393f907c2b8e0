"""The benchmark runs, and says what it found and what it could not find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def bench(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_quick_run_ends_with_a_table_and_json(tmp_path):
    pytest.importorskip("zmq")
    file = tmp_path / "figures.json"
    engines = ("--engines", "omq_gevent,pyzmq")
    done = bench("--quick", "--seconds", 0.1, "--rounds", 1, *engines, "--json", file)
    assert (done.returncode, done.stderr) == (0, "")
    table = done.stdout.splitlines()
    for row in (
        "PUSH/PULL 128 B: throughput",
        "PUSH/PULL 128 B: CPU per million",
        "REQ/REP 128 B: round trip p50",
        "REQ/REP 128 B: round trip p99",
        "PUB to 1 SUB 128 B: deliveries",
    ):
        [line] = [line for line in table if line.startswith(row)]
        assert ".." in line, "no ratio"
    for point in json.loads(file.read_text())["points"]:
        for metric in point["metrics"]:
            ours, other = (point["engines"][name] for name in ("omq_gevent", "pyzmq"))
            assert ours["failure"] is other["failure"] is None
            [our_value], [other_value] = (side[metric["key"]]["rounds"] for side in (ours, other))
            assert our_value > 0
            assert other[metric["key"]]["ratio"]["median"] == our_value / other_value


def test_an_engine_that_cannot_be_run_is_shown_and_misses_its_target(tmp_path):
    # A module that is found first and cannot be imported: as if pyzmq were not installed.
    (tmp_path / "zmq.py").write_text("raise ModuleNotFoundError('it is gone')")
    done = bench(
        *("--seconds", 0.02, "--rounds", 1, "--engines", "omq_gevent,zmq.green", "--check"),
        *("--workloads", "req_rep"),
        PYTHONPATH=str(tmp_path),
    )
    assert done.returncode == 1, done.stderr
    assert "zmq.green: not installed (it is gone)" in done.stdout
    assert "FAIL REQ/REP 128 B round trip p50 <= 0.6 x zmq.green: not measured" in done.stdout
    assert "PUSH/PULL 128 B throughput" not in done.stdout
