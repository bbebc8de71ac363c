# SPDX-License-Identifier: Apache-2.0
"""What really runs in a schedule: clusters of NameServers, and how it comes to change."""

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import combinations

from fake_consul import Instance

PREFIX = "nameServer"
# One is the start of another, and two differ in case only.
BUSY = ("a", "a1", "A1", "b")
# So many that the busy ones alone do not look like a mass loss, which suspends all leaving for half a minute.
QUIET = ("c", "d", "e", "f")
CLUSTERS = BUSY + QUIET
# Registered, but with nothing that a client could be given.
ODD = (("localhost", 9876), ("10.0.0.1;10.0.0.2", 9876), ("0.0.0.0", 9876), ("10.0.0.9", 0), ("10.0.0.9", 70000),
       ("10.0.0.9", "80"), ("10.0.0.9", 1.5))


class World:
    """Instances by cluster, and the changes that a schedule draws by name. Each tells Consul of what it changed."""

    def __init__(self, random, consul):
        self._random = random
        self._consul = consul
        self._instances = {cluster: [] for cluster in CLUSTERS}
        self._given = 0
        for cluster in CLUSTERS:
            self._instances[cluster] = [self._fresh() for _ in range(random.randint(1, 3))]
            self._tell(cluster)

    # Changes

    def join(self):
        cluster = self._any_cluster()
        self._instances[cluster].append(self._fresh())
        self._tell(cluster)

    def deregister(self):
        self._with_one(lambda cluster, number: self._instances[cluster].pop(number))

    def flap(self):
        status = self._random.choice(("passing", "warning", "critical"))
        self._with_one(lambda cluster, number: self._edit(cluster, number, status=status))

    def node_flap(self):
        """The agent of one node is thought to be dead, or is seen again: that of all its instances."""
        node = f"10.9.9.{self._random.randint(1, 2)}"
        status = self._random.choice(("passing", "critical"))
        for cluster in CLUSTERS:
            of_node = [n for n, i in enumerate(self._instances[cluster]) if i.node_address == node]
            for number in of_node:
                self._edit(cluster, number, node_status=status)
            if of_node:
                self._tell(cluster)

    def maintenance(self):
        self._with_one(lambda cluster, number: self._edit(
            cluster, number, maintenance=not self._instances[cluster][number].maintenance))

    def new_port(self):
        self._with_one(lambda cluster, number: self._edit(cluster, number, port=self._random.randint(1, 65535)))

    def move(self):
        """An address and port are taken by another cluster; the old registration may stay behind."""
        other = self._any_cluster()

        def move_to_other(cluster, number):
            instance = self._instances[cluster][number]
            if cluster == other or self._has(other, instance):
                return
            if self._random.random() < 0.5:
                self._instances[cluster].pop(number)
            self._instances[other].append(replace(instance, service_id=None, status="passing", maintenance=False))

        self._with_one(move_to_other)
        self._tell(other)

    def odd(self):
        cluster = self._any_cluster()
        address, port = self._random.choice(ODD)
        self._instances[cluster].append(replace(self._fresh(), address=address, port=port))
        self._tell(cluster)

    def empty(self):
        # The quiet ones are likely to stay empty until they are gone.
        cluster = self._random.choice(CLUSTERS)
        self._instances[cluster] = []
        self._tell(cluster)

    def same_index(self):
        """A change that moves no index, as some Consul versions had it."""
        cluster = self._any_cluster()
        self._instances[cluster].append(self._fresh())
        self._tell(cluster, moves_index=False)

    # Its end

    def settle(self):
        """Every cluster gets one more, so that all have one of their own, and all learn of it now."""
        for cluster in CLUSTERS:
            self._instances[cluster].append(self._fresh())
            self._tell(cluster)

    def lists(self):
        """What shall be served after settle(): all that is good, but for what is good in two clusters."""
        good = {cluster: {i for i in map(_served_as, instances) if i} for cluster, instances in self._instances.items()}
        contested = {i for one, other in combinations(CLUSTERS, 2) for i in good[one] & good[other]}
        return {
            cluster: ";".join(f"{address}:{port}" for address, port in sorted(good[cluster] - contested, key=_numeric))
            for cluster in CLUSTERS
        }

    def _tell(self, cluster, moves_index=True):
        self._consul.set_service(PREFIX + cluster, self._instances[cluster], moves_index)

    def _any_cluster(self):
        return self._random.choice(BUSY if self._random.random() < 0.9 else QUIET)

    def _with_one(self, change):
        """Changes one instance of one cluster, if it has any."""
        cluster = self._any_cluster()
        if self._instances[cluster]:
            change(cluster, self._random.randrange(len(self._instances[cluster])))
            self._tell(cluster)

    def _edit(self, cluster, number, **changes):
        # Its ID stays: it is the same registration, edited.
        old = self._instances[cluster][number]
        self._instances[cluster][number] = replace(old, service_id=old.id_in(PREFIX + cluster), **changes)

    def _fresh(self):
        self._given += 1
        return Instance(f"10.0.{self._given // 250}.{self._given % 250 + 1}", 9876,
                        node_address=f"10.9.9.{self._random.randint(1, 2)}")

    def _has(self, cluster, instance):
        return any((i.address, i.port) == (instance.address, instance.port) for i in self._instances[cluster])


def _served_as(instance):
    """Address and port as clients get them, if they are to get it."""
    if instance.maintenance or {instance.status, instance.node_status} != {"passing"}:
        return None
    try:
        usable = not IPv4Address(instance.address).is_unspecified
    except ValueError:
        usable = False
    if not usable or not isinstance(instance.port, int) or not 1 <= instance.port <= 65535:
        return None
    return instance.address, instance.port


def _numeric(endpoint):
    address, port = endpoint
    return IPv4Address(address), port
