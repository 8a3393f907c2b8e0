"""How a process obeys the one that started it, and does not outlive it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

import gevent.socket

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process, even if it is stopped, when its parent ends.

    Elsewhere than on Linux it ends when it reads the end of its standard input.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def obey(servant: Any) -> None:
    """Call the method of *servant* that each line of standard input names, and print what it
    returns; until the end of the input, or a method has returned None."""
    rest = b""
    while True:
        gevent.socket.wait_read(0)
        data = os.read(0, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            command.pop("deadline")
            result = getattr(servant, command.pop("do"))(**command)
            os.write(1, json.dumps({"result": result}).encode() + b"\n")
            if result is None:
                return
