# SPDX-License-Identifier: Apache-2.0
"""What monitoring is told: the page's form, its names, and that its numbers are true."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest

import wire
from daemon import run
from exposition import BadPage, read_page
from fake_consul import Instance, Reply
from promtool import promtool
from waiting import Watcher, eventually

LISTS = {"a": ["10.0.0.1:9876", "10.0.0.2:9876"], "b": ["10.0.1.1:9876"]}

REQUESTS = "nsaddrd_http_requests_total"
DURATION = "nsaddrd_http_request_duration_seconds"
CONNECTIONS = "nsaddrd_http_connections"
ACCEPTED = "nsaddrd_http_connections_accepted_total"
REJECTED = "nsaddrd_http_connections_rejected_total"
CLIENTS = "nsaddrd_clients_total"
ASKED = "nsaddrd_consul_requests_total"
FAILED = "nsaddrd_consul_request_failures_total"
PROPAGATION = "nsaddrd_propagation_seconds"
REGISTRATIONS = "nsaddrd_registrations"

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# Dashboards and alerts are built on these.
INTERFACE = {
    "nsaddrd_build_info": ("gauge", {"version", "mhd", "curl", "cjson", "libconfig"}),
    "nsaddrd_config_last_reload_success_timestamp_seconds": ("gauge", set()),
    "nsaddrd_config_last_reload_successful": ("gauge", set()),
    "nsaddrd_ready": ("gauge", set()),
    "nsaddrd_clusters": ("gauge", {"state"}),
    "nsaddrd_clusters_dropped": ("gauge", set()),
    "nsaddrd_clusters_unregistered": ("gauge", set()),
    "nsaddrd_cluster_addresses": ("gauge", {"cluster"}),
    "nsaddrd_cluster_state": ("gauge", {"cluster", "state"}),
    "nsaddrd_cluster_changes_total": ("counter", {"cluster"}),
    "nsaddrd_cluster_last_confirmed_timestamp_seconds": ("gauge", set()),  # of static ones there is none
    "nsaddrd_conflicts": ("gauge", set()),
    REQUESTS: ("counter", {"route", "code"}),
    DURATION: ("histogram", {"le"}),
    CONNECTIONS: ("gauge", set()),
    ACCEPTED: ("counter", set()),
    REJECTED: ("counter", {"reason"}),
    CLIENTS: ("counter", {"client"}),
    "nsaddrd_state_writes_total": ("counter", set()),
    "nsaddrd_state_write_failures_total": ("counter", set()),
    "nsaddrd_state_last_write_timestamp_seconds": ("gauge", set()),
    "nsaddrd_log_lines_dropped_total": ("counter", set()),
    "process_cpu_seconds_total": ("counter", set()),
    "process_open_fds": ("gauge", set()),
    "process_max_fds": ("gauge", set()),
    "process_virtual_memory_bytes": ("gauge", set()),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_threads": ("gauge", set()),
    "process_start_time_seconds": ("gauge", set()),
}

# These, too, where there is a Consul to ask.
CONSUL_INTERFACE = {
    "nsaddrd_cluster_last_confirmed_timestamp_seconds": ("gauge", {"cluster"}),
    "nsaddrd_consul_up": ("gauge", set()),
    "nsaddrd_consul_last_answer_timestamp_seconds": ("gauge", set()),
    ASKED: ("counter", {"op", "code"}),
    FAILED: ("counter", {"op", "reason"}),
    "nsaddrd_consul_watches": ("gauge", set()),
    "nsaddrd_consul_plan": ("gauge", {"plan"}),
    "nsaddrd_consul_scan_failing": ("gauge", set()),
    "nsaddrd_consul_clusters": ("gauge", set()),
    "nsaddrd_consul_clusters_unread": ("gauge", set()),
    "nsaddrd_consul_clusters_failing": ("gauge", set()),
    "nsaddrd_consul_reads_waiting": ("gauge", set()),
    "nsaddrd_consul_reads_running": ("gauge", set()),
    "nsaddrd_consul_read_spacing_seconds": ("gauge", set()),
    "nsaddrd_mass_loss": ("gauge", set()),
    "nsaddrd_instances_skipped_total": ("counter", {"reason"}),
    "nsaddrd_clusters_gone_total": ("counter", set()),
    PROPAGATION: ("histogram", {"le"}),
    REGISTRATIONS: ("gauge", {"state"}),
    "nsaddrd_registrations_failing": ("gauge", set()),
}


@pytest.fixture
def daemon(serve):
    return serve(LISTS)


def scrape(daemon, accept=None, openmetrics=False):
    response = daemon.admin("/metrics", headers=[("Accept", accept)] if accept else [])
    assert response.status == 200
    return read_page(response.text, openmetrics)


def requests(page):
    """(route, code) -> count, of those that were asked for."""
    found = {}
    for (_, labels), value in page[REQUESTS].samples.items():
        labels = dict(labels)
        if value:
            found[labels["route"], labels["code"]] = value
    return found


def grown(before, after):
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


def one(page, name):
    return page[name].value()


# The page

@pytest.mark.parametrize("accept, content_type", [
    (None, TEXT),
    ("*/*", TEXT),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.6,*/*;q=0.1", TEXT),
    ("application/openmetrics-text;version=1.0.0;q=x", TEXT),
    ("application/vnd.google.protobuf", TEXT),
    ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS),
    ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
     f"{OPENMETRICS}; escaping=allow-utf-8"),
])
def test_page_has_the_form_that_was_asked_for(daemon, accept, content_type):
    response = daemon.admin("/metrics", headers=[("Accept", accept)] if accept else [])
    assert response.status == 200
    assert response.header("Content-Type") == content_type
    assert response.header("Content-Length") == str(len(response.body))
    assert read_page(response.text, content_type.startswith("application/openmetrics-text"))


def test_names_types_and_labels_are_those_dashboards_know(daemon):
    page = scrape(daemon)
    page.pop("process_virtual_memory_max_bytes", None)  # only where there is such a limit
    assert {name: (family.type, family.labels) for name, family in page.items()} == INTERFACE


def test_with_consul_there_are_more_names(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    page = scrape(watch())
    page.pop("process_virtual_memory_max_bytes", None)
    assert {name: (family.type, family.labels) for name, family in page.items()} == {**INTERFACE, **CONSUL_INTERFACE}


def test_label_values_are_a_known_set(daemon):
    page = scrape(daemon)
    states = ["unread", "empty", "live", "held", "restored"]
    assert list(page["nsaddrd_clusters"].values_by("state")) == states
    assert {(labels["route"], labels["code"]) for labels in (dict(key[1]) for key in page[REQUESTS].samples)} == {
        (route, code) for route in ("other", "cluster", "healthz", "readyz", "metrics", "status", "status_json", "explain")
        for code in ("200", "304", "400", "404", "405", "503", "other")}
    assert set(page[CLIENTS].values_by("client")) == {
        "other", "unnamed", "java", "go", "cpp", "rust", "node", "curl"}
    assert {"max_connections", "header_timeout", "idle_timeout"} <= set(page[REJECTED].values_by("reason"))


def test_promtool_finds_nothing(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    daemon = watch()
    for path in ("/rocketmq/a", "/rocketmq/none", "/readyz"):
        daemon.get(path)
    assert promtool("check", "metrics", text=daemon.admin("/metrics").body) == (0, "")


def test_head_has_no_body(daemon):
    response = daemon.admin("/metrics", method="HEAD")
    assert (response.status, response.header("Content-Type")) == (200, TEXT)
    assert int(response.header("Content-Length")) > 0


def test_other_methods_are_not_allowed(daemon):
    assert daemon.admin("/metrics", method="POST").status == 405


def test_clients_cannot_read_it(daemon):
    assert daemon.get("/metrics").status == 404


# What runs

def test_versions_are_those_of_the_program(daemon, tmp_path):
    (_, labels), = scrape(daemon)["nsaddrd_build_info"].samples
    labels = dict(labels)
    assert run(tmp_path, "-V").stdout == (
        f"nsaddrd {labels['version']} (libmicrohttpd {labels['mhd']}, libcurl {labels['curl']}, "
        f"cJSON {labels['cjson']}, libconfig {labels['libconfig']})\n")


def test_process_numbers_are_this_process(make_daemon):
    before = time.time()
    daemon = make_daemon({"consul.enabled": False})
    page = scrape(daemon)
    # The daemon's clock is read in milliseconds.
    assert before - 0.001 <= one(page, "process_start_time_seconds") <= time.time()
    assert one(page, "process_resident_memory_bytes") > 1 << 20
    assert one(page, "process_virtual_memory_bytes") > one(page, "process_resident_memory_bytes")
    assert one(page, "process_threads") >= 2
    assert one(page, "process_max_fds") > one(page, "process_open_fds") > 3
    assert scrape(daemon)["process_start_time_seconds"] == page["process_start_time_seconds"]


# Requests

@pytest.mark.parametrize("ask, counted", [
    (lambda daemon: daemon.get("/rocketmq/a"), ("cluster", "200")),
    (lambda daemon: daemon.get("/rocketmq/a?nofix=1", method="HEAD"), ("cluster", "200")),
    (lambda daemon: daemon.get("/rocketmq/a", headers=[("If-None-Match", "*")]), ("cluster", "304")),
    (lambda daemon: daemon.get("/rocketmq/none"), ("cluster", "404")),
    (lambda daemon: daemon.get("/rocketmq/nsaddr"), ("cluster", "200")),
    (lambda daemon: daemon.get("/healthz"), ("healthz", "200")),
    (lambda daemon: daemon.get("/readyz"), ("readyz", "200")),
    (lambda daemon: daemon.admin("/healthz"), ("healthz", "200")),
    (lambda daemon: daemon.get("/elsewhere"), ("other", "404")),
    (lambda daemon: daemon.get("/metrics"), ("other", "404")),
    (lambda daemon: daemon.get("/rocketmq/a%00"), ("other", "400")),
    (lambda daemon: daemon.get("/", headers=[("Host", "two")]), ("other", "400")),
], ids=["list", "head", "not_modified", "unknown", "alias", "healthz", "readyz", "admin_healthz", "elsewhere",
        "metrics_for_clients", "bad_target", "bad_head"])
def test_request_is_counted_by_route_and_code(serve, ask, counted):
    daemon = serve(LISTS, default_cluster="b")
    before = scrape(daemon)
    ask(daemon)
    after = scrape(daemon)
    assert grown(requests(before), requests(after)) == {counted: 1, ("metrics", "200"): 1}
    assert after[DURATION].samples[DURATION + "_count", ()] == before[DURATION].samples[DURATION + "_count", ()] + 2


def test_method_that_is_not_allowed_is_counted(daemon):
    before = requests(scrape(daemon))
    daemon.get("/rocketmq/a", method="POST")
    assert sum(value for (_, code), value in grown(before, requests(scrape(daemon))).items() if code == "405") == 1


def test_not_ready_is_counted(watch, consul):
    consul.hold("*")
    daemon = watch(ready=False)
    before = requests(scrape(daemon))
    daemon.get("/readyz")
    daemon.get("/rocketmq/a")
    assert grown(before, requests(scrape(daemon))) == {("readyz", "503"): 1, ("cluster", "503"): 1, ("metrics", "200"): 1}


def test_every_request_of_a_connection_is_counted_and_timed(daemon):
    before = scrape(daemon)
    with daemon.connect() as connection:
        for _ in range(20):
            connection.request("/rocketmq/a")
    after = scrape(daemon)
    assert requests(after)["cluster", "200"] == 20
    seconds = after[DURATION].samples[DURATION + "_sum", ()] - before[DURATION].samples[DURATION + "_sum", ()]
    assert 0 < seconds < 60


def test_unknown_ids_make_no_labels(daemon):
    before = scrape(daemon)
    for number in range(50):
        daemon.get(f"/rocketmq/made-up-{number}")
    after = scrape(daemon)
    assert {name: family.samples.keys() for name, family in after.items()} == {
        name: family.samples.keys() for name, family in before.items()}
    assert requests(after)["cluster", "404"] == 50


def test_counts_are_exact_and_never_go_back_under_load(daemon):
    def ask(_):
        with daemon.connect() as connection:
            for _ in range(50):
                assert connection.request("/rocketmq/a").status == 200

    counters = [name for name, (kind, _) in INTERFACE.items() if kind != "gauge"]
    with Watcher(lambda: scrape(daemon)) as watcher, ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(24)))
    pages = [sample.value for sample in watcher.history()] + [scrape(daemon)]
    for earlier, later in zip(pages, pages[1:]):
        for name in counters:
            assert all(later[name].samples[key] >= value for key, value in earlier[name].samples.items()), name
    assert requests(pages[-1])["cluster", "200"] == 24 * 50


# Clients

@pytest.mark.parametrize("client, headers", [
    ("java", [("Client-Version", "V4_9_4"), ("User-Agent", "Java/1.8.0_402")]),
    ("rust", [("Client-Version", "V5_1_4")]),
    ("go", [("User-Agent", "Go-http-client/1.1")]),
    ("node", [("User-Agent", "node-urllib/2.41.0 Node.js/18.19.0 (Linux 6.1.0; x64)")]),
    ("cpp", [("User-Agent", "cpp-httplib/0.9")]),
    ("curl", [("User-Agent", "curl/7.88.1")]),
    ("unnamed", []),
    ("other", [("User-Agent", "Mozilla/5.0")]),
])
def test_client_is_counted_by_what_it_sends(daemon, client, headers):
    before = scrape(daemon)[CLIENTS].values_by("client")
    daemon.get("/rocketmq/a", headers=headers)
    daemon.get("/rocketmq/none", headers=headers)
    assert grown(before, scrape(daemon)[CLIENTS].values_by("client")) == {client: 2}


def test_only_who_asks_for_a_list_is_a_client(daemon):
    before = scrape(daemon)[CLIENTS].samples
    for path in ("/readyz", "/healthz", "/elsewhere"):
        daemon.get(path, headers=[("User-Agent", "Consul Health Check")])
    assert scrape(daemon)[CLIENTS].samples == before


# Connections

def test_open_connections_are_seen(daemon):
    with wire.Connection(daemon.admin_port) as admin:
        def number(name):
            return one(read_page(admin.request("/metrics").text), name)

        # The first pages come over connections of the start, which may not be closed yet.
        eventually(lambda: number(CONNECTIONS) == 1, "only this connection is open")
        accepted, files = number(ACCEPTED), number("process_open_fds")
        connections = [daemon.connect() for _ in range(5)]
        for connection in connections:
            connection.request("/rocketmq/a")
        assert (number(CONNECTIONS), number(ACCEPTED)) == (6, accepted + 5)
        assert number("process_open_fds") == files + 5
        for connection in connections:
            connection.close()
        eventually(lambda: number(CONNECTIONS) == 1, "the connections are closed")
        assert number(ACCEPTED) == accepted + 5


def rejected(daemon):
    return scrape(daemon)[REJECTED].values_by("reason")


def test_idle_connection_that_is_closed_is_counted(serve):
    daemon = serve(LISTS, **{"http.idle_timeout": "1s"})
    before = rejected(daemon)
    with daemon.connect() as connection:
        connection.request("/rocketmq/a")
        eventually(connection.is_closed_by_peer, "an idle connection is closed")
    assert grown(before, rejected(daemon)) == {"idle_timeout": 1}


def test_request_that_does_not_come_is_counted(serve):
    daemon = serve(LISTS, **{"http.header_timeout": "1s"})
    before = rejected(daemon)
    with daemon.connect() as connection:
        connection.send(b"GET /rocketmq/a HTTP/1.1\r\nHost: x\r\n")
        eventually(connection.is_closed_by_peer, "half a request ends")
    assert grown(before, rejected(daemon)) == {"header_timeout": 1}


def test_connection_above_the_limit_is_counted(serve):
    daemon = serve(LISTS, **{"http.max_connections": 16})
    eventually(lambda: one(scrape(daemon), CONNECTIONS) == 1, "only the scrape's connection is open")
    before = rejected(daemon)
    with ExitStack() as stack:
        for _ in range(17):
            connection = stack.enter_context(daemon.connect())
            assert connection.request("/rocketmq/a").status == 200
        assert grown(before, rejected(daemon)) == {"max_connections": 1}


def test_connection_above_the_limit_of_an_address_is_counted(serve):
    daemon = serve(LISTS, **{"http.max_connections_per_address": 2})
    eventually(lambda: one(scrape(daemon), CONNECTIONS) == 1, "only the scrape's connection is open")
    before = rejected(daemon)
    with daemon.connect() as first, daemon.connect() as second, daemon.connect() as third:
        assert first.request("/rocketmq/a").status == second.request("/rocketmq/a").status == 200
        third.send(b"GET /rocketmq/a HTTP/1.1\r\n")
        eventually(third.is_closed_by_peer, "the third connection is closed")
    assert grown(before, rejected(daemon)) == {"per_address": 1}


# Clusters

def test_clusters_have_their_addresses_and_state(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1"), Instance("10.0.0.2")])
    consul.set_service("nameServerempty", [Instance("10.0.0.3", status="critical")])
    daemon = watch({"static_clusters": [{"id": "s", "addresses": ["10.0.1.1:9876"]}]})

    def said():
        page = scrape(daemon)
        states = {dict(labels)["cluster"]: dict(labels)["state"]
                  for (_, labels), value in page["nsaddrd_cluster_state"].samples.items() if value == 1}
        counts = {state: value for state, value in page["nsaddrd_clusters"].values_by("state").items() if value}
        return states, page["nsaddrd_cluster_addresses"].values_by("cluster"), counts

    assert said() == ({"a": "live", "empty": "empty", "s": "live"}, {"a": 2, "empty": 0, "s": 1},
                      {"live": 2, "empty": 1})
    consul.set_service("nameServera", [Instance("10.0.0.1", status="critical"), Instance("10.0.0.2", status="critical")])
    eventually(lambda: daemon.state_of("a") == "held", "a is held")
    assert said() == ({"a": "held", "empty": "empty", "s": "live"}, {"a": 2, "empty": 0, "s": 1},
                      {"live": 1, "held": 1, "empty": 1})


def test_restored_clusters_are_told(watch, consul, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    watch({"state.dir": str(folder)}).stop()
    consul.hold("*")
    page = scrape(watch({"state.dir": str(folder)}))
    assert page["nsaddrd_cluster_state"].value(cluster="a", state="restored") == 1
    assert page["nsaddrd_clusters"].value(state="restored") == 1
    assert one(page, "nsaddrd_ready") == 1


def test_clusters_that_are_too_many_are_counted(serve):
    daemon = serve({f"c{number:04}": [f"10.0.{number // 250}.{number % 250 + 1}:1"] for number in range(1003)})
    page = scrape(daemon)
    assert list(page["nsaddrd_cluster_addresses"].values_by("cluster")) == [f"c{number:04}" for number in range(1000)]
    assert one(page, "nsaddrd_clusters_dropped") == 3
    assert page["nsaddrd_clusters"].value(state="live") == 1003


def test_ready_is_what_readyz_says(watch, consul):
    hold = consul.hold("*")
    daemon = watch({"register.drain": "30s"}, ready=False)
    assert one(scrape(daemon), "nsaddrd_ready") == 0
    hold.remove()
    eventually(lambda: daemon.get("/readyz").status == 200, "ready")
    assert one(scrape(daemon), "nsaddrd_ready") == 1
    daemon.signal(signal.SIGTERM)
    eventually(lambda: daemon.get("/readyz").status == 503, "draining")
    assert one(scrape(daemon), "nsaddrd_ready") == 0
    daemon.stop()


# Consul

def by_labels(page, name):
    """Values that are not zero, by those of all labels in the order of their names."""
    return {tuple(value for _, value in labels): number
            for (_, labels), number in page[name].samples.items() if number}


def test_labels_of_consul_are_a_known_set(watch):
    page = scrape(watch())
    ops = {"other", "names", "cluster_read", "cluster_watch", "checks", "registrations", "register"}
    codes = {"none", "200", "400", "403", "404", "429", "500", "503", "other"}
    reasons = {"other", "connect", "timeout", "tls", "transfer", "too_large", "content", "acl", "busy", "status"}
    assert {tuple(dict(key[1]).values()) for key in page[ASKED].samples} == {
        (code, op) for op in ops for code in codes}
    assert {tuple(dict(key[1]).values()) for key in page[FAILED].samples} == {
        (op, reason) for op in ops for reason in reasons}
    assert set(page["nsaddrd_consul_plan"].values_by("plan")) == {"none", "each", "scan"}
    assert set(page[REGISTRATIONS].values_by("state")) == {"registered", "pending", "leaving"}


def test_consul_that_answers_is_seen(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    consul.set_service("nameServerb", [Instance("10.0.1.1")])
    before = time.time()
    daemon = watch()
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_watches") == 3, "names and two clusters are watched")
    page = scrape(daemon)
    assert one(page, "nsaddrd_consul_up") == 1
    assert before - 1 <= one(page, "nsaddrd_consul_last_answer_timestamp_seconds") <= time.time()
    assert page["nsaddrd_consul_plan"].value(plan="each") == 1
    asked = by_labels(page, ASKED)
    assert asked["200", "names"] >= 1 and asked["200", "cluster_read"] >= 2
    assert by_labels(page, FAILED) == {}
    assert (one(page, "nsaddrd_consul_clusters"), one(page, "nsaddrd_consul_clusters_unread")) == (2, 0)
    assert page[PROPAGATION].samples[PROPAGATION + "_count", ()] >= 2


def test_change_is_timed_from_reply_to_table(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    daemon = watch()
    eventually(lambda: consul.is_watching("nameServera"), "a is watched")
    before = scrape(daemon)[PROPAGATION].samples[PROPAGATION + "_count", ()]
    consul.set_service("nameServera", [Instance("10.0.0.1"), Instance("10.0.0.2")])
    daemon.eventually_lists("a", "10.0.0.1:9876;10.0.0.2:9876")
    page = scrape(daemon)[PROPAGATION]
    assert page.samples[PROPAGATION + "_count", ()] == before + 1
    assert 0 < page.samples[PROPAGATION + "_sum", ()] < 60


@pytest.mark.parametrize("reply, code, reason", [
    (Reply(403, b"Permission denied"), "403", "acl"),
    (Reply(500, b"No cluster leader"), "500", "status"),
    (Reply(429, b"slow down"), "429", "busy"),
    (Reply(200, b"<html>"), "200", "content"),
    (Reply(200, b"{}", {"X-Consul-Index": "0"}), "200", "content"),
    (Reply(404, b""), "404", "content"),
    (Reply(reset=True), "none", "transfer"),
], ids=["acl", "status", "busy", "not_consul", "no_index", "not_there", "dropped"])
def test_failure_is_counted_by_its_reason(watch, consul, reply, code, reason):
    consul.answer("/v1/catalog/services*", reply)
    daemon = watch(ready=False)
    eventually(lambda: by_labels(scrape(daemon), FAILED).get(("names", reason), 0) >= 1, f"a failure by {reason}")
    page = scrape(daemon)
    assert set(by_labels(page, FAILED)) == {("names", reason)}
    assert by_labels(page, ASKED)[code, "names"] >= 1


def test_consul_that_is_away_is_seen_and_its_return_too(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    daemon = watch()
    rule = consul.answer("*", Reply(reset=True))
    consul.break_connections()
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_up") == 0, "Consul is seen to be away")
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_clusters_failing") == 1, "its cluster fails")
    rule.remove()
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_up") == 1, "Consul is seen to be back", 40)
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_clusters_failing") == 0, "its cluster is read again", 40)


def test_many_clusters_are_scanned_and_that_is_told(watch, consul):
    for number in range(3):
        consul.set_service(f"nameServer{number}", [Instance(f"10.0.{number}.1")])
    daemon = watch({"consul.max_watches": 2})
    eventually(lambda: scrape(daemon)["nsaddrd_consul_plan"].value(plan="scan") == 1, "the checks are scanned")
    eventually(lambda: ("200", "checks") in by_labels(scrape(daemon), ASKED), "views of the checks are counted")
    assert one(scrape(daemon), "nsaddrd_consul_scan_failing") == 0
    consul.answer("/v1/health/state/*", Reply(500, b"no"))
    consul.break_connections()
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_scan_failing") == 1, "the scan does not work")


def test_long_first_reading_says_how_far_it_is(watch, consul):
    for number in range(150):
        consul.set_service(f"nameServer{number}", [Instance(f"10.1.0.{number + 1}")])
    slow = consul.answer("/v1/health/service/*", lambda _, true: replace(true, delay=0.1))
    daemon = watch(ready=False)
    line, = eventually(lambda: daemon.log_lines("clusters are being read from Consul"), "it says so", 30)
    read = int(re.search(r" read=(\d+) clusters=150$", line)[1])
    assert 0 < read < 150
    page = scrape(daemon)
    assert one(page, "nsaddrd_consul_clusters") == 150
    assert 0 <= one(page, "nsaddrd_consul_clusters_unread") <= 150 - read
    slow.remove()
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_clusters_unread") == 0, "all are read")


def test_long_rereading_says_how_far_it_is_and_lets_a_new_cluster_go_first(watch, consul):
    for number in range(150):
        consul.set_service(f"nameServer{number}", [Instance(f"10.1.0.{number + 1}")])
    daemon = watch()
    eventually(lambda: one(scrape(daemon), "nsaddrd_consul_clusters_unread") == 0, "all are read")
    slow = consul.answer("/v1/health/service/*", lambda _, true: replace(true, delay=0.1), when=lambda r: r.index == 0)
    daemon.reload({"consul.accept": "warning"})
    consul.set_service("nameServernew", [Instance("10.2.0.1")])
    eventually(lambda: daemon.list_of("new") == "10.2.0.1:9876", "the new one is served")
    assert one(scrape(daemon), "nsaddrd_consul_reads_waiting") > 100
    line, = eventually(lambda: daemon.log_lines("clusters are being read again from Consul"), "it says so", 30)
    assert 0 < int(re.search(r" left=(\d+) clusters=151$", line)[1]) < 150
    slow.remove()


def test_mass_loss_is_told(watch, consul):
    for number in range(5):
        consul.set_service(f"nameServer{number}", [Instance(f"10.0.{number}.1"), Instance(f"10.0.{number}.2")])
    daemon = watch()
    eventually(lambda: all(consul.is_watching(f"nameServer{number}") for number in range(5)), "all are watched")
    assert one(scrape(daemon), "nsaddrd_mass_loss") == 0
    for number in range(5):
        consul.set_service(f"nameServer{number}", [Instance(f"10.0.{number}.1")])
    eventually(lambda: one(scrape(daemon), "nsaddrd_mass_loss") == 1, "the guard is up")


def test_registrations_are_counted(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    daemon = watch({"register.mode": "per-cluster", "register.advertise": "127.0.0.1"})

    def states():
        return scrape(daemon)[REGISTRATIONS].values_by("state")

    eventually(lambda: states() == {"registered": 2, "pending": 0, "leaving": 0}, "a parent and a child")
    assert one(scrape(daemon), "nsaddrd_registrations_failing") == 0
    assert by_labels(scrape(daemon), ASKED)["200", "register"] == 2
    consul.answer("/v1/agent/service/register*", Reply(403, b"Permission denied"))
    consul.set_service("nameServerb", [Instance("10.0.1.1")])
    eventually(lambda: states()["pending"] == 1, "b's child is pending")
    eventually(lambda: one(scrape(daemon), "nsaddrd_registrations_failing") == 1, "it fails")
    assert by_labels(scrape(daemon), FAILED)["register", "acl"] >= 1


# State

def test_writes_of_the_state_are_counted(watch, consul, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    before = time.time()
    daemon = watch({"state.dir": str(folder)})
    eventually(lambda: one(scrape(daemon), "nsaddrd_state_writes_total") >= 1, "the state is written")
    page = scrape(daemon)
    assert before - 1 <= one(page, "nsaddrd_state_last_write_timestamp_seconds") <= time.time()
    assert one(page, "nsaddrd_state_write_failures_total") == 0


# The reader of pages that these tests rely on

GOOD = """\
# HELP a_total A.
# TYPE a_total counter
a_total{x="1"} 1
a_total{x="2\\n\\"\\\\"} 2
# HELP d_seconds D.
# TYPE d_seconds histogram
d_seconds_bucket{le="0.1"} 1
d_seconds_bucket{le="+Inf"} 2
d_seconds_sum 0.5
d_seconds_count 2
"""


def test_good_page_is_read():
    page = read_page(GOOD)
    assert page["a_total"].values_by("x") == {"1": 1, '2\n"\\': 2}
    assert page["d_seconds"].samples["d_seconds_sum", ()] == 0.5
    announced = GOOD.replace("HELP a_total", "HELP a").replace("TYPE a_total", "TYPE a") + "# EOF\n"
    assert read_page(announced, openmetrics=True).keys() == page.keys()


@pytest.mark.parametrize("part, instead", [
    ("d_seconds_count 2\n", "d_seconds_count 2"),
    ("d_seconds_count 2", "d_seconds_count 3"),
    ("d_seconds_sum 0.5\n", ""),
    ('d_seconds_bucket{le="+Inf"} 2\n', ""),
    ('le="0.1"} 1', 'le="0.1"} 3'),
    ('le="0.1"', 'lt="0.1"'),
    ('a_total{x="1"} 1', 'a_total{x="1"} NaN'),
    ('a_total{x="1"} 1', 'a_total{x="1"} -1'),
    ('a_total{x="1"} 1', 'a_total{x="1"}  1'),
    ('a_total{x="1"} 1', "a_total{x='1'} 1"),
    ('a_total{x="1"} 1', 'a_total{x="1",} 1'),
    ('a_total{x="1"} 1', 'a_total{x="1",x="1"} 1'),
    ('a_total{x="1"} 1', 'a_total{x="\\t"} 1'),
    ('a_total{x="1"} 1', 'a_total{x="1"} 1\na_total{x="1"} 1'),
    ('a_total{x="1"} 1', 'b_total{x="1"} 1'),
    ("# TYPE a_total counter", "# TYPE a_total gauge"),
    ("# TYPE a_total counter\n", ""),
    ("# TYPE a_total counter\n", "# TYPE b_total counter\n"),
    ("# HELP a_total A.\n", ""),
    ("# HELP a_total A.\n", "# HELP a_total \n"),
    ("# HELP d_seconds D.\n# TYPE d_seconds histogram\n", "# HELP d_seconds D.\n# TYPE d_seconds gauge\n"),
    ("# HELP d_seconds", "# HELP a_total A.\n# TYPE a_total counter\n# HELP d_seconds"),
    ("# HELP d_seconds", "\n# HELP d_seconds"),
])
def test_bad_page_is_refused(part, instead):
    assert part in GOOD
    with pytest.raises(BadPage):
        read_page(GOOD.replace(part, instead, 1))


@pytest.mark.parametrize("page", [GOOD, GOOD + "# EOF\n", GOOD.replace("a_total", "a") + "# EOF\n"])
def test_page_that_is_no_openmetrics_is_refused(page):
    with pytest.raises(BadPage):
        read_page(page, openmetrics=True)
