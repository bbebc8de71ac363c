# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: every class of faults in every phase, and by both plans where the plan matters.

All the cells that were asked for run at once, a few at a time; each test waits for its own. NSADDRD_CELLS is how
many run at a time, NSADDRD_REQUIRE_REAL=1 makes it fail when there is no real Consul for the faults on the wire.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents import RealAgent, StandIn, built_parts
from cell import PHASES, Cell
from check_classes import CHECK_CLASSES
from classes import CLASSES
from throwaway_ca import ThrowawayCa

AT_ONCE = int(os.environ.get("NSADDRD_CELLS", "8"))
HERE = Path(__file__).parent

# What is wrong with one list is so whatever made the daemon read it.
PLAN_IS_THE_SAME = {
    "nesting 10^6 deep", "50,000 members", "duplicate keys", "bad UTF-8", "port 0", "port 70000", "port 1.5",
    'port "80"', "host name", "; in an address", "newline in an address",
}
CELLS = [
    *((name, phase, "checks") for name in CHECK_CLASSES for phase in ("cold", "steady", "in a change")),
    *((name, phase, "each") for name in CLASSES for phase in PHASES),
    *((name, phase, "checks") for name in CLASSES if name not in PLAN_IS_THE_SAME
      for phase in ("cold, state", "in a change")),
]


class _Ca(ThrowawayCa):
    def issue_expired(self, name):
        pair = self.issue(name)
        self._openssl("x509", "-req", "-in", self._folder / f"{name}.csr", "-CA", self._ca.cert, "-CAkey",
                      self._ca.key, "-days", "-1", "-CAcreateserial", "-extfile", self._folder / f"{name}.ext",
                      "-out", pair.cert)
        return pair


class _Shared:
    """What all cells share."""

    def __init__(self, folder, config):
        self.agent = self._agent(folder, config)
        self.ca = _Ca(self._folder(folder, "ca"))
        self.other_ca = _Ca(self._folder(folder, "other-ca"))
        self.pair, self.expired = self.ca.issue("consul"), self.ca.issue_expired("expired")
        self.other_pair = self.other_ca.issue("consul")
        self.resolver = folder / "resolver.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.resolver, HERE / "resolver.c", "-ldl"], check=True)

    @staticmethod
    def _folder(folder, name):
        made = folder / name
        made.mkdir()
        return made

    def _agent(self, folder, config):
        parts = built_parts()
        if parts is None:
            if os.environ.get("NSADDRD_REQUIRE_REAL") == "1":
                raise pytest.UsageError("there is no real Consul: run tests/real/parts/build.sh")
            config.stash[STAND_IN] = True
            return StandIn()
        sys.path.append(str(HERE.parent / "real"))
        from realparts.consul import Consul
        from realparts.processes import Run
        return RealAgent(Consul(Run(self._folder(folder, "consul"), parts)))


STAND_IN = pytest.StashKey()
RESULTS = pytest.StashKey()


@pytest.fixture(scope="session")
def cells(request):
    """(class, phase, plan) -> its result in the future."""
    folder = Path(tempfile.mkdtemp(prefix="nsaddrd-faults-"))
    shared = _Shared(folder, request.config)
    wanted = [item.callspec.params for item in request.session.items if "fault_class" in getattr(
        getattr(item, "callspec", None), "params", {})]

    def run(number, fault_class, phase, plan):
        happens, with_state = PHASES[phase]
        name = "".join(c if c.isalnum() else "-" for c in f"{fault_class} {phase} {plan}")
        own = folder / f"{number}-{name}"
        own.mkdir()
        fault = {**CLASSES, **CHECK_CLASSES}[fault_class]()
        Cell(fault, plan, with_state, own, shared, f"f{number}-").run(happens)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {tuple(params.values()): pool.submit(run, number, **params) for number, params in enumerate(wanted)}
        pool.shutdown(cancel_futures=True)
    shared.agent.finish()


@pytest.mark.parametrize(["fault_class", "phase", "plan"], CELLS)
def test_fault(cells, request, fault_class, phase, plan):
    results = request.config.stash.setdefault(RESULTS, {})
    results[fault_class, phase, plan] = "FAIL"
    cells[fault_class, phase, plan].result()
    results[fault_class, phase, plan] = "ok"
