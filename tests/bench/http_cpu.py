#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time per request: nsaddrd beside nginx, Go's net/http and a bare epoll loop.

    tests/bench/http_cpu.py [--quick] [--bin PATH] [--only nsaddrd,epoll] [--mode kept] [--clusters 1,100,10000]

All servers run side by side on one core, with one thread each, and are asked one after the other, round by
round, by wrk on the other core. What counts is the CPU time of a server over the requests it answered: the
load generator is the bottleneck. Ratios are of figures of the same round; a table has their median.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import results
import servers
from machine import CLIENT_CORE, cpu_ns, description
from realparts import processes
from results import Goal

MODES = ("kept", "new")
IDLE_S = 3
GOALS = {
    ("kept", "nginx"): Goal(0.95, 1.00),
    ("new", "nginx"): Goal(1.00, 1.08),
    ("kept", "epoll"): Goal(1.15, 1.22),
    ("new", "epoll"): Goal(1.15, 1.22),
    ("kept", "go"): Goal(0.40, 0.45),
    ("new", "go"): Goal(0.60, 0.70),
}
GROWTH = Goal(1.02, 1.05)


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        parts = pathlib.Path(folder) / "parts"
        parts.mkdir()
        servers.build_parts(parts, "epoll.c", "static.go", "consul.go")
        try:
            with contextlib.ExitStack() as stack:
                measured = start_all(stack, processes.Run(folder, parts), options)
                idle = measure_idle(measured)
                rounds = measure(measured, options)
        finally:
            processes.kill_all()
    return report(list(measured), rounds, idle, options)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds, for development")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=int, default=1, help="of one measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--bin", type=pathlib.Path, default=servers.binary(), help="our program")
    parser.add_argument("--against", type=pathlib.Path, help="another build of it, as a further peer")
    parser.add_argument("--only", default="nsaddrd,nginx,go,epoll,nginx-deferred,epoll-deferred", help="of these")
    parser.add_argument("--mode", choices=MODES, help="kept connections, or a new one for each request")
    parser.add_argument("--clusters", default="1,100,10000", help="nsaddrd runs once with each number")
    parser.add_argument("--source", choices=("static", "consul"), default="static",
                        help="static: from the config, beside 20 of Consul that change; consul: all from there")
    parser.add_argument("--interval", default="100ms", help="between two changes in Consul; 0s for none")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of nsaddrd")
    parser.add_argument("--nice", type=int, default=0, help="negative where other programs run, too (as root)")
    options = parser.parse_args()
    os.nice(options.nice)
    if options.quick:
        options.rounds = 3
    options.bin = options.bin.absolute()
    options.against = options.against and options.against.absolute()
    options.only = options.only.split(",")
    options.modes = [options.mode] if options.mode else MODES
    options.clusters = [int(n) for n in options.clusters.split(",")]
    return options


# -- servers -------------------------------------------------------------------------------------------------------

def start_all(stack, run, options):
    """All that are measured, by name. There is always an nsaddrd: the others send what it sends."""
    ours = {}
    for count in options.clusters:
        ours[f"nsaddrd@{count}"] = start_nsaddrd(stack, run, options, options.bin, count)
    if options.against:
        most = max(options.clusters)
        ours[f"against@{most}"] = start_nsaddrd(stack, run, options, options.against, most)
    for server in ours.values():
        servers.settle(server.pid, cpu_ns, share=0.1)
    first = next(iter(ours.values()))
    kept, closed = (servers.get(first.port, first.path, close) for close in (False, True))
    peers = {"nginx": lambda: servers.Nginx(run, kept), "go": lambda: servers.Go(run, kept),
             "epoll": lambda: servers.Epoll(run, kept, closed),
             "nginx-deferred": lambda: servers.Nginx(run, kept, deferred=True),
             "epoll-deferred": lambda: servers.Epoll(run, kept, closed, deferred=True)}
    started = {name: stack.enter_context(make()) for name, make in peers.items() if name in options.only}
    return {**started, **(ours if "nsaddrd" in options.only else {})}


def start_nsaddrd(stack, run, options, program, count):
    settings = dict(pair.split("=", 1) for pair in options.set)
    settings = {"http.max_connections_per_address": 10000,
                **{key: int(value) if value.isdigit() else value for key, value in settings.items()}}
    static = count if options.source == "static" else 0
    consul = servers.Consul(run, "m" if static else "c", 20 if static else count, options.interval)
    server = servers.Nsaddrd(run, static, stack.enter_context(consul), settings, program=program)
    return stack.enter_context(server).until_ready()


# -- measuring -----------------------------------------------------------------------------------------------------

