#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What peers, scrapes and restarts can do to good clients, and how soon a start answers.

    tests/bench/hurt.py [--only slow,storm,scrape,restart,start] [--bin PATH]

slow     connections that hold a place: a third send a request at one byte a second, a third are idle, a third
         ask and never read; meanwhile two good clients ask, one on a kept connection, one on a new one each time
storm    new connections at a steady rate, whatever becomes of them, each with one request
scrape   the metrics of 10,000 clusters, asked for ten times a second
restart  SIGTERM and a new process on the same listening socket, as systemd hands it over, under load
start    from exec to the first right answer, with all lists on disk and no Consul
"""

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from statistics import median

import results
import servers
from machine import CLIENT_CORE, cpu_ns, description, open_files
from realparts import processes
from realparts.waiting import until
from results import Goal

SCENES = ("slow", "storm", "scrape", "restart", "start")
CLUSTERS = 10000
PATH, LIST = "/rocketmq/c00000", "10.100.100.1:9876;10.100.100.2:9876;10.100.100.3:9876"
CONSUL_LIST = LIST.replace("9876", "9877")
SLOW_GOAL, SLOW_ACCEPTABLE = 18000, 10000
SLOW_PROCESSES = 3
# More than are counted on: some of them are always just being opened again.
SLOW_OFFERED = 6120
SLOW_LIMIT = 18500
PIPELINED = 64
SCRAPE_EVERY_S = 0.1
BAD = "MISSED"


def main():
    options = parse_arguments()
    os.sched_setaffinity(0, {int(CLIENT_CORE)})
    rows, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        parts = pathlib.Path(folder) / "parts"
        parts.mkdir()
        servers.build_parts(parts, "slow.c", "storm.c", "steady.c", "consul.go")
        run = processes.Run(folder, parts)
        try:
            for name in options.only:
                figures[name] = globals()[name](run, options, rows)
        finally:
            processes.kill_all()
    print(f"{description()}; {servers.versions()['nsaddrd']}")
    results.print_table("Peers that hurt", ["what", "figure", "goal", "acceptable", ""], rows)
    results.write("hurt", figures)
    # Times depend on the machine; what was lost does not.
    return 1 if any(figure["lost"] for figure in figures.values()) else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=servers.binary(), help="our program")
    parser.add_argument("--only", default=",".join(SCENES))
    parser.add_argument("--seconds", type=int, default=25, help="that the slow connections are held")
    parser.add_argument("--storm", type=int, default=100000, help="connections within 10 s")
    parser.add_argument("--scrapes", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--starts", type=int, default=11)
    parser.add_argument("--nice", type=int, default=0, help="negative where other programs run, too (as root)")
    options = parser.parse_args()
    os.nice(options.nice)
    options.bin = options.bin.absolute()
    options.only = options.only.split(",")
    return options


def add_row(rows, what, figure, unit, goal):
    """goal: (goal, acceptable), of which one is bettered by less; or by more, if the first is the greater one."""
    best, acceptable = goal
    verdict = Goal(best, acceptable).verdict(figure)
    if best > acceptable:
        verdict = Goal(-best, -acceptable).verdict(-figure)
    shown = f"{figure:.1f}" if isinstance(figure, float) else str(figure)
    rows.append([what, f"{shown}{unit}", f"{best}{unit}", f"{acceptable}{unit}", verdict])
    return verdict


# -- good clients --------------------------------------------------------------------------------------------------

class Steady:
    """Good clients, until their end is asked for."""

    def __init__(self, run, port, kinds, rate=100, expected=LIST):
        self._clients = {}
        for number, kind in enumerate(kinds):
            command = ["taskset", "-c", CLIENT_CORE, run.parts / "steady", port, PATH, expected, kind, rate]
            self._clients[f"{kind}-{number}"] = run.start(f"steady-{kind}", command)

    def finish(self):
        for client in self._clients.values():
            client.terminate()
        return {name: end_of(client) for name, client in self._clients.items()}


def end_of(client):
    """What a client says when it is over."""
    status = client.wait(timeout=30)
    assert status == 0, f"{client.name} ended with {status}\n{client.tail()}"
    return last_line(client)


def last_line(client):
    """What a client says in its last whole line."""
    lines = client.output().split("\n")[:-1]
    return json.loads(lines[-1]) if lines else {}


def failures_of(good):
    for name, figure in good.items():
        if figure["complaint"]:
            print(f"{name}: {figure['complaint']}")
    return sum(figure["asked"] - figure["right"] for figure in good.values())


# -- slow ----------------------------------------------------------------------------------------------------------

def slow(run, options, rows):
    with servers.Nsaddrd(run, CLUSTERS, settings={"http.max_connections": SLOW_LIMIT},
                         program=options.bin) as server:
        own_files = open_files(server.pid)

        def held():
            return sum(last_line(crowd).get("held", 0) for crowd in crowds)

        third = SLOW_OFFERED // 3
        crowds = [run.start("slow", ["taskset", "-c", CLIENT_CORE, run.parts / "slow", server.port, PATH, third,
                                     third, third, PIPELINED, 10 * (number + 1)]) for number in range(SLOW_PROCESSES)]
        until(f"{SLOW_GOAL} connections are held", held, lambda count: count >= SLOW_GOAL)
        servers.settle(server.pid, cpu_ns, share=0.3)  # what the readers asked is answered
        good = Steady(run, server.port, ("kept", "new"))
        before, least, accepted = cpu_ns(server.pid), SLOW_LIMIT, SLOW_LIMIT
        for _ in range(options.seconds):
            time.sleep(1)
            least, accepted = min(least, held()), min(accepted, open_files(server.pid) - own_files)
        share = (cpu_ns(server.pid) - before) / options.seconds / 1e9
        good = good.finish()
        for crowd in crowds:
            crowd.terminate()
        ends = [end_of(crowd) for crowd in crowds]
    failed = failures_of(good)
    reached = add_row(rows, "slow connections held, at least", least, "", (SLOW_GOAL, SLOW_ACCEPTABLE))
    rows.append(["of them accepted by the server", accepted, "", "", ""])
    for name, figure in good.items():
        add_row(rows, f"meanwhile p99, {name.split('-')[0]} connections", figure["p99"], " ms", (5, 10))
    add_row(rows, "meanwhile failed of a good client", failed, "", (0, 0))
    return {"held": least, "accepted": accepted, "good": good, "reopened": sum(end["reopened"] for end in ends), "cpu_share": share,
            "lost": failed + (reached == BAD)}


# -- storm ---------------------------------------------------------------------------------------------------------

def storm(run, options, rows):
    with servers.Nsaddrd(run, CLUSTERS, program=options.bin) as server:
        client = run.start("storm", ["taskset", "-c", CLIENT_CORE, run.parts / "storm", server.port, PATH, LIST,
                                     options.storm, 10000], must_live=False)
        client.wait(timeout=60)
        figure = end_of(client)
    failed = figure["offered"] - figure["right"]
    add_row(rows, f"{options.storm} new connections within 10 s, failed", failed, "", (0, 0))
    add_row(rows, "slowest answer", figure["max"], " ms", (500, 1000))
    return {**figure, "lost": failed}


# -- scrape --------------------------------------------------------------------------------------------------------

def scrape(run, options, rows):
    with servers.Consul(run, "c", CLUSTERS) as consul, servers.Nsaddrd(run, 0, consul, program=options.bin) as server:
        server.until_ready()
        servers.settle(server.pid, cpu_ns)
        alone = Steady(run, server.port, ("kept", "new"), expected=CONSUL_LIST)
        time.sleep(options.scrapes * SCRAPE_EVERY_S)
        alone = alone.finish()
        good = Steady(run, server.port, ("kept", "new"), expected=CONSUL_LIST)
        admin = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=10)
        took, cost = [], []
        for _ in range(options.scrapes):
            begun, before = time.monotonic(), cpu_ns(server.pid)
            admin.request("GET", "/metrics")
            page = admin.getresponse().read()
            took.append((time.monotonic() - begun) * 1000)
            cost.append((cpu_ns(server.pid) - before) / 1e6)
            time.sleep(max(0.0, SCRAPE_EVERY_S - (time.monotonic() - begun)))
        admin.close()
        good = good.finish()
    failed = failures_of(alone) + failures_of(good)
    add_row(rows, f"scrape of {CLUSTERS} clusters, {len(page) // 1000} kB", median(took), " ms", (20, 40))
    rows.append(["of it CPU time", f"{median(cost):.1f} ms", "", "", ""])
    for name, figure in good.items():
        rows.append([f"p99 without scrapes, {name.split('-')[0]} connections", f"{alone[name]['p99']:.1f} ms", "", "", ""])
        add_row(rows, "with ten a second", figure["p99"], " ms", (5, 10))
    add_row(rows, "meanwhile failed of a good client", failed, "", (0, 0))
    return {"ms": results.spread(took), "cpu_ms": results.spread(cost), "bytes": len(page), "alone": alone,
            "good": good, "lost": failed}


# -- restart -------------------------------------------------------------------------------------------------------

class Activated(servers.Nsaddrd):
    """One life after the other on one listening socket, handed over as systemd does."""

    def __enter__(self):
        listener = socket.create_server(("127.0.0.1", self.port), backlog=4096)
        # In the shell's reach, and out of the way of the one number that is asked for.
        self._listener = fcntl.fcntl(listener, fcntl.F_DUPFD, 10)
        listener.close()
        self._folder = self._run.folder_for("activated")
        self._log = open(self._folder / "log", "wb")
        self._child = None
        return self

    def __exit__(self, *_):
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        os.close(self._listener)
        self._log.close()

    def start(self):
        script = f'exec 3<&{self._listener} {self._listener}<&-; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
        command = ["setpriv", "--pdeathsig", "KILL", "bash", "-c", script, "bash", "taskset", "-c", self._core,
                   *self.command(self._folder)]
        self._child = subprocess.Popen([str(word) for word in command], pass_fds=[self._listener], stderr=self._log)

    def stop(self):
        self._child.send_signal(signal.SIGTERM)
        status = self._child.wait(timeout=20)
        assert status == 0, f"exit status {status}\n{(self._folder / 'log').read_text()}"
        self._child = None


def restart(run, options, rows):
    settings = {"register.drain": "100ms"}
    with Activated(run, 100, settings=settings, program=options.bin) as server:
        server.start()
        until("an answer", lambda: servers.get(server.port, PATH))
        good = Steady(run, server.port, ("kept", "new") * 4)
        for _ in range(options.restarts):
            server.stop()
            server.start()
            servers.get(server.port, PATH)
        good = good.finish()
    failed = failures_of(good)
    asked = sum(figure["asked"] for figure in good.values())
    add_row(rows, f"{options.restarts} restarts, failed of {asked} requests", failed, "", (0, 0))
    return {"restarts": options.restarts, "good": good, "lost": failed}


# -- start ---------------------------------------------------------------------------------------------------------

def start(run, options, rows):
    state = run.folder_for("state")
    settings = {"state.dir": str(state), "log.level": "info"}  # the default: it has something to say for each
    with servers.Consul(run, "c", CLUSTERS) as consul:
        with servers.Nsaddrd(run, 0, consul, settings, program=options.bin) as server:
            server.until_ready()
            server.process.terminate()
            assert server.process.wait(timeout=60) == 0, server.process.tail()
    took = []
    for _ in range(options.starts):
        with contextlib.ExitStack() as stack:
            server = servers.Nsaddrd(run, 0, consul, settings, program=options.bin)
            folder = run.folder_for("start")
            command = ["taskset", "-c", "0", *map(str, server.command(folder))]
            log = stack.enter_context(open(folder / "log", "wb"))
            begun = time.monotonic()
            child = subprocess.Popen(command, stderr=log)
            stack.callback(child.wait)
            stack.callback(child.kill)
            took.append((until_answered(server.port) - begun) * 1000)
    add_row(rows, f"start to first answer, {CLUSTERS} clusters", median(took), " ms", (20, 50))
    return {"ms": results.spread(took), "lost": 0}


def until_answered(port):
    """When the first right answer is there. No pause: what is waited for takes only some milliseconds."""
    path, wanted = f"/rocketmq/c{CLUSTERS - 1:05d}", ";".join(f"10.199.199.{n}:9877" for n in range(1, 4))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            answer = servers.get(port, path)
        except OSError:
            continue
        assert servers.body_of(answer) == wanted, answer
        return time.monotonic()
    raise AssertionError("no answer after 30 s")


if __name__ == "__main__":
    sys.exit(main())
