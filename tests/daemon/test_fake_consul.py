# SPDX-License-Identifier: Apache-2.0
"""The fake Consul keeps Consul's rules: what the other tests prove rests on it."""

import http.client
import json
import socket
import ssl
import threading
import time
from urllib.parse import quote, urlencode

import pytest

from bexpr import BadFilter, compile_filter
from fake_consul import Instance, Reply
from waiting import eventually


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def index(self):
        return int(self.headers["X-Consul-Index"])


@pytest.fixture
def ask(consul):
    def ask(path, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", consul.port, timeout=5)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    return ask


@pytest.fixture
def blocked(ask, consul):
    """Starts a read in a thread, waits until the fake has it, and returns a way to its answer."""

    def start(path):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(ask(path)), daemon=True)
        before = len(consul.requests())
        thread.start()
        eventually(lambda: len(consul.requests()) > before, "the read arrives")

        def result():
            thread.join(5)
            assert answers, "the blocking read did not return"
            return answers[0]

        result.is_open = thread.is_alive
        return result

    return start


PARENT = {"ID": "p", "Name": "parent", "Address": "127.0.0.1", "Port": 80,
          "Check": {"CheckID": "up", "HTTP": "http://127.0.0.1/readyz", "Interval": "5s", "Status": "passing"}}
CHILD = {"ID": "c", "Name": "child", "Port": 80,
         "Check": {"CheckID": "alias", "AliasService": "p", "Status": "passing"}}


def register(ask, definition):
    return ask("/v1/agent/service/register", "PUT", definition)


def test_a_service_that_is_not_there_is_an_empty_list_with_an_index(ask):
    answer = ask("/v1/health/service/nothing")
    assert (answer.status, answer.json) == (200, [])
    assert answer.index >= 1


def test_blocking_read_returns_on_a_change_of_its_service(ask, blocked, consul):
    consul.set_service("web", [Instance("10.0.0.1")])
    index = ask("/v1/health/service/web").index
    result = blocked(f"/v1/health/service/web?index={index}&wait=10s")
    consul.set_service("other", [Instance("10.0.0.2")])
    assert result.is_open()
    consul.set_service("web", [Instance("10.0.0.3")])
    assert result().index > index
    assert result().json[0]["Service"]["Address"] == "10.0.0.3"


def test_blocking_read_times_out_with_the_same_index(ask):
    index = ask("/v1/catalog/services").index
    start = time.monotonic()
    assert ask(f"/v1/catalog/services?index={index}&wait=300ms").index == index
    assert time.monotonic() - start >= 0.29


def test_an_absent_service_wakes_when_any_service_loses_its_last_instance(ask, blocked, consul):
    consul.set_service("web", [Instance()])
    index = ask("/v1/health/service/nothing").index
    result = blocked(f"/v1/health/service/nothing?index={index}&wait=10s")
    consul.remove_service("web")
    assert result().json == []


def test_names_index_moves_on_registration_not_on_health(ask, consul):
    consul.set_service("web", [Instance(status="passing")])
    index = ask("/v1/catalog/services").index
    consul.set_service("web", [Instance(status="critical")])
    assert ask("/v1/catalog/services").index == index
    consul.set_service("web", [Instance(port=1234, status="critical")])
    assert ask("/v1/catalog/services").index > index


def test_rewind_returns_blocking_reads_with_a_lower_index(ask, blocked, consul):
    consul.set_service("web", [Instance()])
    index = ask("/v1/health/service/web").index
    result = blocked(f"/v1/health/service/web?index={index}&wait=10s")
    consul.rewind()
    assert result().index < index


def test_streaming_replies_do_not_know_their_leader(ask, consul):
    consul.set_service("web", [Instance()])
    plain = ask("/v1/health/service/web").headers
    assert (plain["X-Consul-Query-Backend"], plain["X-Consul-Knownleader"]) == ("blocking-query", "true")
    streamed = ask("/v1/health/service/web?index=1&wait=1s").headers
    assert (streamed["X-Consul-Query-Backend"], streamed["X-Consul-Knownleader"]) == ("streaming", "false")


def test_names_that_differ_in_case_share_one_health_result(ask, consul):
    consul.set_service("nameServera", [Instance("10.0.0.1")])
    consul.set_service("nameServerA", [Instance("10.0.0.2")])
    rows = ask("/v1/health/service/nameServera").json
    assert sorted(row["Service"]["Service"] for row in rows) == ["nameServerA", "nameServera"]


def state_path(state, text=None, **query):
    query = {**({"filter": text} if text else {}), **query}
    return f"/v1/health/state/{state}?{urlencode(query, quote_via=quote)}"


def in_state(ask, state, text=None):
    return [(row["Node"], row["CheckID"]) for row in ask(state_path(state, text)).json]


