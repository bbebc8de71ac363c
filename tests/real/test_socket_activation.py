# SPDX-License-Identifier: Apache-2.0
"""systemd's own tool hands the sockets over."""

import socket
import subprocess

import pytest

from realparts import processes, web
from realparts.nsaddrd import BINARY
from realparts.ports import free_port
from realparts.waiting import until

_LIST = web.Reply(200, "", "", "127.0.0.1:9876")
_CONFIG = """
listen = "127.0.0.1:{listen}";
admin : {{ listen = ""; }};
consul : {{ enabled = false; }};
static_clusters = ( {{ id = "a"; addresses = [ "127.0.0.1:9876" ]; }} );
register : {{ drain = "0s"; }};
"""


@pytest.fixture
def configured():
    """The port that it would listen on by itself."""
    return free_port()


@pytest.fixture
def activate(tmp_path, configured):
    """Starts systemd-socket-activate, which becomes nsaddrd with the first connection."""
    (tmp_path / "nsaddrd.conf").write_text(_CONFIG.format(listen=configured))
    running = []

    def start(*options):
        folder = tmp_path / "activated"
        folder.mkdir()
        argv = ["systemd-socket-activate", *options, BINARY, "-c", tmp_path / "nsaddrd.conf"]
        process = processes.Process(
            folder, argv, env=None, stdin=subprocess.DEVNULL, must_live=False
        )
        running.append(process)
        until("it listens", process.output, lambda text: "Listening on" in text)
        return process

    yield start
    for process in running:
        process.kill()


def test_the_connection_that_starts_it_is_answered(activate, configured):
    address = f"127.0.0.1:{free_port()}"
    process = activate("-l", address)
    assert web.get(address, "/rocketmq/a") == _LIST
    assert f"option=listen address={address}" in process.output()
    with pytest.raises(ConnectionRefusedError):
        web.get(f"127.0.0.1:{configured}", "/healthz")
    process.terminate()
    assert process.wait(timeout=20) == 0


def test_an_ipv6_socket_of_systemd_is_for_both_families(activate):
    """ListenStream=8080 is one socket for all addresses."""
    port = free_port()
    activate("-l", str(port))
    assert web.get(f"127.0.0.1:{port}", "/rocketmq/a") == _LIST
    assert web.get(f"[::1]:{port}", "/rocketmq/a") == _LIST


def test_sockets_are_told_apart_by_their_names(activate):
    clients, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    activate("-l", clients, "-l", admin, "--fdname=nsaddrd.socket:admin")
    assert web.get(clients, "/rocketmq/a") == _LIST
    assert web.get(admin, "/healthz").status == 200
    assert web.get(admin, "/rocketmq/a").status == 404


def test_a_datagram_socket_is_refused(activate):
    port = free_port()
    process = activate("-d", "-l", f"127.0.0.1:{port}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"x", ("127.0.0.1", port))
        assert process.wait(timeout=20) == 1
    assert "is a datagram socket; right is a listening TCP socket" in process.output()


def test_a_connection_in_place_of_a_socket_is_refused(activate):
    """What Accept=yes in a unit would give."""
    port = free_port()
    process = activate("-a", "-l", f"127.0.0.1:{port}")
    with socket.create_connection(("127.0.0.1", port)):
        until("a refusal", process.output, lambda text: "is a socket that does not listen" in text)
