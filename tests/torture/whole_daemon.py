# SPDX-License-Identifier: Apache-2.0
"""The whole daemon from start to stop beside a fake Consul, with one of its calls failing."""

import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))

import wire  # noqa: E402
from daemon import clean_environment, sanitizer_report  # noqa: E402
from fake_consul import FakeConsul, Instance  # noqa: E402
from libconfig import render  # noqa: E402
from ports import free_port  # noqa: E402
from torture_log import TortureLog  # noqa: E402
from waiting import POLL_INTERVAL  # noqa: E402

# What is tried again waits less than that here, the repair of registrations apart.
DEADLINE = 10.0
REPAIR_DEADLINE = 25.0
MEMORY = re.compile("alloc|strn?dup|curl_|pthread_mutex_init")
WITHOUT_MEMORY = re.compile("out of memory|Cannot allocate memory|cannot start libcurl|libmicrohttpd refuses")
A = [Instance(f"10.0.0.{n}") for n in range(1, 5)]
B = [Instance(f"10.0.1.{n}") for n in range(1, 3)]
# The lists of each cluster in the order of time; a's first one is in the state file.
LISTS = {
    "a": [";".join(f"{one.address}:9876" for one in A[:count]) for count in (2, 3, 4)],
    "b": [";".join(f"{one.address}:9876" for one in B[:count]) for count in (1, 2)],
    "pinned": ["10.0.2.1:9876"],
}
A_LIST = LISTS["a"][0]
ADDED = "10.0.3.1:9876"
NOT_GOOD = "SIGHUP: the config is not good"
REFUSED = "is refused, starting without it"
UP = "nsaddrd is up"
REGISTERED = ["nameSvrIndex", "nameSvrIndex-a", "nameSvrIndex-b", "nameSvrIndex-pinned"]
KINDS = ("with-consul", "without-consul")

# What operators look at, and its end.
PAGES = {"/status": "</html>\n", "/status.json": "]}\n", "/explain/pinned": "\n", "/explain/Pinned": "\n",
         "/metrics": "\n"}


class Bad(Exception):
    """A promise is broken."""


class Ended(Exception):
    """The daemon gave up."""


@dataclass
class Outcome:
    kind: str
    point: int
    name: str = ""
    bad: str = ""
    gave_up: str = ""  # with these words
    seconds: float = 0.0
    log: str = field(default="", repr=False)

