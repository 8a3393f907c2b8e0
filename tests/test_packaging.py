"""What is built from this checkout holds the whole package, and nothing that is not part of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


class Archives(NamedTuple):
    checkout: Path
    sdist: Path
    wheel: Path


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    # Built from a copy, so that nothing is written into the checkout, and the wheel from the sdist.
    folder = tmp_path_factory.mktemp("packaging")
    dropped = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=dropped)
    command = ("-m", "build", "--no-isolation", "--outdir", folder / "dist", checkout)
    built = run(*command, cwd=folder)
    assert built.returncode == 0, built.stdout
    [sdist] = (folder / "dist").glob("*.tar.gz")
    [wheel] = (folder / "dist").glob("*.whl")
    return Archives(checkout, sdist, wheel)


def sources(checkout: Path, folder: str) -> set[str]:
    found = {path.relative_to(checkout).as_posix() for path in (checkout / folder).rglob("*.py")}
    return {name for name in found if not name.startswith("omq_gevent/interfaces/")}


def test_wheel_holds_the_package_and_nothing_else(archives):
    with zipfile.ZipFile(archives.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = sources(archives.checkout, "omq_gevent")
    interfaces = {f"omq_gevent/{name}" for name in sources(archives.checkout, "interfaces")}
    assert names == modules | interfaces | {"omq_gevent/py.typed"}


def test_sdist_holds_each_interface_once(archives):
    with tarfile.open(archives.sdist) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    for folder in ("omq_gevent", "interfaces", "tests"):
        assert sources(archives.checkout, folder) <= set(names)
    assert not [name for name in names if name.startswith("omq_gevent/interfaces")]


def test_installed_wheel_works_outside_the_checkout(archives, tmp_path):
    command = ("-m", "pip", "install", "--no-deps", "--no-index", "--target", tmp_path / "site")
    installed = run(*command, archives.wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stdout
    program = "import omq_gevent.interfaces as i; print(i.__name__, i.__file__)"
    imported = run("-c", program, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    expected = tmp_path / "site/omq_gevent/interfaces/__init__.py"
    assert imported.stdout == f"omq_gevent.interfaces {expected}\n"


def test_interfaces_are_refused_under_the_name_of_their_folder():
    refused = run("-c", "import interfaces", cwd=ROOT)
    assert refused.returncode == 1
    assert "ImportError" in refused.stdout
    assert "import omq_gevent.interfaces" in refused.stdout
