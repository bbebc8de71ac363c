# SPDX-License-Identifier: Apache-2.0
"""The names of the metrics, and promtool, are shared with the whole-daemon tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
