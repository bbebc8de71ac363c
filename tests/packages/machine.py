# SPDX-License-Identifier: Apache-2.0
"""A Debian root that runs: systemd as its process 1, and a network of its own that has only loopback."""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
from pathlib import Path

from building import run
from waiting import eventually

# What IPAddressDeny= needs: programs of the kernel's, and one hierarchy of control groups.
_FILTERS = ("--capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON", "--system-call-filter=bpf")

_CLONE_NEWNET = 0x40000000
_SIOCSIFADDR = 0x8916
_libc = ctypes.CDLL(None, use_errno=True)


class Machine:
    def __init__(self, root, log):
        self.root = root
        self._log = log
        self._nspawn = None
        self._leader = None

    def start(self):
        with open(self._log, "wb") as log:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network",
                 "--resolv-conf=off", *_FILTERS, f"--directory={self.root.path}"],
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self._find_leader, "systemd-nspawn starts an init", 30)
        eventually(self._has_booted, "systemd has booted", 60)
        return self

    def _find_leader(self):
        assert self._nspawn.poll() is None, f"systemd-nspawn ended:\n{Path(self._log).read_text(errors='replace')}"
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        self._leader = int(children[0]) if children else None
        return self._leader is not None and Path(f"/proc/{self._leader}/comm").read_text().strip() == "systemd"

    def _has_booted(self):
        done = subprocess.run(self._inside("systemctl", "is-active", "basic.target"), capture_output=True, check=False)
        return done.returncode == 0

    def _inside(self, *command):
        return ["nsenter", "--all", f"--target={self._leader}", "/usr/bin/env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                *map(str, command)]

    def run(self, *command):
        return run(*self._inside(*command))

    def fails(self, *command):
        """Runs what must not succeed, and returns what it printed."""
        done = subprocess.run(self._inside(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        assert done.returncode != 0, f"{command} succeeded:\n{done.stdout}"
        return done.stdout

    def show(self, unit, name):
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def state(self, unit):
        return self.show(unit, "ActiveState")

    def journal(self, unit="nsaddrd.service"):
        return self.run("journalctl", "--no-pager", "--quiet", "--unit", unit)

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread makes meanwhile, and threads that it starts, are on the machine's network."""
        with open("/proc/thread-self/ns/net", "rb") as ours, open(f"/proc/{self._leader}/ns/net", "rb") as its:
            _enter(its)
            try:
                yield
            finally:
                _enter(ours)

    def add_address(self, address):
        """Gives it one more address, which is neither loopback nor private."""
        with self.network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, _SIOCSIFADDR, request)

    def stop(self):
        if self._nspawn is None or self._nspawn.poll() is not None:
            return
        try:
            os.kill(self._leader, signal.SIGRTMIN + 4)  # to systemd: power off
            self._nspawn.wait(30)
        except (subprocess.TimeoutExpired, ProcessLookupError, TypeError):
            self._nspawn.kill()
            self._nspawn.wait(10)


def _enter(namespace):
    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
