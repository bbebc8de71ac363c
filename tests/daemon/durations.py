# SPDX-License-Identifier: Apache-2.0
"""Durations as Consul and Go write them."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")


def seconds(text):
    """"1m30s" as 90.0; ValueError for anything that is no duration, a bare number included."""
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"{text!r} is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
