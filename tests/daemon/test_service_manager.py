# SPDX-License-Identifier: Apache-2.0
"""Beside a service manager such as systemd: what it is told, and that its sockets outlive us."""

import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import wire
from fake_consul import Instance
from ports import free_port
from service_manager import Notifications, listening_socket
from waiting import eventually

ONE, TWO = Instance("10.0.0.1"), Instance("10.0.0.2")
A_LIST = {"a": ["10.0.0.1:9876"]}
WAITING = "waiting for the first complete read from Consul; "
NO_CONSUL = "; Consul gives no good answer"
# Beats every half of it.
WATCHDOG_USEC = "1000000"
# Threads are given two seconds to turn, and then several beats are missing.
SILENCE = 3.0
RESTARTS = 10


@pytest.fixture
def manager():
    notifications = Notifications()
    yield notifications
    notifications.close()


@pytest.fixture
def static(make_daemon):
    """Starts a daemon without Consul; keyword arguments go to make_daemon."""

    def start(options=None, **arguments):
        clusters = [{"id": cluster, "addresses": addresses} for cluster, addresses in A_LIST.items()]
        return make_daemon({"consul.enabled": False, "static_clusters": clusters, **(options or {})}, **arguments)

    return start


@pytest.fixture
def hand(request):
    """Makes a listening socket that a service manager would have."""

    def make(port=None, host="127.0.0.1"):
        listening = listening_socket(port or free_port(), host)
        request.addfinalizer(listening.close)
        return listening

    return make


def env_of(manager, **variables):
    return {"NOTIFY_SOCKET": manager.path, **variables}


def of(kind, messages):
    return [message for message in messages if kind in message]


# What it is told

def test_ready_and_status_come_at_once_with_static_clusters(static, manager):
    static(env=env_of(manager))
    assert manager.read_until_says("READY") == {
        "READY": "1", "STATUS": "clusters: 1 live, 0 held, 0 restored, 0 without a list"}


def test_ready_comes_with_the_first_answer_of_consul(watch, consul, manager):
    """Until then it asks for more time, so that nobody ends a start while Consul is away."""
    consul.set_service("nameServera", [ONE])
    consul.stop()
    daemon = watch(env=env_of(manager), ready=False)
    assert manager.read_until_says("STATUS")["STATUS"].endswith(NO_CONSUL)
    assert int(of("EXTEND_TIMEOUT_USEC", manager.messages)[0]["EXTEND_TIMEOUT_USEC"]) > 0
    assert daemon.get("/readyz").status == 503
    assert not of("READY", manager.messages)
    consul.start()
    message = manager.read_until_says("READY")
    assert message["STATUS"] == "clusters: 1 live, 0 held, 0 restored, 0 without a list; Consul answers"
    assert daemon.get("/readyz").status == 200


