# SPDX-License-Identifier: Apache-2.0
"""Reads the struct torture_log of torture.h."""

import struct
from pathlib import Path

_HEAD = struct.Struct("=QQ48s")


class TortureLog:
    def __init__(self, path):
        self.path = Path(path)

    def clear(self):
        self.path.unlink(missing_ok=True)

    def failed_name(self):
        """What failed; empty when nothing did."""
        if not self.path.exists():
            return ""
        with open(self.path, "rb") as file:
            return _HEAD.unpack(file.read(_HEAD.size))[2].rstrip(b"\0").decode()

    def read(self):
        """The site of each point, in their order."""
        data = self.path.read_bytes()
        points = _HEAD.unpack_from(data)[0]
        return list(struct.unpack_from(f"={points}Q", data, _HEAD.size))