OF_WEB = "ServiceName matches `^we\\x{62}`"


def test_checks_are_listed_by_their_state(ask, consul):
    consul.set_service("web", [Instance("10.0.0.1", service_id="w1"), Instance("10.0.0.2", status=None),
                               Instance("10.0.0.3", status="critical", service_id="w3", node_address="10.9.9.8")])
    consul.set_service("other", [Instance(status="warning", service_id="o")])
    assert in_state(ask, "critical") == [("node-10.9.9.8", "service:w3")]
    assert in_state(ask, "warning") == [("node-10.9.9.9", "service:o")]
    assert in_state(ask, "passing") == [("agent-node", "serfHealth"), ("node-10.9.9.8", "serfHealth"),
                                        ("node-10.9.9.9", "serfHealth"), ("node-10.9.9.9", "service:w1")]
    assert len(in_state(ask, "any")) == 6
    assert in_state(ask, "any", OF_WEB) == [("node-10.9.9.8", "service:w3"), ("node-10.9.9.9", "service:w1")]
    assert ask("/v1/health/state/").status == 400


def test_check_rows_have_the_members_of_consul_and_no_address(ask, consul):
    consul.set_service("web", [Instance(service_id="w1", status="critical")])
    (row,) = ask(state_path("critical")).json
    assert sorted(row) == ["CheckID", "CreateIndex", "Definition", "ExposedPort", "Interval", "ModifyIndex", "Name",
                           "Node", "Notes", "Output", "ServiceID", "ServiceName", "ServiceTags", "Status", "Timeout",
                           "Type"]
    assert (row["ServiceID"], row["ServiceName"], row["Status"]) == ("w1", "web", "critical")


def test_maintenance_is_one_more_critical_check(ask, consul):
    consul.set_service("web", [Instance(service_id="w1", maintenance=True, node_maintenance=True)])
    assert in_state(ask, "critical") == [("node-10.9.9.9", "_node_maintenance"),
                                         ("node-10.9.9.9", "_service_maintenance:w1")]
    assert in_state(ask, "critical", f'{OF_WEB} or ServiceID == ""') == in_state(ask, "critical")
    assert in_state(ask, "critical", OF_WEB) == [("node-10.9.9.9", "_service_maintenance:w1")]


def test_a_node_is_as_bad_as_any_instance_says_and_goes_with_the_last(ask, consul):
    consul.set_service("web", [Instance(status=None)])
    consul.set_service("other", [Instance(status=None, node_status="critical")])
    assert in_state(ask, "critical") == [("node-10.9.9.9", "serfHealth")]
    consul.remove_service("other")
    assert in_state(ask, "any") == [("agent-node", "serfHealth"), ("node-10.9.9.9", "serfHealth")]
    consul.remove_service("web")
    assert in_state(ask, "any") == [("agent-node", "serfHealth")]


def test_checks_of_registered_services_follow_their_parent_into_maintenance(ask):
    register(ask, PARENT)
    register(ask, CHILD)
    assert in_state(ask, "critical") == []
    ask("/v1/agent/service/maintenance/p?enable=true", "PUT")
    assert in_state(ask, "critical") == [("agent-node", "_service_maintenance:p"), ("agent-node", "alias")]
    ask("/v1/agent/service/deregister/p", "PUT")
    assert in_state(ask, "any") == [("agent-node", "alias"), ("agent-node", "serfHealth")]


def test_check_rows_say_when_they_came_and_when_they_changed(ask, consul):
    consul.set_service("web", [Instance(service_id="w1")])
    consul.set_service("other", [Instance()])
    (first,) = ask(state_path("any", OF_WEB)).json
    assert first["CreateIndex"] == first["ModifyIndex"]
    consul.set_service("web", [Instance(service_id="w1", status="critical")])
    (second,) = ask(state_path("any", OF_WEB)).json
    assert second["CreateIndex"] == first["CreateIndex"]
    assert second["ModifyIndex"] == ask(state_path("any")).index > first["ModifyIndex"]


def test_the_index_of_checks_moves_with_checks_and_not_with_registrations(ask, consul):
    consul.set_service("web", [Instance(service_id="w1", status=None)])
    index = ask(state_path("warning")).index
    consul.set_service("web", [Instance(service_id="w1", status=None, port=1234)])
    consul.set_service("bare", [Instance(status=None)])
    assert ask(state_path("warning")).index == index
    consul.set_service("web", [Instance(service_id="w1")])
    assert ask(state_path("warning")).index == ask(state_path("any")).index > index


def test_replies_about_checks_are_never_streamed(ask):
    headers = ask(state_path("any", index=1, wait="1s")).headers
    assert (headers["X-Consul-Query-Backend"], headers["X-Consul-Knownleader"]) == ("blocking-query", "true")


