# SPDX-License-Identifier: Apache-2.0
"""Lists follow Consul: who joins, who leaves and when, and what is never served."""

import time

import pytest

from durations import seconds
from fake_consul import HEALTH, NAMES, Instance, Reply
from waiting import Watcher, eventually

ONE, TWO, THREE = (Instance(f"10.0.0.{number}") for number in (1, 2, 3))
BOTH = "10.0.0.1:9876;10.0.0.2:9876"


def failing(instance, status="critical"):
    return Instance(**{**vars(instance), "status": status})


def in_maintenance(instance):
    return Instance(**{**vars(instance), "maintenance": True})


def watch_list(daemon, cluster="a"):
    return Watcher(lambda: daemon.list_of(cluster))


# Joining

def test_instance_joins_at_once(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", BOTH, deadline=1)


def test_new_cluster_is_found_by_itself(watch, consul):
    daemon = watch()
    assert daemon.list_of("a") == 404
    consul.set_service("nameServera", [ONE])
    daemon.eventually_lists("a", "10.0.0.1:9876", deadline=2)


def test_registered_but_never_healthy_cluster_is_never_an_empty_list(watch, consul):
    consul.set_service("nameServera", [failing(ONE)])
    daemon = watch()
    response = daemon.get("/rocketmq/a")
    assert response.status in (404, 503)
    assert response.body == b""
    consul.set_service("nameServera", [ONE])
    daemon.eventually_lists("a", "10.0.0.1:9876")


def test_recovered_instance_never_left(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch()
    with watch_list(daemon) as seen:
        consul.set_service("nameServera", [ONE, failing(TWO)])
        seen.observe(0.5)
        consul.set_service("nameServera", [ONE, TWO])
        seen.observe(2)
    assert seen.values() == [BOTH]


# Leaving

@pytest.mark.parametrize("change", [[ONE, failing(TWO)], [ONE, failing(TWO, "warning")], [ONE]],
                         ids=["critical", "warning", "deregistered"])
def test_instance_leaves_after_its_delay_and_a_confirming_read(watch, consul, change):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    changed_at = time.monotonic()
    consul.set_service("nameServera", change)
    with watch_list(daemon) as seen:
        eventually(lambda: seen.first("10.0.0.1:9876"), "the other one is left alone in the list")
    assert seen.values() == [BOTH, "10.0.0.1:9876"]
    assert 0.95 < seen.first("10.0.0.1:9876") - changed_at < 4
    assert consul.plain_reads("nameServera", since=changed_at)
    assert daemon.state_of("a") == "live"


def test_maintenance_leaves_after_settle(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch({"admission.leave_delay": "1h"})
    consul.set_service("nameServera", [ONE, in_maintenance(TWO)])
    daemon.eventually_lists("a", "10.0.0.1:9876", deadline=5)


def test_node_failure_is_a_failure_of_its_instances(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch()
    consul.set_service("nameServera", [ONE, Instance("10.0.0.2", node_status="critical")])
    daemon.eventually_lists("a", "10.0.0.1:9876", deadline=5)


def test_warning_is_accepted_when_asked_for(watch, consul):
    consul.set_service("nameServera", [failing(ONE, "warning"), failing(TWO)])
    daemon = watch({"consul.accept": "warning"})
    assert daemon.list_of("a") == "10.0.0.1:9876"


def test_instance_without_checks_is_accepted(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1", status=None)])
    assert watch().list_of("a") == "10.0.0.1:9876"


# Holding

def test_last_addresses_never_leave_by_health(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch({"admission.leave_delay": "300ms"})
    consul.set_service("nameServera", [failing(ONE), failing(TWO)])
    with watch_list(daemon) as seen:
        eventually(lambda: daemon.state_of("a") == "held", "the list is marked as held")
        seen.observe(2)
    assert seen.values() == [BOTH]
    assert daemon.state_of("a") == "held"
    consul.set_service("nameServera", [ONE, failing(TWO)])
    daemon.eventually_lists("a", "10.0.0.1:9876")
    assert daemon.state_of("a") == "live"


def test_etag_is_of_the_list_not_of_its_state(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    live = daemon.get("/rocketmq/a").header("ETag")
    consul.set_service("nameServera", [failing(ONE)])
    eventually(lambda: daemon.state_of("a") == "held", "held")
    assert daemon.get("/rocketmq/a").header("ETag") == live


def test_empty_answer_of_a_reset_stream_is_confirmed_before_it_counts(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch({"admission.leave_delay": "100ms", "admission.gone_delay": "100ms"})
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    lied_at = time.monotonic()
    with watch_list(daemon) as seen:
        lie = consul.answer(HEALTH + "nameServera", Reply(200, "[]", {"X-Consul-Index": "1"}), times=1,
                            when=lambda read: read.index > 0)
        eventually(lambda: lie.used, "the empty answer is given")
        eventually(lambda: consul.plain_reads("nameServera", since=lied_at), "an index-less read follows")
        seen.observe(1)
    assert seen.values() == [BOTH]


def test_removed_cluster_is_held_for_gone_delay_then_unknown(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    consul.set_service("nameServerb", [THREE])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    removed_at = time.monotonic()
    consul.remove_service("nameServera")
    with watch_list(daemon) as seen:
        eventually(lambda: daemon.state_of("a") == "held", "held meanwhile", deadline=5)
        eventually(lambda: seen.first(404), "the cluster is gone", deadline=12)
    assert seen.values() == [BOTH, 404]
    assert seen.first(404) - removed_at >= 2
    assert len(consul.plain_reads("nameServera", since=removed_at)) >= 2
    assert daemon.list_of("b") == "10.0.0.3:9876"


def test_cluster_that_comes_back_in_time_was_never_away(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    with watch_list(daemon) as seen:
        consul.remove_service("nameServera")
        eventually(lambda: daemon.state_of("a") == "held", "held", deadline=5)
        consul.set_service("nameServera", [ONE])
        eventually(lambda: daemon.state_of("a") == "live", "live again", deadline=5)
        seen.observe(2.5)
    assert seen.values() == ["10.0.0.1:9876"]


def test_gone_cluster_can_come_back(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch({"admission.gone_delay": "100ms", "admission.settle": "100ms"})
    consul.remove_service("nameServera")
    daemon.eventually_lists("a", 404)
    consul.set_service("nameServera", [TWO])
    daemon.eventually_lists("a", "10.0.0.2:9876")


# Indexes

def test_index_going_backwards_starts_again_without_one(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    rewound_at = time.monotonic()
    with watch_list(daemon) as seen:
        consul.rewind()
        eventually(lambda: consul.plain_reads("nameServera", since=rewound_at), "a read without index")
        eventually(lambda: consul.is_watching("nameServera", since=rewound_at), "it blocks again")
    assert seen.values() == [BOTH]
    blocking = consul.reads("nameServera", since=rewound_at, when=lambda read: read.index > 0)
    assert blocking[0].index == 7
    consul.set_service("nameServera", [ONE, TWO, THREE])
    daemon.eventually_lists("a", BOTH + ";10.0.0.3:9876")


def test_change_under_the_same_index_is_seen(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    consul.set_service("nameServera", [ONE, TWO], moves_index=False)
    daemon.eventually_lists("a", BOTH)


@pytest.mark.parametrize("path", [NAMES, HEALTH + "nameServera"], ids=["names", "cluster"])
def test_blocking_reads_wait_as_configured(watch, consul, path):
    consul.set_service("nameServera", [ONE])
    watch({"consul.wait": "10s"})
    reads = eventually(lambda: consul.requests(path, when=lambda read: read.index > 0), "a blocking read")
    # With jitter, so that the watches of many clusters do not end all at once.
    assert 8 <= seconds(reads[0].query["wait"]) <= 12


def test_idle_watch_asks_only_when_its_wait_ends(watch, consul):
    consul.set_service("nameServera", [ONE])
    watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    quiet_from = time.monotonic()
    with Watcher(lambda: len(consul.requests(since=quiet_from))) as seen:
        seen.observe(2)
    assert seen.values()[-1] <= 1


# Whose address it is

def test_names_that_differ_in_case_do_not_mix(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerA", [TWO])
    daemon = watch()
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert daemon.list_of("A") == "10.0.0.2:9876"
    assert len(daemon.log_lines("differ only in case")) == 1


def test_rows_of_another_service_are_ignored(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerA", [TWO])
    daemon = watch({"consul.exclude": ["A"]})
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert daemon.list_of("A") == 404


@pytest.mark.parametrize("name", ["nameServer", "nameServera b", "nameServera/b", "nameServera%b", "nameServerü",
                                  "nameServer" + "x" * 129, 'nameServer"', "nameServera;b"])
def test_names_that_make_no_cluster_id_are_passed_over(watch, consul, name):
    consul.set_service("nameServera", [ONE])
    consul.set_service(name, [TWO])
    daemon = watch()
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert consul.reads(name) == []


def test_other_services_are_not_read(watch, consul):
    for name in ("web", "xnameServera", "nameserverb", "NAMESERVERc"):
        consul.set_service(name, [ONE])
    consul.set_service("nameServera", [ONE])
    watch()
    assert {read.path for read in consul.requests(HEALTH + "*")} == {HEALTH + "nameServera"}


def test_service_prefix_and_exclude(watch, consul):
    consul.set_service("ns-a", [ONE])
    consul.set_service("ns-b", [TWO])
    consul.set_service("nameServerc", [THREE])
    daemon = watch({"consul.service_prefix": "ns-", "consul.exclude": ["b"]})
    assert [daemon.list_of(cluster) for cluster in "abc"] == ["10.0.0.1:9876", 404, 404]
    assert consul.reads("ns-b") == []


# Which addresses are good

@pytest.mark.parametrize("bad", [
    Instance("10.0.0.9", 0), Instance("10.0.0.9", 70000), Instance("10.0.0.9", -1), Instance("10.0.0.9", 1.5),
    Instance("10.0.0.9", "80"), Instance("10.0.0.9", None), Instance("10.0.0.9", 1e300),
    Instance("ns1.example.com"), Instance("10.0.0.9;10.6.6.6"), Instance("10.0.0.9\n10.6.6.6"),
    Instance("10.0.0.9 "), Instance("0.0.0.0"), Instance("::"), Instance("10.0.0.256"), Instance("010.0.0.1"),
    Instance("fe80::1%eth0"), Instance("10.0.0.9\x00"), Instance("[2001:db8::1]"),
], ids=lambda instance: f"{instance.address!r}:{instance.port!r}")
def test_instance_without_usable_address_is_skipped(watch, consul, bad):
    consul.set_service("nameServera", [ONE, bad, TWO])
    assert watch().list_of("a") == BOTH


def test_skipped_instance_is_logged_once(watch, consul):
    consul.set_service("nameServera", [ONE, Instance("ns1.example.com")])
    daemon = watch()
    consul.set_service("nameServera", [ONE, TWO, Instance("ns1.example.com")])
    daemon.eventually_lists("a", BOTH)
    assert len(daemon.log_lines("ns1.example.com")) == 1


def test_ipv6_comes_bracketed_after_ipv4(watch, consul):
    consul.set_service("nameServera", [Instance("2001:db8::1"), Instance("10.0.0.1")])
    assert watch().list_of("a") == "10.0.0.1:9876;[2001:db8::1]:9876"


def test_equal_addresses_of_two_instances_are_one(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1", service_id="old"), Instance("10.0.0.1", service_id="new")])
    assert watch().list_of("a") == "10.0.0.1:9876"


TAGGED = Instance("10.0.0.1", 9876, node_address="10.9.9.9",
                  tagged_addresses={"wan": {"Address": "203.0.113.1", "Port": 19876},
                                    "lan": {"Address": "10.0.0.2", "Port": 9877},
                                    "vpn": {"Address": "10.8.0.1", "Port": 29876}})


@pytest.mark.parametrize("address_from, expected", [
    ("auto", "10.0.0.1:9876"), ("service", "10.0.0.1:9876"), ("node", "10.9.9.9:9876"),
    ("wan", "203.0.113.1:19876"), ("lan", "10.0.0.2:9877"), ("vpn", "10.8.0.1:29876"),
])
def test_address_comes_from_where_the_config_says(watch, consul, address_from, expected):
    consul.set_service("nameServera", [TAGGED])
    assert watch({"consul.address_from": address_from}).list_of("a") == expected


def test_service_without_address_is_at_its_nodes(watch, consul):
    consul.set_service("nameServera", [Instance("", node_address="10.9.9.9")])
    assert watch().list_of("a") == "10.9.9.9:9876"


# Clusters from the config

def test_static_cluster_is_pinned_over_consul(watch, consul):
    consul.set_service("nameServera", [TWO])
    consul.set_service("nameServerb", [THREE])
    daemon = watch({"static_clusters": [{"id": "a", "addresses": ["10.0.0.1:9876"]}]})
    with watch_list(daemon) as seen:
        consul.set_service("nameServera", [THREE])
        consul.set_service("nameServerb", [ONE, THREE])
        daemon.eventually_lists("b", "10.0.0.1:9876;10.0.0.3:9876")
        consul.remove_service("nameServera")
        seen.observe(1)
    assert seen.values() == ["10.0.0.1:9876"]


def test_consul_is_left_alone_when_not_enabled(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch({"consul.enabled": False, "static_clusters": [{"id": "demo", "addresses": ["10.0.0.9:1"]}]})
    assert (daemon.list_of("demo"), daemon.list_of("a")) == ("10.0.0.9:1", 404)
    assert consul.requests() == []


# The log

def test_each_change_is_one_line_with_old_and_new(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", BOTH)
    lines = eventually(lambda: daemon.log_lines("10.0.0.1:9876", BOTH), "the change is logged")
    assert len(lines) == 1


def test_peers_cannot_forge_a_log_line(watch, consul):
    consul.set_service("nameServera", [ONE, Instance("10.0.0.9\nlevel=error msg=forged")])
    daemon = watch()
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert not [line for line in daemon.log().splitlines() if line.startswith("level=error msg=forged")]


def test_address_of_two_clusters_is_given_to_neither(watch, consul):
    shared, own_a, own_b = Instance("10.0.0.2"), Instance("10.0.0.1"), Instance("10.0.0.3")
    consul.set_service("nameServera", [own_a, shared])
    consul.set_service("nameServerb", [own_b])
    daemon = watch()
    daemon.eventually_lists("a", "10.0.0.1:9876;10.0.0.2:9876")
    consul.set_service("nameServerb", [own_b, shared])
    daemon.eventually_lists("a", "10.0.0.1:9876")
    assert daemon.list_of("b") == "10.0.0.3:9876"
    assert daemon.log_lines("level=warn", "10.0.0.2:9876")
    consul.set_service("nameServerb", [own_b])
    daemon.eventually_lists("a", "10.0.0.1:9876;10.0.0.2:9876", deadline=20)
