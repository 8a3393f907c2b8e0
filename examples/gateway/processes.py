"""Worker processes: started, killed, and never left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent

PATIENCE = 3.0
"""Seconds that a worker gets to end by itself."""


class WorkerProcess:
    """One worker, which may be started again after its end."""

    def __init__(self, name: str, module: str, gateway: str, events: str) -> None:
        self.name = name
        self._command = [sys.executable, "-m", module, name, gateway, events]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # The worker ends when this pipe does, so it cannot outlive us, whatever happens to us. In a
        # session of its own it does not hear the terminal's Ctrl-C, which is for us to act upon.
        self._process = subprocess.Popen(
            self._command, cwd=EXAMPLES, stdin=subprocess.PIPE, start_new_session=True
        )

    def freeze(self) -> None:
        """Stop the process where it stands; it answers nothing more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End the process at once; it cannot say good-bye."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()

    def end(self) -> None:
        """Wait until the process has ended by itself, but not for long."""
        try:
            if self._process is not None:
                self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()
