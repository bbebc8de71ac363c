# SPDX-License-Identifier: Apache-2.0
"""The container image: what is in it, and that it runs with nothing else."""

import os
import re
import signal
import threading

import pytest

import wire
from building import BINARY, run
from fake_consul import FakeConsul, Instance
from images import Container
from ports import free_port
from resolver import ADDRESS, Resolver
from waiting import eventually

LIMIT_BYTES = 40_000_000
NOT_LINKED = {
    "usr/sbin/nsaddrd",
    "etc/nsaddrd/nsaddrd.conf",
    "etc/passwd",
    "etc/group",
    "etc/ssl/certs/ca-certificates.crt",
}


@pytest.fixture(scope="module")
def files(storage, image):
    with storage.files(image) as folder:
        yield folder


@pytest.fixture(scope="module")
def settings(storage, image):
    return storage.inspect(image)["Docker"]["config"]


def paths(folder):
    return {os.path.relpath(os.path.join(where, name), folder)
            for where, _, names in os.walk(folder) for name in names}


@pytest.fixture
def container(storage, image):
    """Starts containers, and removes them."""
    started = []

    def start(options, environment):
        port = free_port()
        environment = {"NSADDRD_LISTEN": f"127.0.0.1:{port}", "NSADDRD_ADMIN_LISTEN": "",
                       "NSADDRD_REGISTER_DRAIN": "0s", **environment}
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        started.append(Container(storage, image, [*variables, *options]))
        return started[-1], port

    yield start
    for one in started:
        print(one.log())  # shown if the test fails
        one.remove()


def ask(port, path):
    try:
        return wire.get(port, path)
    except OSError:
        return None


def answers(port, path, text):
    reply = ask(port, path)
    return reply is not None and reply.status == 200 and reply.text == text


# -- what is in it ---------------------------------------------------------------------------------


def test_it_is_small(files):
    assert sum((files / path).lstat().st_size for path in paths(files)) <= LIMIT_BYTES


def test_it_holds_what_the_program_is_linked_with_and_nothing_else(files):
    loader = next(path for path in paths(files) if re.search(r"/ld-linux[^/]*$", path))
    listed = run("chroot", files, f"/{loader}", "--list", "/usr/sbin/nsaddrd")
    linked = {path.lstrip("/") for path in re.findall(r"(/\S+) \(0x", listed)}
    assert paths(files) == linked | {loader} | NOT_LINKED


def test_nobody_but_root_could_change_what_is_in_it(files):
    loose = [path for path in paths(files) if (files / path).lstat().st_mode & 0o6022 or (files / path).lstat().st_uid]
    assert not loose


def test_its_program_is_stripped_and_runs(files):
    assert ".debug_info" not in run("readelf", "-SW", files / "usr/sbin/nsaddrd")
    assert run("chroot", files, "/usr/sbin/nsaddrd", "--version") == run(BINARY, "--version")


def test_its_state_is_a_volume_that_its_user_owns(files, settings):
    assert list(settings["Volumes"]) == ["/var/lib/nsaddrd"]
    status = (files / "var/lib/nsaddrd").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65532, 65532, 0o700)
    assert 'dir = "/var/lib/nsaddrd"' in (files / "etc/nsaddrd/nsaddrd.conf").read_text()


def test_it_says_how_it_is_run(settings):
    assert settings["User"] == "65532:65532"
    assert settings["Entrypoint"] == ["/usr/sbin/nsaddrd"]
    assert settings["StopSignal"] == "SIGTERM"
    assert settings["Healthcheck"]["Test"] == ["CMD", "/usr/sbin/nsaddrd", "probe"]
    assert set(settings["ExposedPorts"]) == {"8080/tcp", "8081/tcp"}


def test_it_says_what_it_is(settings):
    version = run(BINARY, "--version").split()[1]
    assert settings["Labels"] == {
        **{name: value for name, value in settings["Labels"].items() if name.startswith("io.buildah.")},
        "org.opencontainers.image.title": "nsaddrd",
        "org.opencontainers.image.description": "RocketMQ NameServer address server for Consul",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": "0123456",
        "org.opencontainers.image.created": "2026-11-20T12:00:00Z",
    }


