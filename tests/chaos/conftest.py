# SPDX-License-Identifier: Apache-2.0
"""The modules of the tests of the whole daemon, of the validator and of the recorder, for the tests of this folder."""

import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS / folder) for folder in ("daemon", "validate", "faults")]

from daemon import BINARY  # noqa: E402 (its folder has to be known first)


def pytest_configure():
    if not BINARY.exists():
        raise pytest.UsageError(f"there is no {BINARY}: build it or set NSADDRD_BIN")
