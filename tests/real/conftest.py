# SPDX-License-Identifier: Apache-2.0
"""The real tier: nsaddrd between a real Consul, a real fabio and real RocketMQ, also under a real Nomad.

Needs Go, a JDK and Maven (parts/build.sh). Without them it fails; whether to run it at all is for
the caller to decide.
NSADDRD_BIN is the daemon under test (default build/nsaddrd).
"""

import pathlib
import shutil
import tempfile

import pytest

from realparts import processes
from realparts.consul import Consul
from realparts.fabio import Fabio
from realparts.rocketmq import start_clusters

_HERE = pathlib.Path(__file__).parent
_folder = pytest.StashKey()


def pytest_configure(config):
    config.addinivalue_line("markers", "real: runs against the real Consul, fabio and RocketMQ")


def pytest_collection_modifyitems(items):
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("real")


@pytest.fixture(scope="session")
def run(request):
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        parts = processes.build_parts()
    folder = tempfile.mkdtemp(prefix="nsaddrd-real-")
    request.config.stash[_folder] = folder
    yield processes.Run(folder, parts)
    processes.kill_all()


@pytest.fixture(scope="session")
def nameservers(run):
    """Two clusters of three NameServers; the name of one is the start of the other's."""
    return start_clusters(run, {"a": 3, "a1": 3})


@pytest.fixture(scope="module")
def consul(run):
    with Consul(run) as agent:
        yield agent


@pytest.fixture(scope="module")
def fabio(run, consul):
    with Fabio(run, consul) as proxy:
        yield proxy


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """On failure, shows the end of the log of every child that took part."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and item.get_closest_marker("real"):
        for process in processes.started:
            if process.ended_at is None or process.ended_at >= call.start:
                report.sections.append((f"end of {process.log}", process.tail()))


def pytest_sessionfinish(session, exitstatus):
    folder = session.config.stash.get(_folder, None)
    if folder and exitstatus == 0:
        shutil.rmtree(folder)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    folder = config.stash.get(_folder, None)
    if folder and exitstatus != 0:
        terminalreporter.write_line(f"logs of all processes are kept in {folder}")
