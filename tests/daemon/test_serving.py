# SPDX-License-Identifier: Apache-2.0
"""What a client gets, to the byte. Lists come from the config here: no Consul is involved."""

import re
from email.utils import parsedate_to_datetime

import pytest

import wire
from fake_consul import Instance
from ports import free_port
from waiting import eventually

LISTS = {
    "a": ["10.0.0.10:1", "10.0.0.9:9876"],
    "a1": ["10.0.1.1:9876"],
    "sorted": ["[2001:db8::a]:80", "10.0.0.10:1", "9.255.255.255:1", "10.0.0.9:10000", "10.0.0.9:9876",
               "[2001:db8::9]:80", "10.0.0.9:9876"],
    "twelve": [f"192.168.100.{100 + i}:{65500 + i}" for i in range(12)],
    "x.y_z-1": ["10.0.2.1:9876"],
}


@pytest.fixture
def daemon(serve):
    return serve(LISTS)


def assert_refused(response, status, *reasons):
    assert response.status == status
    assert response.body == b""
    assert response.header("X-Nsaddr-Reason") in reasons
    assert response.header("ETag") is None


# The list

def test_body_is_sorted_by_number_without_duplicates(daemon):
    assert daemon.get("/rocketmq/sorted").body == (
        b"9.255.255.255:1;10.0.0.9:9876;10.0.0.9:10000;10.0.0.10:1;[2001:db8::9]:80;[2001:db8::a]:80")


def test_list_has_the_headers_clients_need(daemon):
    response = daemon.get("/rocketmq/a")
    assert response.status_line == "HTTP/1.1 200 OK"
    assert response.body == b"10.0.0.9:9876;10.0.0.10:1"
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    assert response.header("Content-Length") == str(len(response.body))
    assert parsedate_to_datetime(response.header("Date"))
    assert re.fullmatch(r'"[^"]+"', response.header("ETag"))
    assert response.header("X-Nsaddr-State") is None
    assert response.header("X-Nsaddr-Since") is None
    assert response.header("Transfer-Encoding") is None


