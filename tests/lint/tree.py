# SPDX-License-Identifier: Apache-2.0
"""What every lint shares: a finding, the files of the tree, C text without its comments."""
from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]

# Folders that are made by tools, wherever they appear.
MADE = {".git", "__pycache__", ".pytest_cache", ".cache", ".venv", "target"}


@dataclass(frozen=True, order=True)
class Finding:
    """One violation: where it is, and what would be right."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def files(root: Path, *suffixes: str, under: str = "") -> Iterator[Path]:
    """The tree's own files in a stable order; build folders and tools' droppings left out."""
    for folder, names, leaves in os.walk(root / under):
        if Path(folder) == root:
            names[:] = [n for n in names if not n.startswith("build")]
        names[:] = sorted(n for n in names if n not in MADE)
        for leaf in sorted(leaves):
            if not suffixes or leaf.endswith(suffixes):
                yield Path(folder) / leaf


def relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


_C_TOKENS = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.VERBOSE | re.DOTALL,
)


def c_code(text: str) -> str:
    """C text with comments and the insides of literals blanked; line numbers stay."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)

    return _C_TOKENS.sub(blank, text)


def main(check: Callable[[Path], list[Finding]]) -> None:
    """Run one lint from the command line: [root]. Exit 1 if it found something."""
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    found = sorted(check(root))
    for finding in found:
        print(finding)
    name = Path(sys.argv[0]).stem
    print(f"{name}: {len(found)} finding(s)", file=sys.stderr)
    sys.exit(1 if found else 0)