def test_restored_lists_are_ready(watch, consul, manager, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    consul.set_service("nameServera", [ONE])
    first = watch({"state.dir": str(folder)})
    first.stop()
    consul.stop()
    watch({"state.dir": str(folder)}, env=env_of(manager))
    message = manager.read_until_says("READY")
    assert "clusters: 0 live, 0 held, 1 restored, 0 without a list" in message["STATUS"]
    assert not of("EXTEND_TIMEOUT_USEC", manager.messages)


def test_status_says_how_far_the_first_reading_is(watch, consul, manager):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    hold = consul.hold("/v1/health/service/nameServerb")
    watch(env=env_of(manager), ready=False)
    manager.read_until_status("reading clusters: 1 of 2; clusters: 1 live")
    hold.remove()
    manager.read_until(lambda message: message.get("STATUS", "").startswith("clusters: 2 live"), "nothing left to read")


def test_status_follows(watch, consul, manager):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    watch(env=env_of(manager))
    manager.read_until_status("2 live, 0 held", "; Consul answers")
    consul.set_service("nameServerb", [Instance("10.0.0.2", status="critical")])
    manager.read_until_status("1 live, 1 held", "; Consul answers")
    consul.stop()
    manager.read_until_status("1 live, 1 held", NO_CONSUL)
    consul.start()
    manager.read_until_status("1 live, 1 held", "; Consul answers")


def test_a_cluster_without_a_list_is_counted(watch, consul, manager):
    consul.set_service("nameServera", [Instance("10.0.0.1", status="critical")])
    watch(env=env_of(manager))
    manager.read_until_status("0 live, 0 held, 0 restored, 1 without a list")


def test_sighup_is_a_reload(static, manager):
    daemon = static(env=env_of(manager))
    manager.read_until_says("READY")
    for _ in range(3):
        before = time.monotonic_ns() // 1000
        daemon.signal(signal.SIGHUP)
        message = manager.read_until_says("RELOADING")
        assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert manager.read_until_says("READY") == {"READY": "1"}


def test_lines_in_the_journal_have_their_level_in_front(static):
    daemon = static(start=False)
    daemon.log_to_journal()
    daemon.start()
    daemon.refuse("listen = ;\n")
    daemon.stop()
    assert daemon.log_lines("<6>ts=", "level=info") and daemon.log_lines("<3>ts=", "level=error")
    assert not [line for line in daemon.log_lines() if not line.startswith("<")]


def test_what_it_says_before_it_ends_has_its_level_in_front(static):
    daemon = static({"http.threads": 65}, start=False)
    daemon.log_to_journal()
    with pytest.raises(AssertionError):
        daemon.start()
    assert daemon.log().startswith("<3>nsaddrd: ")


def test_sighup_before_it_is_ready_does_not_make_it_so(watch, consul, manager):
    consul.stop()
    daemon = watch(env=env_of(manager), ready=False)
    manager.read_until_status(WAITING, NO_CONSUL)
    daemon.signal(signal.SIGHUP)
    consul.start()
    manager.read_until_says("READY")
    assert daemon.get("/readyz").status == 200
    assert not of("RELOADING", manager.messages)


@pytest.mark.parametrize("drain", ["0s", "300ms"])
def test_sigterm_is_told_first(static, manager, drain):
    daemon = static({"register.drain": drain}, env=env_of(manager))
    manager.read_until_says("READY")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    message, *others = manager.read_all()
    assert message["STOPPING"] == "1"
    assert message["STATUS"].startswith("stopping, answering those who still come; clusters: 1 live")
    assert int(message["EXTEND_TIMEOUT_USEC"]) > 0
    assert not of("STOPPING", others)


def test_it_says_that_it_stops_while_it_still_answers(static, manager):
    daemon = static({"register.drain": "1h"}, env=env_of(manager))
    daemon.signal(signal.SIGTERM)
    manager.read_until_says("STOPPING")
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert daemon.get("/readyz").status == 503
    daemon.stop()  # a second signal


def test_a_start_that_is_ended_says_so(watch, consul, manager):
    consul.stop()
    daemon = watch(env=env_of(manager), ready=False)
    manager.read_until_status(WAITING)
    daemon.stop()
    manager.read_until_says("STOPPING")
    assert not of("READY", manager.messages)


def test_abstract_socket(static):
    manager = Notifications(abstract=True)
    static(env=env_of(manager))
    manager.read_until_says("READY")
    manager.close()


@pytest.mark.parametrize("variables, says", [
    ({"NOTIFY_SOCKET": "notify"}, "NOTIFY_SOCKET=notify"),
    ({"NOTIFY_SOCKET": "@/none", "WATCHDOG_USEC": "1s"}, "WATCHDOG_USEC=1s"),
])
def test_a_variable_without_sense_is_one_line_in_the_log(static, variables, says):
    daemon = static(env=variables)
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert len(daemon.log_lines("level=warn", says, "right is")) == 1


def test_a_manager_that_cannot_be_reached_is_one_line_in_the_log(static, manager):
    gone = manager.path + "-gone"
    daemon = static(env={"NOTIFY_SOCKET": gone, "WATCHDOG_USEC": "20000"})
    for _ in range(3):
        daemon.signal(signal.SIGHUP)
        assert daemon.list_of("a") == "10.0.0.1:9876"
    daemon.stop()
    assert len(daemon.log_lines("cannot tell the service manager")) == 1


def test_without_a_manager_there_is_no_word_of_it(static):
    daemon = static()
    daemon.signal(signal.SIGHUP)
    daemon.stop()
    assert not daemon.log_lines("service manager")
    assert not daemon.log_lines("level=warn")


def test_other_modes_tell_nothing(command, manager):
    variables = env_of(manager, WATCHDOG_USEC="1", LISTEN_FDS="x", LISTEN_FDNAMES="x")
    options = ("-o", "consul.enabled=false")
    for arguments in (("-t",), ("--once",), ("--print-config",), ("-V",), ("-h",)):
        result = command(*arguments, *options, env=variables)
        assert (result.returncode, result.stderr) == (0, ""), arguments
    assert manager.read_all() == []


# The watchdog

def test_watchdog_is_fed_with_nothing_to_do(static, manager):
    static(env=env_of(manager, WATCHDOG_USEC=WATCHDOG_USEC))
    for _ in range(3):
        assert of("WATCHDOG", manager.read_for(SILENCE))


def test_watchdog_is_fed_while_consul_is_away(watch, consul, manager):
    consul.stop()
    watch(env=env_of(manager, WATCHDOG_USEC=WATCHDOG_USEC), ready=False)
    manager.read_until_status(NO_CONSUL)
    for _ in range(3):
        assert of("WATCHDOG", manager.read_for(SILENCE))


def test_watchdog_is_fed_while_it_drains(static, manager):
    daemon = static({"register.drain": "1h"}, env=env_of(manager, WATCHDOG_USEC=WATCHDOG_USEC))
    daemon.signal(signal.SIGTERM)
    manager.read_until_says("STOPPING")
    for _ in range(3):
        manager.read_until_says("WATCHDOG")
    daemon.stop()


def test_watchdog_of_another_process_is_not_fed(static, manager):
    """Beats would come every 10 ms."""
    daemon = static(env=env_of(manager, WATCHDOG_USEC="20000", WATCHDOG_PID="1"))
    manager.read_until_says("READY")
    daemon.signal(signal.SIGHUP)
    manager.read_until_says("RELOADING")
    daemon.stop()
    manager.read_until_says("STOPPING")
    assert not of("WATCHDOG", manager.messages)


@pytest.fixture(scope="session")
def hang_thread(tmp_path_factory):
    library = tmp_path_factory.mktemp("preload") / "hang_thread.so"
    source = Path(__file__).with_name("hang_thread.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source], check=True)
    return str(library)


@pytest.mark.parametrize("call, thread", [("poll", "Consul's"), ("epoll_wait", "one that answers")])
def test_watchdog_is_not_fed_when_a_thread_hangs(static, manager, hang_thread, tmp_path, call, thread):
    trigger = tmp_path / "hang"
    daemon = static({"http.threads": 2, "admin.listen": ""}, env=env_of(
        manager, WATCHDOG_USEC=WATCHDOG_USEC, LD_PRELOAD=hang_thread, HANG_IN=call, HANG_WHEN=str(trigger)))
    for _ in range(3):
        manager.read_until_says("WATCHDOG")
    trigger.touch()
    eventually(lambda: not trigger.exists(), f"the thread, {thread}, hangs")
    eventually(lambda: not of("WATCHDOG", manager.read_for(SILENCE)), "no beat comes", deadline=20)
    # It is not main that has stopped.
    daemon.signal(signal.SIGHUP)
    manager.read_until_says("RELOADING")
    assert not of("WATCHDOG", manager.read_for(SILENCE))
    daemon.kill()


# Its sockets

def test_inherited_socket_takes_the_place_of_listen(static, hand):
    daemon = static({"listen": f"127.0.0.1:{free_port()}"}, start=False)
    daemon.inherit(hand(daemon.port))
    daemon.start()
    assert daemon.list_of("a") == "10.0.0.1:9876"
    configured = int(daemon.options["listen"].rsplit(":", 1)[1])
    with pytest.raises(ConnectionRefusedError):
        wire.get(configured, "/healthz")
    assert daemon.log_lines("service manager", "option=listen", f"address=127.0.0.1:{daemon.port}")
    assert not daemon.log_lines("service manager", "option=admin.listen")
    assert daemon.admin("/healthz").status == 200


def test_inherited_sockets_are_told_apart_by_name(static, hand):
    other = free_port()
    configured = free_port()
    daemon = static({"listen": f"127.0.0.1:{configured}", "admin.listen": f"127.0.0.1:{configured}"}, start=False)
    daemon.inherit(hand(daemon.admin_port), hand(daemon.port), hand(other), names="admin:clients:nsaddrd.socket")
    daemon.start()
    for port in (daemon.port, other):
        assert wire.get(port, "/rocketmq/a").body == b"10.0.0.1:9876"
    assert daemon.admin("/rocketmq/a").status == 404
    with pytest.raises(ConnectionRefusedError):
        wire.get(configured, "/healthz")


def test_inherited_admin_socket_leaves_listen_alone(static, hand):
    daemon = static({"admin.listen": ""}, start=False)
    daemon.inherit(hand(daemon.admin_port), names="admin")
    daemon.start()
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert daemon.admin("/healthz").status == 200
    assert daemon.admin("/rocketmq/a").status == 404


def test_inherited_ipv6_socket(static, hand):
    daemon = static(start=False)
    v6 = hand(host="::1")
    daemon.inherit(hand(daemon.port), v6)
    daemon.start()
    port = v6.getsockname()[1]
    with wire.Connection(port, "::1") as connection:
        assert connection.request("/rocketmq/a").body == b"10.0.0.1:9876"
    assert daemon.log_lines("option=listen", f"[::1]:{port}")


def test_the_port_of_the_inherited_socket_is_registered(watch, consul, hand):
    consul.set_service("nameServera", [ONE])
    daemon = watch({"register.mode": "per-cluster", "listen": f"127.0.0.1:{free_port()}"}, start=False)
    daemon.inherit(hand(daemon.port))
    daemon.start()
    eventually(lambda: "nameSvrIndex-a" in consul.registered_names(), "registered")
    assert {service["Port"] for service in consul.registrations().values()} == {daemon.port}


@pytest.mark.parametrize("make, says", [
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "a datagram socket"),
    (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), "a unix socket"),
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), "a socket that does not listen"),
])
def test_a_socket_that_cannot_be_used_ends_the_start(static, hand, make, says):
    daemon = static(start=False)
    with make() as unusable:
        daemon.inherit(hand(), unusable, names="clients:other")
        with pytest.raises(AssertionError, match="the daemon ended with 1"):
            daemon.start()
    (line,) = daemon.log_lines("nsaddrd: LISTEN_FDS")
    assert f'descriptor 4 "other" is {says}; right is a listening TCP socket' in line


