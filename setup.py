"""What pyproject.toml cannot say: the folder interfaces/ is the package omq_gevent.interfaces."""

import os

from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))
INTERFACES = "omq_gevent.interfaces"


def packages():
    # A bare find_packages() would take interfaces/ and tests/ for top-level packages as well.
    found = find_packages(HERE, include=["omq_gevent", "omq_gevent.*"])
    nested = find_packages(os.path.join(HERE, "interfaces"))
    return sorted({*found, INTERFACES, *(f"{INTERFACES}.{name}" for name in nested)})


setup(
    packages=packages(),
    # The mapping makes the build independent of the symlink omq_gevent/interfaces, which is there
    # for checkouts, type checkers and editors.
    package_dir={"omq_gevent": "omq_gevent", INTERFACES: "interfaces"},
    package_data={"omq_gevent": ["py.typed"]},
    include_package_data=False,
    zip_safe=False,
)
