# SPDX-License-Identifier: Apache-2.0
"""A Consul agent in dev mode.

All its state is in memory, so after a restart it is back on the same ports and knows nothing.
"""

from . import web
from .ports import free_port
from .waiting import until


class Consul:
    def __init__(self, run, settings="", tls=None, arguments=()):
        """settings: in the agent's own language; tls: a KeyPair and the file of its CA, to speak https, too;
        arguments: of its command line."""
        self._run = run
        self._settings = settings
        self._https = free_port() if tls else -1
        self.tls_address = f"127.0.0.1:{self._https}"
        if tls:
            pair, ca = tls
            self._settings += (
                f' tls {{ defaults {{ ca_file = "{ca}" cert_file = "{pair.cert}" key_file = "{pair.key}" }} }}'
            )
        self._arguments = arguments
        self._http, self._serf, self._server = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self._http}"
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        self._process = self._run.start(
            "consul",
            [
                self._run.parts / "consul",
                "agent",
                "-dev",
                "-node",
                "test",
                "-bind",
                "127.0.0.1",
                "-http-port",
                self._http,
                "-serf-lan-port",
                self._serf,
                "-server-port",
                self._server,
                "-serf-wan-port",
                -1,
                "-dns-port",
                -1,
                "-grpc-port",
                -1,
                "-grpc-tls-port",
                -1,
                "-hcl",
                f"ports {{ https = {self._https} }} {self._settings}",
                *self._arguments,
            ],
        )
        until(
            "Consul's node in its own catalog",
            lambda: web.get_json(self.address, "/v1/health/node/test"),
            lambda checks: any(check["Status"] == "passing" for check in checks),
        )

    @property
    def pid(self):
        return self._process.pid

    def kill(self):
        self._process.kill()

    def log(self):
        """What it logged since its last start; every request is in it."""
        return self._process.output()

    def register(self, name, port, *, service_id, tags=(), tcp_check=True):
        """Registers a service of this host. Its check starts critical, as Nomad's do."""
        service = {
            "ID": service_id,
            "Name": name,
            "Address": "127.0.0.1",
            "Port": port,
            "Tags": list(tags),
        }
        if tcp_check:
            service["Check"] = {"TCP": f"127.0.0.1:{port}", "Interval": "1s", "Timeout": "1s"}
        web.put_json(self.address, "/v1/agent/service/register", service)

    def deregister(self, service_id):
        web.put_json(self.address, f"/v1/agent/service/deregister/{service_id}")

    def deregister_all(self):
        for service_id in self.services():
            self.deregister(service_id)

    def register_nameserver(self, cluster, nameserver):
        self.register(
            f"nameServer{cluster}",
            nameserver.port,
            service_id=f"nameServer{cluster}-{nameserver.port}",
        )

    def register_clusters(self, clusters):
        for cluster, nameservers in clusters.items():
            for nameserver in nameservers:
                self.register_nameserver(cluster, nameserver)

    def services(self):
        """The agent's services by ID."""
        return web.get_json(self.address, "/v1/agent/services")