def flip(consul, name, status, **fields):
    consul.set_service(name, [Instance(service_id=name, status=status, **fields)])


def test_read_of_a_state_without_checks_wakes_on_every_check(ask, blocked, consul):
    index = ask(state_path("critical")).index
    result = blocked(state_path("critical", OF_WEB, index=index, wait="10s"))
    flip(consul, "other", "passing")
    assert (result().json, result().index > index) == ([], True)


@pytest.mark.parametrize("write", [
    lambda consul: flip(consul, "other", "critical"),
    lambda consul: flip(consul, "web", "passing"),
    lambda consul: consul.bump("web"),
    lambda consul: consul.remove_service("web"),
], ids=["one appears", "one becomes another", "one has another output", "one goes"])
def test_read_of_a_state_wakes_when_its_checks_change(ask, blocked, consul, write):
    flip(consul, "web", "critical")
    index = ask(state_path("critical")).index
    result = blocked(state_path("critical", index=index, wait="10s"))
    write(consul)
    assert result().index > index


def test_read_of_a_state_sleeps_through_other_checks_and_the_next_returns_at_once(ask, blocked, consul):
    flip(consul, "web", "critical")
    index = ask(state_path("critical")).index
    sleeper = blocked(state_path("critical", index=index, wait="500ms"))
    waker = blocked(state_path("any", index=index, wait="10s"))
    flip(consul, "other", "passing")
    assert waker().index > index
    assert sleeper().index == index, "it does not look before its time is over"
    assert ask(state_path("critical", index=index, wait="10s")).index > index


@pytest.mark.parametrize("left", [[], [Instance("10.0.0.2", status=None)]], ids=["the service", "an instance"])
def test_deregistration_without_checks_moves_the_index_of_checks_but_wakes_nobody(ask, blocked, consul, left):
    consul.set_service("bare", [Instance(status=None), Instance("10.0.0.2", status=None)])
    consul.set_service("web", [Instance()])
    index = ask(state_path("critical")).index
    sleeper = blocked(state_path("critical", index=index, wait="300ms"))
    consul.set_service("bare", left)
    assert sleeper().index == index
    assert ask(state_path("critical", index=index, wait="10s")).index > index


def test_rewind_returns_reads_of_checks_with_a_lower_index(ask, blocked, consul):
    flip(consul, "web", "critical")
    index = ask(state_path("critical")).index
    result = blocked(state_path("critical", index=index, wait="10s"))
    consul.rewind()
    assert result().index < index
    assert max(row["ModifyIndex"] for row in ask(state_path("any")).json) <= result().index


def test_bad_filter_of_checks_is_an_error_at_once(ask):
    for text in ("ServiceName ~ x", "ServiceName matches `(`"):
        assert ask(state_path("any", text, index=1_000_000, wait="10s")).status == 500


def test_large_bodies_are_chunked(ask, consul):
    consul.set_service("web", [Instance(f"10.0.0.{n}") for n in range(100)])
    answer = ask(state_path("any", OF_WEB))
    assert (answer.headers["Transfer-Encoding"], len(answer.json)) == ("chunked", 100)


