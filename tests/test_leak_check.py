"""The check that tests leave nothing behind must see what they leave, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CLEAN = """
import gevent, socket
from gevent import socket as gsocket

def test_tidy():
    gevent.spawn(gevent.sleep, 0.01).join()

def test_ends_a_little_later():
    gevent.spawn(gevent.sleep, 0.05)

def test_resolver_threads_are_allowed():
    gsocket.getaddrinfo("localhost", 80)
"""

LEAKS = """
import gevent, pytest, socket, subprocess, sys, threading

kept = []

def test_greenlet():
    kept.append(gevent.spawn(gevent.sleep, 100))

def test_descriptor():
    kept.append(socket.create_server(("127.0.0.1", 0)))

def test_thread():
    kept.append(threading.Event())
    threading.Thread(target=kept[-1].wait, name="straggler", daemon=True).start()

def test_socket_file(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "left.ipc"))

def test_failing_test_is_reported_once():
    kept.append(gevent.spawn(gevent.sleep, 100))
    assert kept == []

@pytest.mark.timeout(0.5)
def test_timeout_inside_another_greenlet():
    def spin():
        while True:
            pass
    gevent.spawn(spin).join()

def test_child():
    command = [sys.executable, "-c", "import time; time.sleep(15)"]
    kept.append(subprocess.Popen(command))
"""


def run_pytest(directory: Path, source: str) -> str:
    shutil.copy(Path(__file__).with_name("conftest.py"), directory)
    (directory / "test_sample.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "test_sample.py"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True).stdout


def test_tidy_tests_pass(tmp_path):
    report = run_pytest(tmp_path, CLEAN)
    assert "3 passed in" in report, report


def test_everything_left_behind_is_named(tmp_path):
    report = run_pytest(tmp_path, LEAKS)
    assert "2 failed, 5 passed, 5 errors in" in report, report
    for name, leak in {
        "greenlet": r"<Greenlet at \w+: sleep\(100\)>",
        "descriptor": r"descriptor \d+: AF_INET SOCK_STREAM \('127.0.0.1', \d+\)",
        "thread": r"thread <Thread\(straggler",
        "socket_file": r"socket file .*left\.ipc",
        "child": r"process \d+: .*time\.sleep",
    }.items():
        section = report.partition(f"ERROR at teardown of test_{name} ")[2].partition("\n_____")[0]
        assert re.search(leak, section), (name, report)