def test_twelve_addresses_fit_the_first_read_of_old_clients(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /rocketmq/twelve HTTP/1.0\r\nHost: localhost\r\nAccept: */*\r\n"
                        b"Connection: close\r\n\r\n")
        first = connection.receive_once()
        assert first.startswith(b"HTTP/1.")
        assert first.endswith(b";192.168.100.111:65511")
        assert len(first) <= 512
        assert connection.is_closed_by_peer()


def test_same_set_gives_the_same_bytes_on_every_replica(serve):
    one = serve({"a": ["10.0.0.1:1", "10.0.0.2:2"]}).get("/rocketmq/a")
    two = serve({"a": ["10.0.0.2:2", "10.0.0.1:1", "10.0.0.2:2"]}).get("/rocketmq/a")
    assert (one.body, one.header("ETag")) == (two.body, two.header("ETag"))


def test_several_listeners_serve_the_same(make_daemon):
    second = free_port()
    daemon = make_daemon({"consul.enabled": False, "static_clusters": [{"id": "a", "addresses": ["10.0.0.1:1"]}]},
                         start=False)
    # start() waits for the one that is bound last.
    daemon.options["listen"] = [f"127.0.0.1:{second}", f"127.0.0.1:{daemon.port}"]
    daemon.start()
    for port in (daemon.port, second):
        assert wire.get(port, "/rocketmq/a").text == "10.0.0.1:1"


# Paths

@pytest.mark.parametrize("path", [
    "/rocketmq/%61", "/rocketmq/a?nofix=1", "/rocketmq/a?", "/rocketmq/a?x=/../b%00",
], ids=["encoded_id", "query", "empty_query", "odd_query"])
def test_path_is_decoded_once_and_query_ignored(daemon, path):
    assert daemon.get(path).body == b"10.0.0.9:9876;10.0.0.10:1"


def test_ids_may_have_dots_and_dashes(daemon):
    assert daemon.list_of("x.y_z-1") == "10.0.2.1:9876"


def test_no_neighbours_list_by_prefix(daemon):
    assert daemon.list_of("a") == "10.0.0.9:9876;10.0.0.10:1"
    assert daemon.list_of("a1") == "10.0.1.1:9876"
    for wrong in ("a10", "a-unit", "x", "x.y_z", "1"):
        assert daemon.list_of(wrong) == 404


def test_prefix_of_the_only_cluster_is_unknown(serve):
    daemon = serve({"a1": ["10.0.1.1:9876"]})
    assert daemon.list_of("a") == 404
    assert daemon.list_of("a11") == 404


@pytest.mark.parametrize("path", [
    "/", "/rocketmq", "/rocketmq/", "/rocketmq/a/", "/rocketmq/a/b", "//rocketmq/a", "/rocketmq//a", "/rocketmq/A",
    "/RocketMQ/a", "/rocketmqa", "/rocketmq/..", "/rocketmq/./a", "/rocketmq/../rocketmq/a", "/rocketmq/%2561",
    "/rocketmq/nsaddr", "/rocketmq/a;b", "/rocketmq/" + "a" * 129, "/x/a", "/metrics", "/status",
])
def test_other_paths_are_unknown(daemon, path):
    assert_refused(daemon.get(path), 404, "unknown-cluster", "unknown-path")


@pytest.mark.parametrize("path", [
    "/rocketmq/a%00", "/rocketmq/a%00b", "/rocketmq%2Fa", "/rocketmq%2fa", "/rocketmq/a%0Ab", "/rocketmq/%7f",
    "/rocketmq/a%1fb",
])
def test_encoded_slash_and_control_bytes_are_bad_requests(daemon, path):
    assert_refused(daemon.get(path), 400, "bad-request")


@pytest.mark.parametrize("path", ["/rocketmq/a%", "/rocketmq/a%6", "/rocketmq/a%zz"])
def test_broken_escapes_never_find_a_cluster(daemon, path):
    response = daemon.get(path)
    assert response.status in (400, 404)
    assert response.body == b""


def test_absolute_form_target_works(daemon):
    assert daemon.get(f"http://127.0.0.1:{daemon.port}/rocketmq/a").body == b"10.0.0.9:9876;10.0.0.10:1"


def test_default_cluster_answers_for_nsaddr(serve):
    daemon = serve(LISTS, default_cluster="a1")
    assert daemon.list_of("nsaddr") == "10.0.1.1:9876"


# Methods and conditions

def test_head_is_get_without_body(daemon):
    with daemon.connect() as connection:
        head = connection.request("/rocketmq/a", method="HEAD")
        get = connection.request("/rocketmq/a")
    assert head.status == 200
    same = ("Content-Type", "Content-Length", "ETag")
    assert [head.header(name) for name in same] == [get.header(name) for name in same]


@pytest.mark.parametrize("path", ["/rocketmq/a", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_not_allowed(daemon, method, path):
    response = daemon.get(path, method=method)
    assert_refused(response, 405, "method-not-allowed")
    assert response.header("Allow") == "GET, HEAD"


def test_matching_etag_is_not_modified(daemon):
    etag = daemon.get("/rocketmq/a").header("ETag")
    for value in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        response = daemon.get("/rocketmq/a", headers=[("If-None-Match", value)])
        assert (response.status, response.body) == (304, b"")
        assert response.header("ETag") == etag


def test_other_etag_gets_the_list(daemon):
    etag = daemon.get("/rocketmq/a").header("ETag")
    for value in ('"other"', etag.strip('"'), etag[:-2] + '"', ""):
        assert daemon.get("/rocketmq/a", headers=[("If-None-Match", value)]).status == 200
    assert daemon.get("/rocketmq/a1", headers=[("If-None-Match", etag)]).status == 200


def test_if_none_match_never_hides_an_error(daemon):
    assert daemon.get("/rocketmq/none", headers=[("If-None-Match", "*")]).status == 404


# Connections

def test_connection_is_kept_for_the_next_request(daemon):
    with daemon.connect() as connection:
        for path, status in (("/rocketmq/a", 200), ("/rocketmq/none", 404), ("/rocketmq/a1", 200)):
            assert connection.request(path).status == status


def test_pipelined_requests_are_answered_in_order(daemon):
    with daemon.connect() as connection:
        request = "GET /rocketmq/{} HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.send("".join(map(request.format, ("a", "a1", "none"))).encode())
        assert connection.response().text == "10.0.0.9:9876;10.0.0.10:1"
        assert connection.response().text == "10.0.1.1:9876"
        assert connection.response().status == 404


@pytest.mark.parametrize("version, headers", [
    ("HTTP/1.0", []), ("HTTP/1.0", [("Connection", "close")]), ("HTTP/1.1", [("Connection", "close")]),
], ids=["1.0", "1.0_close", "1.1_close"])
@pytest.mark.parametrize("path, status", [("/rocketmq/a", 200), ("/rocketmq/none", 404)])
def test_connection_closes_after_the_body(daemon, version, headers, path, status):
    with daemon.connect() as connection:
        response = connection.request(path, version=version, headers=headers)
        assert response.status == status
        assert connection.is_closed_by_peer()
        if version == "HTTP/1.0":
            assert response.header("Transfer-Encoding") is None


def test_http_1_0_without_host_is_served(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /rocketmq/a HTTP/1.0\r\n\r\n")
        assert connection.response().text == "10.0.0.9:9876;10.0.0.10:1"


def test_what_java_clients_send_is_served(daemon):
    response = daemon.get("/rocketmq/a?nofix=1", headers=[
        ("Client-Version", "V4_5_2"),
        ("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"),
        ("Accept-Encoding", "UTF-8"),
        ("Metaq-Client-RequestTS", "1700000000000"),
        ("User-Agent", "Java/1.8.0_402"),
        ("Accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"),
        ("Connection", "keep-alive"),
    ])
    assert response.text == "10.0.0.9:9876;10.0.0.10:1"


def test_error_is_quiet_for_java_and_empty_for_go(daemon):
    response = daemon.get("/rocketmq/none")
    assert_refused(response, 404, "unknown-cluster")
    # With "Content-Length: 0" Java's client logs a NullPointerException.
    assert response.header("Content-Length") is None


HEAD = b"GET /rocketmq/a HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("request_bytes", [
    HEAD + b"Content-Length: 3\r\n\r\nabc",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    HEAD + b"Content-Length: 0\r\nContent-Length: 3\r\n\r\nabc",
    HEAD + b"Host: y\r\n\r\n",
    HEAD + b"X Y: z\r\n\r\n",
    HEAD + b"Content-Length : 3\r\n\r\nabc",
    HEAD + b"X: a\x01b\r\n\r\n",
    b"GET /rocketmq/a HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET /rocketmq/a\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /rocketmq/a\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /rocketmq/a?\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=["body", "chunked_body", "odd_transfer_encoding", "two_lengths", "two_hosts", "space_in_name",
        "space_before_colon", "control_byte", "odd_host", "control_byte_in_target", "nul_in_path",
        "nul_in_query"])
def test_ambiguous_request_is_refused_and_closed(daemon, request_bytes):
    with daemon.connect() as connection:
        connection.send(request_bytes)
        response = connection.response()
        assert_refused(response, 400, "bad-request", "unexpected-body")
        assert connection.is_closed_by_peer()


def test_content_length_zero_is_no_body(daemon):
    assert daemon.get("/rocketmq/a", headers=[("Content-Length", "0")]).status == 200


# Health and the admin listener

@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_pages_are_on_both_listeners(daemon, path):
    public, admin = daemon.get(path), daemon.admin(path)
    assert (public.status, admin.status) == (200, 200)
    # The body ends up in Consul's raft log: it must not change from one check to the next.
    assert public.body == daemon.get(path).body


def test_admin_listener_serves_no_lists(daemon):
    assert daemon.admin("/rocketmq/a").status == 404


def test_admin_listener_can_be_off(serve):
    daemon = serve(LISTS, **{"admin.listen": ""})
    assert daemon.get("/healthz").status == 200
    with pytest.raises(ConnectionRefusedError):
        daemon.admin("/healthz")


def test_not_ready_before_the_first_complete_read(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    hold = consul.hold("/v1/health/service/*")
    daemon = watch(ready=False)
    eventually(lambda: consul.reads("nameServera"), "the list is asked for")
    for path in ("/rocketmq/a", "/rocketmq/none"):
        assert_refused(daemon.get(path), 503, "not-ready")
    assert (daemon.get("/readyz").status, daemon.get("/healthz").status) == (503, 200)
    hold.remove()
    daemon.eventually_lists("a", "10.0.0.1:9876")
    eventually(lambda: daemon.get("/readyz").status == 200, "ready")
    assert daemon.list_of("none") == 404


def test_reply_does_not_wait_for_consul(watch, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    daemon = watch()
    consul.hold("*")
    consul.set_service("nameServera", [Instance("10.0.0.2")])
    assert daemon.list_of("a") == "10.0.0.1:9876"