def test_body_that_does_not_end_is_sent_until_the_client_leaves(ask, consul):
    sent = []

    def pieces():
        while True:
            sent.append(b" " * 65536)
            yield sent[-1]

    consul.answer("/v1/health/state/*", Reply(pieces=pieces))
    with socket.create_connection(("127.0.0.1", consul.port)) as client:
        client.sendall(b"GET /v1/health/state/any HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < 20 << 20:
            received += len(client.recv(1 << 20))
    (request,) = consul.requests("/v1/health/state/any")
    eventually(lambda: request.status == 0, "the fake has seen the client leave")
    assert len(sent) >= 20 << 4


def test_wait_needs_a_unit(ask):
    assert ask("/v1/catalog/services?index=1&wait=55").status == 400


def test_unknown_field_in_a_registration_is_refused(ask):
    answer = register(ask, {"Name": "x", "Nmae": "y"})
    assert answer.status == 400
    assert b"unknown field" in answer.body


@pytest.mark.parametrize("check", [{"HTTP": "http://x/"}, {"AliasService": "p", "HTTP": "http://x/", "Interval": "5s"},
                                   {"HTTP": "http://x/", "Interval": "5"}, {}])
def test_bad_checks_are_refused(ask, check):
    assert register(ask, {"Name": "x", "Check": {"Name": "c", **check}}).status == 400


def test_alias_follows_its_parent_into_maintenance_but_not_away(ask, consul):
    register(ask, PARENT)
    register(ask, CHILD)
    assert ask("/v1/agent/service/maintenance/p?enable=true", "PUT").status == 200
    assert consul.check_statuses() == {"p": ["passing", "critical"], "c": ["critical"]}
    assert ask("/v1/agent/service/deregister/p", "PUT").status == 200
    assert consul.check_statuses() == {"c": ["passing"]}


def test_unknown_ids_are_not_found(ask):
    assert ask("/v1/agent/service/deregister/x", "PUT").status == 404
    assert ask("/v1/agent/service/maintenance/x?enable=true", "PUT").status == 404


def test_agent_services_are_filtered_and_also_in_the_catalog(ask):
    register(ask, PARENT)
    register(ask, CHILD)
    found = ask("/v1/agent/services?filter=" + quote('Service == "child"')).json
    assert list(found) == ["c"]
    assert "child" in ask("/v1/catalog/services").json
    assert ask("/v1/health/service/child").json[0]["Service"]["ID"] == "c"


def test_bad_filter_is_an_error_not_an_empty_list(ask):
    assert ask("/v1/agent/services?filter=" + quote("Service ~ x")).status == 500


def test_anonymous_reads_are_empty_and_a_wrong_token_is_403(ask, consul):
    consul.set_service("web", [Instance()])
    consul.require_token("secret")
    assert ask("/v1/health/service/web").json == []
    assert ask("/v1/health/state/any").json == []
    assert ask("/v1/health/state/any", headers={"X-Consul-Token": "wrong"}).status == 403
    assert ask("/v1/health/service/web", headers={"X-Consul-Token": "wrong"}).status == 403
    assert len(ask("/v1/health/service/web", headers={"X-Consul-Token": "secret"}).json) == 1
    assert register(ask, PARENT).status == 403


def test_answer_reaches_a_read_that_blocks_already(ask, blocked, consul):
    index = ask("/v1/catalog/services").index
    result = blocked(f"/v1/catalog/services?index={index}&wait=10s")
    consul.answer("/v1/catalog/services", Reply(500, "No cluster leader"), times=1)
    assert (result().status, result().body) == (500, b"No cluster leader")
    assert ask("/v1/catalog/services").status == 200


def test_hold_keeps_a_request_until_it_is_removed(blocked, consul):
    hold = consul.hold("/v1/catalog/services")
    result = blocked("/v1/catalog/services")
    assert result.is_open()
    hold.remove()
    assert result().status == 200


def test_cut_body_and_reset_are_seen_by_the_client(ask, consul):
    consul.answer("/v1/catalog/services", Reply(body={"consul": []}, cut_at=3), times=1)
    with pytest.raises(http.client.IncompleteRead):
        ask("/v1/catalog/services")
    consul.answer("/v1/catalog/services", Reply(reset=True), times=1)
    with pytest.raises(ConnectionResetError):
        ask("/v1/catalog/services")


def test_stop_breaks_connections_and_start_takes_the_same_port(ask, consul):
    with socket.create_connection(("127.0.0.1", consul.port)) as client:
        client.sendall(b"GET /v1/agent/self HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        client.settimeout(5)
        consul.stop()
        while client.recv(65536):
            pass
    with pytest.raises(ConnectionRefusedError):
        ask("/v1/agent/self")
    consul.start()
    assert ask("/v1/agent/self").status == 200


def test_unix_socket(make_consul, tmp_path):
    path = tmp_path / "consul.sock"
    make_consul(unix_socket=path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /v1/agent/self HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"


def test_tls_with_client_certificate(make_consul, ca):
    consul = make_consul(tls=ca.issue("fake-tls"), client_ca=ca.file)
    client = ca.issue("fake-client")
    context = ssl.create_default_context(cafile=str(ca.file))
    context.load_cert_chain(client.cert, client.key)
    connection = http.client.HTTPSConnection("127.0.0.1", consul.port, context=context, timeout=5)
    connection.request("GET", "/v1/agent/self")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("text, passes", [
    ('Service == "a"', True),
    ("Service != a", False),
    ('Service matches "^a$"', True),
    ('Service not matches "b"', True),
    ('Meta.owner == "x" and Port == 80', True),
    ('"t1" in Tags and not ("t2" in Tags)', True),
    ("Tags contains `t3` or Tags is empty", False),
    ("Meta.none is empty", True),
    (r"Service matches `^\x{61}$`", True),
    (r"Service matches `^\x{2e}`", False),
    ('Meta.owner == "x" or Service == ""', True),
])
def test_filter_language(text, passes):
    row = {"Service": "a", "Port": 80, "Tags": ["t1"], "Meta": {"owner": "x"}}
    assert compile_filter(text)(row) is passes


@pytest.mark.parametrize("text", ["", "Service", "Service ==", "(Service == a", "Service == a b",
                                  "Service matches `[`"])
def test_filter_that_is_no_filter(text):
    with pytest.raises(BadFilter):
        compile_filter(text)
