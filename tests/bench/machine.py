# SPDX-License-Identifier: Apache-2.0
"""What a process costs, and what it runs on."""

import os
import pathlib
import time

SERVER_CORE, CLIENT_CORE = "0", "1"

# The kernel's number for the clock of a whole process, ended threads included (CPUCLOCK_SCHED).
_CPU_CLOCK = 2


def cpu_ns(pid):
    """CPU time of a process so far. Exact, where /proc/PID/stat counts in hundredths of a second."""
    return time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK)


def memory_kb(pid):
    """Resident memory of a process and what it is made of."""
    kinds = {"VmRSS": "rss", "RssAnon": "anon", "RssFile": "file", "Pss": "pss", "VmHWM": "peak"}
    text = "".join(pathlib.Path(f"/proc/{pid}/{name}").read_text() for name in ("status", "smaps_rollup"))
    fields = (line.split() for line in text.splitlines())
    return {kinds[f[0].rstrip(":")]: int(f[1]) for f in fields if f and f[0].rstrip(":") in kinds}


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def description():
    names = [
        line.partition(":")[2].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else 'an unnamed CPU'}, {len(names)} cores, Linux {os.uname().release}"
