# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a Debian that runs: systemd starts, reloads, watches, upgrades and stops it."""

import contextlib
import http.client
import re
import socket
import threading

import pytest

import groups
import wire
from fake_consul import FakeConsul, Instance
from machine import Machine
from waiting import eventually

CONFIG = "etc/nsaddrd/nsaddrd.conf"
STATIC = """
consul : { enabled = false; };
register : { drain = "0s"; };
static_clusters = ( { id = "a"; addresses = [ "127.0.0.1:9876" ]; } );
"""
LIST = "127.0.0.1:9876"
PORT = 8080  # of nsaddrd.socket
PUBLIC = "192.0.2.1"  # an address that is neither loopback nor private


@pytest.fixture(scope="module")
def machine(debian, tmp_path_factory):
    machine = Machine(debian, tmp_path_factory.mktemp("machine") / "console")
    with groups.removed("payload", "supervisor"):
        try:
            machine.start()
            machine.add_address(PUBLIC)
            yield machine
        finally:
            machine.stop()


@pytest.fixture
def packages(machine):
    """The two versions; in the end neither is installed."""
    yield sorted((f"/root/{path.name}" for path in (machine.root.path / "root").glob("*.deb")), key=lambda p: "+1" in p)
    machine.run("dpkg", "--purge", "nsaddrd")
    machine.run("rm", "-rf", "/run/systemd/system/nsaddrd.service.d", "/run/systemd/system/nsaddrd.socket.d")
    machine.run("systemctl", "daemon-reload")


@pytest.fixture
def installed(machine, packages):
    """It is installed and serves one static cluster."""
    machine.run("dpkg", "--install", packages[0])
    configure(machine, STATIC)
    machine.run("systemctl", "restart", "nsaddrd.service")
    return packages


def configure(machine, text):
    (machine.root.path / CONFIG).write_text(text)


def drop_in(machine, setting, kind="service"):
    """As `systemctl edit --runtime` does it."""
    folder = f"/run/systemd/system/nsaddrd.{kind}.d"
    machine.run("mkdir", "-p", folder)
    machine.run("sh", "-c", f"printf '[{kind.title()}]\\n{setting}\\n' >{folder}/test.conf")
    machine.run("systemctl", "daemon-reload")


def ask(machine, path="/rocketmq/a"):
    with machine.network():
        return wire.get(PORT, path)


def main_pid(machine):
    return int(machine.show("nsaddrd.service", "MainPID"))


@contextlib.contextmanager
def running_consul():
    consul = FakeConsul()
    consul.start()
    try:
        yield consul
    finally:
        consul.stop()


def test_it_is_installed_while_consul_is_away(machine, packages):
    """dpkg does not wait for the first complete read, and clients are told to keep what they have."""
    machine.run("dpkg", "--install", packages[0])
    eventually(lambda: main_pid(machine) > 0, "systemd starts it", 20)
    assert machine.state("nsaddrd.service") == "activating"
    assert ask(machine).status == 503


def test_the_environment_of_who_installs_it_does_not_count(machine, packages):
    printed = machine.run("env", "CONSUL_HTTP_TOKEN_FILE=/nonexistent/token", "NSADDRD_LISTEN=nonsense", "dpkg", "--install",
                          packages[0])
    assert "nsaddrd: not" not in printed
    eventually(lambda: main_pid(machine) > 0, "systemd starts it", 20)


def test_it_is_not_started_with_a_bad_config_that_was_there_before(machine, packages):
    machine.run("mkdir", "-p", "/etc/nsaddrd")
    configure(machine, "nonsense = 1;\n")
    printed = machine.run("dpkg", "--force-confold", "--install", packages[0])
    assert "nonsense" in printed
    assert "nsaddrd: not started because of its config" in printed
    assert main_pid(machine) == 0


