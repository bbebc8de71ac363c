#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails each call of the product that can fail once, and kills it at each of its writes.

    run.py --build FOLDER [--stride N] [--full] [--only PART]...

Parts: symbols (nothing that can fail is forgotten), units (the unit suites), scenarios (those of tests/sim), daemon
(the whole program), crash (the state on disk). A point is one call of one run. By default those with a call stack
that was not there before in the same test are failed; --full fails all of them, --stride N only every N-th. Scenarios
are long and alike: the call stack has to be a new one among all of them, with --full within the same scenario. Ends
with a table; exit 1 if anything was bad. FOLDER is a build with -DSANITIZE=address,undefined: others show no leaks,
and their fortified calls are not known here.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from histories import judge  # noqa: E402
from whole_daemon import KINDS, World  # noqa: E402

HERE = Path(__file__).parent
PARTS = ("symbols", "units", "scenarios", "daemon", "crash")
WORKERS = 2
PROGRAM_TIMEOUT = 3600
SLOW_SECONDS = 5.0
# Of one part; the rest would say the same.
SHOWN_MAX = 20


class Row(NamedTuple):
    name: str
    points: int
    injected: int
    bad: int
    seconds: float
    note: str = ""


def symbols(build, _):
    """Every function that the twins take from elsewhere is either tortured or known to be harmless."""
    files = [*map(str, sorted(build.glob("*.twin.*")))]
    undefined = subprocess.run(["nm", "-A", "-u", *files], check=True, capture_output=True, text=True).stdout
    defined = subprocess.run(["nm", "-A", "--defined-only", *files], check=True, capture_output=True, text=True).stdout
    harmless = set((HERE / "harmless.txt").read_text().split())
    own = {line.split()[-1] for line in defined.splitlines() if line}
    taken = {line.split()[-1] for line in undefined.splitlines() if line} - own
    unknown = sorted(name for name in taken - harmless if not name.startswith(("torture_", "__asan_", "__ubsan_")))
    for name in unknown:
        print(f"BAD {name} is called: add it to symbols.txt with a stand-in, or to harmless.txt")
    yield Row("symbols", len(taken), 0, len(unknown), 0.0)


def units(build, options):
    suites = sorted(path for path in build.glob("torture_*") if os.access(path, os.X_OK) and path.is_file())
    suites.remove(build / "torture_scenarios")
    with ThreadPoolExecutor(WORKERS) as pool:
        shares = [(suite, _shares(pool, options, [suite])) for suite in suites]
        for suite, futures in shares:
            yield _sum(f"unit {suite.name.removeprefix('torture_')}", futures)


def scenarios(build, options):
    files = sorted((HERE.parent / "sim" / "scenarios").glob("*.txt"))
    with tempfile.TemporaryDirectory(prefix="nsaddrd-torture.") as folder, ThreadPoolExecutor(WORKERS) as pool:
        written = [Path(folder) / str(share) for share in range(WORKERS)]
        futures = _shares(pool, options, *([build / "torture_scenarios", path, *files] for path in written))
        row = _sum(f"{len(files)} scenarios", futures)
        wrong = list(judge(written))
        for text in wrong[:SHOWN_MAX]:
            print(f"BAD scenario {text}")
        yield row._replace(bad=row.bad + len(wrong))


def _shares(pool, options, *commands):
    """One future for each worker; a single command is for all."""
    commands = commands * WORKERS if len(commands) == 1 else commands
    return [pool.submit(_share, command, share, options) for share, command in enumerate(commands)]


def _sum(name, futures):
    rows = [future.result() for future in futures]
    return Row(name, rows[0].points, sum(row.injected for row in rows), sum(row.bad for row in rows),
               max(row.seconds for row in rows))


