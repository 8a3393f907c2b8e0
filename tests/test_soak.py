"""The soak test passes, finds its processes again, and leaves none behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.soak", "--small", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(directory: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
        if directory in command:
            found.append(command)
    return found


@pytest.mark.timeout(180)
def test_every_message_is_accounted_for() -> None:
    with start("--seconds", 20) as soak:
        said, errors = soak.communicate()
    assert (soak.returncode, errors) == (0, ""), said
    for line in ("wrong: none", "growth: 0 in", "PASS"):
        assert line in said


@pytest.mark.timeout(60)
def test_an_interrupted_run_ends_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("s")
    monkeypatch.setenv("TMPDIR", str(directory))
    with start("--seconds", 600) as soak:
        assert soak.stdout is not None
        assert soak.stdout.readline().startswith("seed ")
        soak.send_signal(signal.SIGINT)
        _, errors = soak.communicate()
    assert (soak.returncode, errors) == (130, "interrupted\n")
    assert processes_of(str(directory)) == []
    assert list(directory.iterdir()) == []
