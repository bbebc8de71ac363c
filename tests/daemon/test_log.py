# SPDX-License-Identifier: Apache-2.0
"""What is logged again and again, and what is not."""

import fcntl
import json
import os

import pytest

from exposition import read_page
from fake_consul import Instance, Reply
from waiting import eventually

ONE, TWO = Instance("10.0.0.1"), Instance("10.0.0.2")
NAME = "集群"


def test_nothing_is_logged_while_nothing_changes(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch({"consul.wait": "1s", "log.level": "info"})
    before = daemon.log()
    asked = len(consul.requests())
    eventually(lambda: len(consul.requests()) > asked + 6, "some polls have ended", 30)
    assert daemon.log() == before


def test_twins_are_named_once(watch, consul):
    for name in ("a", "A"):
        consul.set_service(f"nameServer{name}", [ONE if name == "a" else TWO])
    daemon = watch()
    eventually(lambda: daemon.log_lines("differ only in case"), "they are named")
    consul.set_service("nameServerb", [Instance("10.0.1.1")])
    daemon.eventually_lists("b", "10.0.1.1:9876")
    assert len(daemon.log_lines("differ only in case")) == 1
    consul.set_service("nameServerB", [Instance("10.0.1.2")])
    daemon.eventually_lists("B", "10.0.1.2:9876")
    assert len(daemon.log_lines("differ only in case")) == 2


def test_token_file_that_is_gone_is_not_complained_of_for_every_cluster(watch, consul, tmp_path):
    (tmp_path / "token").write_text("right")
    consul.require_token("right")
    for number in range(20):
        consul.set_service(f"nameServer{number}", [Instance(f"10.0.0.{number + 1}")])
    daemon = watch({"consul.token_file": str(tmp_path / "token"), "consul.wait": "1s"})
    (tmp_path / "token").unlink()
    consul.require_token("another")
    refused = "/v1/health/service/*"
    eventually(lambda: len(consul.requests(refused, when=lambda r: r.status == 403)) > 20, "many reads are refused", 30)
    assert len(daemon.log_lines("cannot read the token file")) == 1
    assert len(daemon.log_lines("cannot read a cluster")) == 1


def test_refusals_while_stopping_are_not_logged_one_by_one(watch, consul):
    for number in range(30):
        consul.set_service(f"nameServer{number}", [Instance(f"10.0.0.{number + 1}")])
    daemon = watch({"register.mode": "per-cluster", "register.advertise": "127.0.0.1"})
    eventually(lambda: len(consul.registrations()) == 31, "all are registered", 20)
    consul.answer("/v1/agent/service/deregister/*", Reply(403, "denied"))
    daemon.stop()
    assert len(daemon.log_lines("cannot deregister while stopping")) == 10
    assert daemon.log_lines("not everything is deregistered", "left=31")


def number(daemon, name):
    return sum(read_page(daemon.admin("/metrics").text)[name].samples.values())


def test_skipped_instance_that_comes_and_goes_is_held_to_a_rate(watch, consul):
    daemon = watch()
    for step in range(12):
        consul.set_service("nameServera", [ONE, Instance(f"10.0.1.{step}")])
        eventually(lambda: f"10.0.1.{step}:" in str(daemon.list_of("a")), "the good one has come")
        consul.set_service("nameServera", [ONE, Instance("host.name")])
        eventually(lambda: number(daemon, "nsaddrd_instances_skipped_total") == step + 1, "it is skipped")
    assert len(daemon.log_lines("without an address for clients are skipped")) == 10


def test_conflict_that_comes_and_goes_is_held_to_a_rate(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    for _ in range(12):
        consul.set_service("nameServerb", [ONE, TWO])
        eventually(lambda: number(daemon, "nsaddrd_conflicts"), "both claim it")
        consul.set_service("nameServerb", [Instance("10.0.0.1", maintenance=True), TWO])
        eventually(lambda: not number(daemon, "nsaddrd_conflicts"), "one claims it")
    assert len(daemon.log_lines("claimed by another cluster", "cluster=a")) == 10
    assert len(daemon.log_lines("claimed by another cluster", "cluster=b")) == 10


def test_text_of_peers_is_kept_readable_and_in_its_line(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.set_service(f"nameServer{NAME}\u202eelif\u2028x", [ONE])
    daemon = watch({"log.format": "json"})
    (line,) = eventually(lambda: daemon.log_lines("hold no cluster id"), "the name is skipped")
    assert NAME in line and "\u202e" not in line and "\u2028" not in line
    assert json.loads(line)["last"] == f"nameServer{NAME}\u202eelif\u2028x"


DROPPED = "nsaddrd_log_lines_dropped_total"


@pytest.fixture
def full_pipe():
    """Whoever waits for its reader waits for ever."""
    reader, writer = os.pipe()
    os.write(writer, b"x" * fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096))
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_reader_that_stands_still_stops_nothing_but_the_log(watch, consul, full_pipe):
    consul.set_service("nameServera", [ONE])
    daemon = watch({"log.level": "debug"}, start=False)
    daemon.log_to(full_pipe[1])
    daemon.start()
    assert daemon.get("/rocketmq/unknown").status == 404
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", "10.0.0.1:9876;10.0.0.2:9876")
    daemon.reload({"admission.settle": "201ms"})
    assert read_page(daemon.admin("/metrics").text)[DROPPED].value() > 5
    daemon.stop()


def test_first_line_that_is_taken_again_says_how_many_were_not(serve, full_pipe):
    daemon = serve({"a": ["10.0.0.1:9876"]}, start=False)
    daemon.log_to(full_pipe[1])
    daemon.start()
    before = read_page(daemon.admin("/metrics").text)[DROPPED].value()
    assert before > 0
    os.read(full_pipe[0], 4096)
    daemon.reload()
    line = os.read(full_pipe[0], 4096).decode().splitlines()[0]
    assert f"lines_dropped={before:.0f} " in line
