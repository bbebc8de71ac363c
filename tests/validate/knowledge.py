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

    __slots__ = ("health", "served_at", "good_since", "leaving_since", "due", "maintenance", "left", "left_until",
                 "good_again", "missed_at", "before_good", "late_since", "late_due", "late_maintenance",
                 "must_have_left", "may_be_lost", "withdrawn")

    def __init__(self):
        self.served_at = None  # the first answer with it, since it last left
        self.leaving_since = None  # None: not leaving
        self.due = None  # when it may leave
        self.maintenance = False  # why
        self.withdrawn = False  # it was said that this is why, be it by an unsure reply
        self.left = None  # the read that justifies that it is missing
        self.left_until = -1  # when a reply ended that
        self.good_again = False  # a reply after self.left says so, be it an unsure one
        self.missed_at = None  # the first answer without it after self.left
        self.begin()

    def begin(self):
        """The program was started: it knows what it served, and nothing of when something failed."""
        self.health = None
        self.may_be_lost = self.served_at is not None  # anew, by a reply that does not say it is good
        self.good_since = None  # the first sure reply of those without one that says otherwise
        self.before_good = None  # (reply, leaving_since, due, left): what a good reply ended
        self.late_since = None  # the latest reckoning of `leaving_since`
        self.late_due = None  # and of `due`
        self.late_maintenance = False
        self.must_have_left = None  # the read that is proof

    def take_good(self, reply):
        self.health = GOOD
        self.may_be_lost = True
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

    def take_loss(self, reply, health, options, hold_ends):
        maybe_anew, surely_anew = hold_ends
        self.health = health
        self.may_be_lost = self.may_be_lost and not reply.sure
        self.good_since = None
        if self.before_good and self.before_good[0].may_be_overtaken_by(reply, options.slack):
            _, self.leaving_since, self.due, self.left = self.before_good
        self.before_good = None
        self._leave_early(reply, health, options)
        if surely_anew:
            self.leaving_since = reply.at
            self.due = reply.at + (min(options.settle, options.leave) if self.withdrawn else options.leave)
        self._leave_late(reply, health, options, maybe_anew)

    def _leave_early(self, reply, health, options):
        settled = reply.at + min(options.settle, options.leave)
        if self.leaving_since is None:
            self.leaving_since = reply.at
            self.due = settled if health == MAINTENANCE else reply.at + options.leave
            self.maintenance = self.withdrawn = health == MAINTENANCE
        elif health == MAINTENANCE:
            self.withdrawn = True
            self.due = min(self.due, settled)
            self.maintenance = self.maintenance or reply.sure
        elif health == BAD and self.maintenance and reply.sure:
            # Out of maintenance and failing is a new reason, with a delay of its own.
            self.due = reply.at + options.leave
            self.maintenance = False

    def _leave_late(self, reply, health, options, anew):
        since = reply.at + options.slack
        if self.late_due is None:
            if reply.sure:
                self._begin_late(since, health == MAINTENANCE, options)
            return
        if health == MAINTENANCE and not self.late_maintenance:
            self.late_maintenance = True
            if reply.sure:
                self.late_due = min(self.late_due, since + options.settle)
        elif health == BAD and self.late_maintenance:
            self._begin_late(since, False, options)
            self.late_maintenance = not reply.sure  # passed over perhaps: then the next one is what begins it
        if anew:
            # The first that recovers does not send the others away: their delays begin anew.
            maintenance = self.late_maintenance
            self._begin_late(since, maintenance and health != BAD, options)
            self.late_maintenance = maintenance

    def _begin_late(self, since, maintenance, options):
        self.late_since = since
        self.late_due = since + (options.settle if maintenance else options.leave)
        self.late_maintenance = maintenance

    def judge_read(self, reply, options, others_registered, guard):
        """Does this authoritative read allow or force it to leave? It is not good in it."""
        rounding = ROUNDING_MS if options.slack else 0
        due = max(self.due, self.leaving_since + guard.least_ms) - rounding
        absent = self.health is None
        if self.left is None and reply.asked >= due and (reply.good or (absent and others_registered)):
            self.left = reply
            self.good_again = False
        if self.must_have_left is None and self.late_due is not None and reply.sure and reply.good:
            if reply.asked >= max(self.late_due, self.late_since + guard.most_ms) and not guard.maybe:
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
            if reply.asked >= self.late_confirmed.at + options.slack + max(options.gone, guard.most_ms):
                self.must_have_ended = reply

    def withdraw(self, read):
        """That read may have been passed over."""
        if read in (self.late_first, self.late_confirmed, self.must_have_ended):
            self.late_first = self.late_confirmed = self.must_have_ended = None

    def may_have_ended(self, firm):
        return self.ended is not None or self.ended_until >= firm


