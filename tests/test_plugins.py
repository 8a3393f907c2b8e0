"""A package that others wrote and installed adds its parts, without any change to this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "plugin" / "omq_gevent_sample.py"


PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1.0"

[project.entry-points."omq_gevent.plugins"]
{entry_point}

[tool.setuptools]
py-modules = ["{name}"]
"""


def install(folder: Path, name: str, source: str, entry_point: str) -> None:
    """Build a distribution of one module, as its author would, and install it into *folder*."""
    project = folder.with_name(f"{name}-source")
    project.mkdir()
    (project / f"{name}.py").write_text(source, encoding="utf-8")
    (project / "pyproject.toml").write_text(PROJECT.format(name=name, entry_point=entry_point))
    command = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target"]
    subprocess.run(
        [sys.executable, *command, folder, project], check=True, capture_output=True, timeout=60
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where the sample plug-in is installed."""
    site = tmp_path_factory.mktemp("plugins") / "site"
    install(site, "omq_gevent_sample", SAMPLE.read_text(), 'sample = "omq_gevent_sample:register"')
    return site


@pytest.fixture
def run(site, tmp_path):
    """Run a program in a process of its own, with the sample plug-in installed."""
    own = tmp_path / "site"

    def run(program: str) -> str:
        path = os.pathsep.join(filter(None, (str(site), str(own), os.environ.get("PYTHONPATH"))))
        finished = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    run.site = own
    return run


EXCHANGE = """
import omq_gevent as omq
from omq_gevent import registry
import sys

assert "omq_gevent_sample" not in sys.modules

with omq.PULL(mechanism={server}) as pull, omq.PUSH(mechanism={client}) as push:
    tally = pull.monitor("tally")
    push.connect(pull.bind("memory://work"))
    for number in range(1000):
        push.send([b"%d" % number, b"x" * 1000])
    got = [pull.receive(timeout=5) for _ in range(1000)]
    assert got == [[b"%d" % number, b"x" * 1000] for number in range(1000)], got
    assert pull.peers[0].facts.mechanism == "{name}"
assert tally.counts["handshake_succeeded"] == 1, tally.counts
assert tally.counts["monitor_stopped"] == 1

with omq.REP(mechanism={server}) as rep, omq.REQ(mechanism={client}) as req:
    req.connect(rep.bind("memory://question"))
    for size in (0, 1, 300, 100_000):
        req.send(b"q" * size)
        assert rep.receive(timeout=5) == [b"q" * size]
        rep.send([b"a" * size, b""])
        assert req.receive(timeout=5) == [b"a" * size, b""]
print("through")
"""


@pytest.mark.parametrize(
    ("name", "server", "client"),
    [
        ("XOR", "registry.mechanism('XOR')", "registry.mechanism('XOR')"),
        (
            "TOKEN",
            "__import__('omq_gevent_sample').Token(b'secret', server=True)",
            "__import__('omq_gevent_sample').Token(b'secret')",
        ),
        ("NULL", "None", "None"),
    ],
)
def test_messages_go_through_foreign_parts(run, name, server, client):
    assert run(EXCHANGE.format(name=name, server=server, client=client)) == "through\n"


def test_a_peer_with_the_wrong_secret_stays_out(run):
    program = """
import omq_gevent as omq
from omq_gevent_sample import Token

with omq.PULL(mechanism=Token(b"right", server=True)) as pull:
    monitor = pull.monitor()
    with omq.PUSH(mechanism=Token(b"wrong"), linger=0) as push:
        push.connect(pull.bind("memory://work"))
        kinds = [monitor.get(timeout=5).kind for _ in range(4)]
assert kinds == ["listening", "accepted", "authentication_failed", "disconnected"], kinds
print("kept out")
"""
    assert run(program) == "kept out\n"


def test_foreign_parts_pass_the_checks_for_authors(run):
    program = """
import itertools
from omq_gevent import registry
from omq_gevent.testing import check_mechanism, check_monitor, check_transport
from omq_gevent_sample import Tally, Token, Xor

names = itertools.count()
check_transport(registry.transport("memory"), lambda: f"memory://{next(names)}")
check_mechanism(Xor(7), Xor(7))
check_mechanism(Token(b"x"), Token(b"x", server=True))
check_monitor(Tally)
print("checked")
"""
    assert run(program) == "checked\n"


def test_a_plug_in_that_fails_is_named_and_stops_no_other(run):
    install(run.site, "broken", "def register():\n    1 / 0\n", 'broken = "broken:register"')
    program = """
import omq_gevent as omq

with omq.PUSH(linger=0) as push:
    push.connect("memory://here")
    try:
        push.connect("nowhere://there")
    except omq.NotRegistered as error:
        print(error)
"""
    message = run(program)
    assert "nowhere" in message
    assert "known: inproc, ipc, memory, tcp" in message
    assert "broken (broken:register): ZeroDivisionError" in message


def test_nothing_is_loaded_as_long_as_nobody_asks_for_it(run):
    program = """
import sys
import omq_gevent as omq

with omq.PUSH() as push:
    push.bind("tcp://127.0.0.1:0")
print("omq_gevent_sample" in sys.modules)
"""
    assert run(program) == "False\n"
