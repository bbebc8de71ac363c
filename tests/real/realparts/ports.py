# SPDX-License-Identifier: Apache-2.0
"""Free TCP ports on this machine."""

import random
import socket

# Below the ephemeral range: no outgoing connection takes a port between our look and its use.
_FIRST, _LAST = 15000, 31000
_given = set()


def free_port(also=()):
    """A port that nobody has, nor got before. Those at the offsets `also` from it are free too."""
    for _ in range(1000):
        port = random.randrange(_FIRST, _LAST)
        wanted = [port + offset for offset in (0, *also)]
        if not _given.intersection(wanted) and all(_is_free(p) for p in wanted):
            _given.update(wanted)
            return port
    raise AssertionError("no free port found")


def _is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
