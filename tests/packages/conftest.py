# SPDX-License-Identifier: Apache-2.0
"""What the tests of the packages share."""

import os

import pytest


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("tests/packages needs root: it installs into fresh Debian roots", returncode=1)
