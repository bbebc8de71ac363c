#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a recorded history against what the program promises. See history.py for the form of it.

    validator.py [FILE...]       prints what was broken; exit 1 if anything was, 2 if it is no history

The checks follow from the promises, not from the code. Where a reply was under way while an answer was given, or
may have been passed over, both readings are accepted.
"""

import ipaddress
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from history import NOTHING, BadHistory, read
from knowledge import Cluster, MassLossGuard, Reply


class Violation(NamedTuple):
    run: str  # the name of the history, which holds the seed
    promise: str
    line: int
    text: str

    def __str__(self):
        return f"{self.run}: line {self.line}: {self.promise}: {self.text}"


class Answer(NamedTuple):
    line: int
    asked: int
    at: int
    status: int
    state: str
    body: str
    addresses: tuple
    firm: int  # replies handed over before this must be known to it

    def is_written(self, now, fields):
        """Do the fields of a line say the same, asked for now?"""
        return fields[1:] == [str(now), str(self.status), self.state, self.body or NOTHING]


@lru_cache(maxsize=1 << 16)
def _sort_key(text):
    """The place of an address in a list; None when it is not written as the program writes it."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    canonical = f"[{address}]" if address.version == 6 else str(address)
    if host != canonical or not port.isdecimal() or str(int(port)) != port or not 1 <= int(port) <= 65535:
        return None
    if address.version == 6 and address.ipv4_mapped is not None:
        return None
    return address.version, int(address), int(port)


@lru_cache(maxsize=1 << 16)
def _is_canonical(body):
    keys = [_sort_key(address) for address in body.split(";")]
    return None not in keys and all(a < b for a, b in zip(keys, keys[1:]))


# The checks. Each gets the run, the cluster and the answer, and yields what is wrong with it.


def check_form(run, cluster, answer):
    """P1: no 200 without a list, no list without a 200, and no other status than 200, 404 and 503."""
    if answer.status not in (200, 404, 503):
        yield "P1", f"status {answer.status}"
    elif (answer.status == 200) != bool(answer.body):
        yield "P1", f"status {answer.status} with the body {answer.body!r}"


def check_canonical(run, cluster, answer):
    """P6: the same set gives the same bytes: IPv4 before IPv6, each by number, no duplicates, no blanks."""
    if answer.body and not _is_canonical(answer.body):
        yield "P6", f"{answer.body!r} is not the one way to write that list"


def check_pinned(run, cluster, answer):
    """P2, P3, P7: a static cluster is its list, live, whatever Consul says."""
    wanted = run.options.static[cluster.id]
    if answer.status != 200 or answer.body != wanted:
        extra = set(answer.addresses) - set(wanted.split(";"))
        yield ("P2" if extra else "P3"), f"{answer.status} {answer.body!r} in place of the static {wanted!r}"
    elif answer.state != "live":
        yield "P7", f"a static cluster is marked {answer.state}"


def check_reported(run, cluster, answer):
    """P2, P4: each address served was reported as good for exactly this cluster before."""
    for name in answer.addresses:
        if name not in cluster.addresses:
            owners = sorted(run.owners.get(name, ()))
            if owners:
                yield "P4", f"{name} is an address of {', '.join(owners)}, and never was one of this cluster"
            else:
                yield "P2", f"{name} was never reported as good"


def check_contested(run, cluster, answer):
    """P4: an address that another cluster has a good claim on is not served while there is one that is not
    contested."""
    for name in run.shared.intersection(answer.addresses):
        others = run.others(name, cluster)
        claimant = next((other for other in others if other.must_claim(name, answer.firm)), None)
        if claimant is not None and _has_one_of_its_own(run, cluster, name, answer):
            yield "P4", f"{name} is claimed by {claimant.id}, too, and there are others to serve"


def _has_one_of_its_own(run, cluster, but, answer):
    base = cluster.base(answer.firm)
    return base is not None and any(
        name != but and cluster.must_claim(name, answer.firm) and not run.may_be_contested(name, cluster, answer)
        for name in base.good)


def check_missing(run, cluster, answer):
    """P3: an address that was served leaves only by an authoritative read, asked its delay after the first reply in
    which it was not good, in which it still is not, and which leaves another one to serve. One that is good is
    served at once."""
    if answer.status != 200 and cluster.listed_at is not None:
        return  # then the whole list is missing: see check_ending
    for name, address in cluster.addresses.items():
        if name in answer.addresses:
            continue
        served = address.served_at is not None and run.came_before(address.served_at, answer)
        wanted = served or (address.good_since is not None and address.good_since < answer.firm)
        if wanted and not address.may_be_missing(answer.firm) and not run.may_be_contested(name, cluster, answer):
            yield "P3", f"{name} left without a confirmed reason" if served else f"{name} is good and not served"


def check_staying(run, cluster, answer):
    """P3: an address does not stay when an authoritative read, asked its delay after it was known to fail, confirms
    that and says that another is good. Nobody has to leave while most clusters lose members at once."""
    for name in answer.addresses:
        address = cluster.addresses.get(name)
        if address and address.must_have_left and address.must_have_left.at < answer.firm:
            yield "P3", f"{name} stays although line {address.must_have_left.line} confirms that it failed"


