# SPDX-License-Identifier: Apache-2.0
"""Builds what is shipped, from a copy of the tree."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("NSADDRD_BIN") or ROOT / "build" / "nsaddrd")

# Made by tools, wherever they appear.
_DROPPINGS = {".git", "__pycache__", ".pytest_cache", ".cache", ".venv", "target"}


def run(*command, **options):
    """Runs a command to its end, which must be a good one; returns what it printed."""
    options = {"timeout": 600, "stdin": subprocess.DEVNULL, **options}
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def copy_of_tree(folder):
    """The tree without what was built in it."""
    def left_out(path, names):
        return {name for name in names
                if name in _DROPPINGS or (Path(path) == ROOT and name.startswith("build"))}
    shutil.copytree(ROOT, folder, ignore=left_out, symlinks=True)
    return folder


def debian_package(folder, **environment):
    """Builds in a copy of the tree, without help of earlier builds, and returns the package."""
    tree = copy_of_tree(folder)
    environment = {**os.environ, "CCACHE_DISABLE": "1", **environment}
    environment.pop("SOURCE_DATE_EPOCH", None)
    run("cmake", "-S", tree, "-B", tree / "build", "-G", "Ninja", "-DCMAKE_INSTALL_PREFIX=/usr",
        "-DBUILD_TESTING=OFF", env=environment)
    run("cmake", "--build", tree / "build", "--target", "package", env=environment)
    packages = list((tree / "build").glob("*.deb"))
    assert len(packages) == 1, packages
    return packages[0]


def field(deb, name):
    return run("dpkg-deb", "-f", deb, name).strip()


def next_version(deb, folder):
    """The same package as a higher version, whose config file has one more line."""
    run("dpkg-deb", "-R", deb, folder)
    control = folder / "DEBIAN" / "control"
    version = field(deb, "Version")
    control.write_text(control.read_text().replace(f"Version: {version}\n", f"Version: {version}+1\n"))
    with open(folder / "etc/nsaddrd/nsaddrd.conf", "a", encoding="utf-8") as config:
        config.write("# As the next version has it.\n")
    run("dpkg-deb", "--root-owner-group", "-b", folder, folder.parent)
    return folder.parent / f"nsaddrd_{version}+1_{field(deb, 'Architecture')}.deb"