# -- how it runs -----------------------------------------------------------------------------------


def test_it_serves_a_static_cluster_without_rights(container):
    one, port = container(["--cap-drop=all", "--security-opt=no-new-privileges"],
                          {"NSADDRD_STATIC_CLUSTERS": "a=127.0.0.1:9876", "NSADDRD_CONSUL_ENABLED": "false"})
    eventually(lambda: answers(port, "/rocketmq/a", "127.0.0.1:9876"), "the list is served", 30)
    with open(f"/proc/{one.pid()}/status", encoding="utf-8") as status:
        text = status.read()
    assert re.search(r"^Uid:\s+65532\s+65532", text, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["consul.test", "localhost"], ids=["by DNS", "by /etc/hosts"])
def test_consul_may_have_a_name(container, name):
    consul = FakeConsul()
    consul.start()
    try:
        consul.set_service("nameServera", [Instance("10.0.0.1", 9876)])
        address = consul.url.replace("127.0.0.1", name)
        with Resolver("consul.test", "127.0.0.1") as resolver:
            _, port = container([f"--dns={ADDRESS}"], {"NSADDRD_CONSUL_ADDRESS": address})
            eventually(lambda: answers(port, "/rocketmq/a", "10.0.0.1:9876"), "the list of Consul is served", 30)
            assert bool(resolver.asked) == (name == "consul.test")
    finally:
        consul.stop()


def test_its_state_outlives_it(container):
    """On a volume: the next container serves what the first one knew, with Consul away."""
    consul = FakeConsul()
    consul.start()
    settings = {"NSADDRD_CONSUL_ADDRESS": consul.url}
    try:
        consul.set_service("nameServera", [Instance("10.0.0.1", 9876)])
        first, port = container(["--volume=nsaddrd-state:/var/lib/nsaddrd"], settings)
        eventually(lambda: answers(port, "/rocketmq/a", "10.0.0.1:9876"), "the list of Consul is served", 30)
    finally:
        consul.stop()
    first.run("stop", "--time", "20")
    _, port = container(["--volume=nsaddrd-state:/var/lib/nsaddrd"], settings)
    eventually(lambda: answers(port, "/rocketmq/a", "10.0.0.1:9876"), "the list is restored", 30)
    assert ask(port, "/rocketmq/a").header("X-Nsaddr-State") == "restored"


def test_a_stop_lets_it_drain(container):
    """From SIGTERM on it answers for register.drain, and then it ends well."""
    one, port = container([], {"NSADDRD_STATIC_CLUSTERS": "a=127.0.0.1:9876", "NSADDRD_CONSUL_ENABLED": "false",
                               "NSADDRD_REGISTER_DRAIN": "2s"})
    eventually(lambda: answers(port, "/rocketmq/a", "127.0.0.1:9876"), "the list is served", 30)
    stopping = threading.Thread(target=one.run, args=("stop", "--time", "20"))
    stopping.start()
    try:
        eventually(lambda: ask(port, "/readyz").status == 503, "it drains", 20)
        assert answers(port, "/rocketmq/a", "127.0.0.1:9876")
    finally:
        stopping.join(60)
    assert one.run("inspect", "--format", "{{.State.ExitCode}}") == "0"
    assert "msg=stopped" in one.log()


def test_its_health_check_says_how_it_is(container):
    """What HEALTHCHECK runs, as an engine runs it: inside, with the program alone."""
    one, port = container([], {"NSADDRD_CONSUL_ENABLED": "false"})
    eventually(lambda: answers(port, "/healthz", "ok\n"), "it is up", 30)
    one.run("healthcheck", "run")
    os.kill(one.pid(), signal.SIGSTOP)
    with pytest.raises(AssertionError, match="healthcheck"):
        one.run("healthcheck", "run")