def measure_idle(measured):
    """{name: share of a core} while nobody asks."""
    before = {name: cpu_ns(server.pid) for name, server in measured.items()}
    time.sleep(IDLE_S)
    return {name: (cpu_ns(server.pid) - before[name]) / IDLE_S / 1e9 for name, server in measured.items()}


def measure(measured, options):
    """{(mode, name): [figures of each round]}"""
    figures = {(mode, name): [] for mode in options.modes for name in measured}
    for mode in options.modes:
        for server in measured.values():  # unmeasured: the first requests find cold caches
            ask(server, mode, 1, 1, options)
    for number in range(options.rounds):
        for mode in options.modes:
            names = list(measured)
            shift = number % len(names) # nobody has the same neighbour in time in all rounds
            for name in names[shift:] + names[:shift]:
                clusters = int(name.partition("@")[2] or max(options.clusters))
                figures[mode, name].append(ask(measured[name], mode, clusters, options.seconds, options, number))
    return figures


def ask(server, mode, clusters, seconds, options, seed=0):
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{options.connections}", f"-d{seconds}s",
               "-s", servers.HERE / "ask.lua", f"http://{server.address}", "--", str(clusters), str(seed), mode]
    before = cpu_ns(server.pid)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 30)
    processes.assert_all_alive()
    assert done.returncode == 0, f"wrk failed on {server.name}: {done.stdout}{done.stderr}"
    used = cpu_ns(server.pid) - before
    figure = json.loads(done.stdout.splitlines()[-1])
    figure["cpu_us"] = used / 1000 / max(1, figure["requests"])
    figure["rate"] = figure["requests"] / figure["us"] * 1e6
    figure["busy"] = used / 1000 / figure["us"]
    return figure


# -- the report ----------------------------------------------------------------------------------------------------

def report(names, figures, idle, options):
    versions = servers.versions()
    print(f"{description()}; {', '.join(f'{name} {text}' for name, text in versions.items())}")
    print(f"{options.rounds} rounds of {options.seconds} s, {options.connections} connections, "
          f"clusters: {options.source}, a change every {options.interval}")
    costs = {}
    for mode in options.modes:
        costs |= report_mode(mode, names, figures)
    print("\nnobody asks: " + ", ".join(f"{name} {100 * share:.1f}%" for name, share in idle.items()) + " of a core")
    results.write("cpu", {"machine": description(), "versions": versions, "servers": costs, "idle": idle,
                          "ratios": report_ratios(names, figures, options)})
    failed = sum(figure["failed"] for series in figures.values() for figure in series)
    if failed:
        print(f"{failed} requests failed")
    return 1 if failed else 0


def report_mode(mode, names, figures):
    out, rows = {}, []
    for name in names:
        series = figures[mode, name]
        cost, rate, busy = (results.spread([figure[key] for figure in series]) for key in ("cpu_us", "rate", "busy"))
        out[f"{mode} {name}"] = {"cpu_us": cost, "rate": rate, "busy": busy}
        rows.append([name, f"{cost['median']:.2f}", f"{cost['min']:.2f} - {cost['max']:.2f}", f"{rate['median']:.0f}",
                     f"{100 * busy['median']:.0f}%", sum(figure["failed"] for figure in series)])
    title = "kept connections" if mode == "kept" else "a new connection for each request"
    results.print_table(title, ["server", "CPU us/request", "min - max", "requests/s", "busy", "failed"], rows)
    return out


def report_ratios(names, figures, options):
    out, rows = {}, []
    for mode, one, other, goal in pairs_of(names, options.modes):
        cost, base = ([figure["cpu_us"] for figure in figures[mode, name]] for name in (one, other))
        ratio = {**results.ratios(cost, base), "of_least": min(cost) / min(base)}
        out[f"{mode}: {one} / {other}"] = ratio
        limits = [f"{goal.goal:.2f}", f"{goal.acceptable:.2f}", goal.verdict(ratio["median"])] if goal else [""] * 3
        rows.append([f"{mode}: {one} / {other}", f"{ratio['median']:.3f}", f"{ratio['min']:.3f} - {ratio['max']:.3f}",
                     f"{ratio['of_least']:.3f}", *limits])
    if rows:
        results.print_table("CPU per request, ratios within a round",
                            ["ratio", "median", "min - max", "of the least", "goal", "acceptable", ""], rows)
    return out


def pairs_of(names, modes):
    """Whom to compare with whom: nsaddrd with the most clusters with all others."""
    ours = [name for name in names if name.startswith("nsaddrd@")]
    if not ours:
        return []
    most, least = ours[-1], ours[0]
    pairs = [(mode, most, peer, GOALS.get((mode, peer))) for mode in modes for peer in names if peer not in ours]
    return pairs + [(mode, most, least, GROWTH) for mode in modes if most != least]


if __name__ == "__main__":
    sys.exit(main())
