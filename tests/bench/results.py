# SPDX-License-Identifier: Apache-2.0
"""What was measured, as tables for people and as JSON."""

import json
from dataclasses import dataclass
from statistics import median

from servers import ROOT

REPORT = ROOT / "build" / "reports" / "bench-http.json"


@dataclass(frozen=True)
class Goal:
    """A figure that shall not be above these."""

    goal: float
    acceptable: float

    def verdict(self, figure):
        if figure <= self.goal:
            return "goal"
        return "acceptable" if figure <= self.acceptable else "MISSED"


def spread(values):
    """The median, and the least and greatest of all."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def ratios(ours, theirs):
    """Of two series that were measured side by side, pair by pair."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def print_table(title, heads, rows):
    """The first column is to the left, all others to the right."""
    texts = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[i]) for row in texts) for i in range(len(heads))]
    print(f"\n{title}")
    for row in texts:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells]).rstrip(), flush=True)


def write(part, figures):
    """Replaces one part of the report and leaves what other benchmarks wrote."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    report[part] = figures
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwritten: {REPORT.relative_to(ROOT)}, part {part!r}")
