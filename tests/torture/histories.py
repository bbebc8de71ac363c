# SPDX-License-Identifier: Apache-2.0
"""Judges the histories that torture_scenarios wrote."""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))

from validator import validate  # noqa: E402

# A failed call delays what it was for until the next try, but never puts right what is wrong.
SLACK_MS = 2000
STRICT = ("P1", "P2", "P5", "P6")


@dataclass
class Story:
    """One scenario played once: the worlds of it (one for each replica), line by line."""

    name: str
    ended: bool  # in the middle: the daemon could not start
    unsaved: bool  # the log says so
    lines: list

    @property
    def scenario(self):
        return self.name.rpartition("@")[0]

    @property
    def is_first(self):
        return self.name.endswith("@0")


def read(path):
    story = None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                words = line.split()
                story = Story("", "ended" in words, "unsaved" in words, [])
                continue
            if not story.lines:
                story.name = line.split()[2]
                yield story
            story.lines.append(line)


def judge(paths):
    """What is wrong, as texts."""
    for path in paths:
        last = {}
        for story in list(read(path)):
            if story.is_first:
                yield from map(str, validate(story.lines))
                last = last_answers(story)
                continue
            yield from _violations(story)
            # What was lost with the state may be nothing that Consul can say again.
            if not story.ended and not story.unsaved and last_answers(story) != last:
                yield f"{story.name}: after ten minutes {last_answers(story)}, but right is {last}"


def _violations(story):
    """What could not be saved may be lost by a kill: then what was before it obliges to nothing after it."""
    for violation in validate(story.lines):
        if violation.promise in STRICT and not (story.unsaved and violation.promise == "P5"):
            yield str(violation)
    options = {"slack=0": f"slack={SLACK_MS}"}
    if story.unsaved:
        options["state=yes"] = "state=no"
    for violation in validate(_with_options(story.lines, options)):
        if violation.promise not in STRICT:
            yield str(violation)


def _with_options(lines, changed):
    for line in lines:
        if line.split(" ", 2)[1] == "options":
            for old, new in changed.items():
                line = line.replace(old, new)
        yield line


def last_answers(story):
    """(world, cluster) -> status, state and list at the end."""
    answers = {}
    world = 0
    for line in story.lines:
        _at, word, *fields = line.split()
        if word == "options":
            world += 1
        elif word == "serves":
            answers[world, fields[0]] = fields[2:]
    return answers
