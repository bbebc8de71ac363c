# SPDX-License-Identifier: Apache-2.0
"""Clusters put straight into Consul's catalog, under nodes of their own: the agent knows nothing of them."""

import http.client
import json

_NODES = 20


class Catalog:
    """Writes on one connection. Instance k of cluster n has an address of its own."""

    def __init__(self, consul):
        self._connection = http.client.HTTPConnection(consul.address, timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    @staticmethod
    def address(n, k):
        return f"10.{1 + n // 250}.{n % 250}.{1 + k}:9876"

    @classmethod
    def list_of(cls, n, instances=3):
        return ";".join(cls.address(n, k) for k in range(instances))

    def register(self, n, k, status="passing", port=9876, check=True):
        """status: of its check, if it has one."""
        service_id = f"ns-{n}-{k}"
        body = {
            "Node": f"host-{(3 * n + k) % _NODES}",
            "Address": "10.200.0.1",
            "Service": {
                "ID": service_id,
                "Service": f"nameServer{n}",
                "Address": self.address(n, k).partition(":")[0],
                "Port": port,
            },
        }
        if check:
            body["Check"] = {
                "CheckID": f"service:{service_id}",
                "Name": "up",
                "Status": status,
                "ServiceID": service_id,
            }
        self._put("/v1/catalog/register", body)

    def register_cluster(self, n, status="passing", instances=3):
        for k in range(instances):
            self.register(n, k, status)

    def deregister(self, n, k):
        node = f"host-{(3 * n + k) % _NODES}"
        self._put("/v1/catalog/deregister", {"Node": node, "ServiceID": f"ns-{n}-{k}"})

    def deregister_cluster(self, n, instances=3):
        for k in range(instances):
            self.deregister(n, k)

    def set_node_check(self, node, status):
        check = {"CheckID": "serfHealth", "Name": "alive", "Status": status}
        self._put("/v1/catalog/register", {"Node": f"host-{node}", "Address": "10.200.0.1", "Check": check})

    def nodes_of(self, n, instances=3):
        return {(3 * n + k) % _NODES for k in range(instances)}

    def _put(self, path, body):
        self._connection.request("PUT", path, json.dumps(body))
        reply = self._connection.getresponse()
        text = reply.read().decode()
        assert reply.status == 200, f"PUT {path}: {reply.status} {text[:200]}"