def test_where_its_port_is_taken_it_says_so_and_leaves_it_alone(machine, packages):
    with machine.network(), socket.create_server(("0.0.0.0", PORT)):
        printed = machine.run("dpkg", "--install", packages[0])
        assert "nsaddrd.socket cannot listen" in printed
        assert "systemctl edit nsaddrd.socket" in printed
        assert (main_pid(machine), machine.show("nsaddrd.service", "NRestarts")) == (0, "0")
        drop_in(machine, "ListenStream=\\nListenStream=127.0.0.1:8089", "socket")
        configure(machine, STATIC)
        machine.run("systemctl", "start", "nsaddrd.socket", "nsaddrd.service")
        assert wire.get(8089, "/rocketmq/a").text == LIST


def test_it_is_given_another_port(machine, installed):
    """As the guide says: systemd refuses a socket whose service runs."""
    drop_in(machine, "ListenStream=\\nListenStream=127.0.0.1:8089", "socket")
    machine.run("systemctl", "stop", "nsaddrd.socket", "nsaddrd.service")
    machine.run("systemctl", "start", "nsaddrd.socket", "nsaddrd.service")
    with machine.network():
        assert wire.get(8089, "/rocketmq/a").text == LIST
        with pytest.raises(ConnectionRefusedError):
            wire.get(PORT, "/rocketmq/a")


def test_it_reads_consul_and_keeps_lists_inside_its_walls(machine, packages):
    """All that it does is possible with what the unit leaves to it."""
    with machine.network(), running_consul() as consul:
        consul.set_service("nameServera", [Instance("10.0.0.1", 9876)])
        machine.run("dpkg", "--install", packages[0])
        configure(machine, f'consul : {{ address = "{consul.url}"; }};\n'
                           'register : { drain = "0s"; };\nstate : { dir = "/var/lib/nsaddrd"; };\n')
        machine.run("systemctl", "restart", "nsaddrd.service")
        eventually(lambda: ask(machine).text == "10.0.0.1:9876", "the list of Consul is served", 20)
        eventually(lambda: "nameSvrIndex" in consul.registered_names(), "it registers", 20)
    assert machine.show("nsaddrd.service", "NRestarts") == "0"
    state = machine.run("stat", "-c", "%U %a", "/var/lib/nsaddrd").split()
    assert state == ["nsaddrd", "700"]
    assert "10.0.0.1:9876" in machine.run("sh", "-c", "cat /var/lib/nsaddrd/*")


def test_systemd_knows_when_it_is_ready(machine, installed):
    assert machine.state("nsaddrd.service") == "active"
    assert machine.show("nsaddrd.service", "StatusText").startswith("clusters: 1 live")
    assert (ask(machine).status, ask(machine).text) == (200, LIST)


def test_it_has_no_rights(machine, installed):
    status = machine.run("cat", f"/proc/{main_pid(machine)}/status")
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\s+(\w+)$", status, re.MULTILINE) == ["0" * 16] * 4
    assert machine.run("id", "-u", "nsaddrd").strip() == re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)[1]


def test_a_reload_is_over_when_systemctl_says_so(machine, installed):
    before = main_pid(machine)
    machine.run("systemctl", "reload", "nsaddrd.service")
    assert (machine.state("nsaddrd.service"), main_pid(machine)) == ("active", before)
    assert ask(machine).text == LIST


def test_an_upgrade_loses_no_request(machine, installed):
    before = main_pid(machine)
    answers, stop = [], threading.Event()

    def keep_asking():
        with machine.network():
            while not stop.is_set():
                try:
                    answers.append(wire.get(PORT, "/rocketmq/a").text)
                except OSError as error:
                    answers.append(repr(error))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        machine.run("dpkg", "--force-confdef", "--force-confold", "--install", installed[1])
        eventually(lambda: main_pid(machine) not in (0, before), "the new version runs", 20)
        eventually(lambda: machine.state("nsaddrd.service") == "active", "it is ready", 20)
    finally:
        stop.set()
        asking.join(20)
    assert len(answers) > 10
    assert set(answers) == {LIST}


