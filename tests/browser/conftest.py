# SPDX-License-Identifier: Apache-2.0
"""The status page in a real browser: one daemon with clusters in every state, and one headless Chromium."""

import os
import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS / "daemon")]

from daemon import BINARY, Daemon  # noqa: E402 (its folder has to be known first)
from fake_consul import FakeConsul  # noqa: E402
from waiting import eventually  # noqa: E402

from browser import Browser  # noqa: E402
from world import OPTIONS, settle, upset  # noqa: E402

REPORTS = Path(os.environ.get("NSADDRD_REPORTS") or _TESTS.parent / "build" / "reports")


def pytest_configure():
    if not BINARY.exists():
        raise pytest.UsageError(f"there is no {BINARY}: build it or set NSADDRD_BIN")


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    """Watches a Consul in which much has gone wrong."""
    consul = FakeConsul()
    consul.start()
    settle(consul)
    running = Daemon(tmp_path_factory.mktemp("daemon"), {"consul.address": consul.url, **OPTIONS})
    try:
        running.start()
        upset(consul, running)
        eventually(lambda: running.state_of("payments") == "held", "a cluster is held")
        yield running
    finally:
        complaint = running.finish()
        consul.stop()
    assert complaint is None, f"{complaint}\n{running.log()}"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("chromium"), REPORTS)
    yield opened
    opened.close()


@pytest.fixture
def browser(chromium, daemon):
    """The browser at this daemon's admin listener, as a desktop in light colours. Whatever a test does
    there, nothing may be complained of on the console: nothing was blocked, nothing was missing."""
    chromium.look("light", 1280, 900)
    chromium.base = f"http://127.0.0.1:{daemon.admin_port}"
    chromium.console()
    yield chromium
    assert chromium.console() == []
