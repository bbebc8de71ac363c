# SPDX-License-Identifier: Apache-2.0
"""Prometheus' own checker, which tests/run.sh fetches."""

import os
import shutil
import subprocess
from pathlib import Path

_CACHE = Path(os.environ.get("NSADDRD_TEST_CACHE", Path.home() / ".cache" / "nsaddrd-tests"))


def promtool(*arguments, text=None):
    """Runs it; returns its exit code and all that it says."""
    program = shutil.which("promtool") or shutil.which("promtool", path=_CACHE)
    assert program, f"promtool is neither in PATH nor in {_CACHE}: tests/run.sh --only monitoring puts it there"
    result = subprocess.run([program, *map(str, arguments)], input=text, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=300, check=False)
    return result.returncode, result.stdout.decode()
