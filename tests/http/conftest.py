# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 to the byte: one daemon answers all cases of a run, with lists that each say whose they are."""

import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS / "daemon")]

from daemon import BINARY, Daemon  # noqa: E402 (its folder has to be known first)
from lists import OPTIONS  # noqa: E402


def pytest_configure():
    if not BINARY.exists():
        raise pytest.UsageError(f"there is no {BINARY}: build it or set NSADDRD_BIN")


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    running = Daemon(tmp_path_factory.mktemp("daemon"), OPTIONS)
    try:
        running.start()
        yield running
    finally:
        complaint = running.finish()
    assert complaint is None, f"{complaint}\n{running.log()}"
