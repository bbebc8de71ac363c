#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the include directions: which room may include which, and who may use which library."""
from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from tree import Finding, files, main, read, relative

# room -> rooms below it. main.c may include all of them.
ROOMS = {
    "base": set(),
    "model": {"base"},
    "config": {"base", "model"},
    "consul": {"base", "model", "config"},
    "source": {"base", "model", "config", "consul"},
    "announce": {"base", "model", "config", "consul"},
    "serve": {"base", "model", "config"},
    "client": {"base", "model", "config"},
    "daemon": {"base", "model", "config", "consul", "source", "announce", "serve"},
}

# library header -> files that may include it (src/ and include/ paths).
LIBRARIES = {
    "microhttpd.h": ["src/serve/http*.c"],
    "curl/*": ["src/consul/*", "include/consul/*", "src/client/*"],
    "cjson/*": ["src/consul/*", "include/consul/*", "src/serve/status*.c"],
    "libconfig.h": ["src/config/*", "include/config/*"],
    "uthash.h": ["src/*", "include/*"],
    "utlist.h": ["src/*", "include/*"],
    "utarray.h": ["src/*", "include/*"],
}

# C library and kernel headers. A header that is in neither list is a new dependency.
SYSTEM = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign
    stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings threads time
    uchar wchar wctype
    dirent endian fcntl fnmatch getopt ifaddrs libgen link malloc netdb poll pthread pwd grp regex sched spawn
    sysexits syslog termios unistd
    arpa/* net/* netinet/* sys/* linux/*
""".split()

# (files, header, why): what a room must not know although the header is in a room below it.
FORBIDDEN = [
    ("*/model/*", "base/log.h", "model/ decides and never logs"),
    ("*/model/*", "base/file.h", "model/ does no I/O"),
    ("*/model/*", "base/timers.h", "model/ takes the time as an argument"),
    ("*/model/*", "<time.h>", "model/ takes the time as an argument"),
    ("*/model/*", "<sys/time.h>", "model/ takes the time as an argument"),
    ("*/model/*", "<unistd.h>", "model/ does no I/O"),
    ("*/model/*", "<fcntl.h>", "model/ does no I/O"),
    ("*/model/*", "<poll.h>", "model/ does no I/O"),
    ("*/consul/*", "base/log.h", "consul/ fills errors, its callers log them"),
    ("*/consul/*", "model/registry.h", "consul/ does not know what is served"),
]

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path: str) -> str:
    """The room a file lives in, or "" for main.c."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def check_own(path: str, header: str, root: Path) -> str | None:
    room = room_of(path)
    below = header.split("/")[0] if "/" in header else None
    if below is None:
        return f'write the room: #include "{room or "<room>"}/{header}"'
    if below not in ROOMS:
        return f'"{below}/" is not a room ({", ".join(ROOMS)})'
    if not (root / "include" / header).is_file():
        return f"include/{header} does not exist"
    if room and below != room and below not in ROOMS.get(room, set()):
        allowed = ", ".join(sorted(ROOMS.get(room, set()))) or "nothing but the C library"
        return f"{room}/ must not include {below}/; it may include {allowed}"
    return None


def check_outside(path: str, header: str) -> str | None:
    for pattern, allowed in LIBRARIES.items():
        if fnmatch.fnmatch(header, pattern):
            if any(fnmatch.fnmatch(path, a) for a in allowed):
                return None
            return f"<{header}> belongs to {', '.join(allowed)} only"
    stem = header.removesuffix(".h")
    if not any(fnmatch.fnmatch(stem, s) for s in SYSTEM):
        return f"<{header}> is neither the C library nor a library this project uses"
    return None


def check(root: Path) -> list[Finding]:
    found = []
    for top in ("src", "include"):
        for file in files(root, ".c", ".h", under=top):
            path = relative(root, file)
            parts = path.split("/")
            if path != "src/main.c" and (len(parts) != 3 or parts[1] not in ROOMS):
                found.append(Finding(path, 1, f"not in a room ({', '.join(ROOMS)})"))
                continue
            for number, line in enumerate(read(file).splitlines(), 1):
                match = _INCLUDE.match(line)
                if match is None:
                    continue
                kind, header = match.groups()
                problem = (
                    check_own(path, header, root) if kind == '"' else check_outside(path, header)
                )
                written = header if kind == '"' else f"<{header}>"
                for pattern, banned, why in FORBIDDEN:
                    if fnmatch.fnmatch(path, pattern) and written == banned:
                        problem = f"{banned}: {why}"
                if problem is not None:
                    found.append(Finding(path, number, problem))
    return found


if __name__ == "__main__":
    main(check)
