#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every option is documented: the binary, conf/nsaddrd.conf and the README name the same ones.

The options and their defaults are what the built daemon prints (--print-config, --help). The
sample file must have each one as a commented line with its default, the README and its translation
one table row. They say of an option whether it takes a restart to change it, as --help does.
Binary: build/nsaddrd, or the environment variable NSADDRD_BIN.
"""
from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from libconfig import SyntaxProblem, read_settings, read_value, same
from tree import Finding, main, read

SAMPLE = "conf/nsaddrd.conf"
QUICKSTART = "conf/quickstart.conf"
# Each has the table of options under this heading, and says so of an option that takes a restart.
READMES = {
    "README.md": ("## Configuration", "(restart)"),
    "packaging/README.zh-CN.md": ("## 配置", "（需重启）"),
}
MARK = "(restart)"

# A commented option has no blank behind its #, prose has one.
_COMMENTED = re.compile(r"^(\s*)#(?=[a-z0-9_]+\s*[=:])", re.MULTILINE)
_ROW = re.compile(r"^\|\s*`([a-z0-9_.]+)`\s*\|([^|]*)\|\s*`([^`]*)`\s*\|\s*(\S.*?)\s*\|\s*$")


def find_binary(root: Path) -> Path:
    return Path(os.environ.get("NSADDRD_BIN") or root / "build" / "nsaddrd").absolute()


def ask(binary: Path, *arguments: str) -> str:
    """The daemon's answer with nothing set: no file, no variables."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CONSUL_", "NSADDRD_"))}
    with tempfile.NamedTemporaryFile(suffix=".conf") as empty:
        result = subprocess.run(
            [binary, "-c", empty.name, *arguments],
            env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
            check=False,
        )  # fmt: skip
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit {result.returncode}: {result.stderr}")
    return result.stdout


def options_of(binary: Path) -> dict[str, object]:
    return read_settings(ask(binary, "--print-config"))


def compare(where: str, found: dict[str, tuple[int, object]], options: dict[str, object]):
    for name, value in sorted(options.items()):
        if name not in found:
            yield Finding(where, 1, f"{name} is missing (default {value!r})")
        elif not same(found[name][1], value):
            line, said = found[name]
            yield Finding(where, line, f"{name}: default is {value!r}, not {said!r}")
    for name in sorted(found.keys() - options.keys()):
        yield Finding(where, found[name][0], f"{name} is not an option")


