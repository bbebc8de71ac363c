# SPDX-License-Identifier: Apache-2.0
"""Many clusters in the catalog of a real Consul, and changes of them that a seed decides.

All instances are on nodes of the catalog that have no agent: an agent would take out what it does not know.
No ip:port is ever used twice in a run, since one that two clusters claim is served to neither.
"""

import http.client
import json
import random
from dataclasses import dataclass

from servers import INSTANCES

NODES = 100
PREFIX = "nameServer"
FIRST_PORT, FIRST_EXTRA_PORT = 20000, 40000
_PORTS_PER_PHASE = 1000
# So long an instance stays at least: what left before it was served would be waited for in vain.
_LEAVE_AFTER_S, _PASSING_AFTER_S = 10, 1
_TXN_OPERATIONS = 128  # Consul's own limit
# The load's own, so that what is measured has all connections that Consul allows one address.
_SOURCE = "127.0.0.2"

# What a change is, and how many of 100 are that.
JOIN, NEW, LEAVE, CRITICAL, PASSING = "join", "new cluster", "leave", "critical", "critical to passing"
_SHARES = {JOIN: 55, NEW: 5, LEAVE: 24, CRITICAL: 8, PASSING: 8}
# Consul's answer is the moment from which an address may be served.
REGISTRATIONS = (JOIN, NEW)
TIMED = (*REGISTRATIONS, PASSING)


@dataclass(frozen=True)
class Instance:
    cluster: str
    node: int
    port: int

    @property
    def node_name(self):
        return f"bench-{self.node:03d}"

    @property
    def ip(self):
        return f"10.{self.node % 7}.{self.node}.{self.node % 11 + 1}"

    @property
    def address(self):
        return f"{self.ip}:{self.port}"

    @property
    def id(self):
        return f"{PREFIX}{self.cluster}-{self.address}"

    def service(self):
        return {"ID": self.id, "Service": PREFIX + self.cluster, "Address": self.ip, "Port": self.port}

    def check(self, status="passing"):
        return {"Node": self.node_name, "CheckID": self.id, "Name": "TCP", "ServiceID": self.id, "Status": status}


@dataclass(frozen=True)
class Change:
    kind: str
    instance: Instance


def cluster_name(number):
    return f"c{number:05d}"


def instances_of(clusters):
    """Of all clusters in turn, on one node after another."""
    return [
        Instance(cluster_name(n // INSTANCES), n % NODES, FIRST_PORT + n // NODES) for n in range(clusters * INSTANCES)
    ]


def new_at_most(clusters):
    """New clusters in one phase. Few, since these and those at the start together are the number that is measured."""
    return min(20, max(1, clusters // 50))


def plan(clusters, new, count, rate, phase):
    """The changes of one phase, always the same for the same arguments. What leaves is what came before.

    clusters are there at the start, so many new ones come at most.
    """
    source = random.Random(phase)
    kinds = source.choices(list(_SHARES), list(_SHARES.values()), k=count)
    passing, critical = [], []  # (when, instance), the oldest first
    pools = {LEAVE: (passing, _LEAVE_AFTER_S * rate), PASSING: (critical, _PASSING_AFTER_S * rate)}
    changes = []

    def extra(cluster):
        n = len(changes)
        port = FIRST_EXTRA_PORT + phase * _PORTS_PER_PHASE + n // NODES
        return Instance(cluster, n % NODES, port)

    for n, kind in enumerate(kinds):
        pool, age = pools.get(kind, ((), 0))
        if pool and pool[0][0] <= n - age:
            instance = pool.pop(0)[1]
        else:
            if kind in pools or (kind == NEW and new == 0):
                kind = JOIN
            new -= kind == NEW
            known = cluster_name(source.randrange(clusters))
            instance = extra(f"n{phase}-{n:05d}" if kind == NEW else known)
        if kind in (JOIN, PASSING):
            passing.append((n, instance))
        elif kind == CRITICAL:
            critical.append((n, instance))
        changes.append(Change(kind, instance))
    return changes


class Catalog:
    """One connection to Consul that writes."""

    def __init__(self, address):
        self._connection = http.client.HTTPConnection(address, timeout=60, source_address=(_SOURCE, 0))
        self._connection.connect()

    def close(self):
        self._connection.close()

    def _put(self, path, value):
        self._connection.request("PUT", path, json.dumps(value))
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise OSError(f"PUT {path}: {reply.status} {body[:500]!r}")

    def fill(self, instances):
        """All of them, passing."""
        for instance in instances[:NODES]:
            self._put("/v1/catalog/register", {"Node": instance.node_name, "Address": instance.ip})
        operations = []
        for instance in instances:
            operations.append(
                {"Service": {"Verb": "set", "Node": instance.node_name, "Service": instance.service()}}
            )
            operations.append({"Check": {"Verb": "set", "Check": instance.check()}})
        for start in range(0, len(operations), _TXN_OPERATIONS):
            self._put("/v1/txn", operations[start : start + _TXN_OPERATIONS])

    def apply(self, change):
        instance = change.instance
        if change.kind == LEAVE:
            self._deregister(instance)
            return
        registration = {
            "Node": instance.node_name,
            "Address": instance.ip,
            "SkipNodeUpdate": True,
            "Service": instance.service(),
            "Check": instance.check("critical" if change.kind == CRITICAL else "passing"),
        }
        if change.kind == PASSING:
            del registration["Service"]
        self._put("/v1/catalog/register", registration)

    def undo(self, changes):
        """Takes out what they left behind."""
        there = {}
        for change in changes:
            if change.kind == LEAVE:
                there.pop(change.instance, None)
            else:
                there[change.instance] = True
        for instance in there:
            self._deregister(instance)

    def _deregister(self, instance):
        self._put("/v1/catalog/deregister", {"Node": instance.node_name, "ServiceID": instance.id})
