# SPDX-License-Identifier: Apache-2.0
"""The daemon under test, with a configuration file of its own."""

import json
import os
import pathlib
import signal

from . import web
from .ports import free_port
from .waiting import until

_ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("NSADDRD_BIN", _ROOT / "build" / "nsaddrd")).absolute()


class Nsaddrd:
    """nsaddrd on a port of its own. Settings go by their full name: {"register.mode": "single"}."""

    def __init__(self, run, consul_address, settings=None):
        self._run = run
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._settings = {
            "listen": self.address,
            "admin.listen": "",
            "consul.address": f"http://{consul_address}",
            "register.advertise": "127.0.0.1",
            "register.check_interval": "1s",
            "register.drain": "1s",
            **(settings or {}),
        }
        self._process = None
        self.config = None  # its file, from the first start on

    def change(self, settings):
        """What its file says otherwise from the next start or reload on."""
        self._settings.update(settings)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, failure, *_):
        # A test that failed needs its logs, not a second failure on top.
        if failure:
            self._process.kill()
        elif self._process.is_running():
            self.stop()

    def start(self):
        self.config = self._run.folder_for(f"config-{self.port}") / "nsaddrd.conf"
        self.config.write_text(_libconfig(self._settings))
        self._process = self._run.start("nsaddrd", [BINARY, "-c", self.config])
        until(
            f"an answer of nsaddrd on {self.address}",
            lambda: web.get(self.address, "/healthz"),
            lambda r: r.status == 200,
        )

    def reload(self):
        """SIGHUP, with what its file says now."""
        self.config.write_text(_libconfig(self._settings))
        os.kill(self._process.pid, signal.SIGHUP)

    def stop(self):
        """SIGTERM, and the clean end that must follow."""
        self._process.terminate()
        status = self._process.wait(timeout=20)
        assert status == 0, (
            f"nsaddrd ended with status {status} after SIGTERM\n{self._process.tail()}"
        )

    def connections_to(self, address):
        """How many TCP connections it has open to that address."""
        host, port = address.split(":")
        wanted = f"{int.from_bytes(bytes(map(int, host.split('.'))), 'little'):08X}:{int(port):04X}"
        folder = pathlib.Path(f"/proc/{self._process.pid}")
        sockets = set()
        for fd in (folder / "fd").iterdir():
            try:
                sockets.add(os.readlink(fd))
            except FileNotFoundError:
                pass  # closed meanwhile
        rows = [line.split() for line in (folder / "net/tcp").read_text().splitlines()[1:]]
        return sum(row[2] == wanted and f"socket:[{row[9]}]" in sockets for row in rows)

    def log(self):
        return self._process.output()

    def get(self, path):
        return web.get(self.address, path)

    def await_list(self, cluster, nameservers, timeout=30.0):
        """Waits until it serves exactly these NameServers as the live list of the cluster."""
        wanted = web.Reply(200, "", "", list_of(nameservers))
        until(
            f"the live list of {cluster}: {wanted.body}",
            lambda: self.get(f"/rocketmq/{cluster}"),
            lambda r: r == wanted,
            timeout,
        )


def list_of(nameservers):
    """The body that clients get: all are on one address, so the order is that of the ports."""
    return ";".join(
        f"127.0.0.1:{port}" for port in sorted(nameserver.port for nameserver in nameservers)
    )


def _libconfig(settings):
    tree = {}
    for name, value in settings.items():
        *groups, key = name.split(".")
        at = tree
        for group in groups:
            at = at.setdefault(group, {})
        at[key] = value
    return _members(tree) + "\n"


def _members(group):
    return "\n".join(
        f"{key} : {{ {_members(value)} }};" if isinstance(value, dict) else f"{key} = {json.dumps(value)};"
        for key, value in group.items()
    )
