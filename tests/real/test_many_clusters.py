# SPDX-License-Identifier: Apache-2.0
"""More clusters than connections: how nsaddrd follows them on a real Consul."""

import contextlib
import pathlib
import sys

import pytest

from realparts import web
from realparts.catalog import Catalog
from realparts.consul import Consul
from realparts.nsaddrd import Nsaddrd
from realparts.waiting import until
from realparts.watcher import Watcher

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "daemon"))
from throwaway_ca import ThrowawayCa  # noqa: E402

FEW = 4  # names, critical checks, and two for all else
SCANS = "the checks of the datacenter are scanned"
# Who leaves shall not take half a minute here.
QUICK = {"admission.settle": "200ms", "admission.leave_delay": "1s", "admission.gone_delay": "0s"}


@pytest.fixture
def agent(run):
    """A Consul of its own for each test, for its settings or its many clusters."""
    with contextlib.ExitStack() as stack:

        def start(settings="", tls=None):
            consul = stack.enter_context(Consul(run, settings, tls))
            return consul, stack.enter_context(Catalog(consul))

        yield start


def await_body(nsaddrd, n, body, timeout=30.0):
    until(
        f"the list of {n}: {body}",
        lambda: nsaddrd.get(f"/rocketmq/{n}"),
        lambda reply: reply.status == 200 and reply.body == body,
        timeout,
        every=0.02,
    )


def await_all(nsaddrd, clusters):
    for n in clusters:
        await_body(nsaddrd, n, Catalog.list_of(n), timeout=60)


def settings(**more):
    return {"register.mode": "off", **QUICK, **more}


def test_three_hundred_clusters_are_followed_by_four_connections(run, agent):
    consul, catalog = agent()
    for n in range(300):
        catalog.register_cluster(n)
    with Nsaddrd(run, consul.address, settings()) as nsaddrd:
        await_all(nsaddrd, range(300))
        assert SCANS in nsaddrd.log()

        catalog.register(7, 3)
        await_body(nsaddrd, 7, Catalog.list_of(7, 4))
        catalog.register(7, 3, "critical")
        await_body(nsaddrd, 7, Catalog.list_of(7, 3))
        catalog.register(7, 3, "passing")
        await_body(nsaddrd, 7, Catalog.list_of(7, 4))
        catalog.register(7, 3, "warning")
        await_body(nsaddrd, 7, Catalog.list_of(7, 3))
        catalog.deregister(8, 0)
        await_body(nsaddrd, 8, ";".join(Catalog.list_of(8).split(";")[1:]))

        catalog.register_cluster(300, "critical")  # as agents do it
        catalog.register_cluster(301)
        await_body(nsaddrd, 301, Catalog.list_of(301))
        assert nsaddrd.get("/rocketmq/300").status == 503
        for k in range(3):
            catalog.register(300, k, "passing")
        await_body(nsaddrd, 300, Catalog.list_of(300))
        catalog.deregister_cluster(301)
        until(
            "the cluster that was deregistered to be gone",
            lambda: nsaddrd.get("/rocketmq/301"),
            lambda reply: reply.status == 404,
        )
        assert nsaddrd.connections_to(consul.address) <= FEW


def test_check_of_a_node_counts_for_all_clusters_on_it(run, agent):
    consul, catalog = agent()
    for n in range(30):
        catalog.register_cluster(n)
    with Nsaddrd(run, consul.address, settings(**{"consul.max_watches": 10})) as nsaddrd:
        await_all(nsaddrd, range(30))
        catalog.set_node_check(0, "critical")
        for n in range(30):
            left = [k for k in range(3) if (3 * n + k) % 20 != 0]
            await_body(nsaddrd, n, ";".join(Catalog.address(n, k) for k in left))
        catalog.set_node_check(0, "passing")
        await_all(nsaddrd, range(30))


def test_cluster_without_checks_is_followed_too(run, agent):
    consul, catalog = agent()
    for n in range(30):
        catalog.register_cluster(n)
    catalog.register(30, 0, check=False)
    with Nsaddrd(run, consul.address, settings(**{"consul.max_watches": 10})) as nsaddrd:
        await_body(nsaddrd, 30, Catalog.list_of(30, 1))
        catalog.register(30, 1, check=False)
        await_body(nsaddrd, 30, Catalog.list_of(30, 2))


