# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump, and a daemon that sleeps: no decision follows from the wall clock, nor from time alone."""

import mmap
import os
import struct
import subprocess
import time
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from fake_consul import HEALTH, Instance, Reply
from history import now_ms
from recorded import AS_SHIPPED, SLACK, RecordedRun
from validator import validate
from waiting import eventually

SOURCE = Path(__file__).with_name("clockshift.c")
TEN_YEARS = timedelta(days=3652)
HOUR = timedelta(hours=1)
# Shorter than the time within which a read must be answered.
NAP = timedelta(seconds=12)
# Two clocks read one after the other may lie on both sides of midnight, but not a day apart.
ABOUT = timedelta(days=1)

NAME = "nameServera"
ONE, TWO, THREE = Instance("10.0.0.1"), Instance("10.0.0.2"), Instance("10.0.0.3")
FAILING = Instance("10.0.0.2", status="critical")
ONLY_ONE, BOTH, ALL = "10.0.0.1:9876", "10.0.0.1:9876;10.0.0.2:9876", "10.0.0.1:9876;10.0.0.2:9876;10.0.0.3:9876"


class Clocks:
    """What a process that has `env` takes for the time: both clocks are shifted by this much."""

    def __init__(self, library, path):
        path.write_bytes(bytes(16))
        with open(path, "r+b") as file:
            self._shifts = mmap.mmap(file.fileno(), 16)
        self.env = {"LD_PRELOAD": str(library), "CLOCKSHIFT_FILE": str(path)}
        self.wall = self.monotonic = timedelta()

    def shift(self, wall, monotonic=timedelta()):
        """Both jump by this much at once, as seen by a process that stands still."""
        self.wall += wall
        self.monotonic += monotonic
        for offset, shift in ((0, self.wall), (8, self.monotonic)):
            struct.pack_into("=q", self._shifts, offset, shift // timedelta(microseconds=1) * 1000)


@pytest.fixture(scope="session")
def clockshift(tmp_path_factory):
    library = tmp_path_factory.mktemp("clockshift") / "clockshift.so"
    flags = ["-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([os.environ.get("CC") or "cc", *flags, "-o", library, SOURCE], check=True)
    return library


@pytest.fixture
def clocks(clockshift, tmp_path):
    return Clocks(clockshift, tmp_path / "shifts")


@pytest.fixture
def recorded(clocks, tmp_path):
    """A run under these clocks, of a daemon that watches one cluster of two."""

    def make(**arguments):
        run = RecordedRun("clock", tmp_path, ["a"], env=clocks.env, **arguments)
        run.consul.set_service(NAME, [ONE, TWO])
        return run

    return make


# The wall clock jumps

JUMPS = pytest.mark.parametrize("jump", [TEN_YEARS, -TEN_YEARS], ids=["ahead", "back"])


def await_watched(run):
    run.daemon.eventually_lists("a", BOTH)
    eventually(lambda: run.consul.is_watching(NAME), "the cluster is watched")


def tell(consul, instances):
    """Changes what Consul knows, and waits until the daemon has taken it: it asks for what comes next."""
    before = time.monotonic()
    consul.set_service(NAME, instances)
    eventually(lambda: consul.is_watching(NAME, since=before), "the daemon knows the change")


def jump_to(clocks, consul, jump):
    """The wall clock jumps, and a reply about another cluster makes the daemon look at its clocks."""
    clocks.shift(jump)
    consul.set_service("nameServerb", [Instance("10.0.1.1")])


def await_reads(consul, count, since):
    eventually(lambda: [r.status for r in consul.plain_reads(NAME, since)].count(200) >= count,
               f"{count} authoritative reads are answered")


@JUMPS
def test_leave_delay_is_not_of_the_wall_clock(recorded, clocks, jump):
    with recorded() as run:
        await_watched(run)
        tell(run.consul, [ONE, FAILING])
        jump_to(clocks, run.consul, jump)
        run.daemon.eventually_lists("a", ONLY_ONE)
        run.let_pass(SLACK / 1000)
    assert not run.violations()


@JUMPS
def test_gone_delay_is_not_of_the_wall_clock(recorded, clocks, jump):
    with recorded() as run:
        await_watched(run)
        before = time.monotonic()
        run.consul.remove_service(NAME)
        await_reads(run.consul, 2, since=before)
        jump_to(clocks, run.consul, jump)
        run.daemon.eventually_lists("a", 404)
    assert not run.violations()


@JUMPS
def test_hold_is_not_of_the_wall_clock(recorded, clocks, jump):
    with recorded() as run:
        await_watched(run)
        run.consul.set_service(NAME, [Instance("10.0.0.1", status="critical"), FAILING])
        eventually(lambda: run.daemon.state_of("a") == "held", "the list is held")
        jump_to(clocks, run.consul, jump)
        run.let_pass(2 * SLACK / 1000)
        assert run.daemon.list_of("a") == BOTH
        run.consul.set_service(NAME, [ONE, TWO, THREE])
        run.daemon.eventually_lists("a", ALL)
    assert not run.violations()


@JUMPS
def test_restored_list_has_no_age(recorded, clocks, jump):
    with recorded() as run:
        await_watched(run)
        clocks.shift(jump)
        run.kill()
        run.consul.stop()
        clocks.shift(-2 * jump)
        run.start()
        assert run.daemon.state_of("a") == "restored"
        assert run.daemon.list_of("a") == BOTH
    assert not run.violations()


@JUMPS
def test_date_and_log_follow_the_wall_clock(recorded, clocks, jump):
    with recorded() as run:
        await_watched(run)
        clocks.shift(jump)
        run.consul.set_service(NAME, [ONE, TWO, THREE])
        run.daemon.eventually_lists("a", ALL)
        believed = datetime.now(timezone.utc) + jump
        assert abs(parsedate_to_datetime(run.daemon.get("/rocketmq/a").header("Date")) - believed) < ABOUT
        (line,) = run.daemon.log_lines("cluster changed", ALL)
        assert abs(datetime.fromisoformat(line.split()[0].removeprefix("ts=")) - believed) < ABOUT
    assert not run.violations()


# The process stands still


class Night:
    """The time that passes for everyone while the process is stopped; it is put into the history afterwards."""

    def __init__(self, run, clocks):
        self._run = run
        self._clocks = clocks
        self._slept = []  # (when it began, how long)

    def sleep(self, duration=HOUR, meanwhile=lambda: None):
        with self._run.frozen():
            self._slept.append((now_ms(), duration // timedelta(milliseconds=1)))
            meanwhile()
            self._clocks.shift(duration, duration)

    def violations(self):
        return [str(violation) for violation in validate(self._lines())]

    def _lines(self):
        for line in self._run.history():
            at, word, *fields = line.split(" ")
            asked = {"names": 0, "says": 1, "serves": 1, "silent": 1}.get(word)
            if word == "serves" and self._later(fields[asked]) != self._later(at):
                continue  # it was under way all night: nobody can tell what it had to know
            if asked is not None:
                fields[asked] = str(int(fields[asked]) + self._later(fields[asked]))
            yield " ".join([str(int(at) + self._later(at)), word, *fields])

    def _later(self, at):
        """By how much the nights before this moment make it later."""
        return sum(duration for begun, duration in self._slept if int(at) >= begun)


@pytest.fixture
def asleep(recorded, clocks):
    """A run whose delays do not end while it is watched, but for the time that it is stopped."""

    def start(delays=AS_SHIPPED):
        run = recorded(delays=delays)
        return run, Night(run, clocks)

    return start


def watch_a_while(run):
    run.let_pass(2 * SLACK / 1000)


def watch_without_news(run, rule):
    """What is served while the daemon learns nothing new; an instance that left would be back with the next reply."""
    watch_a_while(run)
    assert run.daemon.list_of("a") == BOTH
    rule.remove()
    eventually(lambda: run.consul.is_watching(NAME), "the cluster is watched again")


def test_steady_list_outlives_an_hour_asleep(asleep):
    run, night = asleep()
    with run:
        await_watched(run)
        night.sleep()
        watch_a_while(run)
        assert run.daemon.list_of("a") == BOTH
        run.consul.set_service(NAME, [ONE, TWO, THREE])
        run.daemon.eventually_lists("a", ALL)
    assert not night.violations()


def test_recovered_in_the_night_stays(asleep):
    run, night = asleep()
    with run:
        await_watched(run)
        tell(run.consul, [ONE, FAILING])
        held = run.consul.hold(HEALTH + NAME)
        night.sleep(meanwhile=lambda: run.consul.set_service(NAME, [ONE, TWO]))
        watch_without_news(run, held)
    assert not night.violations()


def test_failing_through_the_night_leaves_by_a_read_of_the_morning(asleep):
    run, night = asleep()
    with run:
        await_watched(run)
        tell(run.consul, [ONE, FAILING])
        night.sleep()
        run.daemon.eventually_lists("a", ONLY_ONE)
    assert not night.violations()


# Awake after a minute the daemon has given up its reads; after some seconds it takes their replies for what they are.
@pytest.mark.parametrize("duration", [HOUR, NAP], ids=["hour", "nap"])
def test_reply_of_the_evening_read_in_the_morning_proves_nothing(asleep, duration):
    run, night = asleep(AS_SHIPPED._replace(leave=NAP // timedelta(milliseconds=1) - 2000))
    with run:
        await_watched(run)
        tell(run.consul, [ONE, FAILING])
        # A failure makes the daemon read without an index; the reply is sent when it cannot take it any more.
        evening = time.monotonic()
        first = run.consul.hold(HEALTH + NAME, when=lambda request: request.index == 0)
        run.consul.answer(HEALTH + NAME, Reply(500, "No cluster leader"), times=1, when=lambda r: r.index > 0)
        reads = eventually(lambda: run.consul.plain_reads(NAME, since=evening), "an authoritative read is under way")
        others = run.consul.hold(HEALTH + NAME, when=lambda request: request not in reads)

        def meanwhile():
            first.remove()
            await_reads(run.consul, 1, since=evening)
            run.consul.set_service(NAME, [ONE, TWO])

        night.sleep(duration, meanwhile)
        watch_without_news(run, others)
    assert not night.violations()


@pytest.mark.parametrize("reads", [1, 2], ids=["unconfirmed", "confirmed"])
def test_emptied_in_the_evening_and_refilled_in_the_night_stays(asleep, reads):
    run, night = asleep()
    with run:
        await_watched(run)
        evening = time.monotonic()
        run.consul.remove_service(NAME)
        await_reads(run.consul, reads, since=evening)
        eventually(lambda: run.daemon.state_of("a") == "held", "the list is held")
        held = run.consul.hold(HEALTH + NAME)
        night.sleep(meanwhile=lambda: run.consul.set_service(NAME, [ONE, TWO]))
        watch_without_news(run, held)
        eventually(lambda: run.daemon.state_of("a") == "live", "the list is live again")
    assert not night.violations()


def test_empty_for_two_nights_ends(asleep):
    run, night = asleep()
    with run:
        await_watched(run)
        evening = time.monotonic()
        run.consul.remove_service(NAME)
        await_reads(run.consul, 1, since=evening)
        night.sleep()
        await_reads(run.consul, 2, since=evening)
        watch_a_while(run)  # a reply that is only taken after the next night begins the gone delay there
        night.sleep()
        run.daemon.eventually_lists("a", 404)
    assert not night.violations()
