#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the layout: the top level, one header per source file, guards and purpose lines."""
from __future__ import annotations

import re
from pathlib import Path

from includes import ROOMS
from tree import Finding, c_code, files, main, read, relative

FOLDERS = {"src", "include", "conf", "packaging", "tests", ".ci"}
FILES = {
    "Dockerfile", "CMakeLists.txt", "README.md", "LICENSE", ".dockerignore",
    ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore",
}  # fmt: skip
NEEDED = FOLDERS | (FILES - {"Dockerfile", ".dockerignore"})

# Made by git, the build and editors; .gitignore names them too.
IGNORED = re.compile(
    r"\.git|build.*|compile_commands\.json|\.pytest_cache|__pycache__|\.cache|\.venv"
    r"|\.vscode|\.idea|.*\.swp|.*~|core(\..*)?"
)

_PROTOTYPE = re.compile(r"\b\w+\s*\([^;{}]*\)[^;{}=]*;")


def check_top(root: Path) -> list[Finding]:
    found = []
    present = {p.name: p for p in root.iterdir()}
    for name, path in sorted(present.items()):
        wanted = FOLDERS if path.is_dir() else FILES
        if name not in wanted and not IGNORED.fullmatch(name):
            found.append(Finding(name, 1, "does not belong in the top level"))
    for name in sorted(NEEDED - present.keys()):
        found.append(Finding(name, 1, "is missing from the top level"))
    return found


def declares_functions(text: str) -> bool:
    """True if a header has a prototype whose body must be somewhere."""
    code = re.sub(r"^\s*#.*(?:\\\n.*)*", "", c_code(text), flags=re.MULTILINE)
    previous = None
    while previous != code:  # inline bodies and struct members go, innermost first
        previous = code
        code = re.sub(r"\{[^{}]*\}", ";", code)
    statements = [s.strip() for s in re.split(r"(?<=;)", code)]
    return any(
        _PROTOTYPE.search(s) and not re.match(r"typedef|static|_Static_assert", s)
        for s in statements
    )


def check_pairs(root: Path) -> list[Finding]:
    """include/<room>/<module>.h and src/<room>/<module>.c come together.

    A module with several files calls them <module>_<part>.c; they share its one header.
    """
    found = []
    headers = {relative(root, h): h for h in files(root, ".h", under="include")}
    sources = [relative(root, s) for s in files(root, ".c", under="src")]
    for path, header in headers.items():
        module = "src/" + path.removeprefix("include/").removesuffix(".h")
        parts = [s for s in sources if s == module + ".c" or s.startswith(module + "_")]
        if not parts and declares_functions(read(header)):
            found.append(Finding(path, 1, f"declares functions but there is no {module}.c"))
    for path in sources:
        words = path.removeprefix("src/").removesuffix(".c").split("_")
        twins = ["include/" + "_".join(words[:n]) + ".h" for n in range(len(words), 0, -1)]
        if path != "src/main.c" and not any(t in headers for t in twins):
            found.append(Finding(path, 1, f"has no {twins[0]}"))
    for stray in files(root, ".h", under="src"):
        found.append(Finding(relative(root, stray), 1, "headers live in include/<room>/"))
    return found


def check_headers(root: Path) -> list[Finding]:
    found = []
    for header in files(root, ".h", under="include"):
        path = relative(root, header)
        text = read(header)
        parts = path.split("/")
        if len(parts) != 3 or parts[1] not in ROOMS:
            found.append(Finding(path, 1, "not in include/<room>/"))
            continue
        purpose = rf"/\*\n \* {re.escape(header.name)} - \S"
        if not re.match(purpose, text):
            found.append(Finding(path, 1, f"must start with /* and ` * {header.name} - purpose`"))
        guard = f"{parts[1]}_{header.stem}_H".upper()
        code = c_code(text).split()
        if code[:4] != ["#ifndef", guard, "#define", guard] or code[-1:] != ["#endif"]:
            found.append(Finding(path, 1, f"needs the include guard {guard} around everything"))
    return found


def check(root: Path) -> list[Finding]:
    return check_top(root) + check_pairs(root) + check_headers(root)


if __name__ == "__main__":
    main(check)