def test_to_and_fro_between_the_plans_changes_no_list(run, agent):
    consul, catalog = agent()
    for n in range(15):
        catalog.register_cluster(n)
    with Nsaddrd(run, consul.address, settings(**{"consul.max_watches": 20})) as nsaddrd:
        await_all(nsaddrd, range(15))
        with contextlib.ExitStack() as stack:
            watchers = [
                stack.enter_context(Watcher(nsaddrd.address, f"/rocketmq/{n}", pause=0.01, keep_alive=True))
                for n in range(10)
            ]
            for turn in range(3):
                for n in range(15, 25):
                    catalog.register_cluster(n)
                until("the scan", lambda: nsaddrd.log().count(SCANS), lambda seen: seen == turn + 1)
                await_all(nsaddrd, range(25))
                until(
                    "the connections of the watches to be closed",
                    lambda: nsaddrd.connections_to(consul.address),
                    lambda count: count <= FEW,
                )
                for n in range(15, 25):
                    catalog.deregister_cluster(n)
                until(
                    "a query of its own for each cluster",
                    lambda: nsaddrd.log().count("each cluster is watched by a query of its own"),
                    lambda seen: seen == turn + 1,
                )
        for n, watcher in enumerate(watchers):
            assert watcher.outcomes() == {web.Reply(200, "", "", Catalog.list_of(n))}


def test_six_hundred_clusters_share_few_connections_over_tls(run, agent, tmp_path):
    ca = ThrowawayCa(tmp_path)
    consul, catalog = agent(tls=(ca.issue("server"), ca.file))
    for n in range(600):
        catalog.register_cluster(n)
    tls = {"consul.address": f"https://{consul.tls_address}", "consul.tls.ca_file": str(ca.file)}
    with Nsaddrd(run, consul.address, settings(**tls)) as nsaddrd:
        await_all(nsaddrd, range(600))
        assert SCANS not in nsaddrd.log()
        for n in range(0, 600, 10):
            catalog.register(n, 3)
        for n in range(0, 600, 10):
            await_body(nsaddrd, n, Catalog.list_of(n, 4), timeout=5)
        # 250 queries share one.
        assert nsaddrd.connections_to(consul.tls_address) <= 3 + FEW


def test_refused_connections_are_not_insisted_on(run, agent):
    consul, catalog = agent("limits { http_max_conns_per_client = 20 }")
    for n in range(60):
        catalog.register_cluster(n)
    with Nsaddrd(run, consul.address, settings()) as nsaddrd:
        await_all(nsaddrd, range(60))
        until("the refusal to be told", nsaddrd.log, lambda log: "Consul refuses further connections" in log)
        until(
            "room for others",
            lambda: nsaddrd.connections_to(consul.address),
            lambda count: count <= FEW,
        )
        catalog.register(7, 3)
        await_body(nsaddrd, 7, Catalog.list_of(7, 4))


def test_rate_limit_of_the_servers_slows_the_reads_and_loses_nothing(run, agent):
    limits = 'limits { request_limits { mode = "enforcing" read_rate = 40 write_rate = 10000 } }'
    consul, catalog = agent(limits)
    for n in range(200):
        catalog.register_cluster(n)
    with Nsaddrd(run, consul.address, settings()) as nsaddrd:
        await_all(nsaddrd, range(200))
        for n in range(0, 200, 20):
            catalog.register(n, 3)
        for n in range(0, 200, 20):
            await_body(nsaddrd, n, Catalog.list_of(n, 4), timeout=60)
        await_all(nsaddrd, [1, 2, 3, 199])


def test_every_check_changing_at_once_keeps_neither_registration_nor_news_waiting(run, agent):
    consul, catalog = agent()
    for n in range(1000):
        catalog.register_cluster(n)
    with Nsaddrd(run, consul.address, {"register.mode": "single", **QUICK}) as nsaddrd:
        await_all(nsaddrd, range(1000))
        parent = f"nameSvrIndex-127.0.0.1-{nsaddrd.port}"
        until("our registration", consul.services, lambda services: parent in services)
        with Watcher(nsaddrd.address, "/rocketmq/500", keep_alive=True) as watcher:
            for status in ("critical", "passing"):
                for n in range(1000):
                    catalog.register_cluster(n, status)
                consul.deregister(parent)
                until("our registration again", consul.services, lambda services: parent in services)
                catalog.register_cluster(1000)
                await_body(nsaddrd, 1000, Catalog.list_of(1000))
            catalog.register(500, 3)
            await_body(nsaddrd, 500, Catalog.list_of(500, 4))
        seen = {outcome.body for outcome in watcher.outcomes()}
        assert seen <= {Catalog.list_of(500), Catalog.list_of(500, 4)}
        assert nsaddrd.connections_to(consul.address) <= FEW
