#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what every text file must have: a licence line in sources, no path of one machine."""
from __future__ import annotations

import re
from pathlib import Path

from tree import Finding, files, main, read, relative

LICENCE = "SPDX-License-Identifier: Apache-2.0"
SOURCES = (".c", ".h", ".py", ".sh", ".go", ".java", "CMakeLists.txt", ".ci/run")

# Somebody's own folders. /etc, /usr, /var, /tmp and the like are everybody's.
_MACHINE = re.compile(r"(?<![\w.$}~/-])/(?:home|root|Users|work|workspace|mnt|srv)/[\w.$-]")

# A comment line of C, Go, Java, Python, shell or CMake, or an empty one.
_COMMENT = re.compile(r"\s*(?:$|#|//|/\*|\*)")


def first_comment(text: str) -> str:
    lines = []
    inside = False
    for line in text.splitlines():
        if not inside and not _COMMENT.match(line):
            break
        if not inside and re.match(r"#\s*(?:include|define|ifn?def|pragma)\b", line):
            break
        inside = (inside or "/*" in line) and "*/" not in line
        lines.append(line)
    return "\n".join(lines)


def check(root: Path) -> list[Finding]:
    found = []
    for file in files(root):
        path = relative(root, file)
        raw = file.read_bytes()
        if b"\0" in raw[:4096]:
            continue
        text = read(file)
        if path.endswith(SOURCES) and text.strip() and LICENCE not in first_comment(text):
            found.append(Finding(path, 1, f"the first comment must hold {LICENCE}"))
        for number, line in enumerate(text.splitlines(), 1):
            match = _MACHINE.search(line)
            if match is not None:
                found.append(Finding(path, number, f"path of one machine: {match.group()}..."))
            if path.endswith((".c", ".h", ".py", ".sh")) and line != line.rstrip():
                found.append(Finding(path, number, "blanks at the end of the line"))
    return found


if __name__ == "__main__":
    main(check)