def check_no_return(run, cluster, answer):
    """P5: an address that left comes back only by a reply that says it is good."""
    for name in answer.addresses:
        address = cluster.addresses.get(name)
        if (address and address.left and not address.good_again and address.missed_at is not None
                and run.came_before(address.missed_at, answer)):
            yield "P5", f"{name} came back although nothing says so since line {address.left.line}"


def check_not_restored_again(run, cluster, answer):
    """P5: what Consul has confirmed once is not restored again in the same run."""
    if answer.state == "restored" and cluster.fresh_at is not None and run.came_before(cluster.fresh_at, answer):
        yield "P5", "restored after it was live or held"


def check_mark(run, cluster, answer):
    """P7: live, held and restored are what the replies of this run say."""
    if answer.status != 200:
        return
    window = cluster.window(answer.firm)
    if answer.state == "restored":
        if cluster.base(answer.firm) is not None:
            yield "P7", "marked restored although Consul has answered"
    elif answer.state not in ("live", "held"):
        yield "P7", f"marked {answer.state}"
    elif not window:
        yield "P7", f"marked {answer.state} before anything was said about it"
    elif answer.state == "live" and not any(reply.good for reply in window):
        yield "P7", "marked live although none is good"
    elif answer.state == "held" and all(reply.good for reply in window):
        yield "P7", "marked held although one is good"


def check_ending(run, cluster, answer):
    """P9: a list that was served once is served until nothing was registered for the whole gone delay, by
    authoritative reads. Without any names nothing is unknown."""
    if answer.status == 200:
        return
    if answer.status == 404 and not run.named:
        yield "P9", "unknown before the names were read"
    if cluster.listed_at is None or not run.came_before(cluster.listed_at, answer):
        return
    if not cluster.emptiness.may_have_ended(answer.firm):
        yield "P9", f"{answer.status} in place of a list"


def check_ended(run, cluster, answer):
    """P9: a cluster ends when an authoritative read, asked the gone delay after the emptiness was confirmed, is
    empty still. A history does not show which reads failed, so none is missed here."""
    proof = cluster.emptiness.must_have_ended
    if answer.status == 200 and proof is not None and proof.at < answer.firm:
        yield "P9", f"still served although line {proof.line} ends it"


CHECKS_OF_ALL = (check_form, check_canonical)
CHECKS_OF_STATIC = CHECKS_OF_ALL + (check_pinned,)
CHECKS = CHECKS_OF_ALL + (check_reported, check_contested, check_missing, check_staying, check_no_return,
                          check_not_restored_again, check_mark, check_ending, check_ended)