class World:
    """A folder of its own, used by one run after the other. prepare() comes first."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.torture_log = TortureLog(self.folder / "torture.log")
        self.port = free_port()
        self.admin_port = free_port()
        self.nowhere = f"unix://{self.folder / 'nowhere'}"
        self._left_behind = self.folder / "left-behind"

    def prepare(self):
        """Makes the state file that every run finds."""
        self.state.mkdir()
        with _consul(self) as consul:
            consul.set_service("nameServera", A[:2])
            run = _Run(self, consul.url)
            try:
                run.until_served("a", 0)
                run.stop()
            finally:
                run.end()
        shutil.copytree(self.state, self._left_behind)

    def sites(self, kind):
        """Those of a run in which nothing fails."""
        outcome = self.run(kind, 0)
        if outcome.bad or outcome.gave_up:
            raise AssertionError(f"nothing failed, and yet: {outcome.bad or outcome.gave_up}\n{outcome.log}")
        return self.torture_log.read()

    def run(self, kind, point, trace=False):
        begin = time.monotonic()
        outcome = Outcome(kind, point)
        shutil.rmtree(self.state)
        shutil.copytree(self._left_behind, self.state)
        self.torture_log.clear()
        variables = {"NSADDRD_TORTURE": str(point), "NSADDRD_TORTURE_LOG": str(self.torture_log.path)}
        if trace:
            variables["NSADDRD_TORTURE_TRACE"] = "1"
        try:
            served = _with_consul(self, variables, outcome) if kind == "with-consul" else \
                _without_consul(self, variables, outcome)
            _check_state(self, served, REFUSED in outcome.log)
        except Bad as bad:
            outcome.bad = outcome.bad or str(bad)
        outcome.name = self.torture_log.failed_name()
        if outcome.gave_up and MEMORY.search(outcome.name) and not WITHOUT_MEMORY.search(outcome.gave_up):
            outcome.bad = outcome.bad or f"{outcome.name} failed, and it says: {outcome.gave_up}"
        outcome.seconds = time.monotonic() - begin
        return outcome


def _with_consul(world, variables, outcome):
    """Lists from the state file and from Consul, changes, registrations, a reload, and a stop."""
    with _consul(world) as consul:
        consul.set_service("nameServera", A[:3])
        consul.set_service("nameServerb", B[:1])

        def steps(run):
            run.until_served("a", 1)
            consul.set_service("nameServera", A)
            run.until_served("a", 2)
            run.until_served("b", 0)
            run.until_served("pinned", 0)
            run.until(lambda: run.ask("unknown") in (404, None), "an unknown cluster is not found")
            run.until(lambda: consul.registered_names() == REGISTERED, "registered", REPAIR_DEADLINE)
            run.reload()
            consul.set_service("nameServerb", B)
            run.until_served("b", 1)

        return _watched(_Run(world, consul.url, variables), steps, outcome)


def _without_consul(world, variables, outcome):
    """Consul is away: the lists of the last run are all there is. From a disk that cannot be read none come."""

    def steps(run):
        run.until_served("pinned", 0)
        run.until(lambda: run.has_refused_the_state() or run.list_of("a") == A_LIST, f"a is {A_LIST}")
        for page, last in PAGES.items():
            run.until(lambda: run.shows(page, last), f"{page} is shown as a whole")

    return _watched(_Run(world, world.nowhere, variables), steps, outcome)


def _check_state(world, served, refused):
    """What was served last, or before the run, is what the next start serves; unless that run could not read it."""
    run = _Run(world, world.nowhere)
    try:
        run.until(lambda: UP in run.log(), "it is up")  # a signal before that just ends it
        for cluster in ("a", "b"):
            place = served.get(cluster, 0 if cluster == "a" and not refused else -1)
            if place >= 0:
                run.until_served(cluster, place)
        run.stop()
    except (Bad, Ended) as bad:
        raise Bad(f"at the next start: {bad or run.last_words()}") from None
    finally:
        run.end()


def _watched(run, steps, outcome):
    """Returns for each cluster the place of the last list that was served."""
    try:
        steps(run)
        run.stop()
    except Bad as bad:
        outcome.bad = str(bad)
    except Ended:
        outcome.gave_up = run.last_words()
        outcome.bad = run.complaint_about_giving_up()
    finally:
        run.end()
    outcome.log = run.log()
    if sanitizer_report(outcome.log):
        outcome.bad = "a sanitizer reported"
    return run.served


@contextmanager
def _consul(world):
    """On a socket of its own: thousands of runs would use up all ports."""
    consul = FakeConsul(unix_socket=str(world.folder / "consul"))
    consul.start()
    try:
        yield consul
    finally:
        consul.stop()


class _Run:
    """One process. `served`: cluster -> place in LISTS of the newest list that was seen."""

    def __init__(self, world, consul, variables=None):
        self.served = {}
        self._port = world.port
        self._admin_port = world.admin_port
        self._stderr = world.folder / "stderr"
        self._token = world.folder / "token"
        self._token.write_text("first\n")
        self._config = world.folder / "nsaddrd.conf"
        self._options = {
            "listen": f"127.0.0.1:{self._port}",
            "admin.listen": f"127.0.0.1:{world.admin_port}",
            "consul.address": consul,
            "consul.token_file": str(self._token),
            "admission.settle": "200ms",
            "admission.leave_delay": "1s",
            "admission.gone_delay": "2s",
            "register.mode": "per-cluster",
            "register.advertise": "127.0.0.1",
            "register.drain": "50ms",
            "state.dir": str(world.state),
            "static_clusters": [{"id": "pinned", "addresses": LISTS["pinned"]}],
        }
        self._config.write_text(render(self._options))
        with open(self._stderr, "wb") as stderr:
            self._process = subprocess.Popen(
                [world.binary, "-c", self._config, "-o", "http.threads=2"], stdin=subprocess.DEVNULL, stdout=stderr,
                stderr=stderr, cwd=world.folder, env=clean_environment(world.folder, variables))

    def until(self, condition, what, deadline=DEADLINE):
        end = time.monotonic() + deadline
        while not condition():
            if self._process.poll() is not None:
                raise Ended
            if time.monotonic() > end:
                raise Bad(f"not within {deadline} s: {what}")
            time.sleep(POLL_INTERVAL)

    def until_served(self, cluster, place):
        self.until(lambda: self.list_of(cluster) == LISTS[cluster][place], f"{cluster} is {LISTS[cluster][place]}")

    def ask(self, cluster):
        """The list or the status; None when there was no answer."""
        try:
            response = wire.get(self._port, f"/rocketmq/{cluster}")
        except TimeoutError:
            raise Bad("a request is not answered") from None
        except OSError:
            return None  # not listening yet, or no memory for the answer: closed
        if response.status == 200:
            return response.text
        if response.body:
            raise Bad(f"{response.status} with a body: {response.text!r}")
        return response.status

    def shows(self, page, last):
        """Wholly, or not at all for this time."""
        try:
            response = wire.get(self._admin_port, page)
        except OSError:
            return False
        if not response.text.endswith(last):
            raise Bad(f"{page} ends with {response.text[-40:]!r}")
        return True

    def list_of(self, cluster):
        """What is served never is another list, or an older one than before, or none any more."""
        got = self.ask(cluster)
        seen = self.served.get(cluster, -1)
        if isinstance(got, str):
            if got not in LISTS[cluster] or LISTS[cluster].index(got) < seen:
                raise Bad(f"{cluster}: {got!r} after {LISTS[cluster][seen] if seen >= 0 else None}")
            self.served[cluster] = LISTS[cluster].index(got)
        elif got is not None and (got != 503 or seen >= 0):
            raise Bad(f"{cluster}: {got}")
        return got

    def reload(self):
        """A new token and a new cluster. A reload that finds no memory says so and changes nothing; the next one does."""
        self._token.write_text("second\n")
        self._options["static_clusters"].append({"id": "added", "addresses": [ADDED]})
        self._options["default_cluster"] = "added"
        self._config.write_text(render(self._options))
        for refused in (0, 1):
            self._process.send_signal(signal.SIGHUP)
            self.until(lambda: self.ask("nsaddr") == ADDED or self.log().count(NOT_GOOD) > refused, "it reloads")
            if self.log().count(NOT_GOOD) == refused:
                return
            if self.ask("added") not in (404, None):
                raise Bad("a reload that failed has changed something")
        raise Bad("one call failed, and two reloads")

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise Bad("still running after SIGTERM") from None
        if code != 0 and self.last_words():
            raise Ended  # it had been listening already when something else could not be started
        if code != 0:
            raise Bad(f"exit code {code} after SIGTERM")

    def end(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def log(self):
        return self._stderr.read_text(errors="replace")

    def has_refused_the_state(self):
        return REFUSED in self.log()

    def last_words(self):
        lines = [line for line in self.log().splitlines() if line.startswith("nsaddrd: ")]
        return lines[-1] if lines else ""

    def complaint_about_giving_up(self):
        code = self._process.returncode
        if code not in (1, 78):
            return f"ended by itself with {code}"
        return "" if self.last_words() else "it gave up without a message"
