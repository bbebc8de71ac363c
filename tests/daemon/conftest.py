# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the whole-daemon tests: the program as it is shipped, beside a fake Consul."""

import pytest

from daemon import BINARY, Daemon, run
from fake_consul import FakeConsul
from throwaway_ca import ThrowawayCa

LOG_TAIL = 40
_daemons = pytest.StashKey()


def pytest_configure():
    if not BINARY.exists():
        raise pytest.UsageError(f"there is no {BINARY}: build it or set NSADDRD_BIN")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for daemon in item.stash.get(_daemons, ()):
            tail = "\n".join(daemon.log().splitlines()[-LOG_TAIL:])
            report.sections.append((f"nsaddrd on port {daemon.port}", tail))


@pytest.fixture
def make_daemon(request, tmp_path):
    """Starts daemons with the options given; every one of them must end well."""
    daemons = request.node.stash[_daemons] = []

    def make(options=None, *, arguments=(), env=None, start=True, ready=True):
        daemon = Daemon(tmp_path, options or {}, arguments, env)
        daemons.append(daemon)
        if start:
            daemon.start(ready)
        return daemon

    yield make
    complaints = [(daemon.port, daemon.finish()) for daemon in daemons]
    bad = [f"nsaddrd on port {port}: {complaint}" for port, complaint in complaints if complaint]
    if bad:
        pytest.fail("\n".join(bad))


@pytest.fixture
def make_consul(request):
    """Starts fake Consul agents with the arguments of FakeConsul."""

    def make(**arguments):
        consul = FakeConsul(**arguments)
        consul.start()
        request.addfinalizer(consul.stop)
        return consul

    return make


@pytest.fixture
def consul(make_consul):
    return make_consul()


@pytest.fixture
def watch(make_daemon, consul):
    """Starts a daemon that watches the fake Consul; keyword arguments go to make_daemon."""

    def start(options=None, **arguments):
        return make_daemon({"consul.address": consul.url, **(options or {})}, **arguments)

    return start


@pytest.fixture
def serve(make_daemon):
    """Starts a daemon without Consul that serves these lists: {cluster: [addresses]}."""

    def start(clusters, start=True, **options):
        static = [{"id": cluster, "addresses": addresses} for cluster, addresses in clusters.items()]
        return make_daemon({"consul.enabled": False, "static_clusters": static, **options}, start=start)

    return start


@pytest.fixture
def command(tmp_path):
    """Runs the program to its end: command("-t", config="…", env={…})."""
    return lambda *arguments, **options: run(tmp_path, *arguments, **options)


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return ThrowawayCa(tmp_path_factory.mktemp("ca"))
