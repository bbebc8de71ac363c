# SPDX-License-Identifier: Apache-2.0
"""Lists on disk: what was last good is served after a restart without Consul, and nothing else is."""

import subprocess
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fake_consul import Instance, Reply
from waiting import Watcher, eventually

ONE, TWO = Instance("10.0.0.1"), Instance("10.0.0.2")
BOTH = "10.0.0.1:9876;10.0.0.2:9876"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def start(watch, folder):
    def start(options=None, **arguments):
        return watch({"state.dir": str(folder), **(options or {})}, **arguments)

    return start


def contents(folder):
    """File -> bytes. Files that vanish meanwhile, as temporary ones do, are not there."""
    found = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            found[path] = path.read_bytes()
    return found


def the_file(folder, text=b"10.0.0.1:9876"):
    """The state file, once it holds this text: not what is only there until it is written."""
    def find():
        return [path for path, data in contents(folder).items()
                if text in data and path.suffix not in (".tmp", ".journal")]
    return eventually(find, "the state is on disk")[0]


def age_of(response):
    """Seconds since the list is not live any more."""
    since = datetime.fromisoformat(response.header("X-Nsaddr-Since").replace("Z", "+00:00"))
    return (datetime.now(timezone.utc) - since).total_seconds()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restart_without_consul_serves_the_last_list(start, consul, folder, end):
    consul.set_service("nameServera", [ONE, TWO])
    first = start()
    the_file(folder, BOTH.encode())
    getattr(first, end)()
    consul.stop()
    second = start()
    response = second.get("/rocketmq/a")
    assert (response.status, response.text) == (200, BOTH)
    assert response.header("X-Nsaddr-State") == "restored"
    assert abs(age_of(response)) < 60
    assert second.get("/readyz").status == 200
    consul.start()
    eventually(lambda: second.state_of("a") == "live", "live once Consul confirms it", deadline=20)
    assert second.list_of("a") == BOTH


def test_kill_right_after_a_change_takes_nothing_back(start, consul):
    """Changes come far faster than the state file is written as a whole."""
    expected = ["10.0.0.1:9876"]
    consul.set_service("nameServera", [ONE])
    daemon = start()
    for port in range(9001, 9011):
        consul.set_service("nameServera", [ONE, Instance("10.0.0.2", port)])
        expected.append(f"10.0.0.2:{port}")
        daemon.eventually_lists("a", ";".join(expected))
    daemon.kill()
    consul.stop()
    second = start()
    assert (second.state_of("a"), second.list_of("a")) == ("restored", ";".join(expected))


