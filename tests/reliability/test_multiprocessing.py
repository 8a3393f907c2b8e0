"""Processes that multiprocessing starts, beside a parent that has sockets in use."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import omq_gevent as omq

PROGRAM = Path(__file__).with_name("forking_program.py")
METHODS = multiprocessing.get_all_start_methods()


@pytest.mark.parametrize("parent", ["patched", "plain"])
def test_children_of_every_start_method_work_and_leave_the_parent_alone(parent):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), parent, *METHODS],
        stdout=subprocess.PIPE,
        timeout=25,
        check=True,
        text=True,
    )
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    # Only a fork has a copy; the others import the module anew and so make their own.
    assert found == {method: "forked" if method == "fork" else "a new one" for method in METHODS}


def test_a_socket_cannot_be_given_to_a_process():
    with omq.PUSH() as push, pytest.raises(TypeError, match="cannot be copied or pickled"):
        pickle.dumps(push)
