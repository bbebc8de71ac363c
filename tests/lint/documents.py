#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Documents: man pages that are clean and whole, links that lead somewhere, translations that keep up.

The flags are those of `nsaddrd --help`, see options.py for the binary. The pages made by the build
are in packaging/ beside it.
"""
from __future__ import annotations

import itertools
import os
import re
import subprocess
from pathlib import Path

from options import ask, find_binary
from tree import Finding, files, main, read, relative

MAN = "packaging/man/nsaddrd.8"
MADE_PAGE = "packaging/nsaddrd.conf.5"
COMPLETIONS = ("packaging/nsaddrd.bash", "packaging/nsaddrd.zsh", "packaging/nsaddrd.fish")

# Explains lines of the log.
TROUBLESHOOTING = "packaging/guide/troubleshooting.md"

# Text -> the same in Chinese.
TRANSLATIONS = {
    "README.md": "packaging/README.zh-CN.md",
    "packaging/guide/clients.md": "packaging/guide/clients.zh-CN.md",
    "packaging/guide/migration.md": "packaging/guide/migration.zh-CN.md",
    "packaging/guide/troubleshooting.md": "packaging/guide/troubleshooting.zh-CN.md",
}


# --- man pages and completion ---------------------------------------------------------------------


def complaints(command: list[str], path: Path) -> list[str]:
    """What a reader of man pages says of one."""
    env = os.environ | {"LC_ALL": "C.UTF-8", "MANROFFSEQ": ""}
    result = subprocess.run(
        [*command, path], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=60, check=False,
    )  # fmt: skip
    said = result.stderr + (result.stdout if command[0] == "mandoc" else "")
    # Which other pages are installed is this machine's matter.
    return [
        line for line in said.splitlines()
        if "referenced manual not found" not in line and "outdated mandoc.db" not in line
    ]  # fmt: skip


def check_man(root: Path) -> list[Finding]:
    found = []
    for name, page in ((MAN, root / MAN), (MADE_PAGE, find_binary(root).parent / MADE_PAGE)):
        if not page.is_file():
            found.append(Finding(name, 1, "is missing"))
            continue
        readers = (["mandoc", "-Tlint"], ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"])
        for line in itertools.chain.from_iterable(complaints(r, page) for r in readers):
            place = re.search(r":(\d+):(?:\d+:)? *(.*)", line)
            at, text = (int(place[1]), place[2]) if place else (1, line)
            found.append(Finding(name, at, text))
    return found


def flags_of(help_text: str) -> list[str]:
    """"-c, --config FILE   read ..." -> -c, --config"""
    rows = re.findall(r"^ {2,}(-\w|)(?:, | +|)(--[a-z-]+|)\S* .*$", help_text, re.MULTILINE)
    return [flag for row in rows for flag in row if flag]


def commands_of(help_text: str) -> list[str]:
    """The words that stand right behind the program's name in its usage."""
    return sorted(set(re.findall(r"\bnsaddrd ([a-z]+)\b", help_text)))


def check_flags(root: Path) -> list[Finding]:
    """What --help lists is in the man page, and the long form of it in each completion."""
    binary = find_binary(root)
    try:
        help_text = ask(binary, "--help")
    except RuntimeError as problem:
        return [Finding(binary.name, 1, str(problem))]
    flags, commands = flags_of(help_text), commands_of(help_text)
    if not flags:
        return [Finding("--help", 1, "lists no flag")]
    found = []
    man = read(root / MAN) if (root / MAN).is_file() else ""
    items = " ".join(re.findall(r"^\.It (.*)$", man, re.MULTILINE))
    for flag in flags:
        written = "Fl Fl " + flag[2:] if flag.startswith("--") else "Fl " + flag[1:]
        if not re.search(rf"(?:^| ){written}(?: |$)", items):
            found.append(Finding(MAN, 1, f"{flag} is not described"))
    for word in sorted(set(re.findall(r"(?<!Fl )Fl Fl ([a-z-]+)", items))):
        if "--" + word not in flags:
            found.append(Finding(MAN, 1, f"--{word} is not in --help"))
    found += [Finding(MAN, 1, f"{c} is not described") for c in commands if f"Cm {c}" not in items]
    for name in COMPLETIONS:
        path = binary.parent / name
        text = read(path) if path.is_file() else ""
        for word in [f[2:] for f in flags if f.startswith("--")] + commands:
            if not re.search(rf"(?<![\w-]){word}(?![\w-])|--{word}\b", text):
                found.append(Finding(name, 1, f"{word} is not completed"))
    return found


# --- Markdown -------------------------------------------------------------------------------------