class MassLossGuard:
    """More than half of at least four clusters lose a good member within a second: nobody leaves for half a
    minute. With so many clusters nobody leaves within the second either.

    How many clusters there are is not certain: those that were restored or named count until they have ended."""

    def __init__(self, slack):
        self._slack = slack
        self.begin(())

    def begin(self, restored):
        """The program was started; it may have restored these clusters."""
        self._surely = set()  # ids of clusters that it reads
        self._heard_at = dict.fromkeys(restored, -1)  # id -> ms; of those that it may read
        self._seen = {}  # kind of view -> {id: how many checks}, of the last one
        self._losses = deque()  # (ms, id, whether that is certain)
        self._maybe_until = self._surely_until = -1
        self._surely_from = -1
        self.now = 0
        self.most_ms = 0

    def name(self, ids, at):
        """These may be read from now on. Which names are left out by the configuration is not known here."""
        self._heard_at.update(dict.fromkeys(ids, at))

    def hear(self, cluster_id, at):
        """A reply about a cluster is handed over."""
        self._surely.add(cluster_id)
        self._heard_at[cluster_id] = at
        self.now = at
        self.most_ms = MASS_LOSS_WINDOW_MS if len(self._heard_at) >= MASS_LOSS_CLUSTERS else 0

    def may_have_ended(self, cluster_id):
        self._surely.discard(cluster_id)

    def is_unknown(self, cluster_id, firm):
        """An answer that must know all before `firm` says that there is no such cluster."""
        if self._heard_at.get(cluster_id, firm) < firm:
            del self._heard_at[cluster_id]

    @property
    def least_ms(self):
        """By what is known by now: it may be the reply being judged that makes a mass loss."""
        if self._surely_from <= self.now < self._surely_until - self._slack:
            return MASS_LOSS_DELAY_MS
        return MASS_LOSS_WINDOW_MS if len(self._surely) >= MASS_LOSS_CLUSTERS else 0

    @property
    def maybe(self):
        """May it hold everything back, beyond `most_ms`?"""
        return self.now <= self._maybe_until

    def see(self, kind, counts, at):
        """A view of all clusters was handed over: those with fewer checks, or more that are not passing, lose."""
        before = self._seen.get(kind, counts)
        self._seen[kind] = counts
        less, more = (counts, before) if kind == "all" else (before, counts)
        for cluster_id, count in more.items():
            if less.get(cluster_id, 0) < count:
                self.note_loss(cluster_id, at, surely=False)

    def note_loss(self, cluster_id, at, surely):
        self._losses.append((at, cluster_id, surely))
        while self._losses[0][0] < at - MASS_LOSS_WINDOW_MS - self._slack:
            self._losses.popleft()
        if len(self._heard_at) < MASS_LOSS_CLUSTERS:
            return
        losers = {loser for _, loser, _ in self._losses}
        if 2 * len(losers) > max(MASS_LOSS_CLUSTERS, len(self._surely)):
            self._maybe_until = at + MASS_LOSS_DELAY_MS + self._slack
        if not surely or len(self._surely) < MASS_LOSS_CLUSTERS:
            return
        # The first of them may have been taken at once, and the last one late.
        begin = at - MASS_LOSS_WINDOW_MS + self._slack
        certain = {loser for lost_at, loser, certainly in self._losses if certainly and lost_at > begin}
        if 2 * len(certain & self._surely) > len(self._heard_at):
            if self._surely_until < at:
                self._surely_from = at + self._slack
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

    def begin(self, contested=frozenset(), withheld=frozenset()):
        """The program was started again, and has its state file: it knows what was surely contested then, and what
        may have been withheld."""
        self.contested_before = contested
        self.recent = []  # replies that the present answer may go back to
        self.views = {(0, False)}  # what the newest index may be, and whether a read of a lower one was passed over
        self.went_back_at = -1  # when the newest index may last have become a lower one
        self.held = False  # maybe
        self.surely_held = False
        self.registered = True  # maybe: some member was, in what was taken last
        self.last_read = None
        self.fresh_at = None  # the first answer of this run that is not restored
        self.answer = None  # the last one
        self.emptiness.begin()
        for name, address in self.addresses.items():
            address.begin()
            address.may_be_lost = address.may_be_lost or name in withheld

    @property
    def may_be_restored(self):
        return bool(self.addresses) and (self.listed_at is not None or self.options.slack > 0)

    def take(self, reply, guard):
        """A reply was handed over."""
        self._judge_index(reply)
        if self._may_end_by(reply):
            guard.may_have_ended(self.id)
        self._withdraw_overtaken(reply)
        self._take_addresses(reply, self._ends_hold(reply), guard)
        self.emptiness.take(reply, self.options, guard)
        if reply.is_read:
            self._judge_read(reply, guard)
        self._remember(reply)

    def _judge_index(self, reply):
        """A reply of an index lower than the newest one may be passed over; of two reads in a row the second
        counts, whatever its index. A cluster that ended and is named again is read as if it were new."""
        views = set()
        reply.sure = True
        for newest, overtaken in self.views:
            if reply.index >= newest or (reply.is_read and overtaken):
                views.add((reply.index, False))
                if reply.index < newest:
                    self.went_back_at = reply.at
            else:
                views.add((newest, overtaken or reply.is_read))
                reply.sure = False
        if self.options.slack and not reply.is_read and reply.asked <= self.went_back_at:
            # A watch that waits for an index that is gone is given up: it may have come too late.
            views |= self.views
            reply.sure = False
        if self._may_end_by(reply):
            views.add((0, False))
        self.views = views

    def _may_end_by(self, reply):
        """One that has no list ends as soon as it is confirmed that nothing is registered."""
        return reply.is_read and not reply.instances and self.emptiness.first is not None

    def _ends_hold(self, reply):
        """(maybe, surely): the delays begin anew when the first is good again, or the first is registered again."""
        listed = [self.addresses[name] for name in reply.instances if name in self.addresses]
        again = not self.registered and any(member.served_at is not None and member.left is None for member in listed)
        maybe = self.held and bool(reply.good)
        surely = self.surely_held and reply.sure and (bool(reply.good) or again) and self.options.slack == 0
        self.held = not reply.good or (self.held and not reply.sure)
        self.surely_held = not reply.good and (reply.sure or self.surely_held)
        self.registered = bool(listed) or bool(reply.good) or (self.registered and not reply.sure)
        return maybe, surely

    def _withdraw_overtaken(self, reply):
        read = self.last_read
        if read is None or not read.may_be_overtaken_by(reply, self.options.slack):
            return
        self.emptiness.withdraw(read)
        for address in self.addresses.values():
            if address.must_have_left is read:
                address.must_have_left = None

    def _take_addresses(self, reply, hold_ends, guard):
        for name in reply.good - self.addresses.keys():
            self.addresses[name] = Address()
        losing = surely = False
        for name, address in self.addresses.items():
            health = reply.instances.get(name)
            if health == GOOD:
                address.take_good(reply)
                continue
            losing = losing or address.may_be_lost
            surely = surely or (reply.sure and address.good_since is not None)
            address.take_loss(reply, health, self.options, hold_ends)
        if losing:
            guard.note_loss(self.id, reply.at, surely)

    def _judge_read(self, reply, guard):
        self.last_read = reply
        members = [name for name in reply.instances if name in self.addresses]
        for name, address in self.addresses.items():
            if name not in reply.good:
                address.judge_read(reply, self.options, bool(members), guard)
        if self.emptiness.ended is not None and not reply.instances:
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
        for reply in reversed(self.recent):
            if reply.sure and reply.at < firm:
                return reply
        return None

    def may_claim(self, name, firm):
        # What may have been contested before a start may be so until a reply of the new run says otherwise.
        if self.base(firm) is None and name in self.addresses:
            return True
        return any(name in reply.good for reply in self.window(firm))

    def must_claim(self, name, firm):
        if not self.recent:
            return name in self.contested_before
        return self.base(firm) is not None and all(name in reply.good for reply in self.window(firm))
