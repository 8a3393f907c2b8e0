"""Run the tests on each supported generation of Python, with its oldest and its newest gevent.

Each combination gets an environment of its own below .venvs/. Arguments are passed on to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venvs"

# For each Python the first gevent that supports it, of those that pyproject.toml allows. Before
# 23.7 gevent needs pkg_resources, which newer setuptools lacks or warns of.
OLDEST_GEVENT = {
    "3.9": ["gevent==22.10.1", "setuptools<80.9"],
    "3.11": ["gevent==22.10.1", "setuptools<80.9"],
    "3.13": ["gevent==24.10.1"],
}


def find_python(version: str) -> str | None:
    """Return a working interpreter of *version*, from the search path or from pyenv, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        shutil.which(f"python{version}"),
        *sorted((pyenv / "versions").glob(f"{version}.*/bin/python{version}"), reverse=True),
    ]
    for candidate in filter(None, candidates):
        # pyenv puts launchers of all versions on the search path: those not selected fail.
        if subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return str(candidate)
    return None


def run_tests(
    python: str, environment: Path, requirements: list[str], arguments: list[str]
) -> bool:
    """Install the package and *requirements* into *environment*, run the tests, tell if all is
    well."""
    bin_python = environment / "bin/python"
    quiet = ["--quiet", "--disable-pip-version-check"]
    install = [str(bin_python), "-m", "pip", "install", *quiet]
    commands = [
        [python, "-m", "venv", str(environment)],
        [*install, "--upgrade", "pip"],
        [*install, "--upgrade", "--prefer-binary", "--editable", f"{ROOT}[test]", *requirements],
        [str(environment / "bin/pytest"), *arguments],
    ]
    return all(subprocess.run(command, cwd=ROOT).returncode == 0 for command in commands)


def main() -> int:
    lines, ran, good = [], 0, True
    for version, oldest in OLDEST_GEVENT.items():
        python = find_python(version)
        if python is None:
            lines.append(f"Python {version}: no interpreter found, not tested")
            continue
        for label, requirements in (("oldest", oldest), ("newest", ["gevent"])):
            print(f"== Python {version}, {label} gevent", flush=True)
            start = time.monotonic()
            environment = ENVIRONMENTS / f"{version}-{label}"
            passed = run_tests(python, environment, requirements, sys.argv[1:])
            verdict = "passed" if passed else "FAILED"
            seconds = time.monotonic() - start
            lines.append(f"Python {version}, {requirements[0]}: {verdict}, {seconds:.0f} s")
            ran += 1
            good = good and passed
    print("\n".join(["", *lines]))
    return 0 if good and ran else 1


if __name__ == "__main__":
    sys.exit(main())
