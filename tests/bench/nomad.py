#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Under Nomad, side by side: nsaddrd for all clusters, and what it replaces, a rendered Go program for each.

    tests/bench/nomad.py [--clusters 20] [--changes 7]

A real Consul, Nomad and fabio (dev agents, as root) run on this machine, and two of nsaddrd by the job file of
packaging/nomad. Each change is a new instance of one cluster; both see it in the same Consul. Only joins are
measured: nsaddrd delays leaving on purpose.
"""

import argparse
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from statistics import mean, median

import results
import servers
from machine import description, memory_kb
from realparts import processes, web
from realparts.consul import Consul
from realparts.fabio import RunningFabio
from realparts.nomad import JOBS, PACKAGING, Nomad
from realparts.ports import free_port
from realparts.waiting import until

INSTANCES = 3
FIRST_PORT = 10000
GIVE_UP = 300.0
# Of each client, between an answer and the next request; the more clients there are, the longer.
PAUSE = 0.01
# Between the end of a change and the next: fabio has the route again, Consul's check passes.
QUIET = 8.0
PATHS = {"nsaddrd": "/rocketmq", "Go program": "/rendered"}


class Client(threading.Thread):
    """Asks for one list again and again, each time on a new connection, and keeps what it got."""

    def __init__(self, address, path, pause):
        super().__init__(daemon=True)
        self._address, self._path, self._pause = address, path, pause
        self._end = threading.Event()
        self.answers = []  # (when it came, the list; None if there was none)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def run(self):
        while not self._end.wait(self._pause):
            try:
                reply = web.get(self._address, self._path, timeout=2)
                found = reply.body if reply.status == 200 and reply.body else None
            except (OSError, http.client.HTTPException):
                found = None
            self.answers.append((time.monotonic(), found))

    def first_with(self, wanted):
        return next((at for at, found in self.answers if found and wanted in found.split(";")), None)

    def failed(self):
        return sum(found is None for _, found in self.answers)

    def longest_outage(self):
        """Seconds from the first failure to the next answer, the longest of them."""
        longest, since = 0.0, None
        for at, found in self.answers:
            if found is None:
                since = since or at
            elif since:
                longest, since = max(longest, at - since), None
        return longest


class World:
    """Everything up, with all clusters served by both."""

    def __init__(self, run, consul, nomad, count, binary):
        self.consul, self.nomad = consul, nomad
        self.clusters = [f"c{i:02d}" for i in range(count)]
        self._next_port = FIRST_PORT
        for cluster in self.clusters:
            for _ in range(INSTANCES):
                self.join(cluster)
        port, ui_port = free_port(), free_port()
        nomad.run(PACKAGING / "fabio.nomad.hcl", driver="raw_exec", command=run.parts / "fabio", user="root",
                  port=port, ui_port=ui_port, consul_address=consul.address)
        self.fabio = RunningFabio(f"127.0.0.1:{port}", f"127.0.0.1:{ui_port}")
        self.fabio.await_up()
        nomad.run(PACKAGING / "nsaddrd.nomad.hcl", driver="raw_exec", command=binary, user="root",
                  distinct_hosts=False, consul_address=f"http://{consul.address}")
        self._run_rendered()
        nomad.await_deployed("nsaddrd")
        for cluster in self.clusters:
            for path in PATHS.values():
                until(f"{path}/{cluster} through fabio", lambda: web.get(self.fabio.address, f"{path}/{cluster}"),
                      lambda reply: reply.status == 200 and reply.body.count(":") == INSTANCES, timeout=GIVE_UP)

    def _run_rendered(self):
        go = shutil.which("go")
        cache = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
        for cluster in self.clusters:
            self.nomad.run(JOBS / "rendered-program.nomad.hcl", cluster=cluster, path=PATHS["Go program"],
                           go=go, go_cache=cache)

    def join(self, cluster):
        """A passing instance. Nobody listens on its port: only what Consul says matters here."""
        port, self._next_port = self._next_port, self._next_port + 1
        web.put_json(self.consul.address, "/v1/agent/service/register", {
            "ID": f"{cluster}-{port}", "Name": f"nameServer{cluster}", "Address": "127.0.0.1", "Port": port,
            "Check": {"TTL": "1h", "Status": "passing"},
        })  # fmt: skip
        return f"127.0.0.1:{port}"

    def job(self, kind, cluster):
        return "nsaddrd" if kind == "nsaddrd" else f"rendered-{cluster}"

    def clients(self, cluster, pause):
        """By kind: one that asks a process, and one that asks fabio."""
        found = {}
        for kind, path in PATHS.items():
            direct = self.nomad.running(self.job(kind, cluster))[0].address("http")
            found[kind] = [Client(address, f"{path}/{cluster}", pause) for address in (direct, self.fabio.address)]
        return found


def change(world, clusters):
    """One instance more in each of these clusters, at the same time. For each kind: seconds until the last has it
    at fabio, failed requests and the longest outage, both of whom asks the process and of whom asks fabio."""
    clients = {cluster: world.clients(cluster, PAUSE * len(clusters)) for cluster in clusters}
    everyone = [client for kinds in clients.values() for pair in kinds.values() for client in pair]
    for client in everyone:
        client.start()
    joined = {cluster: (world.join(cluster), time.monotonic()) for cluster in clusters}
    served = until(
        "the change to be served by all",
        lambda: {kind: [c.first_with(joined[cluster][0]) for cluster in clusters for c in clients[cluster][kind]]
                 for kind in PATHS},
        lambda found: all(all(times) for times in found.values()),
        timeout=GIVE_UP,
    )
    time.sleep(QUIET)  # what fails after the change belongs to it
    for client in everyone:
        client.__exit__()
    since = min(at for _, at in joined.values())
    return {
        kind: {
            "seconds": max(served[kind]) - since,
            "asked": [sum(len(clients[c][kind][i].answers) for c in clusters) for i in (0, 1)],
            "failed": [sum(clients[c][kind][i].failed() for c in clusters) for i in (0, 1)],
            "outage": [max(clients[c][kind][i].longest_outage() for c in clusters) for i in (0, 1)],
        }
        for kind in PATHS
    }


def memory(world):
    """Of each kind, by what it is, in MB of proportional set size, for all clusters."""
    found = {}
    for kind in PATHS:
        parts = defaultdict(float)
        jobs = {world.job(kind, cluster) for cluster in world.clusters}
        for job in jobs:
            for pid, arguments in world.nomad.processes(job):
                parts[part_of(arguments)] += memory_kb(pid)["pss"] / 1000
        found[kind] = {"processes of its own": parts["program"], "go run": parts["go run"],
                       "Nomad's, for its tasks": parts["Nomad"], "in all": sum(parts.values())}
    return found


def part_of(arguments):
    if arguments[1:2] in (["executor"], ["logmon"]):
        return "Nomad"
    return "go run" if arguments[1:2] == ["run"] else "program"


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        run = processes.Run(folder, processes.build_parts())
        try:
            with Consul(run, arguments=("-log-level", "info")) as consul, Nomad(run, consul) as nomad:
                world = World(run, consul, nomad, options.clusters, options.bin)
                used = memory(world)
                single = [change(world, [world.clusters[i % len(world.clusters)]]) for i in range(options.changes)]
                every = change(world, world.clusters)
        finally:
            processes.kill_all()
    report(options, used, single, every)
    lost = sum(sum(figures["nsaddrd"]["failed"]) for figures in [*single, every])
    if lost:
        sys.exit(f"nsaddrd lost {lost} requests")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clusters", type=int, default=20)
    parser.add_argument("--changes", type=int, default=7)
    parser.add_argument("--bin", type=servers.pathlib.Path, default=servers.binary(), help="our program")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("Nomad's agent has to be root")
    return options


def report(options, used, single, every):
    kinds = list(PATHS)

    def row(name, figure):
        return [name, *(figure(kind) for kind in kinds)]

    def seconds(kind):
        took = [figures[kind]["seconds"] for figures in single]
        return f"{min(took):.3f}, {median(took):.3f}, {max(took):.3f}"

    def failed(i):
        return lambda kind: "{} of {}".format(
            sum(figures[kind]["failed"][i] for figures in single), sum(figures[kind]["asked"][i] for figures in single)
        )

    def outage(i):
        return lambda kind: "{:.2f}".format(mean(figures[kind]["outage"][i] for figures in single))

    rows = [
        row("one cluster changes: seconds until it is served, least, median, most", seconds),
        row("- requests that failed, to the process", failed(0)),
        row("- the same through fabio", failed(1)),
        row("- longest time without an answer of each change, mean, to the process", outage(0)),
        row("- the same through fabio", outage(1)),
        row(f"all {options.clusters} change at once: seconds until the last is served",
            lambda kind: f"{every[kind]['seconds']:.3f}"),
        row("- requests that failed, through fabio",
            lambda kind: f"{every[kind]['failed'][1]} of {every[kind]['asked'][1]}"),
        *(row(f"memory, MB: {part}", lambda kind, part=part: f"{used[kind][part]:.0f}") for part in used["nsaddrd"]),
    ]
    print(f"{description()}; {servers.version(options.bin)}; {options.clusters} clusters of {INSTANCES} instances; "
          f"{options.changes} changes")
    heads = ["", "nsaddrd, two for all", f"Go programs, {options.clusters}"]
    results.print_table("Under Nomad", heads, rows)
    results.write("nomad", {"clusters": options.clusters, "memory": used, "changes": single, "all at once": every})


if __name__ == "__main__":
    main()