def line_of(text: str, name: str) -> int:
    leaf = name.rsplit(".", 1)[-1]
    match = re.search(rf"^\s*#?{re.escape(leaf)}\s*[=:]", text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def restarts_of(help_text: str) -> dict[str, bool]:
    """Whether --help says that it takes a restart to change an option: `  <name>  <type>  restart  default`."""
    rows = re.findall(r"^\s+([a-z0-9_.]+)\s+\S.*?\s(reload|restart)\s+default\b", help_text, re.MULTILINE)
    return {name: word == "restart" for name, word in rows}


def compare_restarts(where: str, mark: str, said: dict[str, tuple[int, bool]], restarts: dict[str, bool]):
    for name, (line, marked) in sorted(said.items()):
        if name in restarts and marked != restarts[name]:
            yield Finding(where, line, f"{name} {'takes no' if marked else 'takes a'} restart: "
                                       f"{'no ' if marked else ''}{mark} belongs at the end of its text")


def check_sample(root: Path, options: dict[str, object], restarts: dict[str, bool]) -> list[Finding]:
    path = root / SAMPLE
    if not path.is_file():
        return [Finding(SAMPLE, 1, "is missing")]
    text = read(path)
    try:
        live = read_settings(text)
        all_of_it = read_settings(_COMMENTED.sub(r"\1", text))
    except SyntaxProblem as problem:
        return [Finding(SAMPLE, 1, str(problem))]
    found = [Finding(SAMPLE, line_of(text, n), f"{n} must be commented out") for n in live]
    lines = {name: (line_of(text, name), value) for name, value in all_of_it.items()}
    found += compare(SAMPLE, lines, options)
    # One line of explanation stands above each option.
    previous = ""
    groups: list[str] = []
    said = {}
    for number, line in enumerate(text.splitlines(), 1):
        if begin := re.match(r"\s*([a-z0-9_]+) : \{", line):
            groups.append(begin.group(1))
        if re.match(r"\s*\};", line):
            groups.pop()
        if _COMMENTED.match(line) and not re.match(r"\s*# +\S", previous):
            found.append(Finding(SAMPLE, number, "has no explanation in the line above"))
        if _COMMENTED.match(line):
            name = re.match(r"\s*#([a-z0-9_]+)", line).group(1)
            said[".".join([*groups, name])] = (number, previous.endswith(MARK))
        previous = line
    return found + list(compare_restarts(SAMPLE, MARK, said, restarts))


def check_readme(
    root: Path, name: str, options: dict[str, object], restarts: dict[str, bool]
) -> list[Finding]:
    path = root / name
    if not path.is_file():
        return [Finding(name, 1, "is missing")]
    heading, mark = READMES[name]
    rows: dict[str, tuple[int, object]] = {}
    said: dict[str, tuple[int, bool]] = {}
    found = []
    inside = False
    for number, line in enumerate(read(path).splitlines(), 1):
        if line.startswith("## "):
            inside = line.strip() == heading
        match = _ROW.match(line) if inside else None
        if match is None:
            continue
        option, default = match.group(1), match.group(3)
        try:
            value = read_value(default)
        except SyntaxProblem as problem:
            found.append(Finding(name, number, f"{option}: default {default}: {problem}"))
            continue
        if option in rows:
            found.append(Finding(name, number, f"{option} has two rows"))
        rows[option] = (number, value)
        said[option] = (number, match.group(4).endswith(mark))
    found += compare(name, rows, options)
    return found + list(compare_restarts(name, mark, said, restarts))


def check_help(text: str, options: dict[str, object]) -> list[Finding]:
    """--help lists each option on a line `  <name>  <type>  <reload or restart>  default <default>  <help>`."""
    listed = set(re.findall(r"^\s+([a-z0-9_.]+)\s+\S.*?\bdefault\b", text, re.MULTILINE))
    found = [Finding("--help", 1, f"{n} is missing") for n in sorted(options.keys() - listed)]
    found += [
        Finding("--help", 1, f"{n} has neither reload nor restart") for n in sorted(listed - restarts_of(text).keys())
    ]
    return found + [
        Finding("--help", 1, f"{n} is not in --print-config") for n in sorted(listed - options.keys())
    ]


def check_config_files(root: Path, binary: Path) -> list[Finding]:
    """The daemon itself takes the shipped files."""
    found = []
    for name in (SAMPLE, QUICKSTART):
        if (root / name).is_file():
            result = subprocess.run(
                [binary, "-t", "-c", root / name], capture_output=True, text=True,
                stdin=subprocess.DEVNULL, timeout=60, check=False,
            )  # fmt: skip
            if result.returncode != 0:
                found.append(Finding(name, 1, f"-t: exit {result.returncode}: {result.stderr}"))
        else:
            found.append(Finding(name, 1, "is missing"))
    return found


def check(root: Path) -> list[Finding]:
    binary = find_binary(root)
    if not binary.is_file():
        return [Finding(str(binary), 1, "is not built: cmake --build build, or set NSADDRD_BIN")]
    try:
        options = options_of(binary)
        help_text = ask(binary, "--help")
    except (RuntimeError, SyntaxProblem) as problem:
        return [Finding(binary.name, 1, str(problem))]
    return (
        check_sample(root, options, restarts_of(help_text))
        + [f for name in READMES for f in check_readme(root, name, options, restarts_of(help_text))]
        + check_help(help_text, options)
        + check_config_files(root, binary)
    )


if __name__ == "__main__":
    main(check)
