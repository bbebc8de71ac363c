# SPDX-License-Identifier: Apache-2.0
"""Our own services in Consul, by which fabio routes: what is registered, repaired, and taken away in order."""

import signal
import time
from urllib.parse import urlsplit

import pytest

import wire
from durations import seconds
from daemon import timed
from fake_consul import Instance, Reply
from waiting import Watcher, eventually

REGISTER = "/v1/agent/service/register"
# The repair round is 10 s with some jitter.
REPAIR_DEADLINE = 25
ONE = Instance("10.0.0.1")


@pytest.fixture
def start(watch, consul):
    """A daemon that registers itself, beside clusters a and b."""
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [Instance("10.0.1.1")])

    def start(options=None, **arguments):
        return watch({"register.mode": "per-cluster", "register.advertise": "127.0.0.1", **(options or {})},
                     **arguments)

    return start


def eventually_registered(consul, *names, deadline=10):
    eventually(lambda: consul.registered_names() == sorted(names), f"registered: {names}", deadline)


ALL = ("nameSvrIndex", "nameSvrIndex-a", "nameSvrIndex-b")


def by_name(consul):
    return {service["Name"]: service for service in consul.registrations().values()}


def checks_of(service):
    return ([service["Check"]] if "Check" in service else []) + service.get("Checks", [])


# What is registered

def test_parent_has_the_only_http_check(start, consul):
    daemon = start()
    eventually_registered(consul, *ALL)
    parent = by_name(consul)["nameSvrIndex"]
    assert parent["ID"] == f"nameSvrIndex-127.0.0.1-{daemon.port}"
    assert (parent["Address"], parent["Port"]) == ("127.0.0.1", daemon.port)
    assert not [tag for tag in parent.get("Tags") or [] if tag.startswith("urlprefix-")]
    (check,) = checks_of(parent)
    assert check["HTTP"] == f"http://127.0.0.1:{daemon.port}/readyz"
    assert (seconds(check["Interval"]), seconds(check["Timeout"]), check["Status"]) == (5, 2, "passing")
    assert seconds(check["DeregisterCriticalServiceAfter"]) == (30 + 2) * 60  # longer than its children
    assert check.get("FailuresBeforeCritical") == 2
    url = urlsplit(check["HTTP"])
    assert wire.get(url.port, url.path).status == 200


def test_child_routes_its_cluster_and_follows_the_parent(start, consul):
    daemon = start()
    eventually_registered(consul, *ALL)
    child = by_name(consul)["nameSvrIndex-a"]
    assert child["ID"] == f"nameSvrIndex-a-127.0.0.1-{daemon.port}"
    assert (child["Address"], child["Port"]) == ("127.0.0.1", daemon.port)
    assert child["Tags"] == ["urlprefix-/rocketmq/a"]
    (check,) = checks_of(child)
    assert check["AliasService"] == by_name(consul)["nameSvrIndex"]["ID"]
    assert check["Status"] == "passing"
    assert not {"HTTP", "TCP", "TTL", "Interval"} & set(check)
    assert seconds(check["DeregisterCriticalServiceAfter"]) == 30 * 60


def test_children_come_after_their_parent(start, consul):
    start()
    eventually_registered(consul, *ALL)
    order = [write.json()["Name"] for write in consul.requests(REGISTER)]
    assert order[0] == "nameSvrIndex"
    assert sorted(order) == sorted(ALL)


def test_nothing_is_registered_before_it_is_ready(start, consul):
    hold = consul.hold("/v1/health/service/nameServer*")
    daemon = start(ready=False)
    eventually(lambda: consul.reads("nameServera"), "the lists are asked for")
    with Watcher(lambda: len(consul.writes())) as seen:
        seen.observe(0.5)
    assert seen.values() == [0]
    hold.remove()
    eventually_registered(consul, *ALL)
    assert daemon.get("/readyz").status == 200


def test_single_mode_is_one_service_with_one_route(start, consul):
    start({"register.mode": "single"})
    eventually_registered(consul, "nameSvrIndex")
    (parent,) = consul.registrations().values()
    assert parent["Tags"] == ["urlprefix-/rocketmq/"]
    assert seconds(parent["Check"]["DeregisterCriticalServiceAfter"]) == 30 * 60
    consul.set_service("nameServerc", [ONE])
    with Watcher(consul.registered_names) as seen:
        seen.observe(1)
    assert seen.values() == [["nameSvrIndex"]]


