# SPDX-License-Identifier: Apache-2.0
"""How Consul is reached: tokens, TLS, sockets, datacenters, and the variables of Consul's own client."""

import pytest

from fake_consul import HEALTH, NAMES, Instance
from waiting import eventually

ONE, TWO, THREE = Instance("10.0.0.1"), Instance("10.0.0.2"), Instance("10.0.0.3")
LIST = "10.0.0.1:9876"


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    return file


# Tokens

def test_token_goes_with_every_request(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.require_token("secret")
    daemon = watch({"consul.token": "secret", "register.mode": "per-cluster", "register.advertise": "127.0.0.1"})
    assert daemon.list_of("a") == LIST
    eventually(lambda: consul.registered_names() == ["nameSvrIndex", "nameSvrIndex-a"], "registered")
    assert {request.token for request in consul.requests()} == {"secret"}
    assert not [request for request in consul.requests() if "token" in request.query]


def test_no_token_no_header(watch, consul):
    consul.set_service("nameServera", [ONE])
    assert watch().list_of("a") == LIST
    assert {request.token for request in consul.requests()} == {""}


def test_token_file_is_trimmed(watch, consul, token_file):
    consul.set_service("nameServera", [ONE])
    consul.require_token("first")
    assert watch({"consul.token_file": str(token_file)}).list_of("a") == LIST


def test_rotated_token_is_read_after_a_403(watch, consul, token_file):
    consul.set_service("nameServera", [ONE])
    consul.require_token("first")
    daemon = watch({"consul.token_file": str(token_file)})
    token_file.write_text("second\n")
    consul.require_token("second")
    # The reads that were let in with the first token are answered by this change; those after them are refused.
    consul.set_service("nameServera", [ONE, TWO])

    def refused():
        return [request for request in consul.requests() if request.status == 403]

    eventually(refused, "a read with the first token is refused")
    consul.set_service("nameServera", [ONE, TWO, THREE])
    daemon.eventually_lists("a", "10.0.0.1:9876;10.0.0.2:9876;10.0.0.3:9876", deadline=20)
    assert {request.token for request in refused()} == {"first"}


def test_token_is_never_logged(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.require_token("another")
    daemon = watch({"consul.token": "very-secret-token", "log.level": "debug"}, ready=False)
    eventually(lambda: daemon.log_lines("403"), "the refusal is logged")
    assert "very-secret-token" not in daemon.log()


def test_missing_rights_never_read_as_an_empty_catalog(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.require_token("secret")
    daemon = watch(ready=False)
    eventually(lambda: consul.requests(NAMES), "the names are asked for")
    eventually(lambda: daemon.log_lines("acl"), "the log says that rights are missing")
    assert daemon.list_of("a") == 503
    assert daemon.get("/readyz").status == 503


# Where it is

def test_unix_socket(make_consul, make_daemon, tmp_path):
    consul = make_consul(unix_socket=tmp_path / "consul.sock")
    consul.set_service("nameServera", [ONE])
    daemon = make_daemon({"consul.address": consul.url})
    assert daemon.list_of("a") == LIST
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", "10.0.0.1:9876;10.0.0.2:9876")


def test_path_prefix_of_the_address_is_kept(make_consul, make_daemon):
    consul = make_consul(path_prefix="/behind/proxy")
    consul.set_service("nameServera", [ONE])
    assert make_daemon({"consul.address": consul.url}).list_of("a") == LIST


def test_address_without_scheme_is_http(make_daemon, consul):
    consul.set_service("nameServera", [ONE])
    assert make_daemon({"consul.address": f"127.0.0.1:{consul.port}"}).list_of("a") == LIST


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_proxy_variables_are_not_for_us(watch, consul, variable):
    consul.set_service("nameServera", [ONE])
    assert watch(env={variable: "http://127.0.0.1:9"}).list_of("a") == LIST


# TLS

@pytest.fixture(scope="module")
def server_pair(ca):
    return ca.issue("consul-server")


@pytest.fixture
def tls_consul(make_consul, server_pair):
    consul = make_consul(tls=server_pair)
    consul.set_service("nameServera", [ONE])
    return consul


def assert_refuses_tls(daemon):
    eventually(lambda: daemon.log_lines("certificate") or daemon.log_lines("ssl"), "the log says why")
    assert daemon.list_of("a") == 503


def test_tls_with_the_right_ca(make_daemon, tls_consul, ca):
    daemon = make_daemon({"consul.address": tls_consul.url, "consul.tls.ca_file": str(ca.file)})
    assert daemon.list_of("a") == LIST


def test_tls_without_the_ca_is_refused(make_daemon, tls_consul):
    assert_refuses_tls(make_daemon({"consul.address": tls_consul.url}, ready=False))
    assert tls_consul.requests() == []


def test_tls_with_another_name_is_refused(make_daemon, tls_consul, ca):
    assert_refuses_tls(make_daemon({"consul.address": tls_consul.url, "consul.tls.ca_file": str(ca.file),
                                    "consul.tls.server_name": "server.dc1.consul"}, ready=False))


def test_tls_server_name_is_what_is_verified(make_consul, make_daemon, ca):
    consul = make_consul(tls=ca.issue("consul-by-name", "DNS:server.dc1.consul"))
    consul.set_service("nameServera", [ONE])
    daemon = make_daemon({"consul.address": consul.url, "consul.tls.ca_file": str(ca.file),
                          "consul.tls.server_name": "server.dc1.consul"})
    assert daemon.list_of("a") == LIST


def test_tls_verification_can_be_turned_off(make_daemon, tls_consul):
    daemon = make_daemon({"consul.address": tls_consul.url, "consul.tls.verify": False})
    assert daemon.list_of("a") == LIST


def test_tls_client_certificate(make_consul, make_daemon, ca, server_pair):
    consul = make_consul(tls=server_pair, client_ca=ca.file)
    consul.set_service("nameServera", [ONE])
    pair = ca.issue("client")
    daemon = make_daemon({"consul.address": consul.url, "consul.tls.ca_file": str(ca.file),
                          "consul.tls.cert_file": str(pair.cert), "consul.tls.key_file": str(pair.key)})
    assert daemon.list_of("a") == LIST


# Which catalog

def test_datacenter_goes_with_reads_but_not_with_registration(watch, consul):
    consul.add_datacenter("east")
    consul.set_service("nameServera", [ONE])
    daemon = watch({"consul.datacenter": "east", "register.mode": "per-cluster", "register.advertise": "127.0.0.1"})
    assert daemon.list_of("a") == LIST
    eventually(lambda: consul.registered_names() == ["nameSvrIndex", "nameSvrIndex-a"], "registered")
    assert {read.query.get("dc") for read in consul.requests(NAMES) + consul.reads("nameServera")} == {"east"}


def test_namespace_and_partition_go_with_reads(watch, consul):
    consul.be_enterprise()
    consul.set_service("nameServera", [ONE])
    daemon = watch({"consul.namespace": "team", "consul.partition": "part"})
    assert daemon.list_of("a") == LIST
    reads = consul.requests(NAMES) + consul.reads("nameServera")
    assert {(read.query.get("ns"), read.query.get("partition")) for read in reads} == {("team", "part")}


@pytest.mark.parametrize("consistency, parameter", [("default", None), ("stale", "stale"),
                                                    ("consistent", "consistent")])
def test_consistency_goes_with_the_watches(watch, consul, consistency, parameter):
    consul.set_service("nameServera", [ONE])
    watch({"consul.consistency": consistency})
    eventually(lambda: consul.is_watching("nameServera"), "the cluster is watched")
    watches = consul.reads("nameServera", when=lambda read: read.index > 0)
    for watch_read in watches:
        assert [name for name in ("stale", "consistent") if name in watch_read.query] == \
            ([parameter] if parameter else [])


# The variables of Consul's own client

def test_variables_of_consuls_client_are_honoured(make_daemon, consul):
    consul.set_service("nameServera", [ONE])
    consul.require_token("secret")
    daemon = make_daemon(env={"CONSUL_HTTP_ADDR": f"127.0.0.1:{consul.port}", "CONSUL_HTTP_TOKEN": "secret"})
    assert daemon.list_of("a") == LIST


def test_token_file_variable_beats_the_token_variable(make_daemon, consul, token_file):
    consul.set_service("nameServera", [ONE])
    consul.require_token("first")
    daemon = make_daemon(env={"CONSUL_HTTP_ADDR": consul.url, "CONSUL_HTTP_TOKEN": "other",
                              "CONSUL_HTTP_TOKEN_FILE": str(token_file)})
    assert daemon.list_of("a") == LIST


def test_own_token_beats_the_variables(watch, consul, token_file):
    consul.set_service("nameServera", [ONE])
    consul.require_token("secret")
    daemon = watch({"consul.token": "secret"},
                   env={"CONSUL_HTTP_TOKEN": "other", "CONSUL_HTTP_TOKEN_FILE": str(token_file)})
    assert daemon.list_of("a") == LIST


def test_tls_variables(make_daemon, tls_consul, ca):
    daemon = make_daemon(env={"CONSUL_HTTP_ADDR": f"127.0.0.1:{tls_consul.port}", "CONSUL_HTTP_SSL": "true",
                              "CONSUL_CACERT": str(ca.file)})
    assert daemon.list_of("a") == LIST


def test_verification_off_by_variable(make_daemon, tls_consul):
    daemon = make_daemon(env={"CONSUL_HTTP_ADDR": tls_consul.url, "CONSUL_HTTP_SSL_VERIFY": "false"})
    assert daemon.list_of("a") == LIST


def test_basic_auth_variable(make_daemon, consul):
    consul.set_service("nameServera", [ONE])
    make_daemon(env={"CONSUL_HTTP_ADDR": consul.url, "CONSUL_HTTP_AUTH": "user:pass"})
    assert {read.headers.get("authorization") for read in consul.requests()} == {"Basic dXNlcjpwYXNz"}


def test_namespace_and_partition_variables(make_daemon, consul):
    consul.be_enterprise()
    consul.set_service("nameServera", [ONE])
    make_daemon(env={"CONSUL_HTTP_ADDR": consul.url, "CONSUL_NAMESPACE": "team", "CONSUL_PARTITION": "part"})
    reads = consul.requests(HEALTH + "*")
    assert {(read.query.get("ns"), read.query.get("partition")) for read in reads} == {("team", "part")}
