# SPDX-License-Identifier: Apache-2.0
"""What the program may know, and must know, from the replies that were handed over to it.

Two things are uncertain. A reply handed over less than `slack` ago may not have had its effect yet. And a reply of
an index lower than the newest one may be passed over, because it may tell of an earlier time ("unsure"). So every
delay is reckoned twice: as early and as late as the replies allow.
"""

from collections import deque
from functools import lru_cache

from history import BAD, GOOD, MAINTENANCE, NOTHING, ODD

# Two replies on two connections may be taken in the other order when no more than this lies between them.
CLOSE_MS = 20
# No answer to a client takes longer, so none tells of a time before.
LONGEST_ANSWER_MS = 6000
# A read that was passed over is made again as soon as this.
READ_AGAIN_MS = 150
# Most clusters losing members at once is the fault of Consul until proven otherwise.
MASS_LOSS_WINDOW_MS = 1000
MASS_LOSS_DELAY_MS = 30000
MASS_LOSS_CLUSTERS = 4  # more than half of at least so many
# Times are cut to whole milliseconds.
ROUNDING_MS = 2

_RANK = {ODD: 0, MAINTENANCE: 1, BAD: 2, GOOD: 3}


@lru_cache(maxsize=1 << 16)
def _parse_instances(text):
    """({address: health}, good addresses). Of one address the healthiest instance counts."""
    instances = {}
    if text != NOTHING:
        for item in text.split(","):
            address, health = item.rsplit("=", 1)
            if address not in instances or _RANK[health] > _RANK[instances[address]]:
                instances[address] = health
    return instances, frozenset(address for address, health in instances.items() if health == GOOD)


class Reply:
    """A reply about one cluster, as it was handed over."""

    __slots__ = ("line", "at", "asked", "is_read", "index", "sure", "instances", "good")

    def __init__(self, line, at, asked, kind, index, text):
        self.line = line
        self.at = at
        self.asked = asked
        self.is_read = kind == "read"
        self.index = index
        self.sure = True
        self.instances, self.good = _parse_instances(text)

    def may_be_overtaken_by(self, later, slack):
        """Were both under way at once, so that the later one may have been taken first?"""
        return (slack > 0 and self.is_read != later.is_read and later.index >= self.index
                and later.asked <= self.at + CLOSE_MS and later.at <= self.at + slack)


class Address:
    """One address of one cluster: since when it is good, or when it may and when it must have left."""

    __slots__ = ("health", "known_lost", "served_at", "good_since", "leaving_since", "due", "maintenance", "left",
                 "left_until", "good_again", "missed_at", "before_good", "late_due", "late_maintenance",
                 "must_have_left")

    def __init__(self):
        self.served_at = None  # the first answer with it, since it last left
        self.leaving_since = None  # None: not leaving
        self.due = None  # when it may leave
        self.maintenance = False  # why
        self.left = None  # the read that justifies that it is missing
        self.left_until = -1  # when a reply ended that
        self.good_again = False  # a reply after self.left says so, be it an unsure one
        self.missed_at = None  # the first answer without it after self.left
        self.begin()

    def begin(self):
        """The program was started: it knows what it served, and nothing of when something failed."""
        self.health = None
        self.known_lost = False  # a sure reply said so
        self.good_since = None  # the first sure reply of those without one that says otherwise
        self.before_good = None  # (reply, leaving_since, due, left): what a good reply ended
        self.late_due = None  # the latest reckoning of `due`
        self.late_maintenance = False
        self.must_have_left = None  # the read that is proof

    def take_good(self, reply):
        self.health = GOOD
        self.known_lost = False
        self.late_due = self.must_have_left = None
        self.good_again = self.left is not None
        if not reply.sure:
            return
        if self.good_since is None:
            self.good_since = reply.at
        leaving = self.leaving_since is not None
        self.before_good = (reply, self.leaving_since, self.due, self.left) if leaving else None
        self.leaving_since = self.due = None
        self.maintenance = False
        if self.left is not None:
            self.left = self.missed_at = None
            self.left_until = reply.at

    def take_loss(self, reply, health, options, hold_ends, floor):
        self.health = health
        self.known_lost = self.known_lost or reply.sure
        self.good_since = None
        if self.before_good and self.before_good[0].may_be_overtaken_by(reply, options.slack):
            _, self.leaving_since, self.due, self.left = self.before_good
        self.before_good = None
        self._leave_early(reply, health, options)
        self._leave_late(reply, health, options, hold_ends, floor)

    def _leave_early(self, reply, health, options):
        settled = reply.at + min(options.settle, options.leave)
        if self.leaving_since is None:
            self.leaving_since = reply.at
            self.due = settled if health == MAINTENANCE else reply.at + options.leave
            self.maintenance = health == MAINTENANCE
        elif health == MAINTENANCE:
            self.due = min(self.due, settled)
            self.maintenance = self.maintenance or reply.sure
        elif health == BAD and self.maintenance and reply.sure:
            # Out of maintenance and failing is a new reason, with a delay of its own.
            self.due = reply.at + options.leave
            self.maintenance = False

    def _leave_late(self, reply, health, options, hold_ends, floor):
        failed = reply.at + options.slack + max(options.leave, floor)
        withdrawn = reply.at + options.slack + max(options.settle, floor)
        if self.late_due is None:
            if reply.sure:
                self.late_due = withdrawn if health == MAINTENANCE else failed
                self.late_maintenance = health == MAINTENANCE
            return
        if health == MAINTENANCE and not self.late_maintenance:
            self.late_maintenance = True
            if reply.sure:
                self.late_due = min(self.late_due, withdrawn)
        elif health == BAD and self.late_maintenance:
            self.late_maintenance = False
            self.late_due = failed
        if hold_ends:
            # The first that recovers does not send the others away: their delays begin anew.
            self.late_due = withdrawn if self.late_maintenance else failed

    def judge_read(self, reply, options, others_registered, guard):
        """Does this authoritative read allow or force it to leave? It is not good in it."""
        rounding = ROUNDING_MS if options.slack else 0
        due = max(self.due, self.leaving_since + guard.least_ms) - rounding
        absent = self.health is None
        if self.left is None and reply.asked >= due and (reply.good or (absent and others_registered)):
            self.left = reply
            self.good_again = False
        proof = reply.sure and reply.good and self.late_due is not None and reply.asked >= self.late_due
        if proof and not guard.maybe and self.must_have_left is None:
            self.must_have_left = reply

    def may_be_missing(self, firm):
        return self.left is not None or self.left_until >= firm


