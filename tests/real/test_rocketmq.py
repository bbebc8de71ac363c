# SPDX-License-Identifier: Apache-2.0
"""RocketMQ's brokers, clients and tools need nothing but fabio and the name of their cluster."""

import time

import pytest

from realparts import rocketmq
from realparts.nsaddrd import Nsaddrd, list_of
from realparts.waiting import until
from realparts.watcher import Watcher

MESSAGES = 1000
LEAVE_DELAY = 5.0
_JAVA_VERSIONS = ["4.5.2", "4.7.1"]


@pytest.fixture(scope="module")
def clusters(run, nameservers):
    """Beside the lasting clusters, one whose NameServers come and go, and one named like a unit."""
    return {**nameservers, **rocketmq.start_clusters(run, {"moving": 3, "a-unit": 1})}


@pytest.fixture(scope="module")
def nsaddrd(run, consul, fabio, clusters):
    consul.register_clusters(clusters)
    with Nsaddrd(run, consul.address, {"admission.leave_delay": f"{LEAVE_DELAY:g}s"}) as daemon:
        for cluster, nameservers in clusters.items():
            daemon.await_list(cluster, nameservers)
            fabio.await_route(f"/rocketmq/{cluster}", daemon.address)
        yield daemon


@pytest.fixture(scope="module")
def address_server(run, fabio, nsaddrd, clusters):
    """What every broker and client is given: fabio. Brokers have found their NameServers by it."""
    brokers = {
        cluster: rocketmq.Broker(run, cluster, fabio.address) for cluster in ("a", "a1", "moving")
    }
    for cluster, broker in brokers.items():
        broker.await_registered(clusters[cluster])
    yield fabio.address
    for broker in brokers.values():
        broker.kill()


@pytest.mark.parametrize("cluster", ["a", "a1"])
@pytest.mark.parametrize("version", _JAVA_VERSIONS)
def test_java_client_with_two_properties_sends_and_consumes(run, address_server, version, cluster):
    topic = f"java-{version.replace('.', '-')}-{cluster}"
    rocketmq.produce(run, version, address_server, cluster, topic, MESSAGES)
    rocketmq.consume(run, version, address_server, cluster, topic, MESSAGES)


@pytest.mark.parametrize("cluster", ["a", "a1"])
def test_go_client_with_a_url_sends_and_consumes(run, address_server, cluster):
    url = f"http://{address_server}/rocketmq/{cluster}"
    rocketmq.go_client(run, "produce", url, f"go-{cluster}", MESSAGES)
    rocketmq.go_client(run, "consume", url, f"go-{cluster}", MESSAGES)


@pytest.mark.parametrize("cluster", ["a", "a1"])
def test_mqadmin_without_n_shows_this_cluster_and_no_other(run, address_server, cluster):
    rows = [
        line.split() for line in rocketmq.cluster_list(run, address_server, cluster).splitlines()
    ]
    brokers = [row[1] for row in rows if len(row) > 1 and row[1].startswith("broker-")]
    assert brokers == [f"broker-{cluster}"], rows


@pytest.mark.parametrize("version", _JAVA_VERSIONS)
def test_java_client_with_a_unit_name_takes_the_list_of_the_whole_id(
    run, nsaddrd, clusters, fabio, version
):
    """It asks for /rocketmq/a-unit?nofix=1: a cluster of its own, not a with something appended."""
    for address in nsaddrd.address, fabio.address:
        taken = rocketmq.list_taken_by_java_unit(run, version, address, "a", "unit")
        assert taken == list_of(clusters["a-unit"])


def test_nameservers_come_and_go_under_a_producer_that_never_fails(
    run, consul, fabio, nsaddrd, clusters, address_server
):
    path = "/rocketmq/moving"
    three = clusters["moving"]
    producer = rocketmq.SteadyProducer(run, "4.5.2", address_server, "moving", "steady")

    fourth = rocketmq.NameServer(run)
    fourth.start()
    fourth.await_up()
    consul.register_nameserver("moving", fourth)
    nsaddrd.await_list("moving", [*three, fourth])

    dead, *left = [*three, fourth]
    with Watcher(nsaddrd.address, path) as direct:
        killed_at = time.monotonic()
        dead.kill()
        nsaddrd.await_list("moving", left)
        left_at = until(
            "the watcher to see it too",
            lambda: direct.first(lambda outcome: outcome == (200, "", "", list_of(left))),
        )
    assert left_at - killed_at >= LEAVE_DELAY, "it left before leave_delay"
    assert direct.outcomes() == {
        (200, "", "", list_of([*three, fourth])),
        (200, "", "", list_of(left)),
    }

    for nameserver in left:
        nameserver.kill()
    until("the list to be held", lambda: nsaddrd.get(path), lambda reply: reply.state == "held")
    with Watcher(nsaddrd.address, path) as direct, Watcher(fabio.address, path) as through_fabio:
        time.sleep(LEAVE_DELAY + 3)  # longer than anything may stay by delay alone
    last_good = {(200, "held", "", list_of(left))}
    assert direct.outcomes() == last_good
    assert through_fabio.outcomes() == last_good

    said = producer.finish()
    assert said.startswith("sent ") and said.endswith(" failed 0"), said
