#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds calls that are unsafe, depend on the locale or hide state, and says what to use instead."""
from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from tree import Finding, c_code, files, main, read, relative

BUFFER = "snprintf or base/buf.h"
NUMBER = "strtoll or strtoull with a check of the end pointer, errno and the range"
TIME_R = "the _r twin (gmtime_r, strftime into your own buffer)"
RANDOM = "jitter_*() of base/clock.h"
CHILD = "nothing: this daemon starts no programs"
LOOKUP = "getaddrinfo, or inet_pton/inet_ntop for literals"
LOG = "base/log.h"

# call -> what to use instead
BANNED = {
    "strcpy": BUFFER, "strcat": BUFFER, "strncpy": BUFFER, "strncat": BUFFER, "stpcpy": BUFFER,
    "sprintf": BUFFER, "vsprintf": BUFFER, "gets": "fgets or getline",
    "strtok": "strtok_r, strcspn or memchr",
    "atoi": NUMBER, "atol": NUMBER, "atoll": NUMBER, "atof": "strtod with a check",
    "sscanf": NUMBER, "scanf": NUMBER, "fscanf": NUMBER,
    "localtime": "gmtime_r: we print UTC", "localtime_r": "gmtime_r: we print UTC",
    "gmtime": TIME_R, "asctime": TIME_R, "ctime": TIME_R,
    "rand": RANDOM, "srand": RANDOM, "random": RANDOM, "srandom": RANDOM, "drand48": RANDOM,
    "alloca": "an array of known size or malloc",
    "system": CHILD, "popen": CHILD, "fork": CHILD, "vfork": CHILD,
    "tmpnam": "mkstemp in the target's folder", "tempnam": "mkstemp in the target's folder",
    "mktemp": "mkstemp in the target's folder",
    "gethostbyname": LOOKUP, "gethostbyaddr": LOOKUP, "inet_addr": LOOKUP, "inet_aton": LOOKUP,
    "inet_ntoa": LOOKUP,
    "setjmp": "a return value", "longjmp": "a return value",
}  # fmt: skip

# (pattern, files that may, what to use instead)
RESTRICTED = [
    (r"signal\s*\((?!\s*\w+\s*,\s*SIG_IGN\s*\))", [], "sigaction, signalfd or sigwait in main()"),
    (r"(?:exit|quick_exit|_Exit|_exit)\s*\(", ["src/main.c", "src/config/argv*.c"],
     "return an error to main()"),
    (r"(?:printf|vprintf|puts|putchar)\s*\(", ["src/main.c", "src/config/*.c"], LOG),
    (r"stdout\b", ["src/main.c", "src/config/*.c"], LOG),
    (r"(?:perror|psignal)\s*\(|stderr\b", ["src/main.c", "src/config/*.c", "src/base/log.c"], LOG),
]  # fmt: skip

# banned.h is where the compiler is told the same; it has to name them.
EXEMPT = {"include/base/banned.h"}

# Not a member (x.exit, x->exit), not the tail of a longer name.
_FREE = r"(?<![\w.])(?<!->)"
_BANNED = re.compile(_FREE + r"(" + "|".join(BANNED) + r")\s*\(")


def check(root: Path) -> list[Finding]:
    found = []
    for top in ("src", "include"):
        for file in files(root, ".c", ".h", under=top):
            path = relative(root, file)
            if path in EXEMPT:
                continue
            for number, line in enumerate(c_code(read(file)).splitlines(), 1):
                for match in _BANNED.finditer(line):
                    name = match.group(1)
                    found.append(Finding(path, number, f"{name}(): use {BANNED[name]}"))
                for pattern, allowed, instead in RESTRICTED:
                    if any(fnmatch.fnmatch(path, a) for a in allowed):
                        continue
                    for match in re.finditer(_FREE + r"(?:" + pattern + ")", line):
                        name = re.match(r"\w+", match.group()).group()
                        where = f"only in {', '.join(allowed)}; here use" if allowed else "use"
                        found.append(Finding(path, number, f"{name}: {where} {instead}"))
    return found


if __name__ == "__main__":
    main(check)
