# SPDX-License-Identifier: Apache-2.0
"""The job files of packaging/nomad on a real Nomad, with fabio and NameServers that Nomad runs, too.

Whatever is replaced, NameServers or nsaddrd itself, no request through fabio fails.
"""

import contextlib
import json
import sys
from collections import Counter

import pytest

from realparts import web
from realparts.fabio import RunningFabio
from realparts.nomad import JOBS, PACKAGING, Nomad
from realparts.nsaddrd import BINARY
from realparts.ports import free_port
from realparts.rocketmq import namesrv_command
from realparts.waiting import until
from realparts.watcher import Watcher

# Short, so that the tests are. What is shipped is longer.
DELAYS = {"min_healthy_time": "5s"}
CONFIG = 'admission : { leave_delay = "1s"; };'
VARIANTS = {
    "registered-by-nomad": ("nsaddrd.nomad.hcl", {"shutdown_delay": "5s"}),
    "self-registering": ("nsaddrd-self-registering.nomad.hcl", {}),
}


@pytest.fixture(scope="module")
def nomad(run, consul):
    with Nomad(run, consul) as agent:
        yield agent


@pytest.fixture(scope="module")
def fabio(run, consul, nomad):
    port, ui_port = free_port(), free_port()
    nomad.run(
        PACKAGING / "fabio.nomad.hcl",
        driver="raw_exec",
        command=run.parts / "fabio",
        user="root",
        port=port,
        ui_port=ui_port,
        consul_address=consul.address,
    )
    proxy = RunningFabio(f"127.0.0.1:{port}", f"127.0.0.1:{ui_port}")
    proxy.await_up()
    return proxy


class NameServers:
    """The NameServers of one cluster: a job of Nomad's."""

    def __init__(self, nomad, cluster, count, **variables):
        self._nomad = nomad
        self.cluster = cluster
        self.job = f"nameserver-{cluster}"
        self._generation = 0
        self._variables = {"cluster": cluster, "count": count, **variables}

    def run(self):
        """Another version at each call, so that all are replaced."""
        self._generation += 1
        self._nomad.run(JOBS / "nameserver.nomad.hcl", generation=self._generation, **self._variables)

    def list(self):
        """What clients are to get."""
        return ";".join(sorted(a.address("rpc") for a in self._nomad.running(self.job)))

    def ever(self):
        return {a.address("rpc") for a in self._nomad.allocations(self.job)}

    def await_list_at(self, address):
        until(
            f"the list of {self.cluster} at {address}",
            lambda: (web.get(address, f"/rocketmq/{self.cluster}").body, self.list()),
            lambda seen: seen[0] == seen[1],
        )


@pytest.fixture(scope="module")
def clusters(run, nomad):
    """Three of which only a port is real, and two real NameServers."""
    listener = ["-m", "http.server", "--bind", "127.0.0.1", "${NOMAD_PORT_rpc}"]
    java, args, env = namesrv_command(run, "local/namesrv.conf")
    found = [
        NameServers(nomad, "a", 3, command=sys.executable, args=listener),
        NameServers(nomad, "a1", 2, command=java, args=args, env=env, memory=512),
    ]
    for nameservers in found:
        nameservers.run()
    for nameservers in found:
        nomad.await_deployed(nameservers.job)
    return found


class Deployed:
    """nsaddrd by one of our job files."""

    job = "nsaddrd"

    def __init__(self, nomad, consul, variant):
        self.variant = variant
        self._nomad = nomad
        self._file, variables = VARIANTS[variant]
        self._variables = {
            "driver": "raw_exec",
            "command": BINARY,
            "user": "root",  # the binary may be where only root gets to
            "distinct_hosts": False,
            "consul_address": f"http://{consul.address}",
            **DELAYS,
            **variables,
        }

    def run(self, config):
        self._nomad.run(PACKAGING / self._file, config=config, **self._variables)
        return self._nomad.await_deployed(self.job)

    def wanted_routes(self, clusters):
        """What fabio is to have, for those that run now."""
        paths = ["/rocketmq/"]
        if self.variant == "self-registering":
            paths = [f"/rocketmq/{nameservers.cluster}" for nameservers in clusters]
        return {(path, a.address("http")) for path in paths for a in self._nomad.running(self.job)}


@pytest.fixture(scope="module", params=VARIANTS)
def nsaddrd(request, nomad, consul, fabio, clusters):
    deployed = Deployed(nomad, consul, request.param)
    deployed.run(CONFIG)
    until("fabio's routes", fabio.routes, lambda routes: routes == deployed.wanted_routes(clusters))
    for nameservers in clusters:
        nameservers.await_list_at(fabio.address)
    yield deployed
    nomad.stop(deployed.job)
    fabio.await_no_routes()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"driver": "raw_exec"},
        {"driver": "docker", "image": "registry.example.com/image:1"},
        {"artifact": "https://example.com/program", "artifact_checksum": f"sha256:{0:064}", "command": "local/program"},
    ],
    ids=["as it comes", "raw_exec", "docker", "artifact"],
)
@pytest.mark.parametrize("file", sorted(file.name for file in PACKAGING.glob("*.nomad.hcl")))
def test_a_job_file_is_valid(nomad, file, variables):
    assert nomad.validate(PACKAGING / file, **variables) == "Job validation successful"