def split_code(text: str) -> tuple[list[tuple[int, str]], list[str]]:
    """Lines of prose with their numbers, and the blocks of code, fenced or indented."""
    prose: list[tuple[int, str]] = []
    blocks: list[list[str]] = []
    fence = code = False
    previous = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fence = not fence
            if fence:
                blocks.append([line])
        elif fence:
            blocks[-1].append(line)
        elif line.startswith("    ") and (code or not previous.strip()):
            if not code:
                blocks.append([])
            code = True
            blocks[-1].append(line)
        elif line.strip() or not code:
            code = False
            prose.append((number, line))
        previous = line
    return prose, ["\n".join(block) for block in blocks]


def headings_of(prose: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(n, line) for n, line in prose if re.match(r"#{1,6} ", line)]


def anchors_of(text: str) -> set[str]:
    """As web pages of repositories make them of headings."""
    anchors = set()
    for _, line in headings_of(split_code(text)[0]):
        title = line.lstrip("#").strip().lower()
        anchors.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return anchors


_LINK = re.compile(r"\]\(([^)\s]+)\)")


def check_links(root: Path) -> list[Finding]:
    found = []
    for file in files(root, ".md"):
        for number, line in split_code(read(file))[0]:
            for target in _LINK.findall(line):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                other = (file.parent / path).resolve() if path else file
                if not other.exists():
                    found.append(Finding(relative(root, file), number, f"{target}: there is no such file"))
                elif anchor and other.suffix == ".md" and anchor not in anchors_of(read(other)):
                    found.append(Finding(relative(root, file), number, f"{target}: there is no such heading"))
    return found


def check_messages(root: Path) -> list[Finding]:
    """What the table of log lines explains is logged, and each warning and error of the log is explained.

    The first cell is the message, or its beginning.
    """
    path = root / TROUBLESHOOTING
    if not path.is_file():
        return [Finding(TROUBLESHOOTING, 1, "is missing")]
    sources = {relative(root, f): re.sub(r'"\s*\n\s*"', "", read(f)) for f in files(root, ".c", under="src")}
    code = "\n".join(sources.values())
    found = []
    rows: list[str] = []
    before, _, section = read(path).partition("## What the log says")
    for number, line in split_code(section)[0]:
        match = re.match(r"\| `([^`]+)` \|", line)
        if match is not None:
            rows.append(match[1])
            if f'"{match[1]}' not in code:
                found.append(Finding(TROUBLESHOOTING, number + before.count("\n"), f"nothing logs: {match[1]}"))
    if not rows:
        return [Finding(TROUBLESHOOTING, 1, "explains no line of the log")]
    for name, text in sources.items():
        for message in re.findall(r'\bLOG_(?:WARN|ERROR)\(\s*"([^"]+)"', text):
            if not message.startswith(tuple(rows)):
                found.append(Finding(TROUBLESHOOTING, 1, f"does not explain what {name} logs: {message}"))
    return found


# A row that begins with something that is the same in all languages.
_NAMED = re.compile(r"\| `[^`]+`")


def check_translations(root: Path) -> list[Finding]:
    """Headings of the same levels in the same order, the same rows of tables, the same code."""
    found = []
    for original, translation in TRANSLATIONS.items():
        pair = [root / original, root / translation]
        missing = [p for p in pair if not p.is_file()]
        if missing:
            found += [Finding(relative(root, p), 1, "is missing") for p in missing]
            continue
        (prose, code), (prose2, code2) = (split_code(read(p)) for p in pair)
        levels, levels2 = (
            [(n, len(line) - len(line.lstrip("#"))) for n, line in headings_of(p)] for p in (prose, prose2)
        )
        for (_, one), (number, other) in itertools.zip_longest(levels, levels2, fillvalue=(1, 0)):
            if one != other:
                found.append(Finding(translation, number, f"the headings are not those of {original}"))
                break
        rows, rows2 = ([(n, line) for n, line in p if line.startswith("|")] for p in (prose, prose2))
        if len(rows) != len(rows2):
            found.append(Finding(translation, 1, f"{len(rows2)} rows of tables, {original} has {len(rows)}"))
        for (_, one), (number, other) in zip(rows, rows2):
            if _NAMED.match(one) and _NAMED.match(other) and _NAMED.match(one)[0] != _NAMED.match(other)[0]:
                found.append(Finding(translation, number, f"{original} has this row: {_NAMED.match(one)[0]}"))
                break
        for one, other in itertools.zip_longest(code, code2, fillvalue=""):
            if one != other:
                line = (one or other).splitlines()[0].strip()
                found.append(Finding(translation, 1, f"code is not that of {original}: {line}"))
                break
    return found


def check(root: Path) -> list[Finding]:
    return (
        check_man(root)
        + check_flags(root)
        + check_links(root)
        + check_messages(root)
        + check_translations(root)
    )


if __name__ == "__main__":
    main(check)