@pytest.fixture(scope="session")
def slow_fsync(tmp_path_factory):
    library = tmp_path_factory.mktemp("preload") / "slow_fsync.so"
    source = Path(__file__).with_name("slow_fsync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source], check=True)
    return str(library)


@pytest.mark.parametrize("hangs", ["first_write", "sync"])
def test_slow_disk_delays_no_change_and_loses_none(start, consul, folder, slow_fsync, hangs):
    """A change is served and kept while the write of an earlier one still hangs."""
    consul.set_service("nameServera", [ONE])
    if hangs == "sync":
        before = start()
        the_file(folder)
        before.stop()
    daemon = start(env={"LD_PRELOAD": slow_fsync, "SLOW_FSYNC_S": "30"})
    for port in range(9001, 9006):
        consul.set_service("nameServera", [ONE, Instance("10.0.0.2", port)])
        eventually(lambda: f"10.0.0.2:{port}" in daemon.list_of("a"), "the change is served", deadline=5)
    served = daemon.list_of("a")
    daemon.kill()
    consul.stop()
    assert start().list_of("a") == served


HEAD = len("nsaddrd-journal 2 ") + 34


def until_synced(folder):
    """The first line of the journal says how much of what is behind it is durable."""
    def is_synced():
        text = (folder / "nsaddrd.journal").read_bytes()
        return int(text[18:34], 16) == len(text) - HEAD
    eventually(is_synced, "the journal is synced")


@pytest.fixture
def journal(start, consul, folder):
    """A journal that a killed daemon left, synced: in it TWO has come, in the state file there is ONE alone."""
    consul.set_service("nameServera", [ONE])
    daemon = start()
    the_file(folder)
    consul.set_service("nameServera", [ONE, TWO])
    daemon.eventually_lists("a", BOTH)
    until_synced(folder)
    daemon.kill()
    consul.stop()
    return folder / "nsaddrd.journal"


def fnv(data, start=0xcbf29ce484222325):
    for byte in data:
        start = (start ^ byte) * 0x100000001b3 % 2**64
    return start


def of_version_1(text):
    """The same records as the version before wrote them."""
    records = b"".join(line for line in text[HEAD:].splitlines(keepends=True) if not line.startswith(b"sum "))
    head = b"nsaddrd-journal 1 %016x %016x " % (len(records), fnv(records, fnv(b"source nameServer - - -\n")))
    return head + b"%016x\n" % fnv(head) + records


@pytest.mark.parametrize("change", [
    lambda text: text,
    of_version_1,
    lambda text: text + b"9 cluster a 1 10.6.6.6:1\nsum 0123456789abcdef\n",
    lambda text: text + bytes(600),
], ids=["as_it_is", "version_1", "tail_not_synced", "zeros_behind"])
def test_journal_is_restored(start, journal, change):
    journal.write_bytes(change(journal.read_bytes()))
    assert start().list_of("a") == BOTH


@pytest.mark.parametrize("damage", [
    lambda text: text.replace(b"10.0.0.2", b"10.6.6.6"),
    lambda text: text[:-1],
    lambda text: text[:HEAD],
    lambda text: text[:HEAD] + bytes(len(text) - HEAD),
    lambda text: b"x" + text,
    lambda text: b"",
], ids=["changed", "cut_by_one", "cut_behind_the_head", "zeros", "byte_in_front", "empty"])
def test_damaged_journal_is_refused_and_kept_aside(start, consul, folder, journal, damage):
    damaged = damage(journal.read_bytes())
    journal.write_bytes(damaged)
    second = start()
    assert second.list_of("a") == "10.0.0.1:9876"
    assert len(second.log_lines(str(folder))) == 1
    assert contents(folder)[folder / "nsaddrd.journal.damaged"] == damaged
    consul.start()
    second.eventually_lists("a", BOTH, deadline=20)


def test_few_changes_do_not_rewrite_all_lists(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    daemon = start()
    path = the_file(folder)
    before = path.stat().st_ino, path.read_bytes()
    for port in range(9001, 9004):
        consul.set_service("nameServera", [ONE, Instance("10.0.0.2", port)])
        eventually(lambda: f"10.0.0.2:{port}" in daemon.list_of("a"), "the change is served")
        until_synced(folder)
    assert (path.stat().st_ino, path.read_bytes()) == before


def test_restored_list_changes_without_a_gap(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    the_file(folder)
    first.stop()
    consul.stop()
    second = start({"admission.leave_delay": "1s"})
    with Watcher(lambda: second.list_of("a")) as seen:
        consul.set_service("nameServera", [TWO])
        consul.start()
        eventually(lambda: seen.first("10.0.0.2:9876"), "the list has moved on", deadline=20)
    # The old address leaves with the delay of any other.
    assert seen.values() == ["10.0.0.1:9876", BOTH, "10.0.0.2:9876"]


def test_restored_cluster_that_consul_does_not_know_is_held_then_gone(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    the_file(folder)
    first.stop()
    consul.remove_service("nameServera")
    second = start()
    with Watcher(lambda: second.list_of("a")) as seen:
        eventually(lambda: seen.first(404), "gone", deadline=15)
    assert seen.values() == ["10.0.0.1:9876", 404]


def test_unknown_cluster_beside_restored_ones_is_not_ready_yet(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    the_file(folder)
    first.stop()
    consul.stop()
    assert start().list_of("new") == 503


def test_gone_cluster_is_not_restored(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    first = start({"admission.gone_delay": "100ms"})
    path = the_file(folder)
    consul.remove_service("nameServera")
    first.eventually_lists("a", 404)
    first.stop()
    assert b"10.0.0.1:9876" not in path.read_bytes()
    consul.stop()
    second = start()
    assert (second.list_of("a"), second.list_of("b")) == (503, "10.0.0.2:9876")


@pytest.mark.parametrize("damage", [
    lambda text: text.replace(b"10.0.0.1", b"10.6.6.6"),
    lambda text: text[:-1],
    lambda text: text[:len(text) // 2],
    lambda text: text + b"x",
    lambda text: b"\x00\xff" + text,
    lambda text: b"",
    lambda text: b"some other program's file\n",
], ids=["changed", "cut_by_one", "cut_in_half", "longer", "binary_in_front", "empty", "foreign"])
def test_damaged_file_is_refused_and_kept_aside(start, consul, folder, damage):
    consul.set_service("nameServera", [ONE])
    first = start()
    path = the_file(folder)
    first.stop()
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    consul.stop()
    second = start(ready=False)
    assert second.list_of("a") == 503
    assert len(second.log_lines(str(folder))) == 1
    assert damaged in [data for file, data in contents(folder).items() if file != path]
    consul.start()
    second.eventually_lists("a", "10.0.0.1:9876", deadline=20)


def test_file_of_another_datacenter_is_kept_aside(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    first.stop()
    written = the_file(folder).read_bytes()
    consul.stop()
    second = start({"consul.datacenter": "dc9"}, ready=False)
    assert second.list_of("a") == 503
    assert written in contents(folder).values()


def test_nothing_is_restored_when_consul_is_not_used(start, consul):
    consul.set_service("nameServera", [ONE])
    first = start()
    first.stop()
    second = start({"consul.enabled": False, "static_clusters": [{"id": "demo", "addresses": ["10.0.0.9:1"]}]})
    assert (second.list_of("a"), second.list_of("demo")) == (404, "10.0.0.9:1")


def test_not_modified_still_says_that_the_list_is_restored(start, consul):
    consul.set_service("nameServera", [ONE])
    first = start()
    etag = first.get("/rocketmq/a").header("ETag")
    first.stop()
    consul.stop()
    second = start()
    response = second.get("/rocketmq/a", headers=[("If-None-Match", etag)])
    assert (response.status, response.header("X-Nsaddr-State")) == (304, "restored")


def test_second_daemon_on_the_same_folder_refuses_to_start(start, command, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    second = command("-o", f"state.dir={folder}", "-o", f"consul.address={consul.url}", "-o", "admin.listen=",
                     "-o", "listen=127.0.0.1:1", config="")
    assert second.returncode in (1, 78)
    assert str(folder) in second.stderr
    assert first.list_of("a") == "10.0.0.1:9876"


def test_static_clusters_are_not_restored_after_they_left_the_config(start, consul):
    first = start({"static_clusters": [{"id": "demo", "addresses": ["10.0.0.9:1"]}]})
    assert first.list_of("demo") == "10.0.0.9:1"
    first.stop()
    second = start()
    eventually(lambda: second.list_of("demo") == 404, "a static cluster ends with its line in the config")


def test_held_list_survives_a_restart(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    the_file(folder)
    consul.set_service("nameServera", [Instance("10.0.0.1", status="critical")])
    eventually(lambda: first.state_of("a") == "held", "held")
    first.stop()
    second = start()
    eventually(lambda: second.state_of("a") == "held", "held again")
    assert second.list_of("a") == "10.0.0.1:9876"


def test_restored_list_outlives_an_empty_answer(start, consul, folder):
    consul.set_service("nameServera", [ONE])
    first = start()
    the_file(folder)
    first.stop()
    consul.answer("/v1/catalog/services", Reply(200, {"consul": []}), times=1)
    second = start({"admission.gone_delay": "1m"})
    with Watcher(lambda: second.list_of("a")) as seen:
        eventually(lambda: second.state_of("a") == "live", "live in the end", deadline=20)
    assert seen.values() == ["10.0.0.1:9876"]
