#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-format and clang-tidy over the C files and shellcheck over the shell scripts.

clang-tidy needs a build by clang: cmake -S . -B build-clang -DCMAKE_C_COMPILER=clang
-DCMAKE_EXPORT_COMPILE_COMMANDS=ON
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tree import Finding, files, main, relative

# The layout differs between releases of clang-format: hold the code to one of them.
CLANG_FORMAT_MAJOR = "14"


def scripts(root: Path) -> list[str]:
    found = [relative(root, f) for f in files(root, ".sh")]
    debian = [f"packaging/debian/{name}" for name in ("postinst", "prerm", "postrm")]
    return found + [p for p in (".ci/run", *debian) if (root / p).is_file()]


def c_files(root: Path) -> list[str]:
    tops = ("src", "include", "tests/unit", "tests/sim", "tests/torture", "tests/chaos", "tests/faults",
            "tests/daemon", "tests/fuzz", "tests/bench", "packaging")
    return [relative(root, f) for top in tops for f in files(root, ".c", ".h", under=top)]


def run(root: Path, command: list[str], pattern: str) -> list[Finding]:
    """The tool's own complaints; a failure that names no line is reported whole."""
    result = subprocess.run(
        command, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    output = result.stdout + result.stderr
    found = sorted({
        Finding(m["path"].removeprefix("./"), int(m["line"]), m["text"])
        for m in re.finditer(pattern, output, re.MULTILINE)
    })  # fmt: skip
    if result.returncode != 0 and not found:
        found.append(Finding(command[0], 1, output.strip() or f"exit {result.returncode}"))
    return found


def check_format(root: Path) -> list[Finding]:
    names = c_files(root)
    if not names:
        return []
    for tool in (f"clang-format-{CLANG_FORMAT_MAJOR}", "clang-format"):
        if shutil.which(tool):
            command = [tool, "--dry-run", "-Werror", "--style=file", *names]
            pattern = r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: error: (?P<text>.*?) \[-W"
            return run(root, command, pattern)
    return [Finding("clang-format", 1, "is not installed (Debian: apt-get install clang-format)")]


def check_tidy(root: Path) -> list[Finding]:
    names = [n for n in c_files(root) if n.startswith("src/") and n.endswith(".c")]
    if not shutil.which("clang-tidy"):
        return [Finding("clang-tidy", 1, "is not installed (Debian: apt-get install clang-tidy)")]
    if not (root / "build-clang/compile_commands.json").is_file():
        return [Finding("build-clang", 1, "is not there: see the head of tests/lint/tools.py")]
    pattern = rf"^(?:{re.escape(str(root))}/)?(?P<path>[^:\n]+):(?P<line>\d+):\d+: error: (?P<text>.*)$"

    def tidy(name: str) -> list[Finding]:
        return run(root, ["clang-tidy", "--quiet", "-p", "build-clang", name], pattern)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {finding for per_file in pool.map(tidy, names) for finding in per_file}
    return sorted(found)


def check_shell(root: Path) -> list[Finding]:
    names = scripts(root) + [relative(root, f) for f in files(root, ".bash.in")]
    if not names:
        return []
    if not shutil.which("shellcheck"):
        return [Finding("shellcheck", 1, "is not installed (Debian: apt-get install shellcheck)")]
    pattern = r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?P<text>.*)$"
    return run(root, ["shellcheck", "--format=gcc", "--external-sources", *names], pattern)


def check(root: Path) -> list[Finding]:
    return check_format(root) + check_shell(root) + check_tidy(root)


if __name__ == "__main__":
    main(check)