def test_off_writes_nothing(start, consul):
    daemon = start({"register.mode": "off"})
    with Watcher(lambda: len(consul.writes())) as seen:
        seen.observe(1)
    daemon.stop()
    assert consul.writes() == []


def test_name_tag_template_and_further_tags(start, consul):
    start({"register.name": "nsaddr", "register.tag": "urlprefix-mq.example.com/rocketmq/<cluster-id> proto=http",
           "register.tags": ["team=mq"]})
    eventually_registered(consul, "nsaddr", "nsaddr-a", "nsaddr-b")
    assert sorted(by_name(consul)["nsaddr-a"]["Tags"]) == ["team=mq",
                                                          "urlprefix-mq.example.com/rocketmq/a proto=http"]


def test_static_clusters_are_registered_too(start, consul):
    start({"static_clusters": [{"id": "demo", "addresses": ["10.0.0.9:1"]}]})
    eventually_registered(consul, *ALL, "nameSvrIndex-demo")


def test_advertised_port_is_used(start, consul):
    start({"register.advertise": "192.0.2.7:18080"})
    eventually_registered(consul, *ALL)
    parent = by_name(consul)["nameSvrIndex"]
    assert (parent["ID"], parent["Address"], parent["Port"]) == ("nameSvrIndex-192.0.2.7-18080", "192.0.2.7", 18080)


def test_listen_address_is_advertised_when_nothing_else_is_said(start, consul):
    daemon = start({"register.advertise": ""})
    eventually_registered(consul, *ALL)
    parent = by_name(consul)["nameSvrIndex"]
    assert (parent["Address"], parent["Port"]) == ("127.0.0.1", daemon.port)


# Following the clusters

def test_child_comes_with_a_new_cluster_and_goes_with_a_gone_one(start, consul):
    daemon = start({"admission.gone_delay": "500ms"})
    eventually_registered(consul, *ALL)
    consul.set_service("nameServerc", [ONE])
    eventually_registered(consul, *ALL, "nameSvrIndex-c")
    consul.remove_service("nameServerc")
    daemon.eventually_lists("c", 404)
    eventually_registered(consul, *ALL)


def test_child_stays_on_hold(start, consul):
    daemon = start()
    eventually_registered(consul, *ALL)
    consul.set_service("nameServera", [Instance("10.0.0.1", status="critical")])
    eventually(lambda: daemon.state_of("a") == "held", "held")
    with Watcher(consul.registered_names) as seen:
        seen.observe(1.5)
    assert seen.values() == [sorted(ALL)]


def test_cluster_that_was_never_live_has_no_child(start, consul):
    consul.set_service("nameServerc", [Instance("10.0.2.1", status="critical")])
    start()
    eventually_registered(consul, *ALL)
    with Watcher(consul.registered_names) as seen:
        seen.observe(1)
    assert seen.values() == [sorted(ALL)]


# Repair: one test that waits for rounds, since each takes 10 s

def eventually_reconciled(consul, since):
    """Waits until a whole round of reading, and writing where needed, has begun and ended."""
    def done():
        calls = consul.requests("/v1/agent/*", since=since)
        return consul.requests("/v1/agent/checks", since=since) and all(call.answered_at and time.monotonic() - call.answered_at > 0.5 for call in calls)
    eventually(done, "a repair round", REPAIR_DEADLINE)


