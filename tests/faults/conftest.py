# SPDX-License-Identifier: Apache-2.0
"""The whole daemon beside a Consul that fails in every way, each run checked by the validator."""

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS / "daemon"), str(_TESTS / "validate")]


def pytest_terminal_summary(terminalreporter, config):
    """The matrix as one table for each plan."""
    from cell import PHASES, PLANS
    from test_matrix import RESULTS, STAND_IN

    results = config.stash.get(RESULTS, {})
    if not results:
        return
    terminalreporter.section("fault matrix")
    if config.stash.get(STAND_IN, False):
        terminalreporter.write_line("There is no real Consul: a stand-in was behind the proxy.")
    for plan in PLANS:
        names = dict.fromkeys(name for name, _, of in results if of == plan)
        if names:
            terminalreporter.write_line(f"{'plan: ' + plan:33}" + "".join(f"{phase:>13}" for phase in PHASES))
        for name in names:
            cells = "".join(f"{results.get((name, phase, plan), '-'):>13}" for phase in PHASES)
            terminalreporter.write_line(f"{name:33}{cells}")
