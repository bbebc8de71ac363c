#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a change takes: from Consul's answer to a registration until nsaddrd serves it.

    tests/bench/propagation.py [--changes 500] [--rate 10]

A real Consul agent (dev mode) and nsaddrd (NSADDRD_BIN, default build/nsaddrd) run on this machine,
with 20 clusters of 3 NameServers. Each change is a new instance, passing from the start, in one
cluster after another. Only joins are measured: leaving is delayed on purpose. An instance that was
measured is deregistered some changes later, so Consul stays small and lists stay short.
"""

import argparse
import http.client
import pathlib
import sys
import tempfile
import time

_TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_TESTS / "real"))

from realparts import processes, web  # noqa: E402
from realparts.consul import Consul  # noqa: E402
from realparts.nsaddrd import Nsaddrd  # noqa: E402
from realparts.waiting import until  # noqa: E402

CLUSTERS = [f"c{i:02d}" for i in range(20)]
INSTANCES = 3
FIRST_PORT = 10000
GIVE_UP = 10.0


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        run = processes.Run(folder, processes.build_parts())
        # The shortest delay, so that what was deregistered soon leaves.
        settings = {"admission.leave_delay": "1s"}
        try:
            with Consul(run) as consul, Nsaddrd(run, consul.address, settings) as nsaddrd:
                took = measure(consul, nsaddrd, options.changes, options.rate)
        finally:
            processes.kill_all()
    report(took, options.rate)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--rate", type=float, default=10.0, help="changes a second")
    return parser.parse_args()


def measure(consul, nsaddrd, changes, rate):
    port = FIRST_PORT
    for cluster in CLUSTERS:
        for _ in range(INSTANCES):
            join(consul, cluster, port)
            port += 1
    for cluster in CLUSTERS:
        until(
            f"the first list of {cluster}",
            lambda: nsaddrd.get(f"/rocketmq/{cluster}"),
            lambda reply: reply.status == 200 and reply.body.count(":") == INSTANCES,
        )

    connection = http.client.HTTPConnection(nsaddrd.address, timeout=GIVE_UP)
    took = []
    joined = []
    next_at = time.monotonic()
    for i in range(changes):
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at = time.monotonic() + 1 / rate
        cluster = CLUSTERS[i % len(CLUSTERS)]
        join(consul, cluster, port)
        took.append(time_until_served(connection, cluster, port, time.monotonic()))
        joined.append((cluster, port))
        port += 1
        # The oldest goes half a round behind, in a cluster that is not being measured.
        if len(joined) > len(CLUSTERS) // 2:
            leave(consul, *joined.pop(0))
    return took


def time_until_served(connection, cluster, port, since):
    wanted = f"127.0.0.1:{port}"
    while True:
        if wanted in web.ask(connection, f"/rocketmq/{cluster}").body.split(";"):
            return time.monotonic() - since
        if time.monotonic() - since > GIVE_UP:
            raise AssertionError(f"{wanted} is not in the list of {cluster} after {GIVE_UP:g} s")


def join(consul, cluster, port):
    """A passing instance. Nobody listens on its port: only what Consul says matters here."""
    web.put_json(
        consul.address,
        "/v1/agent/service/register",
        {
            "ID": f"nameServer{cluster}-{port}",
            "Name": f"nameServer{cluster}",
            "Address": "127.0.0.1",
            "Port": port,
            "Check": {"TTL": "1h", "Status": "passing"},
        },
    )


def leave(consul, cluster, port):
    consul.deregister(f"nameServer{cluster}-{port}")


def report(took, rate):
    size = f"{len(CLUSTERS)} clusters x {INSTANCES} instances"
    print(f"{len(took)} changes, {rate:g} a second over {size}, on {machine()}")
    ordered = sorted(took)
    figures = []
    for name, share in [("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)]:
        value = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        figures.append(f"{name} {value * 1000:.1f}")
    print("ms from Consul's answer to the new list:", ", ".join(figures))


def machine():
    names = [
        line.partition(":")[2].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else 'an unnamed CPU'}, {len(names)} cores"


if __name__ == "__main__":
    main()
