# SPDX-License-Identifier: Apache-2.0
"""The table of clusters.py: figures with their bounds, and whether each is held."""

import math
from dataclasses import dataclass

from catalog import JOIN, NEW, PASSING

MB = 1024
NONE = "–"


@dataclass(frozen=True)
class Bound:
    """A figure is not to be above this, and better not above the goal."""

    most: float
    goal: float | None = None

    def verdict(self, figure, show):
        goal = f", goal {show(self.goal)}" if self.goal is not None else ""
        verdict = "held" if figure <= self.most else "**MISSED**"
        if self.goal is not None and figure <= self.goal:
            verdict = "goal"
        return f"(≤ {show(self.most)}{goal}: {verdict})"


# By number of clusters, in the unit of the row: connections, seconds, per cent of a core, MB.
BOUNDS = {
    "connections": {100: Bound(104), 1000: Bound(4), 10000: Bound(4)},
    "complete": {100: Bound(0.5), 1000: Bound(2), 10000: Bound(15)},
    "slow": {100: Bound(0.020), 1000: Bound(0.150), 10000: Bound(3, 1)},
    "fast": {100: Bound(0.050), 1000: Bound(0.500), 10000: Bound(5, 2)},
    "consul fast": {100: Bound(10), 1000: Bound(15), 10000: Bound(25)},
    "consul idle": {100: Bound(0.5), 1000: Bound(0.5), 10000: Bound(2)},
    "own idle": {100: Bound(0.1), 1000: Bound(0.2), 10000: Bound(1)},
    "memory": {100: Bound(10), 1000: Bound(14), 10000: Bound(40)},
}


def markdown(measured):
    """One column for each number of clusters."""
    rows = []
    for name, rows_of in (
        ("consul", _consul_rows),
        ("nsaddrd", _nsaddrd_rows),
        ("consul-template", _template_rows),
        ("replaced", _replaced_rows),
    ):
        columns = [
            rows_of(figures[name], count) if name in figures else {} for count, figures in measured.items()
        ]
        titles = dict.fromkeys(title for column in columns for title in column)
        rows += [[title, *(column.get(title, NONE) for column in columns)] for title in titles]
    heads = ["", *(f"{count:,} clusters" for count in measured)]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _consul_rows(base, _):
    return {
        "Consul by itself: CPU, nothing changes": _percent(base["idle"]["percent"]["consul"]),
        "Consul by itself: CPU, 20 changes/s": _percent(base["fast"]["percent"]["consul"]),
    }


def _nsaddrd_rows(us, count):
    def judged(name, figure, show):
        bound = BOUNDS[name].get(count)
        return f"{show(figure)} {bound.verdict(figure, show)}" if bound else show(figure)

    def registrations(phase):
        took = _took(us[phase], JOIN, NEW)
        if not took:
            return NONE
        return f"{judged(phase, quantile(took, 0.99), _time)}; {_spread(took)}"

    idle, fast, memory = us["idle"]["percent"], us["fast"]["percent"], us["memory"]
    return {
        "**nsaddrd**: connections to Consul, most at once": judged("connections", us["connections"], str),
        "first complete table after start": f"{judged('complete', us['start']['complete'], _time)}; "
                                            f"ready {_time(us['start']['ready'])}",
        "registered → served, 1 change/s: p99": registrations("slow"),
        "registered → served, 20 changes/s: p99": registrations("fast"),
        "of these, in clusters that were there: p99": _p99(us["fast"], JOIN),
        "of these, in new clusters: p99": _p99(us["fast"], NEW),
        "critical → passing → served, 20 changes/s: p99": _p99(us["fast"], PASSING),
        "changes that were never served": str(us["slow"]["never"] + us["fast"]["never"]),
        "CPU in Consul for us, 20 changes/s": judged("consul fast", fast["for it"], _percent),
        "CPU in Consul for us, nothing changes": judged("consul idle", idle["for it"], _percent),
        "CPU in nsaddrd, 20 changes/s": _percent(fast["own"]),
        "CPU in nsaddrd, nothing changes": judged("own idle", idle["own"], _percent),
        "resident memory": f"{judged('memory', memory['rss'] / MB, _mb)}; {_memory(us)}",
    }


def _template_rows(it, _):
    failed = it["start"]["complete"] is None
    rows = {
        "**consul-template**: connections to Consul, most at once, refused ones too": str(it["connections"]),
        "first complete file after start": it["start"]["why"] if failed else _time(it["start"]["complete"]),
        "CPU in Consul and its own until then": f"{_percent(it['start']['percent']['consul'])} + "
                                                f"{_percent(it['start']['percent']['own'])} "
                                                f"for {_time(it['start']['seconds'])}",
    }
    if failed:
        return rows
    idle, fast = it["idle"]["percent"], it["fast"]["percent"]
    return rows | {
        "registered → in its file, 1 change/s: p99": _p99(it["slow"], JOIN, NEW),
        "registered → in its file, 20 changes/s: p99": _p99(it["fast"], JOIN, NEW),
        "changes that never were in its file": str(it["slow"]["never"] + it["fast"]["never"]),
        "CPU in Consul for it, 20 changes/s": _percent(fast["for it"]),
        "CPU in Consul for it, nothing changes": _percent(idle["for it"]),
        "CPU in consul-template, 20 changes/s": _percent(fast["own"]),
        "CPU in consul-template, nothing changes": _percent(idle["own"]),
        "its resident memory": f"{_mb(it['memory']['rss'] / MB)}; {_memory(it)}",
    }


def _replaced_rows(one, count):
    """One was measured; the rest is multiplied."""
    kb = one["program"]["rss"] + one["go run"]["rss"]
    return {
        "**a Go program for each cluster** (one measured × clusters): processes": f"2 × {count:,}",
        "its resident memory, with that of its `go run`": f"({_mb(one['program']['rss'] / MB)} + "
        f"{_mb(one['go run']['rss'] / MB)}) × {count:,} = {_mb(count * kb / MB)}",
        "connections to Consul, of the templates": f"{one['template']['connections']} × {count:,} = "
                                                   f"{count * one['template']['connections']:,}",
    }


# -- figures as text -------------------------------------------------------------------------------------------------

def quantile(values, share):
    """The least value that so many are not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _took(figures, *kinds):
    return [seconds for kind in kinds for seconds in figures["took"].get(kind, ())]


def _p99(figures, *kinds):
    took = _took(figures, *kinds)
    return f"{_time(quantile(took, 0.99))}; {_spread(took)}" if took else NONE


def _spread(took):
    shares = ", ".join(f"p{share} {_time(quantile(took, share / 100))}" for share in (50, 90))
    return f"{shares}, max {_time(max(took))}, n = {len(took)}"


def _time(seconds):
    if seconds >= 0.9995:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.0995 else f"{seconds * 1000:.3g} ms"


def _percent(value):
    return f"{value:.2f} %" if abs(value) < 10 else f"{value:.1f} %"


def _mb(value):
    return f"{value:.1f} MB" if value < 10 * 1024 else f"{value / 1024:.1f} GB"


def _memory(it):
    after = it["memory after"]
    return f"after all changes {_mb(after['rss'] / MB)}, peak {_mb(after['peak'] / MB)}"
