# SPDX-License-Identifier: Apache-2.0
"""What each family of clients sends, and what it needs in return: the exact list, in one segment, within 512 bytes
for twelve addresses, and the connection kept or closed as it was asked for."""

import socket
import struct
import threading
from contextlib import contextmanager

import pytest

import judging
from clients import CLIENTS, CONSUL_CHECK
from daemon import Daemon
from fake_consul import FakeConsul, Instance
from lists import LISTS
from responses import Reader
from waiting import eventually

# Old clients use only what their first read gave them, and read so much.
FIRST_READ = 512

# struct tcp_info of the kernel
_BYTES_RECEIVED, _DATA_SEGS_IN = 128, 152


def received(connection):
    """How many bytes came, and in how many segments."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    return struct.unpack_from("Q", info, _BYTES_RECEIVED)[0], struct.unpack_from("I", info, _DATA_SEGS_IN)[0]


@contextmanager
def asked(port, data):
    with socket.create_connection(("127.0.0.1", port), judging.TIMEOUT) as connection:
        connection.sendall(data)
        yield connection, Reader(connection)


def assert_end(connection, reader, keeps):
    if keeps:
        connection.sendall(judging.PROBE)
        assert reader.response().body.decode() == LISTS["probe"]
    else:
        assert reader.rest() == b""


def size_in_one_segment(connection, body):
    """How long the response was that ended in `body`, all of which came in one segment."""
    size, segments = received(connection)
    assert segments == 1, f"{size} bytes in {segments} segments"
    assert size <= FIRST_READ
    assert size > len(body)
    return size


def assert_list(response, text):
    assert response.status == 200
    assert response.body.decode() == text
    assert response.form == "length"
    assert response.fields["content-type"] == "text/plain; charset=utf-8"
    assert "content-encoding" not in response.fields


@pytest.fixture(params=CLIENTS.values(), ids=CLIENTS.keys())
def client(request):
    return request.param


@pytest.mark.parametrize("cluster", ["a", "twelve", "prod-east"])
def test_list(daemon, client, cluster):
    with asked(daemon.port, client.request(f"/rocketmq/{cluster}")) as (connection, reader):
        response = reader.response()
        assert_list(response, LISTS[cluster])
        size_in_one_segment(connection, response.body)
        assert response.closes != client.keeps
        assert_end(connection, reader, client.keeps)


def test_error_is_empty_and_of_unknown_length(daemon, client):
    with asked(daemon.port, client.request("/rocketmq/none")) as (connection, reader):
        response = reader.response()
        assert (response.status, response.body) == (404, b"")
        assert response.fields["x-nsaddr-reason"] == "unknown-cluster"
        assert response.form == ("close" if client.is_1_0 else "chunked")
        assert response.fields["trailer"] == "X-Nsaddr-End"
        assert response.closes != client.keeps
        assert_end(connection, reader, client.keeps)


def test_empty_id_of_a_proxy_without_a_subgroup(daemon, client):
    with asked(daemon.port, client.request("/rocketmq/")) as (_, reader):
        response = reader.response()
        assert (response.status, response.body) == (404, b"")


@pytest.mark.parametrize("path, body", [("/readyz", b"ready\n"), ("/healthz", b"ok\n")])
def test_consuls_check(daemon, path, body):
    with asked(daemon.port, CONSUL_CHECK.request(path)) as (connection, reader):
        response = reader.response()
        assert (response.status, response.body) == (200, body)
        size_in_one_segment(connection, response.body)
        assert_end(connection, reader, keeps=False)


# Lists that Consul does not confirm say so, and must fit all the same.

def instances(status):
    addresses = (address.split(":") for address in LISTS["twelve"].split(";"))
    return [Instance(host, int(port), status=status) for host, port in addresses]


@contextmanager
def daemon_in_state(state, folder):
    """Port of a daemon whose list of twelve is held, or restored."""
    (folder / "state").mkdir(parents=True)
    consul = FakeConsul()
    consul.start()
    consul.set_service("nameServertwelve", instances("passing"))
    daemon = Daemon(folder, {"consul.address": consul.url, "state.dir": str(folder / "state")})
    try:
        daemon.start()
        daemon.eventually_lists("twelve", LISTS["twelve"])
        if state == "held":
            consul.set_service("nameServertwelve", instances("critical"))
        else:
            daemon.stop()
            consul.stop()
            daemon.start()
        eventually(lambda: daemon.state_of("twelve") == state, f"the list is {state}")
        yield daemon.port
    finally:
        complaint = daemon.finish()
        consul.stop()
    assert complaint is None


@pytest.fixture(scope="module")
def unconfirmed(tmp_path_factory):
    """state -> the port of a daemon whose list of twelve is in that state."""
    folder = tmp_path_factory.mktemp("unconfirmed")
    with daemon_in_state("held", folder / "held") as held, daemon_in_state("restored", folder / "restored") as restored:
        yield {"held": held, "restored": restored}


@pytest.mark.parametrize("state", ["held", "restored"])
def test_list_that_consul_does_not_confirm(unconfirmed, client, state):
    with asked(unconfirmed[state], client.request("/rocketmq/twelve")) as (connection, reader):
        response = reader.response()
        assert_list(response, LISTS["twelve"])
        assert response.fields["x-nsaddr-state"] == state
        assert "x-nsaddr-since" in response.fields
        size_in_one_segment(connection, response.body)
        if not client.keeps:
            assert_end(connection, reader, keeps=False)


def test_two_segments_are_seen():
    """A server that sends its headers first would be found out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            peer = server.accept()[0]
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Length: 1\r\n\r\n")
            peer.sendall(b"x")
            peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with asked(server.getsockname()[1], b"") as (connection, reader):
            response = reader.response()
            thread.join()
            with pytest.raises(AssertionError, match="2 segments"):
                size_in_one_segment(connection, response.body)
