# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured, each a process of its own on the server's core, and what they need."""

import http.client
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "real"), str(HERE.parent / "daemon")]

from libconfig import render  # noqa: E402
from machine import CLIENT_CORE, SERVER_CORE  # noqa: E402
from realparts import processes  # noqa: E402
from realparts.waiting import until  # noqa: E402

ROOT = HERE.parents[1]
INSTANCES = 3
_C_FLAGS = ("-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-pthread")
_port = 18800


def free_port():
    """The next one in a range below that of outgoing connections."""
    global _port
    while True:
        _port += 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", _port))
            except OSError:
                continue
        return _port


def binary():
    return pathlib.Path(os.environ.get("NSADDRD_BIN") or ROOT / "build" / "nsaddrd").absolute()


def build_parts(folder, *names, libraries=()):
    """Compiles the C and Go programs of parts/ into the folder, those in C with these libraries."""
    for name in names:
        source = HERE / "parts" / name
        program = folder / source.stem
        if source.suffix == ".c":
            command = ["cc", *_C_FLAGS, "-o", program, source, *libraries]
        else:
            command = ["go", "build", "-o", program, source]
        subprocess.run(command, check=True, env={"CGO_ENABLED": "0", **os.environ})


def versions():
    """Of what is measured beside us."""
    nginx = subprocess.run([_nginx(), "-v"], capture_output=True, text=True, check=True).stderr
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return {"nginx": nginx.split("/")[-1].strip(), "go": go.strip(), "wrk": wrk.split(" [")[0].split()[-1],
            "nsaddrd": version(binary())}


def version(program):
    """What a build of ours says of itself."""
    return subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stdout.strip()


def _nginx():
    return shutil.which("nginx") or "/usr/sbin/nginx"


def get(port, path, close=False):
    """The raw bytes of one answer, which has to be a 200."""
    last = "Connection: close\r\n" if close else ""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{last}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += _some(s)
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"answered {head!r}")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        while len(body) < length:
            body += _some(s)
    return head + b"\r\n\r\n" + body


def _some(s):
    data = s.recv(65536)
    if not data:
        raise ConnectionError("closed before the end of an answer")
    return data


def body_of(raw):
    return raw.partition(b"\r\n\r\n")[2].decode()


def header_of(raw, name):
    lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return next(line.partition(":")[2].strip() for line in lines if line.lower().startswith(name.lower() + ":"))


class Server:
    """One process that answers on a port. Use as a context manager."""

    name = ""

    def __init__(self, run, core=SERVER_CORE):
        self._run = run
        self._core = core
        self.port = free_port()
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self, folder):
        raise NotImplementedError

    path = "/rocketmq/c00000"

    def __enter__(self):
        folder = self._run.folder_for(f"{self.name}-files")
        pin = ["taskset", "-c", self._core] if self._core else []
        self.process = self._run.start(self.name, [*pin, *self.command(folder)], env=self.environment())
        until(f"an answer of {self.name}", lambda: get(self.port, self.path), timeout=120)
        return self

    def environment(self):
        return None

    def __exit__(self, *_):
        self.process.kill()


class Nginx(Server):
    """deferred: the kernel keeps a connection back until its request is there, as it does for nsaddrd."""

    name = "nginx"

    def __init__(self, run, answer, deferred=False):
        super().__init__(run)
        self._deferred = " deferred" if deferred else ""
        self._list, self._etag = body_of(answer), header_of(answer, "ETag")

    def command(self, folder):
        temporary = "\n".join(f"    {kind}_temp_path {folder};" for kind in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1;
error_log stderr crit; pid {folder}/pid;
events {{ worker_connections 8192; }}
http {{
    access_log off; server_tokens off; keepalive_requests 1000000000;
    default_type "text/plain; charset=utf-8";
{temporary}
    server {{
        listen {self.address} backlog=4096{self._deferred};
        location /rocketmq/ {{ add_header ETag '{self._etag}'; return 200 "{self._list}"; }}
    }}
}}
""")
        return [_nginx(), "-p", folder, "-c", folder / "nginx.conf"]


class Go(Server):
    name = "go"

    def __init__(self, run, answer):
        super().__init__(run)
        self._list, self._etag = body_of(answer), header_of(answer, "ETag")

    def command(self, folder):
        return [self._run.parts / "static", self.address, self._list, self._etag]

    def environment(self):
        return {"GOMAXPROCS": "1"}


class Epoll(Server):
    name = "epoll"

    def __init__(self, run, kept, closed, deferred=False):
        super().__init__(run)
        self._deferred = ["deferred"] if deferred else []
        self._kept, self._closed = kept, closed

    def command(self, folder):
        (folder / "kept").write_bytes(self._kept)
        (folder / "closed").write_bytes(self._closed)
        return [self._run.parts / "epoll", self.port, folder / "kept", folder / "closed", *self._deferred]


class Consul(Server):
    """Knows so many services, the first of which change in turn at an interval (in Go's form)."""

    name = "consul"
    path = "/v1/catalog/services"

    def __init__(self, run, prefix, services, interval="0s"):
        super().__init__(run, CLIENT_CORE)
        self._services = [f"nameServer{prefix}", services, interval]

    def command(self, folder):
        return [self._run.parts / "consul", self.address, *self._services]


class Nsaddrd(Server):
    """static: how many clusters are in its config; those of the Consul given come on top."""

    name = "nsaddrd"

    def __init__(self, run, static, consul=None, settings=None, core=SERVER_CORE, program=None):
        super().__init__(run, core)
        self._program = program or binary()
        self.admin_port = free_port()
        self.settings = {
            "listen": self.address,
            "admin.listen": f"127.0.0.1:{self.admin_port}",
            "http.threads": 1,
            "consul.enabled": consul is not None,
            **({"consul.address": consul.address} if consul else {}),
            "admission.leave_delay": "1s",
            "register.mode": "off",
            "register.drain": "0s",
            "log.level": "warn",
            **({"static_clusters": static_clusters(static)} if static else {}),
            **(settings or {}),
        }

    def command(self, folder):
        (folder / "nsaddrd.conf").write_text(render(self.settings))
        return [self._program, "-c", folder / "nsaddrd.conf"]

    def until_ready(self):
        until("nsaddrd is ready", lambda: self.status("/readyz") == 200, timeout=300)
        return self

    def status(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status


def static_clusters(count):
    """All lists have the same length, and no address is in two of them."""
    return [
        {"id": f"c{n:05d}",
         "addresses": [f"10.{100 + n // 100}.{100 + n % 100}.{i + 1}:9876" for i in range(INSTANCES)]}
        for n in range(count)
    ]


def settle(pid, cpu_ns, share=0.01, window=0.5, timeout=60.0):
    """Waits until a process has used less than this share of a core for a while."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        before = cpu_ns(pid)
        time.sleep(window)
        if cpu_ns(pid) - before < share * window * 1e9:
            return
    raise AssertionError(f"process {pid} is still busy after {timeout:g} s")