@pytest.mark.parametrize("file", sorted(file.name for file in PACKAGING.glob("*.nomad.hcl")))
def test_a_job_file_has_the_form_that_nomad_gives_it(nomad, file):
    assert nomad.command("fmt", "-check", "-write=false", PACKAGING / file) == ""


@pytest.mark.parametrize("file", sorted(file for file, _ in VARIANTS.values()))
def test_a_health_check_of_the_image_finds_the_listener(nomad, file):
    """It is `nsaddrd probe`, which knows the image's config and the environment, and no argument of the job."""
    printed = nomad.command("job", "run", "-output", "-var", "driver=docker", "-var", "image=x:1", PACKAGING / file)
    (task,) = json.loads(printed)["Job"]["TaskGroups"][0]["Tasks"]
    assert task["Env"]["NSADDRD_LISTEN"] == "${NOMAD_ADDR_http}"
    assert "-o" not in task["Config"]["args"]


def test_each_instance_is_registered_for_fabio_once(consul, nsaddrd, clusters):
    tagged = Counter(
        (tag.removeprefix("urlprefix-"), f"{service['Address']}:{service['Port']}")
        for service in consul.services().values()
        for tag in service["Tags"]
        if tag.startswith("urlprefix-")
    )
    assert tagged == Counter(nsaddrd.wanted_routes(clusters))


@contextlib.contextmanager
def no_failed_request(fabio, clusters):
    """While the block runs each cluster is asked for through fabio, and every answer is a list of it."""
    watchers = [
        (nameservers, Watcher(fabio.address, f"/rocketmq/{nameservers.cluster}", pause=0.02, keep_alive=keep))
        for nameservers in clusters
        for keep in (False, True)
    ]
    with contextlib.ExitStack() as stack:
        for _, watcher in watchers:
            stack.enter_context(watcher)
        yield
    failures = []
    for nameservers, watcher in watchers:
        ever = nameservers.ever()
        failures += [
            (nameservers.cluster, at, outcome)
            for at, outcome in watcher.changes
            if isinstance(outcome, str) or outcome.status != 200 or not set(outcome.body.split(";")) <= ever
        ]
    asked = sum(watcher.asked for _, watcher in watchers)
    print(f"{asked} requests")
    assert not failures, f"{len(failures)} bad outcomes in {asked} requests, the first: {failures[0]}"
    assert asked > 200, f"only {asked} requests: too few to show anything"


def test_the_list_follows_name_servers_that_are_replaced_one_by_one(nomad, fabio, nsaddrd, clusters):
    with no_failed_request(fabio, clusters):
        for nameservers in clusters:
            nameservers.run()
        for nameservers in clusters:
            nomad.await_deployed(nameservers.job)
            nameservers.await_list_at(fabio.address)

        stopped = nomad.running(clusters[0].job)[0]
        nomad.stop_allocation(stopped)
        until(
            "another NameServer in its place",
            lambda: [a.id for a in nomad.running(clusters[0].job)],
            lambda ids: len(ids) == 3 and stopped.id not in ids,
        )
        clusters[0].await_list_at(fabio.address)


def test_a_new_version_replaces_the_old_one_by_one(nomad, fabio, nsaddrd, clusters):
    before = {a.id for a in nomad.running(nsaddrd.job)}
    with no_failed_request(fabio, clusters):
        after = {a.id for a in nsaddrd.run(CONFIG + ' log : { level = "debug"; };')}
        until("fabio's new routes", fabio.routes, lambda routes: routes == nsaddrd.wanted_routes(clusters))
    assert len(after) == 2 and not after & before


def test_a_changed_option_is_a_signal_and_no_restart(nomad, nsaddrd):
    allocations = nomad.running(nsaddrd.job)
    nomad.command("var", "put", "-force", f"nomad/jobs/{nsaddrd.job}", 'config=http : { idle_timeout = "61s"; };')
    try:
        for allocation in allocations:
            state = until(
                "the signal after the change",
                lambda: nomad.task_state(allocation, "nsaddrd"),
                lambda state: any(event["Type"] == "Signaling" for event in state["Events"]),
            )
            until(
                "the option in use",
                lambda: web.get_json(allocation.address("admin"), "/status.json")["config"],
                lambda config: 'idle_timeout = "61s"' in config,
            )
            assert (state["State"], state["Restarts"]) == ("running", 0)
    finally:
        nomad.command("var", "purge", f"nomad/jobs/{nsaddrd.job}")