class Run:
    """One history, from its options to the next."""

    def __init__(self, options):
        self.options = options
        self.violations = []
        self._said = set()
        self._last_line = 0
        self._forget()
        self._begin(0, ())
        self.running = False

    def _forget(self):
        self.clusters = {}
        self.owners = {}  # address -> ids of the clusters of which it ever was
        self.shared = set()  # addresses that have been of several
        self._guard = MassLossGuard(self.options.slack)

    def _begin(self, at, restored):
        self.running = True
        self.started_at = at
        self.named = False
        self._guard.begin(restored)
        self._changed = set()  # clusters whose standing answer is to be judged again
        self._last = at

    # Events

    def take(self, line, at, word, fields):
        if at > self._last:
            self._judge_standing(at, fields if word == "serves" else None)
        self._last_line = line
        if word == "start":
            self._start(at)
        elif word in ("stop", "kill"):
            self.running = False
        elif self.running:
            getattr(self, f"_take_{word}")(line, at, *fields)

    def end(self):
        self._judge_standing(self._last + 1, None)
        return self.violations

    def _start(self, at):
        if not self.options.state:
            self._forget()
        withheld = [address for cluster in self.clusters.values() for address in self._withheld(cluster)]
        contested = {cluster.id: self._contested(cluster) for cluster in self.clusters.values()}
        for cluster in self.clusters.values():
            cluster.begin(contested[cluster.id], self.shared)
        for address in withheld:
            address.served_at = None
        self._begin(at, [cluster.id for cluster in self.clusters.values() if cluster.may_be_restored])

    def _contested(self, cluster):
        """What this cluster and another one surely claim, and it is not served with."""
        firm = self._last - self.options.slack
        served = cluster.answer.addresses if cluster.answer is not None else cluster.addresses
        return frozenset(name for name in self.shared.intersection(cluster.addresses).difference(served)
                         if cluster.must_claim(name, firm)
                         and any(other.must_claim(name, firm) for other in self.others(name, cluster)))

    def _withheld(self, cluster):
        """The state file holds what was served, and an address that was contested then may not be in it."""
        for name in self.shared.intersection(cluster.addresses):
            missing = cluster.answer is not None and name not in cluster.answer.addresses
            if missing or any(other.may_claim(name, self._last - self.options.slack)
                              for other in self.others(name, cluster)):
                yield cluster.addresses[name]

    def _take_names(self, line, at, asked, index, ids):
        self.named = self.named or int(asked) >= self.started_at
        if ids != NOTHING:
            self._guard.name([name for name in ids.split(",") if name not in self.options.static], at)

    def _take_says(self, line, at, cluster_id, asked, kind, index, instances):
        if int(asked) < self.started_at or cluster_id in self.options.static:
            return  # to a process that has ended; static clusters are none of Consul's business
        cluster = self._cluster(cluster_id)
        self._guard.hear(cluster_id, at)
        reply = Reply(line, at, int(asked), kind, int(index), instances)
        cluster.take(reply, self._guard)
        self._changed.add(cluster_id)
        for name in reply.good:
            owners = self.owners.setdefault(name, set())
            owners.add(cluster_id)
            if len(owners) > 1:
                self.shared.add(name)
        for name in self.shared.intersection(cluster.addresses):
            self._changed |= self.owners[name]

    def _take_view(self, line, at, kind, asked, index, counts):
        """It says nothing of any address; but many may be seen to lose members by it."""
        if int(asked) >= self.started_at:
            items = counts.split(",") if counts != NOTHING else ()
            self._guard.see(kind, {name: int(count) for name, count in (item.split("=") for item in items)}, at)

    def _take_serves(self, line, at, cluster_id, asked, status, state, body):
        asked = int(asked)
        if asked < self.started_at:
            return  # nobody can tell which process gave it
        body = "" if body == NOTHING else body
        answer = Answer(line, asked, at, int(status), state, body, tuple(body.split(";")) if body else (),
                        asked - self.options.slack)
        cluster = self._cluster(cluster_id)
        self._judge(cluster, answer)
        self._remember(cluster, answer)

    def _take_silent(self, line, at, cluster_id, asked):
        if int(asked) >= self.started_at:
            self._report("P8", line, f"{cluster_id}: no answer to the request of {asked}")

    # What an answer is judged by

    def _cluster(self, cluster_id):
        cluster = self.clusters.get(cluster_id)
        if cluster is None:
            cluster = self.clusters[cluster_id] = Cluster(cluster_id, self.options)
        return cluster

    def came_before(self, at, answer):
        """Was something seen at `at` already past when the answer was asked for? Else nobody can tell."""
        return at < answer.asked or (self.options.slack == 0 and at == answer.asked)

    def others(self, name, cluster):
        return [self.clusters[other] for other in self.owners.get(name, ()) if other != cluster.id]

    def may_be_contested(self, name, cluster, answer):
        return name in self.shared and any(other.may_claim(name, answer.firm) for other in self.others(name, cluster))

    # Judging

    def _judge(self, cluster, answer):
        for check in CHECKS_OF_STATIC if cluster.id in self.options.static else CHECKS:
            for promise, text in check(self, cluster, answer):
                self._report(promise, answer.line, f"{cluster.id}: {text}")

    def _judge_standing(self, now, again):
        """Without slack an answer stands until the next one: what is said meanwhile must not make it wrong.
        `again` is an answer that is about to be judged; when it is the same there is no need to do it twice."""
        if self._changed and self.options.slack == 0 and self.running:
            for cluster_id in sorted(self._changed):
                standing = self.clusters[cluster_id].answer
                if standing is not None and not (again and again[0] == cluster_id and standing.is_written(now, again)):
                    self._judge(self.clusters[cluster_id],
                                standing._replace(line=self._last_line, asked=now, at=now, firm=now))
        self._changed.clear()
        self._last = now

    def _remember(self, cluster, answer):
        cluster.answer = answer
        if answer.status == 404:
            self._guard.is_unknown(cluster.id, answer.firm)
        if answer.status != 200:
            if cluster.emptiness.may_have_ended(answer.firm):
                cluster.listed_at = None
        else:
            if cluster.listed_at is None:
                cluster.listed_at = answer.at
            if answer.state != "restored" and cluster.fresh_at is None:
                cluster.fresh_at = answer.at
        for name, address in cluster.addresses.items():
            if name in answer.addresses:
                if address.served_at is None:
                    address.served_at = answer.at
            elif address.left is not None:
                address.served_at = None
                if address.missed_at is None and not self.may_be_contested(name, cluster, answer):
                    address.missed_at = answer.at

    def _report(self, promise, line, text):
        if (promise, text) not in self._said:
            self._said.add((promise, text))
            self.violations.append(Violation(self.options.name, promise, line, text))


def validate(lines):
    """The violations in the histories, one run after another."""
    run = None
    for line, at, word, fields in read(lines):
        if word == "options":
            if run is not None:
                yield from run.end()
            run = Run(fields)
        elif run is None:
            raise BadHistory(f"line {line}: a history begins with its options")
        else:
            run.take(line, at, word, fields)
    if run is not None:
        yield from run.end()


def _main(files):
    bad = False
    try:
        for file in files or ["-"]:
            with sys.stdin if file == "-" else open(file, encoding="utf-8") as lines:
                for violation in validate(lines):
                    bad = True
                    print(violation if file == "-" else f"{file}: {violation}")
    except BadHistory as error:
        print(f"validator: {error}", file=sys.stderr)
        return 2
    return int(bad)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
