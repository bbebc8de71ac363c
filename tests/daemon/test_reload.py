# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: every option that is marked so takes effect, as a whole or not at all, and nobody who asks sees it."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import wire
from daemon import BINARY
from durations import seconds
from fake_consul import HEALTH, NAMES, Instance, Reply
from waiting import Watcher, eventually

ONE, TWO, THREE = (Instance(f"10.0.0.{number}") for number in (1, 2, 3))
FIRST, SECOND = (f"10.0.0.{number}:9876" for number in (1, 2))
BOTH = f"{FIRST};{SECOND}"
FAILING = Instance("10.0.0.2", status="critical")
REGISTERED = {"register.mode": "per-cluster", "register.advertise": "127.0.0.1"}
# The least time a client gets, and a machine under load.
CLOSED_DEADLINE = 15


def static(**clusters):
    return [{"id": name, "addresses": addresses.split(";")} for name, addresses in clusters.items()]


# Each option takes effect

@dataclass
class World:
    consul: Any
    watch: Any
    folder: Any

    def start(self, instances=(ONE,), **options):
        self.consul.set_service("nameServera", list(instances))
        daemon = self.watch({name.replace("__", "."): value for name, value in options.items()})
        return daemon

    def asked(self, path, what):
        """There comes a request of this path for which what(request) is true."""
        eventually(lambda: self.consul.requests(path, when=what), f"such a request of {path}")

    def parent(self):
        return next((s for s in self.consul.registrations().values() if s["Name"] == "nameSvrIndex"), None)

    def check(self):
        """The HTTP check of the parent."""
        parent = self.parent()
        return parent and ([parent["Check"]] if "Check" in parent else parent["Checks"])[0]


@pytest.fixture
def world(consul, watch, tmp_path):
    return World(consul, watch, tmp_path)


def log_level(world):
    daemon = world.start()
    daemon.reload({"log.level": "error"})
    eventually(lambda: daemon.log_lines("config reloaded", "changed=log.level"), "it says so")
    daemon.reload({"admission.settle": "201ms"})
    assert len(daemon.log_lines("config reloaded")) == 1
    daemon.reload({"log.level": "info"})
    eventually(lambda: len(daemon.log_lines("config reloaded", "changed=log.level")) == 2, "it says so")


def log_format(world):
    daemon = world.start()
    daemon.reload({"log.format": "json"})
    line = eventually(lambda: daemon.log_lines("config reloaded"), "it says so")[0]
    assert json.loads(line)["changed"] == "log.format"


def settle(world):
    daemon = world.start([ONE, TWO], admission__settle="1h")
    world.consul.set_service("nameServera", [ONE, Instance("10.0.0.2", maintenance=True)])
    daemon.reload({"admission.settle": "100ms"})
    daemon.eventually_lists("a", FIRST)


def leave_delay(world):
    daemon = world.start([ONE, TWO], admission__leave_delay="1d")
    world.consul.set_service("nameServera", [ONE, FAILING])
    daemon.reload({"admission.leave_delay": "100ms"})
    daemon.eventually_lists("a", FIRST)


def gone_delay(world):
    daemon = world.start(admission__gone_delay="7d")
    world.consul.remove_service("nameServera")
    eventually(lambda: daemon.state_of("a") == "held", "nothing registered: held")
    daemon.reload({"admission.gone_delay": "100ms"})
    daemon.eventually_lists("a", 404)


def token(world):
    world.consul.require_token("old", "new")
    daemon = world.start(consul__token="old")
    daemon.reload({"consul.token": "new"})
    world.asked("*", lambda request: request.token == "new")
    assert "new" not in "".join(daemon.log_lines("consul.token"))


def token_file(world):
    world.consul.require_token("old", "new")
    for name in ("old", "new"):
        (world.folder / name).write_text(f"{name}\n")
    daemon = world.start(consul__token_file=str(world.folder / "old"))
    daemon.reload({"consul.token_file": str(world.folder / "new")})
    world.asked("*", lambda request: request.token == "new")


def exclude(world):
    daemon = world.start()
    daemon.reload({"consul.exclude": ["a"]})
    assert daemon.list_of("a") == 404
    daemon.reload({"consul.exclude": []})
    daemon.eventually_lists("a", FIRST)


