# SPDX-License-Identifier: Apache-2.0
"""Child processes: one folder and one log each, and none outlives the test run."""

import os
import pathlib
import signal
import subprocess
import time

# All that were started in this run, and those of them that a test relies on to go on running.
started = []
_must_live = set()

# What a child gets of our environment. Settings such as CONSUL_HTTP_ADDR or NAMESRV_ADDR stay out.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")

_BUILD = pathlib.Path(__file__).resolve().parents[1] / "parts" / "build.sh"


def build_parts():
    """The folder of the built parts. The first build takes minutes: its progress is on stderr."""
    return subprocess.run([_BUILD], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Run:
    """One run of the suite: the folder for its children's files, and the built parts."""

    def __init__(self, folder, parts):
        self.folder = pathlib.Path(folder)
        self.parts = pathlib.Path(parts)

    def start(self, name, argv, *, env=None, stdin=subprocess.DEVNULL, must_live=True):
        return Process(self.folder_for(name), argv, env=env, stdin=stdin, must_live=must_live)

    def folder_for(self, name):
        folder = self.folder / f"{len(list(self.folder.iterdir())):03d}-{name}"
        folder.mkdir()
        return folder


class Process:
    """A running child. It works and is at home in its folder; all it prints is in "log" there."""

    def __init__(self, folder, argv, *, env, stdin, must_live):
        self.name = folder.name
        self.log = folder / "log"
        self.ended_at = None
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment = {**inherited, "HOME": str(folder), **(env or {})}
        with open(self.log, "wb") as log:
            # setpriv: the kernel kills the child should we die without cleaning up.
            # A session of its own: it can be killed together with its children.
            self._popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, argv)],
                cwd=folder,
                env=environment,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(self)
        if must_live:
            _must_live.add(self)

    @property
    def pid(self):
        return self._popen.pid

    def output(self):
        return self.log.read_text(errors="replace")

    def is_running(self):
        return self._popen.poll() is None

    def wait(self, timeout):
        """Its exit status, once it has ended by itself."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} still runs after {timeout:g} s\n{self.tail()}"
            ) from None
        self._ended()
        return status

    def expect_end(self):
        """From now on it may end without that being a failure."""
        _must_live.discard(self)

    def terminate(self):
        self.expect_end()
        self._popen.terminate()

    def end_input(self):
        self._popen.stdin.close()

    def kill(self):
        """Ends it and its children now; harmless if it is gone."""
        self.expect_end()
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait()
        self._ended()

    def tail(self, lines=30):
        return "\n".join(self.output().splitlines()[-lines:])

    def _ended(self):
        self.expect_end()
        if self.ended_at is None:
            self.ended_at = time.time()


def assert_all_alive():
    for process in _must_live:
        assert process.is_running(), (
            f"{process.name} died with status {process.wait(0)}\n{process.tail()}"
        )


def kill_all():
    for process in started:
        if process.ended_at is None:
            process.kill()
