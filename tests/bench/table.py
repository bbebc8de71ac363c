#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one change of the served table costs, and one search in it, by the number of clusters.

    tests/bench/table.py [--clusters 1,100,1000,10000,100000] [--rounds 11] [--build FOLDER]

The table alone, without the daemon around it. All numbers of clusters are measured in each round; a ratio is made
within a round.
"""

import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile

import results
import servers
from machine import SERVER_CORE, description

KINDS = {"change": "a change", "first": "its first one", "search": "a search"}


def main():
    options = parse_arguments()
    measured = measure(options)
    print(f"{description()}; {options.rounds} rounds")
    least = options.clusters[0]
    rows, report = [], {}
    for count in options.clusters:
        row = [f"{count} clusters"]
        for kind in KINDS:
            series = measured[count, kind]
            ratio = results.ratios(series, measured[least, kind])
            row += [f"{results.spread(series)['median']:.0f}", f"{ratio['median']:.2f}"]
            report.setdefault(kind, {})[count] = {"ns": results.spread(series), f"of {least}": ratio}
        rows.append(row)
    heads = [head for name in KINDS.values() for head in (f"{name}, ns", f"of {least}")]
    results.print_table("CPU time, medians", ["table", *heads], rows)
    results.write("table", report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clusters", default="1,100,1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--build", type=pathlib.Path, default=servers.binary().parent, help="with our libraries")
    options = parser.parse_args()
    options.clusters = [int(count) for count in options.clusters.split(",")]
    return options


def measure(options):
    """{(clusters, kind): [nanoseconds, one per round]}"""
    measured = collections.defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="nsaddrd-bench-") as folder:
        servers.build_parts(pathlib.Path(folder), "table.c", libraries=[
            f"-I{servers.ROOT / 'include'}", options.build / "libmodel.a", options.build / "libbase.a"])
        command = ["taskset", "-c", SERVER_CORE, f"{folder}/table", options.rounds, *options.clusters]
        done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        count, kind, ns = line.split()
        measured[int(count), kind].append(float(ns))
    return measured


if __name__ == "__main__":
    sys.exit(main())