class Emptiness:
    """When a cluster of which nothing is registered may, and when it must have ended."""

    def __init__(self):
        self.ended = None  # the read that allows it
        self.ended_until = -1
        self.begin()

    def begin(self):
        self.first = None  # of the authoritative empty reads
        self.late_first = None
        self.late_confirmed = None
        self.must_have_ended = None

    def take(self, reply, options, guard):
        if reply.instances:
            self._take_registered(reply)
        elif reply.is_read:
            self._end_early(reply, options, guard)
            if reply.sure:
                self._end_late(reply, options, guard)

    def _take_registered(self, reply):
        self.late_first = self.late_confirmed = self.must_have_ended = None
        if not reply.sure:
            return
        self.first = None
        if self.ended is not None:
            self.ended = None
            self.ended_until = reply.at

    def _end_early(self, reply, options, guard):
        if self.first is None:
            self.first = reply
            return
        apart = reply.at - self.first.at + (CLOSE_MS if options.slack else 0) >= options.settle
        due = self.first.at + max(options.gone, guard.least_ms) - ROUNDING_MS
        if self.ended is None and apart and reply.asked >= due:
            self.ended = reply

    def _end_late(self, reply, options, guard):
        if self.late_first is None:
            self.late_first = reply
        elif self.late_confirmed is None:
            if reply.asked >= self.late_first.at + options.slack + options.settle:
                self.late_confirmed = reply
        elif self.must_have_ended is None and not guard.maybe:
            if reply.asked >= self.late_confirmed.at + options.slack + max(options.gone, guard.floor_ms):
                self.must_have_ended = reply

    def withdraw(self, read):
        """That read may have been passed over."""
        if read in (self.late_first, self.late_confirmed, self.must_have_ended):
            self.late_first = self.late_confirmed = self.must_have_ended = None

    def may_have_ended(self, firm):
        return self.ended is not None or self.ended_until >= firm


class MassLossGuard:
    """More than half of at least four clusters lose a good member within a second: nobody leaves for half a
    minute. With so many clusters nobody leaves within the second either."""

    def __init__(self, slack):
        self._slack = slack
        self._known = set()  # ids that the program ever heard of
        self.begin()

    def begin(self):
        self._losses = deque()  # (ms, id, whether that is certain)
        self._seen = set()  # ids that it must know of
        self._maybe_until = self._surely_until = -1
        self.now = 0

    def know(self, ids):
        self._known.update(ids)

    def see(self, cluster_id):
        """It is registered."""
        self._seen.add(cluster_id)

    def end(self, cluster_id):
        """It may have ended."""
        self._seen.discard(cluster_id)

    @property
    def maybe(self):
        return self.now <= self._maybe_until

    @property
    def least_ms(self):
        """So long a member has been leaving at least before it goes."""
        return MASS_LOSS_DELAY_MS if self.now + self._slack < self._surely_until else 0

    @property
    def floor_ms(self):
        return MASS_LOSS_WINDOW_MS if len(self._known) >= MASS_LOSS_CLUSTERS else 0

    def note_loss(self, cluster_id, at, surely):
        if len(self._known) < MASS_LOSS_CLUSTERS:
            return
        self._losses.append((at, cluster_id, surely))
        while self._losses[0][0] < at - MASS_LOSS_WINDOW_MS - self._slack:
            self._losses.popleft()
        if len({loser for _, loser, _ in self._losses}) > MASS_LOSS_CLUSTERS // 2:
            # Perhaps it knows of fewer clusters by now.
            self._maybe_until = at + MASS_LOSS_DELAY_MS + self._slack
        begin = at - MASS_LOSS_WINDOW_MS + (CLOSE_MS if self._slack else 0)
        certain = {loser for lost_at, loser, certainly in self._losses if certainly and lost_at > begin}
        if surely and 2 * len(certain) > len(self._known) and len(self._seen) >= MASS_LOSS_CLUSTERS:
            self._surely_until = at + MASS_LOSS_DELAY_MS


