# SPDX-License-Identifier: Apache-2.0
"""Fresh Debian 12 root file systems, made once by debootstrap and kept in the cache of the tests.

Commands run in mount and process namespaces of their own: whatever they mount or leave running ends
with them, so that a root can always be removed.
"""

import os
import shutil
import subprocess
from pathlib import Path

from building import run

CACHE = Path(os.environ.get("NSADDRD_TEST_CACHE") or Path.home() / ".cache" / "nsaddrd-tests")

# The number changes with what is in it.
DEBIAN = "debian-12-systemd-1"

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive"}


class Root:
    """A root file system in a folder that is ours to remove."""

    def __init__(self, path):
        self.path = Path(path)

    @classmethod
    def fresh(cls, path):
        run("tar", "-x", "-f", debian_archive(), "-C", path)
        root = cls(path)
        if Path("/etc/resolv.conf").exists():
            shutil.copy("/etc/resolv.conf", root.path / "etc/resolv.conf")
        return root

    def command(self, *command):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={self.path}", "--mount-proc",
                *map(str, command)]

    def run(self, *command, **options):
        return run(*self.command(*command), env=_ENVIRONMENT, cwd="/", **options)

    def start(self, *command, **options):
        return subprocess.Popen(self.command(*command), env=_ENVIRONMENT, cwd="/", text=True, stdin=subprocess.DEVNULL,
                                **options)

    def put(self, file, folder):
        shutil.copy(file, self.path / folder)
        return f"/{folder}/{Path(file).name}"

    def install(self, dependencies):
        """Installs by apt what a Depends: line asks for."""
        self.run("apt-get", "-q", "update")
        self.run("apt-get", "-q", "-y", "--no-install-recommends", "satisfy", dependencies)

    def files(self):
        """Every path, but for what dpkg and the journal write as they go."""
        ours = set()
        for folder, folders, names in os.walk(self.path):
            ours.update(os.path.relpath(os.path.join(folder, name), self.path) for name in folders + names)
        passing = ("root/", "run/", "tmp/", "proc/", "dev/", "var/log/", "var/cache/", "var/lib/dpkg/", "var/lib/apt/",
                   "var/lib/systemd/deb-systemd-", "var/lib/systemd/", "etc/passwd-", "etc/group-", "etc/shadow-",
                   "etc/gshadow-", "etc/subuid-", "etc/subgid-")
        return {path for path in ours if not path.startswith(passing)}

    def remove(self):
        remove(self.path)


def remove(path):
    """Removes a folder unless something is mounted below it."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{path}/")]
    assert not below, f"still mounted: {below}"
    shutil.rmtree(path)


def debian_archive():
    """Debian with systemd and nothing else, made if there is none."""
    archive = CACHE / f"{DEBIAN}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        folder = CACHE / f"{DEBIAN}.{os.getpid()}"
        unfinished = CACHE / f"{DEBIAN}.{os.getpid()}.tar"
        try:
            run("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,ca-certificates", "bookworm",
                folder)
            run("chroot", folder, "apt-get", "clean")
            run("tar", "-c", "-f", unfinished, "-C", folder, ".")
            unfinished.rename(archive)
        finally:
            remove(folder)
    return archive
