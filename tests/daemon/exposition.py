# SPDX-License-Identifier: Apache-2.0
"""A strict reader of what a metrics page may look like, as text 0.0.4 and as OpenMetrics 1.0.0."""

import math
import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_VALUE = r'"(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_NAME}={_VALUE}(?:,{_NAME}={_VALUE})*)\}})? (\S+)")
_LABEL = re.compile(rf"({_NAME})=({_VALUE})")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)")
_ESCAPE = re.compile(r"\\(.)")


class BadPage(Exception):
    pass


@dataclass
class Family:
    name: str  # as its samples have it: with _total for a counter
    help: str
    type: str = ""
    samples: dict = field(default_factory=dict)  # (sample name, ((label, value), ...)) -> number

    def value(self, **labels):
        """The one sample of the family's own name that has exactly these labels."""
        return self.samples[self.name, tuple(sorted(labels.items()))]

    def values_by(self, label):
        """The value of this label -> the sample's, where no other label is needed to tell them apart."""
        found = [(dict(labels)[label], value) for (name, labels), value in self.samples.items() if name == self.name]
        assert len(dict(found)) == len(found), f"{self.name} has more labels than {label}"
        return dict(found)

    @property
    def labels(self):
        return {name for _, labels in self.samples for name, _ in labels}


def _check(condition, line, why):
    if not condition:
        raise BadPage(f"{why}: {line!r}")


def _unescape(text):
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _number(text, line):
    _check(_NUMBER.fullmatch(text), line, "no number")
    return float(text)


def _sample(line):
    match = _SAMPLE.fullmatch(line)
    _check(match, line, "neither a sample nor a known comment")
    labels = [(name, _unescape(value[1:-1])) for name, value in _LABEL.findall(match[2] or "")]
    _check(len(dict(labels)) == len(labels), line, "a label twice")
    return match[1], tuple(sorted(labels)), _number(match[3], line)


def _suffixes(family):
    return ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)


def _check_histogram(family):
    """One without further labels: cumulative, by growing bounds up to +Inf, which is the count."""
    buckets = [(dict(labels)["le"], value) for (name, labels), value in family.samples.items()
               if name == family.name + "_bucket"]
    bounds = [float(bound) for bound, _ in buckets]
    counts = [value for _, value in buckets]
    _check(bounds == sorted(set(bounds)) and bounds[-1] == math.inf, family.name, "bounds do not grow to +Inf")
    _check(counts == sorted(counts), family.name, "buckets are not cumulative")
    _check(family.samples[family.name + "_count", ()] == counts[-1], family.name, "the count is not the last bucket")
    _check((family.name + "_sum", ()) in family.samples, family.name, "no sum")


def _check_family(family, openmetrics):
    _check(family.type in ("counter", "gauge", "histogram"), family.name, "no known type")
    _check(not family.name.endswith("_total") or family.type == "counter", family.name, "_total is for counters")
    _check(family.type != "counter" or family.name.endswith("_total"), family.name, "a counter is called _total")
    _check(family.help, family.name, "no help")
    for (name, labels), value in family.samples.items():
        _check(not openmetrics or name != family.name + "_total", name, "announced with the wrong name")
        _check(value >= 0 or family.type == "gauge", name, "below zero")
        _check(("le" in dict(labels)) == name.endswith("_bucket"), name, "le is for buckets")
    if family.type == "histogram":
        _check_histogram(family)


def read_page(text, openmetrics=False):
    """Family name -> Family. Raises BadPage for whatever a strict scraper would not take."""
    _check(text.endswith("\n"), text[-20:], "no end of line")
    lines = text[:-1].split("\n")
    if openmetrics:
        _check(lines.pop() == "# EOF", text[-20:], "no end of the page")
    families = {}
    family = None
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, *words = line.split(" ", 3)
            _check(name not in families and not any(f.name == name for f in families.values()), line, "twice")
            family = families[name] = Family(name, " ".join(words))
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            _check(family and family.type == "" and name == family.name and not family.samples, line, "out of place")
            family.type = kind
            if openmetrics and kind == "counter":
                _check(not name.endswith("_total"), line, "announced as _total")
                family.name += "_total"
        else:
            name, labels, value = _sample(line)
            _check(family and name in [family.name + suffix for suffix in _suffixes(family)], line, "out of place")
            _check((name, labels) not in family.samples, line, "twice")
            family.samples[name, labels] = value
    for family in families.values():
        _check_family(family, openmetrics)
    return {family.name: family for family in families.values()}
