# SPDX-License-Identifier: Apache-2.0
"""Control groups that systemd-nspawn and podman make and leave behind, empty."""

import contextlib
import os
from pathlib import Path

from waiting import eventually


def _places():
    """Where they may be made: at the top of each hierarchy, or below our own control group in it."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        fields = [line.split() for line in mounts]
    tops = [Path(field[1]) for field in fields if field[2] in ("cgroup", "cgroup2")]
    with open("/proc/self/cgroup", encoding="utf-8") as ours:
        paths = {line.rstrip("\n").split(":", 2)[2].lstrip("/") for line in ours} | {""}
    return {top / path for top in tops for path in paths}


def _remove(folder):
    """True when it is gone: it cannot be removed before its last process is."""
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


@contextlib.contextmanager
def removed(*names):
    """Removes what is there afterwards under these names and was not before."""
    before = {place / name for place in _places() for name in names if (place / name).exists()}
    try:
        yield
    finally:
        for folder in {place / name for place in _places() for name in names} - before:
            eventually(lambda left=folder: _remove(left), f"the end of the control group {folder}", 20)