def test_only_what_is_lost_or_different_is_written_again(start, consul):
    daemon = start()
    eventually_registered(consul, *ALL)
    complete_at = time.monotonic()

    # A round with nothing to repair writes nothing, and an operator's maintenance is nothing to repair.
    consul.put_in_maintenance_behind_its_back(by_name(consul)["nameSvrIndex-a"]["ID"])
    eventually_reconciled(consul, complete_at)
    assert consul.writes(since=complete_at) == []

    # One service lost, one changed by somebody, one of ours whose cluster went while we were away, and
    # one of another replica.
    suffix = f"127.0.0.1-{daemon.port}"
    parent, changed = by_name(consul)["nameSvrIndex"], by_name(consul)["nameSvrIndex-b"]
    ours = {**changed, "ID": f"nameSvrIndex-x-{suffix}", "Name": "nameSvrIndex-x"}
    anothers = {**changed, "ID": f"nameSvrIndex-y-127.0.0.1-{daemon.port + 1}", "Name": "nameSvrIndex-y",
                "Meta": {"owner": "another"}}
    consul.deregister_behind_its_back(f"nameSvrIndex-a-{suffix}")
    for service in ({**changed, "Tags": ["urlprefix-/elsewhere"]}, ours, anothers):
        consul.register_behind_its_back(service)
    broken_at = time.monotonic()
    eventually_reconciled(consul, broken_at)
    assert consul.registered_names() == sorted([*ALL, "nameSvrIndex-y"])
    assert by_name(consul)["nameSvrIndex-b"] == changed
    assert by_name(consul)["nameSvrIndex"] == parent
    written = [write.json()["Name"] for write in consul.requests(REGISTER, since=broken_at)]
    assert sorted(written) == ["nameSvrIndex-a", "nameSvrIndex-b"]
    assert len(consul.writes(since=broken_at)) == 3

    # The agent lost everything.
    consul.deregister_behind_its_back(anothers["ID"])
    consul.forget_registrations()
    forgotten_at = time.monotonic()
    eventually_registered(consul, *ALL, deadline=REPAIR_DEADLINE)
    order = [write.json()["Name"] for write in consul.writes(since=forgotten_at)]
    assert order[0] == "nameSvrIndex"
    assert sorted(order) == sorted(ALL)


# Many clusters

MANY = 300


@pytest.fixture
def start_many(start, consul):
    """A daemon with so many clusters of its own that the agent is not to be written to all at once."""
    def start_many(options=None):
        clusters = [{"id": f"c{n}", "addresses": ["10.0.9.1:9876"]} for n in range(MANY)]
        daemon = start({"static_clusters": clusters, **(options or {})})
        eventually(lambda: len(consul.registrations()) == MANY + 3, "all are registered", 30)
        return daemon

    return start_many


def writes_in_the_busiest_second(consul, since):
    times = [write.at for write in consul.writes(since=since)]
    return max(sum(at <= other < at + 1 for other in times) for at in times)


def test_many_lost_registrations_are_back_soon_at_a_bounded_rate(start_many, consul):
    daemon = start_many()
    assert len(daemon.log_lines("many registrations in Consul to bring up to date")) == 1
    consul.forget_registrations()
    forgotten_at = time.monotonic()
    eventually(lambda: len(consul.registrations()) == MANY + 3, "all are back", 30)
    order = [write.json()["Name"] for write in consul.requests(REGISTER, since=forgotten_at)]
    assert order[0] == "nameSvrIndex"
    assert sorted(order) == sorted(set(order))
    # 100 a second after a burst of 10; a request may wait for its turn in the fake.
    assert writes_in_the_busiest_second(consul, forgotten_at) <= 120


@pytest.mark.parametrize("status", [429, 503])
def test_writes_that_are_too_many_for_consul_get_fewer_and_go_on(start_many, consul, status):
    daemon = start_many()
    refusal = consul.answer(REGISTER, Reply(status, "rate limit exceeded"))
    consul.forget_registrations()
    eventually(lambda: refusal.used >= 3, "some tries", 30)
    assert daemon.log_lines("Consul wants fewer writes")
    assert not daemon.log_lines("cannot register")
    refused = [write.at for write in consul.requests(REGISTER, when=lambda write: write.status == status)]
    assert max(sum(at <= other < at + 0.1 for other in refused) for at in refused) <= 3
    refusal.remove()
    eventually(lambda: len(consul.registrations()) == MANY + 3, "all are back", 60)


def test_stop_leaves_the_parent_beside_children_that_stay(start_many, consul):
    """An alias of a parent that is gone passes: fabio would route by it for ever."""
    daemon = start_many()
    parent = f"nameSvrIndex-127.0.0.1-{daemon.port}"

    def slowly(request, reply):
        reply.delay = 0.1
        return reply

    consul.answer("/v1/agent/service/deregister/*", slowly)
    daemon.signal(signal.SIGTERM)
    assert timed(lambda: daemon.wait(20)) < 18
    left = consul.registrations()
    assert parent in left and len(left) > 1
    assert consul.in_maintenance(parent)
    (line,) = daemon.log_lines("not everything is deregistered, but all is in maintenance")
    assert f"left={len(left)}" in line or f"left={len(left) + 1}" in line  # one was under way


def test_registration_comes_back_soon_after_the_agent_does(start, consul):
    start()
    eventually_registered(consul, *ALL)
    consul.stop()
    consul.forget_registrations()
    consul.start()
    eventually_registered(consul, *ALL, deadline=REPAIR_DEADLINE)