def accept(world):
    daemon = world.start([ONE, Instance("10.0.0.2", status="warning")])
    assert daemon.list_of("a") == FIRST
    daemon.reload({"consul.accept": "warning"})
    daemon.eventually_lists("a", BOTH)
    daemon.reload({"consul.accept": "passing"})
    daemon.eventually_lists("a", FIRST)


def address_from(world):
    daemon = world.start([Instance("10.0.0.1", tagged_addresses={"wan": {"Address": "192.0.2.1", "Port": 9876}})])
    daemon.reload({"consul.address_from": "wan"})
    daemon.eventually_lists("a", "192.0.2.1:9876")


def consistency(world):
    daemon = world.start(consul__wait="1s")
    daemon.reload({"consul.consistency": "stale"})
    world.asked(f"{HEALTH}nameServera", lambda request: "stale" in request.query)


def wait(world):
    daemon = world.start(consul__wait="1s")
    daemon.reload({"consul.wait": "10m"})
    world.asked(f"{HEALTH}nameServera", lambda request: seconds(request.query.get("wait", "0s")) > 400)


def max_watches(world):
    daemon = world.start(consul__max_watches=1)
    eventually(lambda: world.consul.is_watching("nameServera"), "the cluster is watched by itself")
    daemon.reload({"consul.max_watches": 0})
    world.asked("/v1/health/state/*", lambda request: True)
    now = time.monotonic()
    daemon.reload({"consul.max_watches": 1})
    eventually(lambda: world.consul.is_watching("nameServera", since=now), "the cluster is watched by itself again")


def tag(world):
    daemon = world.start(**REGISTERED)
    eventually(world.parent, "we are registered")
    daemon.reload({"register.tag": "other-/rocketmq/<cluster-id>"})
    eventually(lambda: any("other-/rocketmq/a" in (s.get("Tags") or []) for s in world.consul.registrations().values()),
               "the child has the new tag")


def tags(world):
    daemon = world.start(**REGISTERED)
    eventually(world.parent, "we are registered")
    daemon.reload({"register.tags": ["more"]})
    eventually(lambda: all("more" in (s.get("Tags") or []) for s in world.consul.registrations().values()),
               "all have the new tag")


def of_the_check(option, old, new, field):
    def effect(world):
        daemon = world.start(**REGISTERED, **{option.replace(".", "__"): old})
        eventually(world.parent, "we are registered")
        before = seconds(world.check()[field])
        daemon.reload({option: new})
        eventually(lambda: seconds(world.check()[field]) > before, f"the check has the new {field}")
    return effect


def drain(world):
    daemon = world.start(register__drain="1h")
    daemon.reload({"register.drain": "0s"})
    daemon.stop()


def static_clusters(world):
    daemon = world.start()
    daemon.reload({"static_clusters": static(b=SECOND)})
    assert (daemon.list_of("a"), daemon.list_of("b")) == (FIRST, SECOND)


def default_cluster(world):
    daemon = world.start()
    assert daemon.list_of("nsaddr") == 404
    daemon.reload({"default_cluster": "a"})
    assert daemon.list_of("nsaddr") == FIRST


def closed_in_time(option, sent):
    """A connection that was there before is held to the new time."""
    def effect(world):
        daemon = world.start(**{option.replace(".", "__"): "1h"})
        with daemon.connect() as connection:
            if sent:
                connection.send(sent)
            else:
                assert connection.request("/healthz").status == 200
            daemon.reload({option: "1s"})
            eventually(connection.is_closed_by_peer, "the connection is closed", CLOSED_DEADLINE)
    return effect