def test_an_upgrade_leaves_the_process_alone_if_the_config_is_bad(machine, installed):
    before = main_pid(machine)
    configure(machine, STATIC + "nonsense = 1;\n")
    printed = machine.run("dpkg", "--force-confdef", "--force-confold", "--install", installed[1])
    assert "not restarted because of its config" in printed
    assert "nonsense" in printed
    assert main_pid(machine) == before
    assert ask(machine).text == LIST


def test_after_a_crash_it_is_started_again(machine, installed):
    before = main_pid(machine)
    machine.run("systemctl", "kill", "--signal=KILL", "nsaddrd.service")
    eventually(lambda: main_pid(machine) not in (0, before), "it is started again", 20)
    assert ask(machine).text == LIST


def test_when_it_hangs_it_is_started_again(machine, installed):
    drop_in(machine, "WatchdogSec=1s")
    machine.run("systemctl", "restart", "nsaddrd.service")
    before = main_pid(machine)
    machine.run("systemctl", "kill", "--signal=STOP", "nsaddrd.service")
    eventually(lambda: main_pid(machine) not in (0, before), "the watchdog ends it, and it is started again", 30)
    assert ask(machine).text == LIST


def test_with_a_bad_config_it_is_not_started_again_and_again(machine, installed):
    configure(machine, "nonsense = 1;\n")
    machine.fails("systemctl", "restart", "nsaddrd.service")
    assert machine.state("nsaddrd.service") == "failed"
    assert machine.show("nsaddrd.service", "ExecMainStatus") == "78"
    assert "nonsense" in machine.journal()


def test_without_the_socket_unit_it_listens_by_itself(machine, installed):
    machine.run("systemctl", "disable", "--now", "nsaddrd.socket")
    configure(machine, STATIC + 'listen = "127.0.0.1:8088";\n')
    machine.run("systemctl", "restart", "nsaddrd.service")
    with machine.network():
        assert wire.get(8088, "/rocketmq/a").text == LIST


def test_a_stop_is_a_clean_one(machine, installed):
    machine.run("systemctl", "stop", "nsaddrd.socket", "nsaddrd.service")
    assert machine.show("nsaddrd.service", "Result") == "success"
    assert machine.show("nsaddrd.service", "ExecMainStatus") == "0"


def test_a_removal_stops_it(machine, installed):
    machine.run("dpkg", "--remove", "nsaddrd")
    with machine.network(), pytest.raises(ConnectionRefusedError):
        wire.get(PORT, "/healthz")


def test_clients_come_from_any_network(machine, installed):
    with machine.network():
        client = http.client.HTTPConnection(PUBLIC, PORT, timeout=20)
        client.request("GET", "/rocketmq/a")
        assert client.getresponse().read() == LIST.encode()
        client.close()


def test_it_talks_to_private_networks_and_to_those_that_are_allowed(machine, installed):
    with machine.network(), socket.create_server((PUBLIC, 8500)) as consul:
        consul.setblocking(False)
        configure(machine, f'consul : {{ address = "http://{PUBLIC}:8500"; }};\nregister : {{ drain = "0s"; }};\n')
        machine.run("systemctl", "restart", "--no-block", "nsaddrd.service")
        eventually(lambda: re.search(rf"cannot read the services.*{PUBLIC}", machine.journal()),
                   "its call is held back", 30)
        with pytest.raises(BlockingIOError):
            consul.accept()
        drop_in(machine, f"IPAddressAllow={PUBLIC}")
        machine.run("systemctl", "restart", "--no-block", "nsaddrd.service")
        consul.settimeout(60)
        consul.accept()[0].close()


def test_a_client_starts_it(machine, installed):
    """The socket alone is enough: who asks first waits for the answer."""
    machine.run("systemctl", "stop", "nsaddrd.service")
    assert ask(machine).text == LIST
    assert machine.state("nsaddrd.service") == "active"