def test_refused_registration_is_tried_again(start, consul):
    refusal = consul.answer(REGISTER, Reply(403, "Permission denied"))
    daemon = start()
    eventually(lambda: refusal.used, "the first try")
    eventually(lambda: daemon.log_lines("403"), "the refusal is logged")
    assert daemon.list_of("a") == "10.0.0.1:9876"
    refusal.remove()
    eventually_registered(consul, *ALL, deadline=REPAIR_DEADLINE)


def test_own_services_are_not_served_as_clusters(start, consul):
    daemon = start({"register.name": "index"})
    eventually_registered(consul, "index", "index-a", "index-b")
    assert daemon.list_of("index") == 404


# Stopping

def test_drain_is_ordered_and_answers_on(start, consul):
    daemon = start({"register.drain": "1500ms"})
    eventually_registered(consul, *ALL)
    suffix = f"127.0.0.1-{daemon.port}"
    stopped_at = time.monotonic()
    daemon.signal(signal.SIGTERM)
    eventually(lambda: daemon.get("/readyz").status == 503, "not ready any more", deadline=1)
    with Watcher(lambda: daemon.list_of("a") if daemon.is_running() else None) as seen:
        eventually(lambda: consul.registrations() == {}, "deregistered")
        seen.observe(0.5)
    assert seen.values() == ["10.0.0.1:9876"]
    assert daemon.wait() == 0
    assert time.monotonic() - stopped_at >= 1.5

    paths = [write.path.removeprefix("/v1/agent/service/") for write in consul.writes(since=stopped_at)]
    assert paths[0] == f"maintenance/nameSvrIndex-{suffix}"
    assert sorted(paths[1:3]) == [f"deregister/nameSvrIndex-a-{suffix}", f"deregister/nameSvrIndex-b-{suffix}"]
    assert paths[3:] == [f"deregister/nameSvrIndex-{suffix}"]


def test_readiness_says_that_it_drains(start, consul):
    daemon = start({"register.drain": "1s"})
    eventually_registered(consul, *ALL)
    daemon.signal(signal.SIGTERM)
    response = eventually(lambda: (r := daemon.get("/readyz")).status == 503 and r, "not ready any more")
    assert response.header("X-Nsaddr-Reason") == "draining"
    assert response.body == b""
    assert daemon.get("/healthz").status == 200


def test_sighup_does_not_end_the_drain(start, consul):
    daemon = start({"register.drain": "1500ms"})
    eventually_registered(consul, *ALL)
    daemon.signal(signal.SIGTERM)
    eventually(lambda: daemon.get("/readyz").status == 503, "it drains")
    daemon.signal(signal.SIGHUP)
    assert timed(daemon.wait) > 1
    assert not [name for name in by_name(consul) if name in ALL]


def test_interrupt_stops_like_terminate(start, consul):
    daemon = start()
    eventually_registered(consul, *ALL)
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert consul.registrations() == {}


def test_second_signal_stops_at_once(start, consul):
    daemon = start({"register.drain": "1h"})
    eventually_registered(consul, *ALL)
    daemon.signal(signal.SIGTERM)
    eventually(lambda: daemon.get("/readyz").status == 503, "it drains")
    daemon.signal(signal.SIGTERM)
    assert timed(daemon.wait) < 3


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_stop_does_not_wait_for_a_consul_that_is_away(start, consul, how):
    daemon = start({"register.drain": "500ms"})
    eventually_registered(consul, *ALL)
    if how == "refused":
        consul.stop()
    else:
        consul.hold("*")
    assert timed(daemon.stop) < 6


def test_restart_in_place_is_out_of_maintenance(start, consul):
    """A stop that was cut short leaves its mark in Consul; the next start must not keep us out of fabio."""
    daemon = start()
    eventually_registered(consul, *ALL)
    parent = f"nameSvrIndex-127.0.0.1-{daemon.port}"
    hold = consul.hold("/v1/agent/service/deregister/*")
    daemon.signal(signal.SIGTERM)
    eventually(lambda: consul.in_maintenance(parent), "in maintenance")
    daemon.kill()
    hold.remove()
    daemon.start()
    eventually(lambda: not consul.in_maintenance(parent), "out of maintenance", REPAIR_DEADLINE)


def test_sigterm_without_registration_is_quick(serve):
    daemon = serve({"a": ["10.0.0.1:1"]})
    assert timed(daemon.stop) < 3