def connections_let_in(daemon, count):
    """How many of so many connections from here are answered while they are all open."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.connect()) for _ in range(count)]
        answered = 0
        for connection in connections:
            with contextlib.suppress(OSError, AssertionError):
                answered += connection.request("/healthz").status == 200
        return answered


def per_address(world):
    daemon = world.start()
    assert connections_let_in(daemon, 3) == 3
    daemon.reload({"http.max_connections_per_address": 1})
    eventually(lambda: connections_let_in(daemon, 3) == 1, "one connection is let in")
    daemon.reload({"http.max_connections_per_address": 0})
    assert connections_let_in(daemon, 3) == 3


def exempt_networks(world):
    daemon = world.start(http__max_connections_per_address=1)
    eventually(lambda: connections_let_in(daemon, 3) == 1, "one connection is let in")
    daemon.reload({"http.exempt_networks": ["127.0.0.0/8"]})
    assert connections_let_in(daemon, 3) == 3
    daemon.reload({"http.exempt_networks": []})
    eventually(lambda: connections_let_in(daemon, 3) == 1, "one connection is let in")


EFFECTS = {
    "log.level": log_level,
    "log.format": log_format,
    "admission.settle": settle,
    "admission.leave_delay": leave_delay,
    "admission.gone_delay": gone_delay,
    "consul.token": token,
    "consul.token_file": token_file,
    "consul.exclude": exclude,
    "consul.accept": accept,
    "consul.address_from": address_from,
    "consul.consistency": consistency,
    "consul.wait": wait,
    "consul.max_watches": max_watches,
    "register.tag": tag,
    "register.tags": tags,
    "register.check_interval": of_the_check("register.check_interval", "5s", "7s", "Interval"),
    "register.check_timeout": of_the_check("register.check_timeout", "2s", "3s", "Timeout"),
    "register.deregister_after": of_the_check("register.deregister_after", "30m", "40m",
                                              "DeregisterCriticalServiceAfter"),
    "register.drain": drain,
    "static_clusters": static_clusters,
    "default_cluster": default_cluster,
    "http.header_timeout": closed_in_time("http.header_timeout", b"GET / HTTP/1.1\r\n"),
    "http.idle_timeout": closed_in_time("http.idle_timeout", None),
    "http.max_connections_per_address": per_address,
    "http.exempt_networks": exempt_networks,
}
# The fake Consul speaks no HTTP/2.
ELSEWHERE = {"consul.max_watches_http2": ("test_source_consul.c", "a_reload_changes_the_limit_of_http2")}


def options_of_help():
    """What --help says of each option: reload or restart."""
    text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout
    return dict(re.findall(r"^  ([a-z0-9_.]+) +\S.*? (reload|restart) +default ", text, re.MULTILINE))


def test_every_reloadable_option_has_its_test():
    reloadable = {name for name, word in options_of_help().items() if word == "reload"}
    assert EFFECTS.keys() | ELSEWHERE.keys() == reloadable
    for file, name in ELSEWHERE.values():
        assert name in (Path(__file__).parents[1] / "unit" / file).read_text()


@pytest.mark.parametrize("option", EFFECTS)
def test_option_takes_effect(world, option):
    EFFECTS[option](world)


def test_what_takes_a_restart_is_named_and_the_rest_is_used(watch, consul, tmp_path):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    port = daemon.port
    (tmp_path / "state").mkdir()
    changed = {"listen": "127.0.0.1:1", "admin.listen": "127.0.0.1:2", "http.threads": 3,
               "http.max_connections": 500, "consul.enabled": False, "consul.address": "http://127.0.0.1:1",
               "consul.datacenter": "dc9", "consul.namespace": "n", "consul.partition": "p",
               "consul.service_prefix": "other", "consul.tls.verify": False, "register.mode": "single",
               "register.name": "we", "register.advertise": "h", "state.dir": str(tmp_path / "state")}
    daemon.reload({**changed, "default_cluster": "a"})
    lines = daemon.log_lines("level=warn", "takes a restart")
    assert {re.search(r"option=(\S+)", line).group(1) for line in lines} == set(changed)
    (line,) = [line for line in lines if "option=consul.datacenter" in line]
    assert 'was="" is=dc9' in line
    assert re.search(rf"where={re.escape(str(daemon.config))}:\d+$", line)
    (line,) = daemon.log_lines("config reloaded")
    assert "changed=default_cluster" in line
    assert wire.get(port, "/rocketmq/nsaddr").text == FIRST
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", BOTH)
    daemon.reload()
    assert "changed=nothing" in daemon.log_lines("config reloaded")[-1]


def test_no_secret_is_said(watch):
    daemon = watch({"consul.token": "first-secret"})
    daemon.reload({"consul.token": "other-secret"})
    assert daemon.log_lines("option changed", "consul.token", "masked")
    assert "-secret" not in daemon.log()


# What is not good changes nothing

BAD = {
    "syntax": ("listen = ;\n", r":1: "),
    "unknown key": ('\nlog : { levle = "info"; };\n', r":2: log\.levle: unknown key; .*log\.level"),
    "wrong value": ('log : { level = "loud"; };\n', r":1: log\.level: .*loud.* right is"),
    "two at once": ('default_cluster = "b";\nconsul : { wait = "1"; };\n', r":2: consul\.wait: .*right is"),
    "no clusters": ("static_clusters = ( { id = \"x\"; } );\n", r":1: static_clusters: .*no addresses"),
    "bad include": ('@include "nowhere.conf"\n', r"nowhere\.conf: cannot read"),
    "token file": ('consul : { token_file = "/nowhere"; };\n', r":1: consul\.token_file: cannot read .*right is"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_changes_nothing(serve, case):
    text, said = BAD[case]
    daemon = serve({"a": [FIRST]}, default_cluster="a")
    line = daemon.refuse(text)
    assert "level=error" in line and re.search(said, line), line
    assert daemon.list_of("nsaddr") == FIRST
    assert daemon.is_running()
    daemon.reload({"static_clusters": static(a=SECOND)})
    assert daemon.list_of("a") == SECOND


def gone(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def unreadable(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize("make, said", [(gone, "No such file"), (folder, "is a folder"), (pipe, "is a pipe"),
                                        (unreadable, "cannot read")])
def test_file_that_cannot_be_read_changes_nothing(serve, make, said):
    daemon = serve({"a": [FIRST]})
    make(daemon.config)
    daemon.signal(signal.SIGHUP)
    assert said in daemon.refused()
    assert daemon.list_of("a") == FIRST


def test_token_file_that_is_a_pipe_is_not_waited_for(watch, consul, tmp_path):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    os.mkfifo(tmp_path / "token")
    daemon.options["consul.token_file"] = str(tmp_path / "token")
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    assert "is a pipe" in daemon.refused()
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", BOTH)


def test_more_watches_than_files_are_refused(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    soft = min(hard, 12000)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, soft))
    daemon.options.update({"consul.max_watches": 10000, "consul.exclude": ["a"]})
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    assert "open files" in daemon.refused()
    assert daemon.list_of("a") == FIRST
    daemon.reload({"consul.max_watches": 10})
    assert daemon.list_of("a") == 404


def test_included_file_is_read_again(serve, tmp_path):
    (tmp_path / "more.conf").write_text('default_cluster = "a";\n')
    daemon = serve({"a": [FIRST], "b": [SECOND]})
    daemon.write_config('@include "more.conf"\n')
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.list_of("nsaddr") == FIRST, "the included file counts")
    (tmp_path / "more.conf").write_text('default_cluster = "b";\n')
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.list_of("nsaddr") == SECOND, "the included file is read again")
    (tmp_path / "more.conf").write_text('default_cluster = "a/b";\n')
    daemon.signal(signal.SIGHUP)
    assert "more.conf:1: default_cluster" in daemon.refused()


def test_arguments_and_environment_win_as_at_the_start(make_daemon):
    daemon = make_daemon({"consul.enabled": False, "static_clusters": static(a=FIRST, b=SECOND)},
                         arguments=["-o", "default_cluster=a"], env={"NSADDRD_LOG_LEVEL": "info"})
    daemon.reload({"default_cluster": "b", "log.level": "error"})
    assert daemon.list_of("nsaddr") == FIRST
    assert daemon.log_lines("config reloaded", "changed=nothing")


# Clusters come and go without a gap

def answers(daemon, cluster):
    return Watcher(lambda: daemon.list_of(cluster))


def test_static_cluster_becomes_consuls_without_a_gap(watch, consul):
    consul.set_service("nameServera", [TWO])
    daemon = watch({"static_clusters": static(a=FIRST)})
    with answers(daemon, "a") as seen:
        hold = consul.hold(f"{HEALTH}nameServera")
        daemon.reload({"static_clusters": []})
        assert daemon.list_of("a") == FIRST
        assert daemon.state_of("a") == "restored"
        consul.remove_rule(hold)
        daemon.eventually_lists("a", SECOND)
        assert daemon.state_of("a") == "live"
    assert seen.values() == [FIRST, SECOND]
    assert daemon.log_lines("cluster changed", "was=live", "state=restored", "static_clusters no more")


def test_static_address_that_consul_has_and_fails_keeps_its_delay(watch, consul):
    consul.set_service("nameServera", [ONE, FAILING])
    daemon = watch({"static_clusters": static(a="10.0.0.2:9876;10.0.0.3:9876"), "admission.leave_delay": "1s"})
    with answers(daemon, "a") as seen:
        daemon.reload({"static_clusters": []})
        daemon.eventually_lists("a", FIRST)
    assert seen.values() == ["10.0.0.2:9876;10.0.0.3:9876", BOTH, FIRST]


def test_static_cluster_that_consul_does_not_have_ends(watch, consul):
    daemon = watch({"static_clusters": static(a=FIRST), "admission.gone_delay": "7d"})
    daemon.reload({"static_clusters": []})
    daemon.eventually_lists("a", 404)
    assert daemon.log_lines("cluster gone", "cluster=a", "static_clusters no more, and nothing is registered")
    assert "\nnsaddrd_clusters_gone_total 0\n" in daemon.admin("/metrics").text


def test_static_cluster_stays_while_consul_does_not_answer(watch, consul):
    consul.set_service("nameServera", [TWO])
    daemon = watch({"static_clusters": static(a=FIRST)})
    rule = consul.answer("*", Reply(status=500))
    daemon.reload({"static_clusters": []})
    eventually(lambda: consul.requests(f"{HEALTH}nameServera", when=lambda r: r.status == 500), "Consul was asked")
    assert daemon.list_of("a") == FIRST
    consul.remove_rule(rule)
    daemon.eventually_lists("a", SECOND, deadline=20)


def test_static_cluster_without_consul_ends_at_once(serve):
    daemon = serve({"a": [FIRST], "b": [SECOND]})
    daemon.reload({"static_clusters": static(b=SECOND)})
    assert (daemon.list_of("a"), daemon.list_of("b")) == (404, SECOND)
    assert daemon.log_lines("cluster gone", "cluster=a", "static_clusters no more")


def test_static_cluster_takes_the_place_of_consuls(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    with answers(daemon, "a") as seen:
        daemon.reload({"static_clusters": static(a=SECOND)})
        assert daemon.list_of("a") == SECOND
        consul.set_service("nameServera", [ONE, THREE])
        seen.observe(0.5)
    assert seen.values() == [FIRST, SECOND]


def test_changed_static_cluster_changes_at_once(serve):
    daemon = serve({"a": [FIRST]})
    daemon.reload({"static_clusters": static(a=BOTH)})
    assert daemon.list_of("a") == BOTH
    assert daemon.log_lines("cluster changed", "cluster=a", f'new="{BOTH}"' if ";" not in BOTH else BOTH)


def test_excluded_cluster_is_deregistered(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    daemon = watch(REGISTERED)
    eventually(lambda: "nameSvrIndex-a" in consul.registered_names(), "a is registered")
    daemon.reload({"consul.exclude": ["a"]})
    assert (daemon.list_of("a"), daemon.list_of("b")) == (404, SECOND)
    assert daemon.log_lines("cluster gone", "cluster=a", "why=consul.exclude")
    eventually(lambda: consul.registered_names() == ["nameSvrIndex", "nameSvrIndex-b"], "a is deregistered")


def test_clusters_that_share_an_address_may_be_excluded_together(watch, consul):
    for name in "ab":
        consul.set_service(f"nameServer{name}", [ONE])
    consul.set_service("nameServerc", [ONE, TWO])
    daemon = watch()
    daemon.eventually_lists("c", SECOND)
    daemon.reload({"consul.exclude": ["a", "b"]})
    assert (daemon.list_of("a"), daemon.list_of("b")) == (404, 404)
    daemon.eventually_lists("c", BOTH)
    assert (daemon.list_of("a"), daemon.list_of("b")) == (404, 404)


def test_address_that_is_no_longer_meant_leaves_after_its_delay(watch, consul):
    instance = Instance("10.0.0.1", tagged_addresses={"wan": {"Address": "192.0.2.1", "Port": 9876}})
    consul.set_service("nameServera", [instance])
    daemon = watch({"admission.leave_delay": "1d"})
    daemon.reload({"consul.address_from": "wan"})
    daemon.eventually_lists("a", f"{FIRST};192.0.2.1:9876")


def test_longer_delay_holds_for_who_is_leaving(watch, consul):
    consul.set_service("nameServera", [ONE, TWO])
    daemon = watch({"admission.leave_delay": "2s"})
    consul.set_service("nameServera", [ONE, FAILING])
    daemon.reload({"admission.leave_delay": "1d"})
    with answers(daemon, "a") as seen:
        seen.observe(3)
    assert seen.values() == [BOTH]


# At any time

def test_during_the_first_sync(watch, consul):
    consul.set_service("nameServera", [ONE])
    hold = consul.hold(NAMES)
    daemon = watch(ready=False)
    daemon.reload({"default_cluster": "a"})
    daemon.reload({"consul.exclude": ["b"]})
    assert daemon.get("/readyz").status == 503
    consul.remove_rule(hold)
    daemon.eventually_lists("nsaddr", FIRST)


def test_during_the_drain_only_the_token_is_read(watch, consul, tmp_path):
    (tmp_path / "token").write_text("old")
    consul.set_service("nameServera", [ONE])
    daemon = watch({"register.drain": "2s", "consul.token_file": str(tmp_path / "token")})
    daemon.signal(signal.SIGTERM)
    eventually(lambda: daemon.get("/readyz").status == 503, "it drains")
    (tmp_path / "token").write_text("new")
    daemon.options["consul.exclude"] = ["a"]
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.log_lines("SIGHUP: using the new token"), "the token is read")
    assert daemon.list_of("a") == FIRST
    assert daemon.wait() == 0
    assert not daemon.log_lines("config reloaded")


def test_stop_right_behind_a_reload(serve):
    daemon = serve({"a": [FIRST]})
    daemon.options["static_clusters"] = static(a=SECOND)
    daemon.write_config()
    daemon.signal(signal.SIGHUP)
    daemon.stop()


def test_new_token_is_used_at_once_by_who_was_refused(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.require_token("right")
    daemon = watch({"consul.token": "wrong"}, ready=False)
    eventually(lambda: consul.requests(when=lambda r: r.status == 403), "Consul refuses it")
    daemon.reload({"consul.token": "right"})
    daemon.eventually_lists("a", FIRST)


# Under load

class Clients:
    """Threads that ask without end over connections they keep. Every answer must be one of those allowed."""

    def __init__(self, port, allowed, count=4):
        self._port, self._allowed = port, allowed
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]
        self.wrong, self.answers = [], 0

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self):
        with wire.Connection(self._port) as connection:
            while not self._stop.is_set():
                for path, allowed in self._allowed.items():
                    try:
                        response = connection.request(path)
                        answer = response.text if response.status == 200 else response.status
                    except (OSError, AssertionError) as problem:
                        answer = problem
                    self.answers += 1
                    if answer not in allowed:
                        self.wrong.append((path, answer))
                        return


def test_no_request_fails_while_good_and_bad_configs_come(watch, consul):
    for name, instance in (("a", ONE), ("b", TWO)):
        consul.set_service(f"nameServer{name}", [instance])
    one_way = {"static_clusters": static(s=FIRST, t="10.1.0.1:1"), "default_cluster": "s", "consul.exclude": ["x"],
               "http.header_timeout": "10s", "http.max_connections_per_address": 0, "consul.accept": "passing",
               "consul.address_from": "auto", "admission.leave_delay": "1s", "consul.max_watches": 100}
    other_way = {"static_clusters": static(s=SECOND, u="10.2.0.1:1"), "default_cluster": "u", "consul.exclude": ["b"],
                 "http.header_timeout": "20s", "http.max_connections_per_address": 500, "consul.accept": "warning",
                 "consul.address_from": "service", "admission.leave_delay": "2s", "consul.max_watches": 0}
    daemon = watch({**one_way, **REGISTERED})
    allowed = {"/rocketmq/a": {FIRST}, "/rocketmq/b": {SECOND, 404, 503}, "/rocketmq/s": {FIRST, SECOND},
               "/rocketmq/nsaddr": {FIRST, "10.2.0.1:1"}, "/rocketmq/x": {404}, "/healthz": {"ok\n", "ok"}}
    with Clients(daemon.port, allowed) as clients:
        for round_ in range(30):
            daemon.reload(other_way if round_ % 2 == 0 else one_way)
            daemon.refuse("listen = ;\n")
        asked = clients.answers
        eventually(lambda: clients.answers > asked or clients.wrong, "they still ask")
    assert clients.wrong == []
    assert daemon.get("/readyz").status == 200


def test_signals_that_come_at_once_end_in_the_last_config(serve):
    daemon = serve({"a": [FIRST]})
    for number in range(1, 51):
        daemon.options["static_clusters"] = static(a=f"10.3.0.{number}:9876")
        scratch = daemon.config.with_suffix(".new")
        scratch.write_text("")
        daemon.config, wanted = scratch, daemon.config
        daemon.write_config()
        daemon.config = wanted
        os.replace(scratch, wanted)
        daemon.signal(signal.SIGHUP)
    daemon.eventually_lists("a", "10.3.0.50:9876")
    assert not daemon.log_lines("config is not good")
