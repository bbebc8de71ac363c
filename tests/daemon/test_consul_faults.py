# SPDX-License-Identifier: Apache-2.0
"""Whatever Consul answers instead of the truth, clients keep the last good list, and afterwards it moves on."""

import time

import pytest

from fake_consul import HEALTH, NAMES, Instance, Reply
from waiting import Watcher, eventually

ONE, TWO = Instance("10.0.0.1"), Instance("10.0.0.2")
BOTH = "10.0.0.1:9876;10.0.0.2:9876"
# Short enough that a list which follows a fault would be seen to.
HASTY = {"admission.settle": "100ms", "admission.leave_delay": "200ms", "admission.gone_delay": "200ms"}

HTML = "<html><body>Welcome to the hotel network</body></html>"
EVERYWHERE = {
    "500_no_leader": Reply(500, "No cluster leader"),
    "503": Reply(503, "Service unavailable"),
    "429": Reply(429, "Your IP is issuing too many concurrent connections"),
    "400": Reply(400, "Bad request"),
    "403": Reply(403, "rpc error making call: ACL not found"),
    "404": Reply(404, ""),
    "redirect": Reply(302, "", {"Location": "/v1/health/service/nothing"}),
    "204": Reply(204, ""),
    "html": Reply(200, HTML, {"Content-Type": "text/html"}),
    "nothing": Reply(200, ""),
    "null": Reply(200, "null"),
    "truncated_json": Reply(200, '[{"Node": {"Node": "n"}, "Service": {"ID": "x", "Serv'),
    "text_after_json": Reply(200, "[] []"),
    "half_a_body": Reply(200, "[]" + " " * 100, cut_at=2),
    "reset": Reply(reset=True),
    "no_http": Reply(raw=b"\x00\x01\x02 garbage\r\n\r\n"),
    "closed_without_answer": Reply(raw=b""),
    "deep_nesting": Reply(200, "[" * 100_000),
}
HEALTH_ONLY = {
    "object_for_list": Reply(200, "{}"),
    "rows_of_numbers": Reply(200, [1, 2]),
    "rows_without_service": Reply(200, [{"Node": {}, "Checks": []}]),
    "filtered_by_acl": Reply(200, [], {"X-Consul-Results-Filtered-By-ACLs": "true"}),
    "anonymous_and_denied": Reply(200, [], {"X-Consul-Default-Acl-Policy": "deny"}),
    "without_leader": Reply(200, [], {"X-Consul-Knownleader": "false", "X-Consul-Query-Backend": "blocking-query"}),
}
NAMES_ONLY = {
    "list_for_object": Reply(200, "[]"),
    "filtered_by_acl": Reply(200, {}, {"X-Consul-Results-Filtered-By-ACLs": "true"}),
    "anonymous_and_denied": Reply(200, {}, {"X-Consul-Default-Acl-Policy": "deny"}),
    "without_leader": Reply(200, {}, {"X-Consul-Knownleader": "false"}),
}
CASES = [pytest.param((HEALTH + "*", NAMES), reply, id=name) for name, reply in EVERYWHERE.items()]
CASES += [pytest.param((HEALTH + "*",), reply, id=f"health_{name}") for name, reply in HEALTH_ONLY.items()]
CASES += [pytest.param((NAMES,), reply, id=f"names_{name}") for name, reply in NAMES_ONLY.items()]


ALL = BOTH + ";10.0.0.3:9876"


def watch_list(daemon, cluster="a"):
    return Watcher(lambda: daemon.list_of(cluster))


@pytest.mark.parametrize("paths, reply", CASES)
def test_bad_replies_change_nothing_and_pass(watch, consul, paths, reply):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch(HASTY)
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    with watch_list(daemon) as seen:
        faults = [consul.answer(path, reply) for path in paths]
        eventually(lambda: all(fault.used >= 2 for fault in faults), "the fault is met more than once")
        seen.observe(0.8)
        assert daemon.get("/readyz").status == 200
        tries = max(fault.used for fault in faults)
        assert tries < 60, "asks again and again without a pause"
        for fault in faults:
            fault.remove()
        consul.set_service("nameServera", [ONE, TWO, Instance("10.0.0.3")])
        eventually(lambda: seen.first(ALL), "the list moves on", deadline=20)
    assert seen.values() == [BOTH, ALL]


def test_consul_away_and_back(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch(HASTY)
    with watch_list(daemon) as seen:
        consul.stop()
        eventually(lambda: daemon.log_lines("consul", "level=warn"), "the failure is logged")
        seen.observe(1.5)
        assert daemon.get("/readyz").status == 200
        consul.set_service("nameServera", [ONE, TWO, Instance("10.0.0.3")])
        consul.start()
        eventually(lambda: seen.first(ALL), "the list moves on", deadline=20)
    assert seen.values() == [BOTH, ALL]


def test_consul_restarted_empty_and_refilled_in_time(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch({**HASTY, "admission.gone_delay": "1m", "admission.leave_delay": "1m"})
    with watch_list(daemon) as seen:
        consul.stop()
        consul.remove_service("nameServera")
        consul.rewind()
        consul.start()
        eventually(lambda: daemon.state_of("a") == "held", "held", deadline=20)
        consul.set_service("nameServera", [ONE])
        eventually(lambda: consul.is_watching("nameServera"), "watched again", deadline=20)
        consul.set_service("nameServera", [ONE, TWO])
        eventually(lambda: daemon.state_of("a") == "live", "live again", deadline=20)
    assert seen.values() == [BOTH]


def test_start_without_consul_waits_for_it(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.stop()
    daemon = watch(ready=False)
    assert daemon.list_of("a") == 503
    assert daemon.get("/readyz").status == 503
    consul.start()
    daemon.eventually_lists("a", "10.0.0.1:9876", deadline=20)
    eventually(lambda: daemon.get("/readyz").status == 200, "ready")


def test_one_unreadable_cluster_does_not_stop_the_others(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    consul.answer(HEALTH + "nameServerb", Reply(500, "No cluster leader"))
    daemon = watch(ready=False)
    daemon.eventually_lists("a", "10.0.0.1:9876")
    # It exists, so it must not be called unknown.
    assert daemon.list_of("b") == 503


def test_silent_consul_does_not_stop_the_service(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    consul.hold("*")
    with watch_list(daemon) as seen:
        seen.observe(0.5)
    assert seen.values() == ["10.0.0.1:9876"]


def test_enormous_reply_is_refused(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch(HASTY)
    with watch_list(daemon) as seen:
        huge = consul.answer(HEALTH + "nameServera", Reply(200, b"[" + b" " * 100_000_000 + b"]"), times=1)
        eventually(lambda: huge.used, "the reply is given")
        eventually(lambda: daemon.log_lines("level=warn", "cluster=a"), "it is logged", deadline=20)
    assert seen.values() == ["10.0.0.1:9876"]


def test_watch_of_a_chatty_service_is_slowed_down(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    started = time.monotonic()
    while time.monotonic() < started + 3:
        consul.set_service("nameServera", [ONE])  # moves the index, changes nothing
        time.sleep(0.005)
    # A burst may pass, then about ten a second.
    assert 10 < len(consul.reads("nameServera", since=started)) < 120
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", BOTH, deadline=5)


def test_failures_are_logged_once_not_per_try(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    fault = consul.answer(HEALTH + "nameServera", Reply(500, "No cluster leader"))
    eventually(lambda: fault.used >= 4, "four tries", deadline=20)
    lines = daemon.log_lines("level=warn", "500")
    assert 1 <= len(lines) < fault.used
