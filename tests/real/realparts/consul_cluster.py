# SPDX-License-Identifier: Apache-2.0
"""A Consul datacenter in small: three servers with Raft between them, and the client agent that nsaddrd asks.

All are on 127.0.0.1 with ports and data folders of their own, so each can be killed and come back as what it was.
"""

import http.client
import shutil
import uuid

from . import web
from .ports import free_port
from .waiting import until

SERVERS = 3

PORT = 9876  # of every service registered here: they differ by address


class Agent:
    """One agent: a server, or a client of the servers. Its data folder outlives its process."""

    def __init__(self, run, name, *, server):
        self._run = run
        self.name = name
        self._server = server
        self._http, self.serf, self._rpc = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self._http}"
        self.rpc_address = f"127.0.0.1:{self._rpc}"
        self._data = run.folder_for(f"consul-{name}-data")
        self._node_id = str(uuid.uuid4())
        self._process = None

    def start(self, join):
        """Starts the process and does not wait: the servers need one another to come up."""
        arguments = ["-node", self.name, "-node-id", self._node_id, "-data-dir", self._data, "-bind", "127.0.0.1"]
        ports = {"http": self._http, "serf-lan": self.serf, "server": self._rpc}
        ports |= {"dns": -1, "grpc": -1, "grpc-tls": -1, "serf-wan": -1}
        for kind, port in ports.items():
            arguments += [f"-{kind}-port", port]
        for serf in join:
            arguments += ["-retry-join", f"127.0.0.1:{serf}"]
        arguments += ["-retry-interval", "1s", "-hcl", "disable_update_check = true"]
        # Elections within a second or two, as production servers have them. A server that is dead for a moment keeps
        # its vote: back without it, it would be no help when the next leader dies.
        arguments += ["-hcl", "performance { raft_multiplier = 1 }"]
        arguments += ["-hcl", "autopilot { cleanup_dead_servers = false }"]
        if self._server:
            arguments += ["-server", "-bootstrap-expect", SERVERS]
        consul = self._run.parts / "consul"
        self._process = self._run.start(
            f"consul-{self.name}", [consul, "agent", "-log-level", "warn", *arguments]
        )

    def kill(self):
        """kill -9: nobody is told, nothing is written."""
        self._process.kill()

    def stop(self):
        """SIGTERM: a client leaves the datacenter, and its services with it."""
        self._process.terminate()
        self._process.wait(timeout=20)

    def wipe(self):
        """Its disk is lost; it keeps its name and node ID."""
        shutil.rmtree(self._data)
        self._data.mkdir()

    def get(self, path):
        return web.get_json(self.address, path)

    def put(self, path, value=None):
        web.put_json(self.address, path, value)

    def raft_state(self):
        return self.get("/v1/agent/self")["Stats"]["raft"]["state"]

    # Its own services; each has one check that says what the test told it last.

    def register(self, service, address):
        check = {"CheckID": _id(service, address), "TTL": "24h", "Status": "passing"}
        definition = {"ID": _id(service, address), "Name": service, "Address": address, "Port": PORT, "Check": check}
        self.put("/v1/agent/service/register", definition)

    def set_status(self, service, address, status):
        self.put(f"/v1/agent/check/update/{_id(service, address)}", {"Status": status})

    def deregister(self, service, address):
        self.put(f"/v1/agent/service/deregister/{_id(service, address)}")


class Node:
    """A node of the catalog that has no agent: each change of it is one write to the leader."""

    def __init__(self, agent, name):
        self._agent = agent
        self._name = name

    def register(self, service, address):
        self.set_status(service, address, "passing")

    def set_status(self, service, address, status):
        service_id = _id(service, address)
        check = {"CheckID": service_id, "Name": service_id, "ServiceID": service_id, "Status": status}
        self._agent.put(
            "/v1/catalog/register",
            {
                "Node": self._name,
                "Address": "127.0.0.2",
                "Service": {"ID": service_id, "Service": service, "Address": address, "Port": PORT},
                "Check": check,
            },
        )

    def deregister(self, service, address):
        self._agent.put("/v1/catalog/deregister", {"Node": self._name, "ServiceID": _id(service, address)})


class ConsulCluster:
    """Three servers and one client agent, all started when the block is entered."""

    def __init__(self, run):
        self.servers = [Agent(run, f"server-{number}", server=True) for number in range(SERVERS)]
        self.client = Agent(run, "client", server=False)
        self.node = Node(self.client, "elsewhere")

    def __enter__(self):
        for agent in self._agents():
            self.start(agent)
        self.await_leader()
        self.await_client()
        return self

    def __exit__(self, *_):
        for agent in self._agents():
            agent.kill()

    def _agents(self):
        return [*self.servers, self.client]

    def start(self, agent):
        agent.start(join=[server.serf for server in self.servers if server is not agent])

    def await_leader(self, other_than=None):
        """The server that the others follow, once they do; another one than the one that was killed."""
        asked = [server for server in self.servers if server is not other_than]
        leaders = {server.rpc_address: server for server in asked}
        rpc_address = until(
            "one leader of all servers",
            lambda: _only({server.get("/v1/status/leader") for server in asked}),
            lambda leader: leader in leaders,
        )
        return leaders[rpc_address]

    def await_follower(self, server):
        until(
            f"{server.name} to follow a leader",
            lambda: server.raft_state() == "Follower" and server.get("/v1/status/leader"),
        )

    def await_client(self):
        """The client agent is in the catalog and alive."""
        until(
            "the client agent in the catalog",
            lambda: self.client.get(f"/v1/health/node/{self.client.name}"),
            lambda checks: any(check["Status"] == "passing" for check in checks),
            timeout=60,
        )

    def good(self, service):
        """The addresses of a service whose checks all pass, as the servers know them."""
        rows = self.client.get(f"/v1/health/service/{service}?passing")
        return sorted(row["Service"]["Address"] for row in rows)

    # What `consul snapshot save` and `consul snapshot restore` do

    def save_snapshot(self):
        return self._snapshot("GET")

    def restore_snapshot(self, snapshot):
        self._snapshot("PUT", snapshot)

    def _snapshot(self, method, body=None):
        connection = http.client.HTTPConnection(self.client.address, timeout=30)
        try:
            connection.request(method, "/v1/snapshot", body)
            reply = connection.getresponse()
            content = reply.read()
            if reply.status != 200:
                raise OSError(f"{method} /v1/snapshot: {reply.status} {content[:200]}")
            return content
        finally:
            connection.close()


def _only(values):
    return next(iter(values)) if len(values) == 1 else None


def _id(service, address):
    return f"{service}-{address}"
