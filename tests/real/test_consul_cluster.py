# SPDX-License-Identifier: Apache-2.0
"""A real Consul datacenter under stress: leaders die, the agent restarts, a snapshot is restored. No list suffers."""

import os
import random
import time
from ipaddress import IPv4Address

import pytest

from realparts.consul_cluster import PORT, ConsulCluster
from realparts.recorded import Recorded
from realparts.waiting import until

# The NameServers of the first are services of the client agent, those of the second of a node without an agent,
# and the third has both.
CLUSTERS = ("agent", "node", "both")
DELAYS = {"settle": 300, "leave": 2000, "gone": 60_000}

ELECTIONS = 50 if os.environ.get("NSADDRD_LONG") == "1" else 10
SEED = 20
# An agent that could not write a change to the servers tries again after 15 s or more.
ARRIVES_WITHIN = 60.0


class NameServers:
    """What is registered, and how it changes."""

    def __init__(self, consul):
        self._agent, self._node = consul.client, consul.node
        self._random = random.Random(SEED)
        self._given = 0
        self._registered = []  # (place, service, address)
        self.join()
        self.join()

    def join(self):
        """One more for each cluster."""
        for cluster, places in zip(CLUSTERS, ((self._agent,), (self._node,), (self._agent, self._node))):
            for place in places:
                self._given += 1
                nameserver = (place, f"nameServer{cluster}", f"10.0.0.{self._given}")
                self._registered.append(nameserver)
                self._write(place.register, nameserver)

    def change(self, places):
        """Any one of these places fails, recovers, or goes."""
        nameserver = self._random.choice([n for n in self._registered if n[0] in places])
        place = nameserver[0]
        status = self._random.choice(("passing", "passing", "warning", "critical", None))
        if status is None:
            self._write(place.deregister, nameserver)
            self._registered.remove(nameserver)
        else:
            self._write(place.set_status, nameserver, status)

    def register_again(self):
        """The agent has lost all that it knew."""
        for nameserver in self._registered:
            if nameserver[0] is self._agent:
                self._write(self._agent.register, nameserver)

    def deregister_all(self):
        for nameserver in self._registered:
            self._write(nameserver[0].deregister, nameserver)

    @staticmethod
    def _write(call, nameserver, *arguments):
        """Consul refuses writes until the new leader is known everywhere."""
        _, service, address = nameserver
        until(f"Consul to take a change of {address}", lambda: call(service, address, *arguments) or True)


@pytest.fixture(scope="module")
def datacenter(run):
    with ConsulCluster(run) as consul:
        yield consul


@pytest.fixture
def nameservers(datacenter):
    registered = NameServers(datacenter)
    yield registered
    registered.deregister_all()


@pytest.fixture
def recorded(run, datacenter, nameservers, request):
    """Not yet started."""
    return Recorded(run, request.node.name, datacenter.client.address, CLUSTERS, **DELAYS)


def as_list(addresses):
    return ";".join(f"{address}:{PORT}" for address in sorted(addresses, key=IPv4Address))


def await_what_consul_says(recorded, consul):
    """All that is good is served, and nothing else."""
    for cluster in CLUSTERS:
        until(
            f"the list of {cluster} to be what Consul knows",
            lambda: (recorded.nsaddrd.get(f"/rocketmq/{cluster}"), consul.good(f"nameServer{cluster}")),
            lambda seen: seen[0] == (200, "", "", as_list(seen[1])),
            timeout=ARRIVES_WITHIN,
        )


def await_changes(recorded, consul, nameservers):
    """Whatever happened before: what changes now arrives."""
    nameservers.join()
    await_what_consul_says(recorded, consul)


def test_leader_elections(recorded, datacenter, nameservers):
    with recorded:
        await_what_consul_says(recorded, datacenter)
        begun = time.monotonic()
        for number in range(ELECTIONS):
            leader = datacenter.await_leader()
            leader.kill()
            # What changes now is known to the agent alone, until it can write it to the next leader.
            if number % 3 == 0:
                nameservers.change([datacenter.client])
            datacenter.await_leader(other_than=leader)
            if number % 3 != 2:
                nameservers.change([datacenter.client, datacenter.node])
                nameservers.join()
            datacenter.start(leader)
            datacenter.await_follower(leader)
        print(f"{ELECTIONS} elections in {time.monotonic() - begun:.0f} s")
        await_changes(recorded, datacenter, nameservers)
    assert not recorded.violations()


def leave(consul):
    """SIGTERM: the agent leaves the datacenter in good order."""
    consul.client.stop()


def die(consul):
    """kill -9."""
    consul.client.kill()


def lose_all(consul):
    """kill -9, and its disk is lost, too."""
    consul.client.kill()
    consul.client.wipe()


def test_restarts_of_the_agent(recorded, datacenter, nameservers):
    with recorded:
        await_what_consul_says(recorded, datacenter)
        for end in (die, leave, die, lose_all, die):
            begun = time.monotonic()
            end(datacenter)
            datacenter.start(datacenter.client)
            datacenter.await_client()
            if end is lose_all:
                await_lost(datacenter)
                nameservers.register_again()
            await_changes(recorded, datacenter, nameservers)
            print(f"the agent restarts ({end.__name__}): all is well again after {time.monotonic() - begun:.1f} s")
    assert not recorded.violations()


def await_lost(consul):
    until("the agent's services to be gone", lambda: consul.good("nameServeragent") == [], timeout=ARRIVES_WITHIN)


def test_restored_snapshot(recorded, datacenter, nameservers):
    with recorded:
        await_what_consul_says(recorded, datacenter)
        snapshot = datacenter.save_snapshot()
        saved = datacenter.good("nameServernode")
        nameservers.join()
        for _ in range(5):
            nameservers.change([datacenter.client, datacenter.node])
        await_what_consul_says(recorded, datacenter)
        assert datacenter.good("nameServernode") != saved
        datacenter.restore_snapshot(snapshot)
        until("the snapshot to be restored", lambda: datacenter.good("nameServernode") == saved)
        await_what_consul_says(recorded, datacenter)
        await_changes(recorded, datacenter, nameservers)
    assert went_back(recorded), "no index went back: nothing was shown"
    assert not recorded.violations()


def went_back(recorded):
    indexes = [int(event[5]) for event in recorded.events("says") if event[2] == "node"]
    return indexes != sorted(indexes)
