# SPDX-License-Identifier: Apache-2.0
"""fabio routes by our registrations, and neighbours by name never get each other's list."""

import contextlib

import pytest

from realparts import web
from realparts.nsaddrd import Nsaddrd, list_of
from realparts.waiting import until
from realparts.watcher import Watcher

# Twice our repair interval, and the time that fabio takes to follow.
REPAIR = 40.0


def assert_each_gets_its_own(address, nameservers):
    for cluster in nameservers:
        until(
            f"the list of {cluster} at {address}",
            lambda: web.get(address, f"/rocketmq/{cluster}"),
            lambda reply: reply == (200, "", "", list_of(nameservers[cluster])),
        )


@pytest.fixture(autouse=True)
def clean_slate(consul, fabio):
    """Each test begins with nothing in Consul, and fabio knows it."""
    yield
    consul.deregister_all()
    fabio.await_no_routes()


@pytest.fixture
def clusters(consul, nameservers):
    """Both neighbours, in Consul."""
    consul.register_clusters(nameservers)
    return nameservers


@pytest.mark.parametrize("lost", ["a", "a1"])
def test_a_lost_registration_gives_nobody_a_neighbours_list(run, consul, fabio, clusters, lost):
    with Nsaddrd(run, consul.address) as nsaddrd:
        for cluster in clusters:
            nsaddrd.await_list(cluster, clusters[cluster])
            fabio.await_route(f"/rocketmq/{cluster}", nsaddrd.address)
        watchers = {
            (cluster, address): Watcher(address, f"/rocketmq/{cluster}", pause=0.02)
            for cluster in clusters
            for address in (nsaddrd.address, fabio.address)
        }
        route = (f"/rocketmq/{lost}", nsaddrd.address)
        with contextlib.ExitStack() as stack:
            for watcher in watchers.values():
                stack.enter_context(watcher)
            until("every watcher to have asked", lambda: [w.outcomes() for w in watchers.values()], all)
            consul.deregister(f"nameSvrIndex-{lost}-127.0.0.1-{nsaddrd.port}")
            until(
                "fabio to drop the route",
                fabio.routes,
                lambda routes: route not in routes,
                every=0.02,
            )
            until(
                "the registration to be repaired",
                fabio.routes,
                lambda routes: route in routes,
                timeout=REPAIR,
            )

        for (cluster, address), watcher in watchers.items():
            own = (200, "", "", list_of(clusters[cluster]))
            # Without its route, fabio knows nothing of cluster a. What is for a1 then takes the
            # route of a, and nsaddrd knows better.
            allowed = (
                {own, (404, "", "", "")}
                if (lost, cluster, address) == ("a", "a", fabio.address)
                else {own}
            )
            assert watcher.outcomes() == allowed, (cluster, address)


@pytest.mark.parametrize("known, unknown", [("a", "a1"), ("a1", "a"), ("a", "A")])
def test_a_cluster_that_is_not_there_is_404_though_its_neighbour_is(
    run, consul, fabio, nameservers, known, unknown
):
    consul.register_clusters({known: nameservers[known]})
    with Nsaddrd(run, consul.address) as nsaddrd:
        nsaddrd.await_list(known, nameservers[known])
        fabio.await_route(f"/rocketmq/{known}", nsaddrd.address)
        assert nsaddrd.get(f"/rocketmq/{unknown}") == (404, "", "unknown-cluster", "")
        through_fabio = web.get(fabio.address, f"/rocketmq/{unknown}")
        assert (through_fabio.status, through_fabio.body) == (404, "")


def test_per_cluster_mode_has_a_route_for_each_cluster(run, consul, fabio, clusters):
    with Nsaddrd(run, consul.address, {"register.mode": "per-cluster"}) as nsaddrd:
        wanted = {(f"/rocketmq/{cluster}", nsaddrd.address) for cluster in clusters}
        until("a route for each cluster", fabio.routes, lambda routes: routes == wanted)
        assert_each_gets_its_own(fabio.address, clusters)
    fabio.await_no_routes()


def test_single_mode_has_one_route_for_all_clusters(run, consul, fabio, clusters):
    with Nsaddrd(run, consul.address, {"register.mode": "single"}) as nsaddrd:
        until(
            "the one route",
            fabio.routes,
            lambda routes: routes == {("/rocketmq/", nsaddrd.address)},
        )
        assert_each_gets_its_own(fabio.address, clusters)
        assert web.get(fabio.address, "/rocketmq/unknown") == (404, "", "unknown-cluster", "")
    fabio.await_no_routes()


def test_mode_off_registers_nothing_and_serves_what_others_registered(run, consul, fabio, clusters):
    with Nsaddrd(run, consul.address, {"register.mode": "off"}) as nsaddrd:
        for cluster in clusters:
            nsaddrd.await_list(cluster, clusters[cluster])
        assert not [service for service in consul.services() if service.startswith("nameSvrIndex")]

        consul.register(
            "addresses", nsaddrd.port, service_id="addresses", tags=["urlprefix-/rocketmq/"]
        )
        fabio.await_route("/rocketmq/", nsaddrd.address)
        assert_each_gets_its_own(fabio.address, clusters)
