# SPDX-License-Identifier: Apache-2.0
"""The record of a run: what the program was told, what it answered, and when.

One event per line, fields separated by one blank, the time first: milliseconds of one monotonic clock.

    <ms> options <name> settle=<ms> leave=<ms> gone=<ms> state=<yes|no> slack=<ms> [static=<id>:<list> ...]
    <ms> start                           the process was started, or started again
    <ms> stop | kill                     it has ended
    <ms> names <asked> <index> <ids>     a complete, valid reply to the names read was handed over
    <ms> says <id> <asked> <read|watch> <index> <instances>     the same about one cluster
    <ms> view <all|critical|warning> <asked> <index> <counts>   the same about the checks of all clusters
    <ms> serves <id> <asked> <status> <state> <body>            an answer to a client
    <ms> silent <id> <asked>             a client got no complete answer

<asked> is when the request was made. Lists are joined by commas, "-" is an empty one; an instance is
ADDRESS=HEALTH with the health good, bad or maint, or odd=odd when its address cannot be served. A read is made
without an index and so is authoritative, a watch is a blocking query. <counts> are ID=NUMBER, of the checks that a
view shows of a cluster; those it shows none of are left out. <slack> is how much later than a reply its
effect may be seen. With a slack of 0 an answer is written when it is another than before: it stands until then.
"""

import threading
import time
from typing import NamedTuple

NOTHING = "-"
ODD = "odd"
GOOD, BAD, MAINTENANCE = "good", "bad", "maint"

# Fields of an event beyond the time and the word; options have any number.
_FIELDS = {"start": 0, "stop": 0, "kill": 0, "names": 3, "says": 5, "view": 4, "serves": 5, "silent": 2}


class BadHistory(ValueError):
    """A line that no recorder writes."""


class Options(NamedTuple):
    name: str
    settle: int
    leave: int
    gone: int
    state: bool  # lists are kept on disk
    slack: int
    static: dict  # id -> list

    def text(self):
        words = [self.name, f"settle={self.settle}", f"leave={self.leave}", f"gone={self.gone}",
                 f"state={'yes' if self.state else 'no'}", f"slack={self.slack}"]
        return " ".join(words + [f"static={cluster}:{text}" for cluster, text in self.static.items()])

    @classmethod
    def parse(cls, fields):
        name, *settings = fields
        static = {}
        values = {}
        for setting in settings:
            key, value = setting.split("=", 1)
            if key == "static":
                cluster, text = value.split(":", 1)
                static[cluster] = text
            else:
                values[key] = value
        numbers = {key: int(values.pop(key)) for key in ("settle", "leave", "gone", "slack")}
        state = {"yes": True, "no": False}[values.pop("state")]
        if values:
            raise ValueError(f"unknown option {', '.join(values)}")
        return cls(name=name, state=state, static=static, **numbers)


def read(lines):
    """(line number, ms, word, fields) of each event. Raises BadHistory."""
    last = 0
    for number, line in enumerate(lines, 1):
        try:
            at, word, *fields = line.rstrip("\n").split(" ")
            at = int(at)
            if word == "options":
                fields = Options.parse(fields)
                last = at
            elif len(fields) != _FIELDS[word]:
                raise ValueError(f"{word} has {_FIELDS[word]} fields")
        except (ValueError, KeyError) as error:
            raise BadHistory(f"line {number}: {line.rstrip()!r}: {error}") from error
        if at < last:
            raise BadHistory(f"line {number}: time goes back from {last} to {at}")
        last = at
        yield number, at, word, fields


def now_ms():
    return time.monotonic_ns() // 1_000_000


def joined(items):
    return ",".join(items) or NOTHING


class History:
    """Writes one run to a text stream, from any thread. The order of the lines is the order of the events."""

    def __init__(self, stream, options):
        self._stream = stream
        self._lock = threading.Lock()
        self._write(f"options {options.text()}")

    def start(self):
        self._write("start")

    def stop(self):
        self._write("stop")

    def kill(self):
        self._write("kill")

    def names(self, asked, index, ids):
        self._write(f"names {asked} {index} {joined(ids)}")

    def says(self, cluster, asked, kind, index, instances):
        """instances: (address, health) pairs."""
        listed = joined(f"{address}={health}" for address, health in instances)
        self._write(f"says {cluster} {asked} {kind} {index} {listed}")

    def view(self, kind, asked, index, counts):
        """counts: id -> number of checks that it shows."""
        shown = joined(f"{cluster}={count}" for cluster, count in counts.items() if count)
        self._write(f"view {kind} {asked} {index} {shown}")

    def serves(self, cluster, asked, status, state, body):
        self._write(f"serves {cluster} {asked} {status} {state or NOTHING} {body or NOTHING}")

    def silent(self, cluster, asked):
        self._write(f"silent {cluster} {asked}")

    def _write(self, text):
        with self._lock:
            self._stream.write(f"{now_ms()} {text}\n")
