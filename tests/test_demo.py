"""The gateway example, as ``make demo`` runs it: whole, interrupted, and killed.

Its workers write to the same pipe, so reading to the end of the output, as ``communicate`` does,
also waits for the end of each of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DEMO = EXAMPLES / "gateway_demo.py"

pytestmark = [pytest.mark.slow, pytest.mark.interop, pytest.mark.timeout(60)]

GOOD_RUN = {
    "requests": 2,
    "latencies": [0.01, 0.02],
    "served": Counter(worker=2),
    "served_after_restart": 1,
    "events": Counter(worker=1),
    "redispatched": 1,
    "reconnects": 1,
    "lost": 0,
    "failures": [],
}


@pytest.fixture(autouse=True)
def folder_for_sockets(monkeypatch):
    # A killed demo cannot remove its folder; and tmp_path may be too long for a Unix socket.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def start(*arguments: str) -> subprocess.Popen[str]:
    # Not ours: gevent before 23.7 uses pkg_resources; and from 3.12 on Python warns when gevent
    # forks, to start a worker, in a process with threads.
    warnings = "default,ignore:pkg_resources is deprecated,ignore:This process"
    environment = {**os.environ, "PYTHONWARNINGS": warnings}
    return subprocess.Popen(
        [sys.executable, DEMO, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=environment,
    )


def start_and_wait_for_load() -> subprocess.Popen[str]:
    demo = start("--duration", "20")
    assert demo.stdout is not None
    assert any("start asking" in line for line in demo.stdout)
    return demo


def rows(output: str) -> dict[str, str]:
    """The rows of the table at the end."""
    _, table, after = output.split("-" * 34 + "\n")
    assert after == ""
    return {line[:20].strip(): line[20:].strip() for line in table.splitlines()}


def test_every_request_is_answered_though_a_worker_is_killed(folder_for_sockets):
    demo = start("--duration", "3")
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 0, output
    table = rows(output)
    assert table["lost"] == "0"
    assert int(table["requests"]) == int(table["answers"]) > 0
    assert int(table["answered by libzmq-1"]) > 0
    assert int(table["re-dispatched"]) > 0
    assert int(table["reconnects"]) > 0
    for kind in ("listening", "accepted", "handshake_succeeded", "disconnected", "connect_retried"):
        assert f"  {kind} " in output
    assert "\033" not in output
    assert "Traceback" not in output
    assert "Warning" not in output
    assert not list(folder_for_sockets.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_gateway_and_its_workers(number):
    demo = start_and_wait_for_load()
    os.killpg(demo.pid, number)  # as a terminal sends it
    output, _ = demo.communicate(timeout=10)
    assert demo.returncode == 128 + number, output
    assert "Traceback" not in output


def test_workers_do_not_outlive_a_killed_gateway():
    demo = start_and_wait_for_load()
    demo.kill()
    demo.communicate(timeout=10)
    assert demo.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("fact", "problem"),
    [
        ({}, None),
        ({"lost": 1}, "1 of 2 requests got no right answer"),
        ({"served": Counter()}, "worker answered nothing"),
        ({"events": Counter()}, "no event came from worker"),
        ({"redispatched": 0}, "the killed worker held no request"),
        ({"served_after_restart": 0}, "the worker that was started again answered nothing"),
        ({"reconnects": 0}, "no socket reconnected"),
        ({"failures": ["504 to b'x'"]}, "504 to b'x'"),
    ],
)
def test_a_run_counts_only_if_everything_happened(monkeypatch, fact, problem):
    monkeypatch.syspath_prepend(EXAMPLES)
    from gateway.report import Report

    problems = Report(**{**GOOD_RUN, **fact}).problems(["worker"])
    assert problems == ([problem] if problem else [])
