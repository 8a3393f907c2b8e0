"""Install the implementations of ZeroMQ that are not Python packages, for tests/interop.

Installs what it can and names what it could not; the tests of an absent peer are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_FOLDER = ROOT / "build/interop"
JEROMQ = Path("/usr/share/java/jeromq.jar")


def run(*command: object) -> str:
    """Run *command*; return why it failed, or nothing."""
    words = [str(word) for word in command]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode == 0:
        return ""
    last_line = (result.stdout.strip().splitlines() or ["no output"])[-1]
    return f"`{' '.join(words)}` failed: {last_line}"


def install_jeromq() -> str:
    packages = [] if JEROMQ.exists() else ["libjeromq-java"]
    if not (shutil.which("java") and shutil.which("javac")):
        packages.append("default-jdk-headless")
    if not packages:
        return ""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return f"needs the Debian packages {' '.join(packages)}, and root to install them"
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    return run(*install) and (run("apt-get", "update") or run(*install))


def install_node_zeromq() -> str:
    if (NODE_FOLDER / "node_modules/zeromq").exists():
        return ""
    if not (shutil.which("node") and shutil.which("npm")):
        return "needs node and npm"
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    return run("npm", "install", "--no-audit", "--no-fund", "--prefix", NODE_FOLDER, "zeromq@6")


def main() -> None:
    peers = {"JeroMQ 0.3.6": install_jeromq, "zeromq 6 for Node": install_node_zeromq}
    for name, install in peers.items():
        problem = install()
        print(f"{name}: {f'not installed, {problem}' if problem else 'installed'}", flush=True)


if __name__ == "__main__":
    main()
