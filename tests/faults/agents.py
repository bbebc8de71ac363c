# SPDX-License-Identifier: Apache-2.0
"""The Consul of a cell: a fake agent of its own, or the proxy in front of the one real agent that all share."""

import http.client
import json
import os
from pathlib import Path

from fake_consul import FakeConsul, Instance
from proxy import Proxy

PORT = 9876


class FakeAgent:
    """A fake agent that records what it says."""

    def __init__(self, recorder, prefix, tls=None):
        self.prefix = prefix
        self._hosts = {}
        self._stirs = 0
        self.fake = FakeConsul(tls=tls, observer=recorder.observe)
        self.fake.start()
        self.url = self.fake.url

    def set(self, cluster, hosts):
        self._hosts[cluster] = hosts
        instances = [Instance(host, PORT, service_id=f"{cluster}-{host}-{self._stirs}") for host in hosts]
        self.fake.set_service(self.prefix + cluster, instances)

    def stir(self):
        """Every instance is registered under another ID: a reason to read its cluster, and nothing else."""
        self._stirs += 1
        for cluster, hosts in self._hosts.items():
            self.set(cluster, hosts)

    def finish(self):
        self.fake.stop()


class AgentBehindProxy:
    """An agent behind the proxy, which records. The services of each cell have a prefix of their own."""

    def __init__(self, recorder, prefix, agent):
        self.prefix = prefix
        self._agent = agent
        self.proxy = Proxy("127.0.0.1", agent.port, recorder)
        self.proxy.start()
        self.url = self.proxy.url

    def set(self, cluster, hosts):
        self._agent.set(self.prefix + cluster, hosts)

    def finish(self):
        self.proxy.stop()


class StandIn:
    """A fake agent in the place of the real one."""

    def __init__(self):
        self._fake = FakeConsul()
        self._fake.start()
        self.port = self._fake.port

    def set(self, service, hosts):
        self._fake.set_service(service, [Instance(host, PORT) for host in hosts])

    def finish(self):
        self._fake.stop()


class RealAgent:
    """A Consul agent in dev mode."""

    def __init__(self, consul):
        self._consul = consul
        self._consul.start()
        self.port = int(consul.address.rpartition(":")[2])
        self._registered = {}

    def set(self, service, hosts):
        before = self._registered.get(service, [])
        for host in hosts:
            if host not in before:
                definition = {"ID": f"{service}-{host}", "Name": service, "Address": host, "Port": PORT,
                              "Check": {"TTL": "24h", "Status": "passing"}}
                self._put("register", json.dumps(definition))
        for host in before:
            if host not in hosts:
                self._put(f"deregister/{service}-{host}")
        self._registered[service] = list(hosts)

    def finish(self):
        self._consul.kill()

    def _put(self, what, body=""):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("PUT", f"/v1/agent/service/{what}", body)
        reply = connection.getresponse()
        assert reply.status == 200, reply.read()
        connection.close()


def built_parts():
    """The folder of the real systems if they were built (tests/real/parts/build.sh), or None."""
    cache = os.environ.get("NSADDRD_TEST_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folders = (Path(cache) if cache else home / "nsaddrd-tests").glob("set-*")
    return max((folder for folder in folders if (folder / "consul").exists()),
               key=lambda folder: folder.stat().st_mtime, default=None)
