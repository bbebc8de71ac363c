#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many clusters from a real Consul: connections, start, propagation, CPU time there and here, memory.

    tests/bench/clusters.py [--clusters 100,1000,10000] [--bin PATH] [--only nsaddrd,consul-template,replaced]

For each number of clusters a Consul agent of its own (dev mode, default limits) is filled and asked to do the same
three times: by itself, with nsaddrd, and with consul-template. What it uses more than by itself is "for us". One
Markdown table on stdout, all figures in a JSON file, progress on stderr.
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys
import tempfile
import time

import catalog
import clusters_report
import peers
import servers
from machine import description, memory_kb
from probes import Connections, Lists, Propagation, Window
from realparts import processes
from realparts.consul import Consul
from realparts.waiting import until

MEASURED = ("nsaddrd", "consul-template", "replaced")
# Of changes, as seeds: each has its own. {name: (changes a second, the option that says for how long)}
PHASES = {"slow": (1, "slow"), "fast": (20, "fast")}
# As agents run in production: dev mode by itself writes a line for every request.
AGENT = ("-log-level", "info", "-hcl", "disable_update_check = true")
LIMIT = "limits {{ http_max_conns_per_client = {} }}"
FIRST_TABLE_S = 300.0


def main():
    options = parse_arguments()
    sys.setswitchinterval(0.0005)  # the thread that polls shall not wait for the one that registers
    measured = {}
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        run = processes.Run(folder, processes.build_parts())
        try:
            for count in options.clusters:
                measured[count] = of_clusters(run, count, options)
        finally:
            processes.kill_all()
    allowed = options.agent_connections or "by default 200"
    machine = f"{description()}; {servers.version(options.bin)}; {options.idle:g} s idle, " \
              f"{options.slow:g} s of 1 change/s, {options.fast:g} s of 20; " \
              f"the agent allows one address {allowed} connections"
    print(f"{machine}\n\n{clusters_report.markdown(measured)}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": machine, "clusters": measured}, indent=2) + "\n")
    say(f"written: {options.json}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clusters", default="100,1000,10000")
    parser.add_argument("--bin", "--daemon", type=pathlib.Path, default=servers.binary(), help="our program")
    parser.add_argument("--only", default=",".join(MEASURED))
    parser.add_argument("--idle", type=float, default=120, metavar="SECONDS",
                        help="without changes; long, as an idle Consul collects its garbage seldom")
    parser.add_argument("--slow", type=float, default=60, metavar="SECONDS", help="of 1 change a second")
    parser.add_argument("--fast", type=float, default=30, metavar="SECONDS", help="of 20 changes a second")
    parser.add_argument("--short", action="store_true", help="100 and 1,000 clusters, 20 s each, without peers")
    parser.add_argument("--give-up", type=float, default=60, metavar="SECONDS", help="on a change that is not served")
    parser.add_argument("--peer-start", type=float, default=120, metavar="SECONDS",
                        help="in which consul-template has to write its first file")
    parser.add_argument("--agent-connections", type=int, metavar="NUMBER",
                        help="that the agent allows one address, if not Consul's default (200)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of nsaddrd")
    parser.add_argument("--nice", type=int, default=0, help="negative where other programs run, too (as root)")
    parser.add_argument("--json", type=pathlib.Path, default=servers.ROOT / "build" / "reports" / "bench-clusters.json")
    options = parser.parse_args()
    os.nice(options.nice)
    if options.short:
        options.clusters, options.only = "100,1000", "nsaddrd"
        options.idle = options.slow = options.fast = 20
    options.clusters = [int(n) for n in options.clusters.split(",")]
    options.only = options.only.split(",")
    if min(options.clusters) < 10:
        parser.error("--clusters: 10 are the least")
    options.bin = options.bin.absolute()
    options.set = dict(setting.split("=", 1) for setting in options.set)
    unknown = set(options.only) - set(MEASURED)
    if unknown:
        parser.error(f"--only: {', '.join(sorted(unknown))}; there are {', '.join(MEASURED)}")
    return options


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def of_clusters(run, count, options):
    """{what: figures}, from an agent of their own."""
    measured = {}
    limit = ("-hcl", LIMIT.format(options.agent_connections)) if options.agent_connections else ()
    with Consul(run, arguments=(*AGENT, *limit)) as consul, contextlib.closing(catalog.Catalog(consul.address)) as writer:
        site = Site(run, consul, writer, count, options)
        site.fill()
        measured["consul"] = site.baseline()
        if "nsaddrd" in options.only:
            measured["nsaddrd"] = site.nsaddrd()
        if "consul-template" in options.only:
            measured["consul-template"] = site.consul_template()
        if "replaced" in options.only:
            site.say("one program of the kind that is replaced")
            measured["replaced"] = peers.replaced(run, consul)
    return measured


