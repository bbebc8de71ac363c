# SPDX-License-Identifier: Apache-2.0
"""Every check that a Consul knows, as /v1/health/state lists them, with the rules by which its reads wake."""

from collections import Counter, defaultdict

ANY = "any"


class CheckTable:
    """Whoever has checks (a service, a node) puts all that it has; what differs from before is one write."""

    def __init__(self, index):
        self.index = index  # of every reply, whatever it lists
        self._written = index  # of the last write of any check; behind the other after a service without checks went
        self._rows = {}  # (node, check ID, owner) -> row
        self._keys = defaultdict(set)  # owner -> the keys of its rows
        self._count = Counter()  # rows by status
        self._moved = Counter()  # status -> index of the last write that rows of it had part in

    def put(self, owner, checks, next_index):
        """next_index is called if anything differs, once."""
        wanted = {(check["Node"], check["CheckID"], owner): check for check in checks}
        gone = self._keys[owner] - wanted.keys()
        changed = {key: check for key, check in wanted.items() if self._differs(key, check)}
        if not gone and not changed:
            return
        self.index = self._written = next_index()
        for key in gone:
            self._count_out(self._rows.pop(key))
        for key, check in changed.items():
            self._write(key, check)
        self._keys[owner] = set(wanted)

    def touch(self, owner, next_index):
        """The checks of the owner are written with another output."""
        if not self._keys[owner]:
            return
        self.index = self._written = next_index()
        for key in self._keys[owner]:
            self._write(key, self._rows[key])

    def deregistered(self, next_index):
        """A service went: the index moves even if it had no checks. Then no read is woken, but the next sees it."""
        self.index = next_index()

    def rewind(self, index):
        self.index = self._written = index
        for row in self._rows.values():
            row["CreateIndex"] = min(index, row["CreateIndex"])
            row["ModifyIndex"] = min(index, row["ModifyIndex"])

    def in_state(self, state):
        """Consul lists them by node and ID."""
        keys = sorted(key for key, row in self._rows.items() if state in (ANY, row["Status"]))
        return [self._rows[key] for key in keys]

    def has(self, state):
        return bool(self._rows if state == ANY else self._count[state])

    def moved(self, state):
        """The index of the last write that rows of the state had part in."""
        return self._written if state == ANY else self._moved[state]

    def _differs(self, key, check):
        row = self._rows.get(key)
        return row is None or any(row[name] != value for name, value in check.items() if not name.endswith("Index"))

    def _write(self, key, check):
        old = self._rows.get(key)
        if old is not None:
            self._count_out(old)
        created = old["CreateIndex"] if old else self.index
        self._rows[key] = {**check, "CreateIndex": created, "ModifyIndex": self.index}
        self._count[check["Status"]] += 1
        self._moved[check["Status"]] = self.index

    def _count_out(self, row):
        self._count[row["Status"]] -= 1
        self._moved[row["Status"]] = self.index


class StateRead:
    """A read of the checks in one state. While it blocks it looks again only when what it watches has moved: the
    rows of that state, or, where there is none, every check. So its index may be behind when its time is over."""

    def __init__(self, table, state):
        self._table = table
        self._state = state
        self._look()

    def is_due(self, after):
        if self._watched() != self._seen:
            self._look()
        return self.index > after

    def _look(self):
        self.index = self._table.index
        self._sees_rows = self._table.has(self._state)
        self._seen = self._watched()

    def _watched(self):
        return self._table.moved(self._state if self._sees_rows else ANY)