def test_sockets_meant_for_another_process_are_left_alone(static):
    daemon = static(env={"LISTEN_PID": "1", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "x"})
    assert daemon.list_of("a") == "10.0.0.1:9876"
    assert not daemon.log_lines("service manager")


class Client(threading.Thread):
    """Asks all the time, and notes what is not an answer. A kept connection is used until it is said to close."""

    def __init__(self, port, keeps):
        super().__init__(daemon=True)
        self._port, self._keeps = port, keeps
        self._ends = threading.Event()
        self.answers, self.failures = 0, []

    def run(self):
        connection = None
        while not self._ends.is_set():
            try:
                connection = connection or wire.Connection(self._port)
                response = connection.request("/rocketmq/a")
                assert (response.status, response.body) == (200, b"10.0.0.1:9876"), response
                self.answers += 1
                if not self._keeps or response.header("Connection") == "close":
                    connection.close()
                    connection = None
            except (OSError, AssertionError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection = None
            self._ends.wait(0.002)

    def stop(self):
        self._ends.set()
        self.join(10)
        assert not self.is_alive()


@contextmanager
def clients_of(port):
    clients = [Client(port, keeps) for keeps in (False, False, True, True)]
    for client in clients:
        client.start()
    yield clients
    for client in clients:
        client.stop()


def test_restarts_over_an_inherited_socket_lose_no_request(static, hand):
    daemon = static(start=False)
    daemon.inherit(hand(daemon.port))
    daemon.start()
    with clients_of(daemon.port) as clients:
        for _ in range(RESTARTS):
            before = [client.answers for client in clients]
            eventually(lambda: all(client.answers > count + 5 for client, count in zip(clients, before)),
                       "every client is answered")
            daemon.stop()
            daemon.start()
    assert [client.failures for client in clients] == [[], [], [], []]


def test_a_request_sent_while_nobody_runs_is_answered_by_the_next(static, hand):
    daemon = static(start=False)
    daemon.inherit(hand(daemon.port))
    daemon.start()
    daemon.stop()
    with daemon.connect() as connection:
        connection.send(b"GET /rocketmq/a HTTP/1.1\r\nHost: x\r\n\r\n")
        daemon.start()
        assert connection.response().body == b"10.0.0.1:9876"
