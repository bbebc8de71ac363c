# SPDX-License-Identifier: Apache-2.0
"""One random schedule: a seed decides what happens to the clusters, to Consul and to the daemon, and when.

The draw is made in full before the first step, so that a seed names one schedule on every machine. When exactly a
step meets the daemon is up to the machine, so a seed that failed may have to be replayed a few times.
"""

import math
import time
from dataclasses import dataclass
from random import Random

from fake_consul import HEALTH, NAMES, STATES, Reply
from waiting import eventually
from world import PREFIX, World

STEPS = 24
LONGEST_PAUSE = 0.15
# Seconds. Replies may stay away for longer than a delay; for all else the schedule waits.
REPLIES_AWAY = (0.1, 2.0)
OTHER_TROUBLE = (0.02, 0.4)
# After the last fault a long backoff may just have begun.
SETTLES_WITHIN = 40.0
GUARD = "nobody leaves for now"

FAULTS = {
    "400": Reply(400, "Bad request"),
    "403": Reply(403, "rpc error making call: ACL not found"),
    "404": Reply(404, ""),
    "429": Reply(429, "Your IP is issuing too many concurrent connections"),
    "500": Reply(500, "No cluster leader"),
    "503": Reply(503, "Service unavailable"),
    "redirect": Reply(302, "", {"Location": "/v1/health/service/nothing"}),
    "html": Reply(200, "<html><body>Welcome to the hotel network</body></html>", {"Content-Type": "text/html"}),
    "nothing": Reply(200, ""),
    "null": Reply(200, "null"),
    "empty-list": Reply(200, "[]"),
    "empty-object": Reply(200, "{}"),
    "truncated": Reply(200, '[{"Node": {"Node": "n"}, "Service": {"ID": "x", "Serv'),
    "half-a-body": Reply(200, "[]" + " " * 100, cut_at=2),
    "deep": Reply(200, "[" * 100_000),
    "reset": Reply(reset=True),
    "no-http": Reply(raw=b"\x00\x01\x02 garbage\r\n\r\n"),
    "closed": Reply(raw=b""),
    "filtered": Reply(200, "[]", {"X-Consul-Results-Filtered-By-ACLs": "true"}),
    "no-leader": Reply(200, "[]", {"X-Consul-Knownleader": "false", "X-Consul-Query-Backend": "blocking-query"}),
    "index-0": Reply(200, "[]", {"X-Consul-Index": "0"}),
    "index-garbage": Reply(200, "[]", {"X-Consul-Index": "many"}),
    "index-1": Reply(200, "[]", {"X-Consul-Index": "1"}),
    "slow-500": Reply(500, "rpc error making call: i/o timeout", delay=0.3),
}
TARGETS = (HEALTH + "*", NAMES, STATES + "*", "*", HEALTH + PREFIX + "a", HEALTH + PREFIX + "b")
READS = {
    "all": None,
    "authoritative": lambda request: request.index == 0,
    "blocking": lambda request: request.index > 0,
}

CHANGES = {
    "join": 4, "deregister": 4, "flap": 6, "node_flap": 1, "maintenance": 2, "new_port": 2, "move": 2, "odd": 1,
    "empty": 3, "same_index": 1,
}  # fmt: skip
TROUBLE = {
    "fault": 5, "hold": 3, "outage": 1, "rewind": 1, "forget": 1, "restart": 1, "kill": 2, "freeze": 2, "bad_reload": 1,
    "bad_restart": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    pause: float  # before it
    what: str
    lasts: float = 0.0
    pattern: str = ""
    reads: str = ""
    fault: str = ""


def draw(seed):
    """The options and the steps of a schedule."""
    random = Random(seed)
    options = {
        # A watch for each cluster, or, with more clusters than that, the checks of the datacenter.
        "consul.max_watches": random.choice((100, 100, 100, 100, 3, 0, 0, 0)),
        "register.mode": random.choice(("off", "off", "per-cluster", "single")),
        # A query that was on its way when the indexes went back is answered no sooner than this.
        "consul.wait": random.choice(("1s", "3s", "10s")),
    }
    return options, [_draw_step(random) for _ in range(STEPS)]


def _draw_step(random):
    weights = {**CHANGES, **TROUBLE}
    (what,) = random.choices(list(weights), list(weights.values()))
    pause = random.uniform(0, LONGEST_PAUSE)
    if what in CHANGES:
        return Step(pause, what)
    lasts = random.uniform(*(REPLIES_AWAY if what in ("fault", "hold") else OTHER_TROUBLE))
    return Step(pause, what, lasts, random.choice(TARGETS), random.choice(list(READS)),
                random.choice(list(FAULTS)))


class Schedule:
    """The steps carried out against one daemon (a RecordedRun)."""

    def __init__(self, seed, run, steps):
        self._run = run
        self._steps = steps
        self._world = World(Random(seed), run.consul)
        self._rules = []  # (when it ends, rule)

    def carry_out(self):
        for step in self._steps:
            self._run.let_pass(step.pause)
            self._end_rules(time.monotonic())
            if step.what in CHANGES:
                getattr(self._world, step.what)()
            else:
                getattr(self, f"_{step.what}")(step)
        self._end()

    def _end(self):
        """All is well again, and the lists must come to be what they are to be."""
        self._end_rules(math.inf)
        self._world.settle()
        for cluster, wanted in self._world.lists().items():
            eventually(lambda: self._has_settled(cluster, wanted), f"{cluster} is answered with {wanted}",
                       SETTLES_WITHIN)

    def _has_settled(self, cluster, wanted):
        served = self._run.daemon.list_of(cluster)
        if served == wanted:
            return True
        # What many clusters seem to lose at once is kept for longer than a schedule lasts.
        guarded = bool(self._run.daemon.log_lines(GUARD))
        return guarded and set(wanted.split(";")) <= set(str(served).split(";"))

    # Trouble with Consul

    def _fault(self, step):
        self._stand(step, self._run.consul.answer(step.pattern, FAULTS[step.fault], when=READS[step.reads]))

    def _hold(self, step):
        self._stand(step, self._run.consul.hold(step.pattern, when=READS[step.reads]))

    def _stand(self, step, rule):
        """It stands for its time, while the schedule goes on: the next changes happen behind it."""
        self._rules.append((time.monotonic() + step.lasts, rule))

    def _end_rules(self, before):
        for ends, rule in self._rules:
            if ends < before:
                rule.remove()
        self._rules = [(ends, rule) for ends, rule in self._rules if ends >= before]

    def _outage(self, step):
        self._run.consul.stop()
        self._run.let_pass(step.lasts)
        self._run.consul.start()

    def _rewind(self, _):
        self._run.consul.rewind()

    def _forget(self, _):
        self._run.consul.forget_registrations()

    # Trouble with the daemon

    def _restart(self, step):
        self._run.stop()
        self._run.let_pass(step.lasts)
        self._run.start()

    def _kill(self, step):
        self._run.kill()
        self._run.let_pass(step.lasts)
        self._run.start()

    def _freeze(self, step):
        with self._run.frozen():
            self._run.let_pass(step.lasts)

    def _bad_reload(self, _):
        self._run.reload_badly()

    def _bad_restart(self, _):
        self._run.stop()
        self._run.start_badly()
        self._run.start()
