# SPDX-License-Identifier: Apache-2.0
"""The whole daemon beside a Consul that fails in every way, each run checked by the validator."""

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS / "daemon"), str(_TESTS / "validate")]


def pytest_terminal_summary(terminalreporter, config):
    """The matrix as one table."""
    from test_matrix import RESULTS, STAND_IN, PHASES

    results = config.stash.get(RESULTS, {})
    if not results:
        return
    terminalreporter.section("fault matrix")
    if config.stash.get(STAND_IN, False):
        terminalreporter.write_line("There is no real Consul: a stand-in was behind the proxy.")
    terminalreporter.write_line(f"{'':25}" + "".join(f"{phase:>13}" for phase in PHASES))
    for name in dict.fromkeys(fault_class for fault_class, _ in results):
        cells = "".join(f"{results.get((name, phase), '-'):>13}" for phase in PHASES)
        terminalreporter.write_line(f"{name:25}{cells}")
