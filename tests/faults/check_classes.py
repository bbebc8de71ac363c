# SPDX-License-Identifier: Apache-2.0
"""Faults of the reads that list the checks of the datacenter, by which the daemon notices changes of many clusters.

These reads say at most which clusters to read again. So no list may change by the faults, and while they last
changes are found by reading all clusters in turn, or those that the checks do not show.
"""

import json
import time

from bexpr import compile_filter
from cell import SANITIZED
from classes import Answered, Fault, counting_down, under_index
from fake_consul import STATES, Instance, Reply
from waiting import eventually

COMPLAINT = "cannot follow the checks in Consul"
MEANWHILE = "10.0.0.9"
# All clusters are read within 12 s when their checks cannot be followed.
DEADLINE = 30.0
# The same when that only turns out as a reply is given up, which takes a minute.
DEADLINE_OF_STUCK = 90.0
# Rows of other clusters: 14 MB. Sanitizers take longer over them than the validator has patience.
FILLER = 4_000 if SANITIZED else 40_000


class Checks(Answered):
    """Reads of the checks are answered by something else than the truth."""

    def __init__(self, reply, told, which="*", times=3, deadline=DEADLINE):
        """told: the daemon can see that something is wrong. deadline: of changes during the fault."""
        super().__init__(reply, (STATES + which,), times)
        self._told = told
        self._deadline = deadline

    def endured(self, cell):
        for cluster in cell.truth:
            eventually(lambda c=cluster: cell.daemon.list_of(c) not in (404, 503), f"{cluster} is read", DEADLINE)
        cell.set("a1", [*cell.truth["a1"], MEANWHILE])
        cell.follow("during the fault", self._deadline)
        if self._told:
            # A regular read may have found the change before the reply was given up.
            eventually(lambda: self._complaints(cell), "it says that it cannot follow", self._deadline)
        complaints = self._complaints(cell)
        assert len(complaints) == self._told, "\n".join(complaints)

    @staticmethod
    def _complaints(cell):
        return cell.daemon.log_lines("level=warn", COMPLAINT)


class OddPrefix(Fault):
    """A prefix that is another one when it is taken for a regular expression."""

    prefix = "name.Server_a-"
    SIMILAR = "nameXServer_a-a"

    def on(self, cell):
        cell.agent.fake.set_service(self.SIMILAR, [Instance("10.66.6.6")])

    def met(self, cell):
        return bool(self._asked(cell, "any")) and bool(self._asked(cell, "warning"))

    def endured(self, cell):
        for state in ("any", "critical", "warning"):
            for request in self._asked(cell, state):
                passes = compile_filter(request.query["filter"])
                assert passes({"ServiceName": self.prefix + "a", "ServiceID": "x"}), request.query
                assert not passes({"ServiceName": self.SIMILAR, "ServiceID": "x"}), request.query

    def off(self, cell):
        cell.agent.fake.remove_service(self.SIMILAR)

    def _asked(self, cell, state):
        return cell.agent.fake.requests(STATES + state, since=cell.fault_since)


def _rows(change):
    """A reply with the rows of the true one changed."""
    return lambda _, truth: Reply(200, change(json.loads(truth.body)))


def _without(member):
    row = {"Node": "n", "CheckID": "c", "ServiceID": "x", "ServiceName": "nameServera", "Status": "passing"}
    del row[member]
    return _rows(lambda rows: [*rows, row])


def _renamed(rename):
    return _rows(lambda rows: [{**row, "ServiceName": rename(row["ServiceName"])} for row in rows
                               if row["ServiceName"]])


def _in_other_case(name):
    return Fault.prefix + name.removeprefix(Fault.prefix).upper()


def _cut(_, truth):
    return Reply(200, truth.body, cut_at=len(truth.body) // 2)


def _filler(rows):
    row = {"Node": "n", "CheckID": "service:x", "Name": "t", "Status": "passing", "Notes": "", "Output": "x" * 60,
           "ServiceID": "x", "ServiceName": "nameServerx", "ServiceTags": [], "Type": "tcp", "Interval": "",
           "Timeout": "", "ExposedPort": 0, "Definition": {}, "CreateIndex": 5, "ModifyIndex": 6}
    return ",".join(json.dumps({**row, "ServiceName": f"nameServerx{number}"}) for number in range(rows))


def _with_many_more():
    filler = _filler(FILLER)

    def reply(_, truth):
        return Reply(200, truth.body.removesuffix("]") + ("," if truth.body != "[]" else "") + filler + "]")
    return reply


def _endless():
    """Not so fast that it would be for want of CPU that something does not come about."""
    tenth = _filler(FILLER // 10).encode() + b","
    yield b"["
    while True:
        yield tenth
        time.sleep(0.1)


def _slow():
    for byte in b'[{"Node": "n", "CheckID": "' + b"x" * 1000:
        yield bytes([byte])
        time.sleep(1.0)


def _some_seen(_, truth):
    """Of the clusters one, and of the nodes none."""
    rows = [row for row in json.loads(truth.body) if row["ServiceName"] == "nameServera"]
    return Reply(200, rows, {"X-Consul-Results-Filtered-By-ACLs": "true"})


# name -> what makes the fault, new for each cell
CHECK_CLASSES = {
    # Those that take long are the first.
    "checks: endless": lambda: Checks(Reply(pieces=_endless), told=True, times=1, deadline=DEADLINE_OF_STUCK),
    "checks: 1 byte/s": lambda: Checks(Reply(pieces=_slow), told=True, times=1, deadline=DEADLINE_OF_STUCK),
    "checks: cut in the middle": lambda: Checks(_cut, told=True),
    "checks: only all, cut": lambda: Checks(_cut, told=True, which="any"),
    "checks: end is missing": lambda: Checks(lambda _, truth: Reply(200, truth.body[:-1]), told=True),
    "checks: not JSON": lambda: Checks(Reply(200, "[{Node: n}]"), told=True),
    "checks: row without a node": lambda: Checks(_without("Node"), told=True),
    "checks: row without a status": lambda: Checks(_without("Status"), told=True),
    "checks: 14 MB": lambda: Checks(_with_many_more(), told=False),
    "checks: 403": lambda: Checks(Reply(403, "rpc error making call: ACL not found"), told=True),
    "checks: 429": lambda: Checks(Reply(429, "Your IP is issuing too many concurrent connections"), told=True),
    "checks: 500": lambda: Checks(Reply(500, "Failed to create boolean expression evaluator: 1:1"), told=True),
    "checks: index 0": lambda: Checks(under_index(lambda: 0), told=True),
    "checks: filtered by ACLs": lambda: Checks(_some_seen, told=False),
    "checks: index backwards": lambda: Checks(under_index(counting_down()), told=False),
    "checks: lost": lambda: Checks(Reply(200, "[]"), told=False),
    "checks: of other services": lambda: Checks(_renamed("x{}".format), told=False),
    "checks: in other case": lambda: Checks(_renamed(_in_other_case), told=False),
    "checks: odd prefix": OddPrefix,
}
