#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resident memory of nsaddrd: with how many clusters, from where, and with how many connections.

    tests/bench/memory.py [--clusters 1,100,10000] [--connections 0,1000,10000] [--bin PATH]

Clusters have three addresses each. They come from the config file, from Consul, or from the state file with Consul
away. Connections are kept ones that have had an answer and are idle.
"""

import argparse
import contextlib
import pathlib
import resource
import socket
import sys
import tempfile

import results
import servers
from machine import cpu_ns, description, memory_kb
from realparts import processes
from results import Goal

MB = 1024
GOALS = {1: Goal(4, 6), 100: Goal(5, 8), 10000: Goal(24, 32)}
SOURCES = ("static", "consul", "state")
COLUMNS = ("rss", "anon", "file", "pss", "peak")


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        parts = pathlib.Path(folder) / "parts"
        parts.mkdir()
        servers.build_parts(parts, "consul.go")
        run = processes.Run(folder, parts)
        try:
            by_clusters = {count: of_clusters(run, options.bin, count) for count in options.clusters}
            by_connections = of_connections(run, options.bin, options.connections)
        finally:
            processes.kill_all()
    report(by_clusters, by_connections)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=servers.binary(), help="our program")
    parser.add_argument("--clusters", default="1,100,10000")
    parser.add_argument("--connections", default="0,1000,10000")
    options = parser.parse_args()
    options.bin = options.bin.absolute()
    for name in ("clusters", "connections"):
        setattr(options, name, [int(n) for n in getattr(options, name).split(",")])
    return options


# -- measuring -----------------------------------------------------------------------------------------------------

def of_clusters(run, program, count):
    """{source: memory}"""
    measured = {}
    with servers.Nsaddrd(run, count, program=program) as server:
        measured["static"] = settled(server)
    settings = {"state.dir": str(run.folder_for("state"))}
    with servers.Consul(run, "c", count) as consul:
        with servers.Nsaddrd(run, 0, consul, settings, program=program) as server:
            measured["consul"] = settled(server.until_ready())
            server.process.terminate()
            assert server.process.wait(timeout=60) == 0, server.process.tail()
    with servers.Nsaddrd(run, 0, consul, settings, program=program) as server:
        assert b"X-Nsaddr-State: restored" in servers.get(server.port, f"/rocketmq/c{count - 1:05d}")
        measured["state"] = settled(server)
    return measured


def settled(server):
    servers.settle(server.pid, cpu_ns, share=0.5)
    return memory_kb(server.pid)


def of_connections(run, program, counts):
    """{connections: memory}"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    measured = {}
    settings = {"http.max_connections": max(counts) + 100}
    with servers.Nsaddrd(run, 1, settings=settings, program=program) as server, contextlib.ExitStack() as stack:
        opened = 0
        for count in counts:
            for _ in range(count - opened):
                ask_and_stay(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)), server)
            opened = count
            measured[count] = settled(server)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return measured


def ask_and_stay(connection, server):
    connection.sendall(f"GET {server.path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 ") and b"Connection: close" not in answer, answer


# -- the report ----------------------------------------------------------------------------------------------------

def report(by_clusters, by_connections):
    print(f"{description()}; {servers.versions()['nsaddrd']}")
    rows = []
    for source in SOURCES:
        for count, measured in by_clusters.items():
            memory, goal = measured[source], GOALS.get(count)
            rows.append([f"{count} clusters, {source}", *(f"{memory[name] / MB:.1f}" for name in COLUMNS),
                         *([goal.goal, goal.acceptable, goal.verdict(memory["rss"] / MB)] if goal else ["", "", ""])])
    results.print_table("MB", ["clusters", *COLUMNS, "goal", "acceptable", ""], rows)
    rows = [[f"{count} idle connections", *(f"{memory[name] / MB:.1f}" for name in COLUMNS)]
            for count, memory in by_connections.items()]
    results.print_table("MB, 1 cluster", ["connections", *COLUMNS], rows)
    growth = {f"KB per cluster, {source}": per_item({count: by_clusters[count][source] for count in by_clusters})
              for source in SOURCES}
    growth["KB per connection"] = per_item(by_connections)
    results.print_table("growth, least to most", ["what", "KB"], [[k, f"{v:.2f}"] for k, v in growth.items()])
    results.write("memory", {"clusters": by_clusters, "connections": by_connections, "growth": growth})


def per_item(measured):
    least, most = min(measured), max(measured)
    return (measured[most]["anon"] - measured[least]["anon"]) / max(1, most - least)


if __name__ == "__main__":
    sys.exit(main())