class Cluster:
    """One cluster and all that was said about it."""

    def __init__(self, cluster_id, options):
        self.id = cluster_id
        self.options = options
        self.addresses = {}  # every one that was good once
        self.emptiness = Emptiness()
        self.listed_at = None  # the first 200, since it last ended
        self.begin()

    def begin(self):
        """The program was started again, and has its state file."""
        self.recent = []  # replies that the present answer may go back to
        self.newest_index = 0
        self.passed_over = None  # the last reply, if it was a read and unsure
        self.held = False  # maybe
        self.last_read = None
        self.fresh_at = None  # the first answer of this run that is not restored
        self.answer = None  # the last one
        self.emptiness.begin()
        for address in self.addresses.values():
            address.begin()

    def take(self, reply, guard):
        """A reply was handed over."""
        self._judge_index(reply)
        self._withdraw_overtaken(reply)
        hold_ends = self.held and bool(reply.good)
        self.held = not reply.good or (self.held and not reply.sure)
        self._take_addresses(reply, hold_ends, guard)
        self.emptiness.take(reply, self.options, guard)
        if reply.is_read:
            self._judge_read(reply, guard)
        if reply.sure and reply.instances:
            guard.see(self.id)
        self._remember(reply)

    def _judge_index(self, reply):
        older = reply.index < self.newest_index
        # Of two reads in a row the second counts, whatever became of the first. One that was not made at once may
        # not be the second: a history does not show those that were of no use.
        first = self.passed_over
        second = (reply.is_read and first is not None and reply.index >= first.index
                  and reply.asked <= first.at + READ_AGAIN_MS + self.options.slack)
        reply.sure = second or not older
        if reply.sure:
            self.newest_index = reply.index
        self.passed_over = reply if reply.is_read and not reply.sure else None

    def _withdraw_overtaken(self, reply):
        read = self.last_read
        if read is None or not read.may_be_overtaken_by(reply, self.options.slack):
            return
        self.emptiness.withdraw(read)
        for address in self.addresses.values():
            if address.must_have_left is read:
                address.must_have_left = None

    def _take_addresses(self, reply, hold_ends, guard):
        for name in reply.good:
            if name not in self.addresses:
                self.addresses[name] = Address()
        losing = surely = False
        for name, address in self.addresses.items():
            health = reply.instances.get(name)
            if health == GOOD:
                address.take_good(reply)
                continue
            losing = losing or not address.known_lost
            surely = surely or (reply.sure and address.good_since is not None)
            address.take_loss(reply, health, self.options, hold_ends, guard.floor_ms)
        if losing:
            guard.note_loss(self.id, reply.at, surely)

    def _judge_read(self, reply, guard):
        self.last_read = reply
        members = [name for name in reply.instances if name in self.addresses]
        for name, address in self.addresses.items():
            if name not in reply.good:
                address.judge_read(reply, self.options, bool(members), guard)
        if self.emptiness.ended is reply:
            guard.end(self.id)
            for address in self.addresses.values():
                address.left = address.left or reply

    def _remember(self, reply):
        self.recent.append(reply)
        slack = self.options.slack
        if len(self.recent) > 2:
            self.recent = self.window(reply.at - (slack + LONGEST_ANSWER_MS if slack else 0))

    def window(self, firm):
        """The replies of which one is what an answer goes back to that must know all before `firm`."""
        base = self.base(firm)
        if base is None:
            return self.recent
        if self.options.slack == 0:
            return self.recent[self.recent.index(base):]
        return [reply for reply in self.recent if reply.at >= base.at - CLOSE_MS]

    def base(self, firm):
        """The last reply that must be known, or None."""
        return next((reply for reply in reversed(self.recent) if reply.sure and reply.at < firm), None)

    def may_claim(self, name, firm):
        return any(name in reply.good for reply in self.window(firm))

    def must_claim(self, name, firm):
        return self.base(firm) is not None and all(name in reply.good for reply in self.window(firm))
