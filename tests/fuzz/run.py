#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays every input that is kept, then looks for new ones that fail.

    run.py --build FOLDER [--seconds N] [--only TARGET]...

FOLDER is a build with -DFUZZ=ON. Each target first runs all of corpus/ and findings/, then searches for N seconds
(default 60; 0: only replay), two targets at a time. What it learns is kept in FOLDER/fuzz/corpus for the next run, what
fails in FOLDER/fuzz/findings. Ends with a table; exit 1 if an input failed or a target did not run.
"""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
WORKERS = 2
# One input; the slowest of those that are kept takes a hundredth of it, on a busy machine.
INPUT_TIMEOUT = 10
MEMORY_MB = 2048
MAX_LEN = 4096
# Of what a failed run said: the sanitizer's report stands before libFuzzer's own words.
SHOWN_LINES = 60


class Result(NamedTuple):
    ok: bool
    output: str


class Row(NamedTuple):
    target: str
    kept: int
    executions: str
    per_second: str
    coverage: str
    corpus: str
    found: int


def targets() -> list[str]:
    return sorted(source.stem for source in HERE.glob("fuzz_*.c"))


def kept_files(target: str) -> list[Path]:
    """Seeds and past findings; no target may be without seeds."""
    seeds = sorted((HERE / "corpus" / target).iterdir())
    findings = HERE / "findings" / target
    return seeds + (sorted(findings.iterdir()) if findings.is_dir() else [])


def limits() -> list[str]:
    return [f"-timeout={INPUT_TIMEOUT}", f"-rss_limit_mb={MEMORY_MB}"]


def run(build: Path, target: str, arguments: list[str], seconds: int) -> Result:
    """One run of a target with a folder of its own for temporary files. `seconds`: it is hung when it takes longer."""
    command = [str(build / target), *arguments]
    # In memory: the targets write small files all the time.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nsaddrd-fuzz.", dir=memory) as folder:
        environment = dict(os.environ, TMPDIR=folder)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                timeout=seconds, env=environment)  # fmt: skip
        except subprocess.TimeoutExpired as late:
            return Result(False, (late.stdout or b"").decode(errors="replace") + "\nit did not end")
        except OSError as error:
            return Result(False, str(error))
    return Result(done.returncode == 0, done.stdout.decode(errors="replace"))


def show(output: str) -> None:
    lines = [line for line in output.splitlines() if not re.match(r"#\d+\s", line)]
    for line in lines[-SHOWN_LINES:]:
        print(f"    {line}")


def replay(build: Path, target: str) -> bool:
    files = kept_files(target)
    result = run(build, target, [*limits(), *map(str, files)], INPUT_TIMEOUT * (len(files) + 6))
    executed = re.findall(r"^Executed (\S+) in", result.output, re.MULTILINE)
    if result.ok and len(executed) == len(files):
        return True
    running = re.findall(r"^Running: (\S+)", result.output, re.MULTILINE)
    show(result.output)
    print(f"BAD {target}: a kept input fails; replay: {build / target} {running[-1] if running else ''}")
    return False


def field(pattern: str, output: str) -> str:
    """The last match, "-" when there is none."""
    found = re.findall(pattern, output, re.MULTILINE)
    return found[-1] if found else "-"


def search(build: Path, target: str, seconds: int) -> Row:
    learnt, findings = build / "fuzz/corpus" / target, build / "fuzz/findings" / target
    learnt.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    known = set(findings.iterdir())
    # Slow inputs are tried less often: else a few long replies take all the time.
    options = [*limits(), f"-max_total_time={seconds}", f"-max_len={MAX_LEN}", "-entropic_scale_per_exec_time=1",
               "-print_final_stats=1", f"-artifact_prefix={findings}/"]  # fmt: skip
    words = HERE / f"{target}.dict"
    if words.is_file():
        options.append(f"-dict={words}")
    seeds = [str(HERE / kind / target) for kind in ("corpus", "findings") if (HERE / kind / target).is_dir()]
    result = run(build, target, [*options, str(learnt), *seeds], seconds + 20 * INPUT_TIMEOUT)
    new = sorted(set(findings.iterdir()) - known)
    if not result.ok:
        show(result.output)
        print(f"BAD {target}: {len(new)} new finding(s)")
    for path in new:
        print(f"    replay: {build / target} {path}")
    return Row(
        target=target,
        kept=len(kept_files(target)),
        executions=field(r"^stat::number_of_executed_units:\s*(\d+)", result.output),
        per_second=field(r"^stat::average_exec_per_sec:\s*(\d+)", result.output),
        coverage=field(r"cov: (\d+ ft: \d+)", result.output).replace(" ft: ", "/"),
        corpus=field(r"corp: (\d+/\S+)", result.output),
        found=len(new) + (not result.ok and not new))  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", action="append", choices=targets(), default=[])
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    chosen = arguments.only or targets()
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        replayed = list(pool.map(lambda target: replay(build, target), chosen))
        searched = [target for target, ok in zip(chosen, replayed) if ok and arguments.seconds > 0]
        rows = list(pool.map(lambda target: search(build, target, arguments.seconds), searched))
    good = all(replayed)
    for row in rows:
        if row.executions in ("-", "0"):
            good = False
            print(f"BAD {row.target}: it did not run")
    print(f"{'target':<18} {'kept':>5} {'executions':>11} {'per s':>8} {'cov/ft':>11} {'corpus':>11} {'found':>5}")
    for row in rows:
        print(f"{row.target:<18} {row.kept:>5} {row.executions:>11} {row.per_second:>8} {row.coverage:>11} "
              f"{row.corpus:>11} {row.found:>5}")  # fmt: skip
    print(f"{len(chosen)} targets, {time.monotonic() - started:.0f} s")
    return 0 if good and not any(row.found for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
