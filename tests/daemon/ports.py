# SPDX-License-Identifier: Apache-2.0
"""Free TCP ports that stay free for the length of a test."""

import os
import random
import socket

# Below the kernel's ephemeral range: while a test keeps a server stopped, no outgoing connection of
# another process can be given its port.
_RANGE = range(12000, 32000)
# Workers that run side by side (pytest-xdist: gw0, gw1, ...) have a part of it each.
_WORKERS = 8
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_RANGE = _RANGE[_worker % _WORKERS::_WORKERS]
_given = set()
_random = random.Random()


def free_port():
    for _ in range(1000):
        port = _random.choice(_RANGE)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free TCP port found")