class Site:
    """One Consul with its clusters, and what is measured there."""

    def __init__(self, run, consul, writer, count, options):
        self._run, self._consul, self._writer = run, consul, writer
        self._count, self._options = count, options
        # With all that are new in the changes there are as many as are asked for, and never more.
        self._new = catalog.new_at_most(count)
        self._at_start = count - self._new * len(PHASES)
        self._instances = catalog.instances_of(self._at_start)
        self._consul_port = int(consul.address.rpartition(":")[2])
        self._base = None

    def say(self, text):
        say(f"{self._count} clusters: {text}")

    def fill(self):
        started = time.monotonic()
        self._writer.fill(self._instances)
        self.say(f"{len(self._instances)} instances are in Consul after {time.monotonic() - started:.1f} s")

    def baseline(self):
        """What Consul uses when nobody watches."""
        self.say("Consul by itself")
        self._settle(consul=self._consul.pid)
        self._base = {"idle": self._idle(consul=self._consul.pid)}
        changes, self._base["fast"] = self._under_load("fast", consul=self._consul.pid)
        self._writer.undo(changes)
        return self._base

    def nsaddrd(self):
        self.say("nsaddrd starts")
        server = Nsaddrd(self._run, self._consul, self._options)
        with server, Connections(server.pid, self._consul_port) as connections:
            lists = Lists(server.port)
            measured = {"start": first_table(server, lists, self._instances)}
            self.say(f"complete after {measured['start']['complete']:.2f} s")
            measured |= self._with(server.pid, lambda c: c.instance.address in lists.get(c.instance.cluster))
            server.stop()
        return measured | {"connections": connections.most, "samples": connections.samples}

    def consul_template(self):
        self.say("consul-template starts")
        template = peers.ConsulTemplate(self._run, self._consul)
        with template, Connections(template.pid, self._consul_port) as connections:
            with Window(consul=self._consul.pid, own=template.pid) as window:
                measured = {"start": template.first_file(self._instances, self._options.peer_start)}
            measured["start"] |= {"percent": window.percent, "seconds": window.seconds}
            if measured["start"]["complete"] is None:
                self.say(f"no file: {measured['start']['why']}")
            else:
                measured |= self._with(template.pid, template.has)
        return measured | {"connections": connections.most, "samples": connections.samples}

    def _with(self, pid, look):
        """Idle, then each phase of changes, while a process watches."""
        pids = {"consul": self._consul.pid, "own": pid}
        self._settle(**pids)
        measured = {"idle": self._idle(**pids), "memory": memory_kb(pid)}
        changes = []
        for phase in PHASES:
            done, measured[phase] = self._under_load(phase, look, **pids)
            changes += done
        measured["memory after"] = memory_kb(pid)
        self._writer.undo(changes)
        for name in ("idle", "fast"):
            measured[name]["percent"]["for it"] = (
                measured[name]["percent"]["consul"] - self._base[name]["percent"]["consul"]
            )
        return measured

    def _settle(self, **pids):
        """Until CPU time is the same in two looks; half a minute at most."""
        time.sleep(5)
        last = None
        for _ in range(12):
            with Window(**pids) as window:
                time.sleep(2)
            now = sum(window.percent.values())
            if last is not None and abs(now - last) < 1:
                return
            last = now

    def _idle(self, **pids):
        self.say(f"idle for {self._options.idle:g} s")
        with Window(**pids) as window:
            time.sleep(self._options.idle)
        processes.assert_all_alive()
        return {"percent": window.percent, "seconds": window.seconds}

    def _under_load(self, phase, look=None, **pids):
        """The changes, and what it took."""
        rate, option = PHASES[phase]
        seconds = getattr(self._options, option)
        self.say(f"{rate} change(s) a second for {seconds:g} s")
        number = list(PHASES).index(phase) + 1
        changes = catalog.plan(self._at_start, self._new, int(seconds * rate), rate, number)
        figures = {}
        with contextlib.ExitStack() as stack:
            seen = stack.enter_context(Propagation(look, self._options.give_up)) if look else None
            with Window(**pids, bench=os.getpid()) as window:
                self._carry_out(changes, rate, seen)
            if seen:
                seen.wait()
                figures = {"took": seen.took, "never": seen.never}
        processes.assert_all_alive()
        return changes, {"percent": window.percent, "seconds": window.seconds, "changes": len(changes), **figures}

    def _carry_out(self, changes, rate, seen):
        started = time.monotonic()
        for number, change in enumerate(changes):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            self._writer.apply(change)
            if seen and change.kind in catalog.TIMED:
                seen.expect(change, time.monotonic())
        time.sleep(max(0.0, started + len(changes) / rate - time.monotonic()))


class Nsaddrd(servers.Nsaddrd):
    """As it comes, on any core, and not waited for."""

    def __init__(self, run, consul, options):
        settings = {
            "http.threads": 0,
            "admission.leave_delay": "30s",
            "register.mode": "single",
            "register.advertise": "127.0.0.1",
            "log.level": "info",
            **options.set,
        }
        super().__init__(run, 0, consul, settings, core=None, program=options.bin)
        self.started = None

    def __enter__(self):
        folder = self._run.folder_for(f"{self.name}-files")
        command = self.command(folder)
        self.started = time.monotonic()
        self.process = self._run.start(self.name, command)
        return self

    def stop(self):
        """Takes its registration out of Consul."""
        self.process.terminate()
        status = self.process.wait(timeout=60)
        assert status == 0, f"nsaddrd ended with status {status}\n{self.process.tail()}"


def first_table(server, lists, instances):
    """Seconds from the start until it is ready, and until every list was seen to be right."""
    wanted = {}
    for instance in instances:
        wanted.setdefault(instance.cluster, set()).add(instance.address)
    until("nsaddrd is ready", lambda: server.status("/readyz") == 200, timeout=FIRST_TABLE_S, every=0.005)
    ready = time.monotonic() - server.started
    while True:
        names = list(wanted)
        for start in range(0, len(names), 100):
            batch = names[start : start + 100]
            for name, served in zip(batch, lists.get_all(batch), strict=True):
                if served == wanted[name]:
                    del wanted[name]
        took = time.monotonic() - server.started
        if not wanted:
            return {"ready": ready, "complete": took}
        assert took < FIRST_TABLE_S, f"{len(wanted)} lists are wrong after {took:.0f} s, such as {next(iter(wanted))}"
        processes.assert_all_alive()
        time.sleep(min(0.1, took / 20))


if __name__ == "__main__":
    sys.exit(main())
