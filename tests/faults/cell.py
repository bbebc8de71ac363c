# SPDX-License-Identifier: Apache-2.0
"""One cell of the fault matrix: a class of faults in one phase of a daemon's life, recorded and judged."""

import os
import time
from pathlib import Path

from agents import AgentBehindProxy, FakeAgent
from daemon import BINARY, Daemon
from history import Options
from recorder import Poller, Recorder
from waiting import eventually

# Short, but so much longer than the slack that a list which follows a fault is seen to.
SETTLE_MS, LEAVE_MS, GONE_MS, SLACK_MS = 200, 2000, 4000, 500
TRUTH = {"a": ["10.0.0.1", "10.0.0.2"], "a1": ["10.0.0.3", "10.0.0.4"], "b": ["10.0.0.5", "10.0.0.6"]}
JOINING, OTHER_JOINING = "10.0.0.8", "10.0.0.7"

# A fault is put up with when it takes less than half of one CPU, beside what a start costs.
CPU_SHARE, CPU_OF_START = 0.5, 0.3
LOG_LINES, LOG_LINES_PER_SECOND = 40, 10
MET_DEADLINE = FOLLOW_DEADLINE = 60.0
# The poller goes on for so many answers after the fault was met.
ANSWERS = 200
STIR_INTERVAL = 0.3

# How the daemon notices changes: by a blocking read for each cluster, or by the checks of the datacenter, as it does
# when there are too many clusters for that.
PLANS = {"each": {}, "checks": {"consul.max_watches": 0}}


# Sanitizers keep much of what was freed, to find its later uses.
SANITIZED = b"__asan_init" in BINARY.read_bytes()


class _MeasuredDaemon(Daemon):
    def cpu_seconds(self):
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_megabytes(self):
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


class Cell:
    """shared: what all cells share (agent, certificates, resolver)."""

    def __init__(self, fault, plan, with_state, folder, shared, prefix):
        self.fault = fault
        self.plan = plan
        self.shared = shared
        self.folder = Path(folder)
        self.truth = {cluster: list(hosts) for cluster, hosts in TRUTH.items()}
        self.fault_since = 0.0
        self._stir_at = self._warnings = 0
        options = Options(self.folder.name, SETTLE_MS, LEAVE_MS, GONE_MS, with_state, SLACK_MS, {})
        prefix = prefix if fault.wire else fault.prefix
        self.recorder = Recorder(options, prefix)
        if fault.wire:
            self.agent = AgentBehindProxy(self.recorder, prefix, shared.agent)
        else:
            self.agent = FakeAgent(self.recorder, prefix, shared.pair if fault.tls else None)
        self.set_all()
        self.daemon = _MeasuredDaemon(self.folder, {
            "admission.settle": f"{SETTLE_MS}ms", "admission.leave_delay": f"{LEAVE_MS}ms",
            "admission.gone_delay": f"{GONE_MS}ms", "consul.address": self.agent.url,
            "consul.service_prefix": self.agent.prefix, "consul.wait": "1s",
            "state.dir": str(self._state_folder()) if with_state else "",
            **PLANS[plan],
            **fault.options(self),
        }, env=fault.environment(self))
        self._poller = Poller(self.daemon.port, [*TRUTH, *fault.more_clusters], self.recorder.history)

    def _state_folder(self):
        folder = self.folder / "state"
        folder.mkdir()
        return folder

    # What a phase does

    def start(self, ready):
        self.recorder.history.start()
        self.daemon.start(ready)

    def stop(self):
        self.daemon.stop()
        self.recorder.history.stop()

    def set(self, cluster, hosts):
        self.truth[cluster] = hosts
        self.agent.set(cluster, hosts)

    def set_all(self):
        for cluster, hosts in self.truth.items():
            self.agent.set(cluster, hosts)

    def follow(self, what, deadline=FOLLOW_DEADLINE):
        for cluster, hosts in self.truth.items():
            expected = ";".join(f"{host}:9876" for host in sorted(hosts))
            eventually(lambda c=cluster, e=expected: self.daemon.list_of(c) == e,
                       f"{what}: {cluster} is {expected} (it is {self.daemon.list_of(cluster)})", deadline)

    def fault_on(self):
        self.fault_since = time.monotonic()
        self._warnings = len(self.daemon.log_lines("level=warn"))
        self.fault.on(self)

    def endure(self):
        """The daemon meets the fault."""
        began, cpu, lines = time.monotonic(), self.daemon.cpu_seconds(), len(self.daemon.log().splitlines())
        eventually(self._meets, "the fault is met", MET_DEADLINE)
        answers = self._poller.answers + ANSWERS
        eventually(lambda: self._poller.answers >= answers, "clients are answered")
        self.fault.endured(self)
        wall = time.monotonic() - began
        used = self.daemon.cpu_seconds() - cpu
        assert used < CPU_OF_START + CPU_SHARE * wall, f"a busy loop: {used:.1f} s of CPU in {wall:.1f} s"
        logged = len(self.daemon.log().splitlines()) - lines
        assert logged < LOG_LINES + LOG_LINES_PER_SECOND * wall, f"the log is flooded: {logged} lines in {wall:.1f} s"

    def _meets(self):
        if self.fault.stirred and self.plan == "checks" and time.monotonic() >= self._stir_at:
            # Clusters that stay as they are would not be read.
            self.agent.stir()
            self._stir_at = time.monotonic() + STIR_INTERVAL
        return self.fault.met(self)

    def warned(self):
        """Has the daemon complained since the fault began?"""
        return len(self.daemon.log_lines("level=warn")) > self._warnings

    # The whole of it

    def run(self, phase):
        try:
            with self._poller:
                phase(self)
                self.set("a", [*self.truth["a"], JOINING])
                self.follow("after the fault")
                peak = self.daemon.peak_megabytes()
                assert self.daemon.is_running(), "the daemon ended"
                self.stop()
            assert SANITIZED or peak < self.fault.megabytes, f"{peak:.0f} MB of memory"
            complaint = self.daemon.finish()
            assert complaint is None, complaint
            assert self._poller.answers, "nothing was answered"
            violations = self.recorder.violations()
            assert not violations, "\n".join(map(str, violations[:20]))
        except BaseException:
            (self.folder / "history").write_text(self.recorder.text())
            raise
        finally:
            self.daemon.finish()
            self.agent.finish()


def cold_without_state(cell):
    cell.fault_on()
    cell.start(ready=False)
    cell.endure()
    cell.fault.off(cell)


def cold_with_state(cell):
    cell.start(ready=True)
    cell.follow("before the fault")
    cell.stop()
    cell.fault_on()
    cell.start(ready=False)
    cell.endure()
    cell.fault.off(cell)


def steady(cell):
    cell.start(ready=True)
    cell.follow("before the fault")
    cell.fault_on()
    cell.endure()
    cell.fault.off(cell)


def in_a_change(cell):
    """One instance has just gone when it begins, another comes meanwhile."""
    cell.start(ready=True)
    cell.follow("before the fault")
    cell.set("a1", cell.truth["a1"][:1])
    eventually(lambda: "10.0.0.3:9876=good\n" in cell.recorder.text(), "the daemon was told")
    cell.fault_on()
    cell.truth["b"] = [*cell.truth["b"], OTHER_JOINING]
    cell.set_all()
    cell.endure()
    cell.fault.off(cell)


PHASES = {  # name -> (what happens, whether there is a state file)
    "cold": (cold_without_state, False),
    "cold, state": (cold_with_state, True),
    "steady": (steady, False),
    "in a change": (in_a_change, True),
}
