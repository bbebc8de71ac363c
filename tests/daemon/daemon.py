# SPDX-License-Identifier: Apache-2.0
"""The program under test as a process."""

import os
import signal
import subprocess
import time
from pathlib import Path

import wire
from exposition import read_page
from libconfig import render
from ports import free_port
from service_manager import handing_over
from waiting import eventually

BINARY = Path(os.environ.get("NSADDRD_BIN") or Path(__file__).parents[2] / "build" / "nsaddrd")

# Sanitizer builds run several times slower.
START_DEADLINE = 20.0
STOP_DEADLINE = 20.0

LEAKS_OF_LIBRARIES = Path(__file__).with_name("leaks.supp")
_SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                    "MemorySanitizer", "runtime error:")


def clean_environment(folder, extra=None):
    """No CONSUL_* or NSADDRD_* variable of whoever runs the tests reaches the daemon."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "LD_LIBRARY_PATH", "LANG") or name.endswith("SAN_OPTIONS")}
    kept.setdefault("LSAN_OPTIONS", f"suppressions={LEAKS_OF_LIBRARIES}:print_suppressions=0")
    if "LD_PRELOAD" in (extra or {}):  # a library of a test comes before the sanitizer's
        kept["ASAN_OPTIONS"] = f"{kept.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0".lstrip(":")
    return {**kept, "HOME": str(folder), "TZ": "UTC", **(extra or {})}


def sanitizer_report(text):
    return any(mark in text for mark in _SANITIZER_MARKS)


def run(folder, *arguments, config=None, env=None, timeout=20):
    """Runs the program to its end. config: text written to a file that is given with -c."""
    command = [str(BINARY)]
    if config is not None:
        path = Path(folder) / "nsaddrd.conf"
        path.write_text(config)
        command += ["-c", str(path)]
    result = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                            cwd=folder, env=clean_environment(folder, env))
    assert not sanitizer_report(result.stderr), result.stderr
    return result


class Daemon:
    """One running nsaddrd. Options are dotted names; those given go on top of quick, quiet defaults."""

    def __init__(self, folder, options, arguments=(), env=None):
        self.folder = Path(folder)
        self.port = free_port()
        self.admin_port = free_port()
        self.options = {
            "listen": f"127.0.0.1:{self.port}",
            "admin.listen": f"127.0.0.1:{self.admin_port}",
            "admission.settle": "200ms",
            "admission.leave_delay": "1s",
            "admission.gone_delay": "2s",
            "register.mode": "off",
            "register.drain": "100ms",
            **options,
        }
        self._arguments = [str(argument) for argument in arguments]
        self._env = clean_environment(folder, env)
        self._launcher, self._inherits = [], {}
        self._log = self.folder / f"stderr-{self.port}"
        self._stderr = None
        self.config = self.folder / f"nsaddrd-{self.port}.conf"
        self._process = None
        self.exit_code = None

    def inherit(self, *sockets, names=""):
        """From its next start on it is handed these sockets, as by a service manager."""
        self._launcher, self._inherits = handing_over(*sockets, names=names)

    def log_to_journal(self):
        """From its next start on it takes its log for the journal of a service manager."""
        self._log.touch()
        log = self._log.stat()
        self._env["JOURNAL_STREAM"] = f"{log.st_dev}:{log.st_ino}"

    def log_to(self, stderr):
        """From its next start on its log goes to this file descriptor, and not to log()."""
        self._stderr = stderr

    @property
    def pid(self):
        return self._process.pid

    def write_config(self, more=""):
        self.config.write_text(render(self.options) + more)

    def start(self, ready=True):
        """Starts the process and, if asked, waits until it says that it is ready."""
        self.write_config()
        with open(self._log, "ab") as log:
            command = [*self._launcher, str(BINARY), "-c", str(self.config), *self._arguments]
            stderr = log if self._stderr is None else self._stderr
            self._process = subprocess.Popen(command, stdout=log, stderr=stderr, stdin=subprocess.DEVNULL,
                                             cwd=self.folder, env=self._env, **self._inherits)
        path = "/readyz" if ready else "/healthz"
        ports = [self.port, self.admin_port] if self.options["admin.listen"] else [self.port]
        eventually(lambda: all(self._answers(port, path) for port in ports),
                   f"the daemon answers {path} with 200", START_DEADLINE)
        return self

    def _answers(self, port, path):
        assert self.is_running(), f"the daemon ended with {self._process.returncode}:\n{self.log()}"
        try:
            return wire.get(port, path).status == 200
        except OSError:
            return False

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    # Asking it

    def get(self, path, **options):
        return wire.get(self.port, path, **options)

    def admin(self, path, **options):
        return wire.get(self.admin_port, path, **options)

    def connect(self):
        return wire.Connection(self.port)

    def list_of(self, cluster):
        """The list served for a cluster, or the status where there is none."""
        response = self.get(f"/rocketmq/{cluster}")
        return response.text if response.status == 200 else response.status

    def state_of(self, cluster):
        """live, held, restored, or the status where there is no list."""
        response = self.get(f"/rocketmq/{cluster}")
        return (response.header("X-Nsaddr-State") or "live") if response.status == 200 else response.status

    def eventually_lists(self, cluster, expected, deadline=10.0):
        eventually(lambda: self.list_of(cluster) == expected, f"{cluster} is answered with {expected!r}", deadline)

    # Its config, read again

    def last_reload(self):
        """Whether it went well, and when the config in use was read."""
        page = read_page(self.admin("/metrics").text)
        return (page["nsaddrd_config_last_reload_successful"].value() == 1,
                page["nsaddrd_config_last_reload_success_timestamp_seconds"].value())

    def reload(self, options=None):
        """With these options on top of its own; returns when they are in use."""
        _, before = self.last_reload()
        self.options.update(options or {})
        self.write_config()
        self.signal(signal.SIGHUP)
        eventually(lambda: self.last_reload()[0] and self.last_reload()[1] > before,
                   f"the config with {options} is in use")

    def refuse(self, text):
        """Reads this text in place of its config, which it must refuse; returns what it says of it."""
        said = len(self.log_lines("SIGHUP: the config is not good"))
        self.config.write_text(text)
        self.signal(signal.SIGHUP)
        return self.refused(said)

    def refused(self, said=0):
        """The complaint that follows `said` others."""
        lines = eventually(lambda: self.log_lines("SIGHUP: the config is not good")[said:], "it refuses the config")
        assert not self.last_reload()[0]
        return lines[-1]

    # Its log

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_lines(self, *words):
        """The lines of the log that have all these words, whatever their case."""
        return [line for line in self.log().splitlines() if all(word.lower() in line.lower() for word in words)]

    # Its end

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, deadline=STOP_DEADLINE):
        self.exit_code = self._process.wait(deadline)
        return self.exit_code

    def stop(self):
        """An orderly stop, which must succeed."""
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.log()

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def finish(self):
        """Ends the process for certain and says what was wrong with its end, if anything."""
        complaint = None
        if self.is_running():
            self.signal(signal.SIGTERM)
            try:
                if self.wait() != 0:
                    complaint = f"exit code {self.exit_code} after SIGTERM"
            except subprocess.TimeoutExpired:
                self.kill()
                complaint = f"still running {STOP_DEADLINE} s after SIGTERM"
        if sanitizer_report(self.log()):
            complaint = "a sanitizer reported"
        return complaint


def timed(call):
    """How long a call takes, in seconds."""
    start = time.monotonic()
    call()
    return time.monotonic() - start
