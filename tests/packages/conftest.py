# SPDX-License-Identifier: Apache-2.0
"""What the tests of the packages share: the Debian package, and fresh Debian roots to try it in."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "daemon"))

import building
import images
import roots


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("tests/packages needs root: it installs into fresh Debian roots", returncode=1)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder for builds: they are made once."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def deb(workplace):
    return building.debian_package(workplace / "first")


@pytest.fixture(scope="session")
def next_deb(workplace, deb):
    """A higher version of it, with another config file."""
    return building.next_version(deb, workplace / "next")


@pytest.fixture(scope="session")
def debian(tmp_path_factory, deb, next_deb):
    """A fresh Debian 12 with systemd, and with what our package depends on; the packages are in /root."""
    root = roots.Root.fresh(tmp_path_factory.mktemp("debian"))
    root.put(deb, "root")
    root.put(next_deb, "root")
    root.install(building.field(deb, "Depends"))
    yield root
    root.remove()


@pytest.fixture(scope="session")
def storage():
    with images.store() as opened:
        yield opened


@pytest.fixture(scope="session")
def image(storage, workplace):
    """The name of the image, built from a copy of the tree."""
    storage.build(building.copy_of_tree(workplace / "context"), "nsaddrd")
    return "nsaddrd"