def _share(command, share, options):
    """Runs a program of runner.h for its share of the points."""
    variables = {**os.environ, "TORTURE_STRIDE": str(options.stride), "TORTURE_PART": f"{share}/{WORKERS}"}
    if options.full:
        variables["TORTURE_FULL"] = "1"
    begin = time.monotonic()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, errors="replace",
                          timeout=PROGRAM_TIMEOUT)
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1) or not lines:
        print(f"BAD {command[0].name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return Row("", 0, 0, 1, 0.0)
    if done.returncode:
        print("\n".join(lines[:-1]))
    _things, points, injected, bad = map(int, lines[-1].split())
    return Row("", points, injected, bad, time.monotonic() - begin)


def daemon(build, options):
    with tempfile.TemporaryDirectory(prefix="nsaddrd-torture.") as folder:
        worlds = []
        for number in range(WORKERS):
            own = Path(folder) / str(number)
            own.mkdir()
            worlds.append(World(build / "nsaddrd-torture", own))
            worlds[-1].prepare()
        for kind in KINDS:
            yield _daemon_row(worlds, kind, options)


def _daemon_row(worlds, kind, options):
    begin = time.monotonic()
    sites = worlds[0].sites(kind)
    first = {}
    for point, site in enumerate(sites, 1):
        first.setdefault(site, point)
    points = list(range(1, len(sites) + 1)) if options.full else list(first.values())
    points = points[::options.stride]

    def share(number):
        return [worlds[number].run(kind, point) for point in points[number::WORKERS]]

    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = [outcome for part in pool.map(share, range(WORKERS)) for outcome in part]
    bad = [outcome for outcome in outcomes if outcome.bad]
    for outcome in bad:
        again = worlds[0].run(kind, outcome.point, trace=True)  # the same point, unless threads came in another order
        print(f"BAD daemon {kind}, point {outcome.point} ({outcome.name}): {outcome.bad}\n{outcome.log}\n"
              f"again, with its stack ({again.name}): {again.bad or 'good'}\n{again.log}")
    for outcome in outcomes:
        if outcome.seconds > SLOW_SECONDS:
            print(f"slow: daemon {kind}, point {outcome.point} ({outcome.name}): {outcome.seconds:.1f} s")
    gave_up = sum(bool(outcome.gave_up) for outcome in outcomes)
    return Row(f"daemon {kind}", len(sites), sum(bool(outcome.name) for outcome in outcomes), len(bad),
               time.monotonic() - begin, f"{gave_up} refused to start, and said why")


def crash(build, options):
    begin = time.monotonic()
    kills = 1000 if options.full else max(1000 // options.stride, 50)
    done = subprocess.run([build / "crash", "--seed", str(options.seed), "--kills", str(kills),
                           "--failures", str(5 * kills)],
                          capture_output=True, text=True, errors="replace", timeout=PROGRAM_TIMEOUT)
    lines = done.stdout.splitlines()
    bad = [line for line in lines if line.startswith("BAD")]
    print("\n".join(bad[:SHOWN_MAX]))
    if done.returncode not in (0, 1) or (done.returncode == 1) != bool(bad):
        bad.append(f"it ended with {done.returncode}")
        print(f"BAD crash {bad[-1]}:\n{done.stdout}{done.stderr}")
    yield Row("crash", 0, kills, len(bad), time.monotonic() - begin,
              "; ".join(line for line in lines if not line.startswith("BAD")))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--stride", type=int, default=1, metavar="N")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART")
    return parser.parse_args()


def main():
    options = arguments()
    subprocess.run(["cmake", "--build", options.build, "--target", "torture"], check=True, stdout=subprocess.DEVNULL)
    build = options.build.resolve() / "tests" / "torture"
    rows = [row for part in options.only or PARTS for row in globals()[part](build, options)]
    print(f"{'':24} {'points':>8} {'failed':>8} {'bad':>5} {'s':>7}")
    for row in rows:
        print(f"{row.name:24} {row.points:8} {row.injected:8} {row.bad:5} {row.seconds:7.1f}  {row.note}".rstrip())
    bad = sum(row.bad for row in rows)
    print(f"torture: {sum(row.injected for row in rows)} failures injected, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
