# SPDX-License-Identifier: Apache-2.0
"""Builds and runs container images without a container engine's daemon: buildah, podman and runc.

The storage is in the cache of the tests, with the one image that all builds start from; what a run adds
is removed at the next.
"""

import contextlib
import fcntl
import json
import os
import resource
import subprocess
from pathlib import Path

import groups
import roots
from building import ROOT, run

_BASE = "localhost/debian-builder"
_ENVIRONMENT = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
EPOCH = 1795176000


class Store:
    def __init__(self, folder):
        self._options = ["--root", folder / "images", "--runroot", folder / "run", "--storage-driver", "vfs"]
        self._libpod = ["--tmpdir", folder / "libpod", "--cgroup-manager=cgroupfs"]

    def buildah(self, *command):
        return run("buildah", *self._options, *command, env=_ENVIRONMENT).strip()

    def podman_command(self, *command):
        return ["podman", *map(str, self._options + self._libpod), *map(str, command)]

    def podman(self, *command):
        """What podman printed; it also complains that there is no systemd to time health checks."""
        done = subprocess.run(self.podman_command(*command), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False)
        assert done.returncode == 0, f"podman {command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def tidy(self):
        """Removes all but the image that builds start from."""
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("volume", "prune", "--force")
        self.buildah("rm", "--all")
        for image in json.loads(self.buildah("images", "--json")):
            if f"{_BASE}:latest" not in (image.get("names") or []):
                self.buildah("rmi", "--force", image["id"])

    def need_base(self):
        """What stands in for debian:bookworm-slim is Debian with the packages that a build needs."""
        with contextlib.suppress(AssertionError):
            self.buildah("inspect", "--type", "image", _BASE)
            return
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, roots.debian_archive(), "/")
        self.buildah("copy", "--quiet", container, ROOT / "packaging" / "quickstart.sh", "/packaging/quickstart.sh")
        self.buildah("run", container, "--", "sh", "-c",
                     "/packaging/quickstart.sh --install-only && apt-get clean && rm -r /packaging")
        self.buildah("commit", "--quiet", "--rm", container, _BASE)

    def build(self, context, tag):
        """Builds the image of a tree."""
        self.buildah("bud", "--quiet", "--pull-never", "--format", "docker", "--timestamp", EPOCH,
                     "--build-arg", f"BUILD_BASE={_BASE}", "--build-arg", "REVISION=0123456",
                     "--build-arg", "CREATED=2026-11-20T12:00:00Z", "--tag", tag, context)

    def inspect(self, image):
        return json.loads(self.buildah("inspect", "--type", "image", image))

    def what_counts(self, image):
        """The digests of its layers, and what it says of itself; not the name of the host that built it."""
        described = self.inspect(image)["Docker"]
        settings = {name: value for name, value in described["config"].items() if name != "Hostname"}
        return described["rootfs"]["diff_ids"], described["created"], settings

    @contextlib.contextmanager
    def files(self, image):
        """The file system of an image, in a folder."""
        container = self.buildah("from", "--pull-never", image)
        try:
            yield Path(self.buildah("mount", container))
        finally:
            self.buildah("rm", container)


def _opened(folder):
    """What the last run left is removed; podman refuses a storage that was moved: then all of it."""
    opened = Store(folder)
    try:
        opened.tidy()
    except AssertionError:
        roots.remove(folder)
        folder.mkdir()
        opened.tidy()
    opened.need_base()
    return opened


@contextlib.contextmanager
def store():
    roots.CACHE.mkdir(parents=True, exist_ok=True)
    folder = roots.CACHE / "containers-2"
    folder.mkdir(exist_ok=True)
    with open(roots.CACHE / "containers.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with groups.removed("libpod_parent"):
            opened = _opened(folder)
            try:
                yield opened
            finally:
                opened.tidy()


class Container:
    """One that runs on this machine's network, read-only but for its volumes."""

    def __init__(self, opened, image, options):
        self._store = opened
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.id = opened.podman("run", "--detach", "--runtime", "runc", "--read-only", "--network=host",
                                f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=1000:1000", *options, image)

    def log(self):
        done = subprocess.run(self._store.podman_command("logs", self.id), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        return done.stdout

    def pid(self):
        return int(self._store.podman("inspect", "--format", "{{.State.Pid}}", self.id))

    def run(self, *command):
        return self._store.podman(*command, self.id)

    def remove(self):
        self._store.podman("rm", "--force", "--volumes", "--time", "0", self.id)
