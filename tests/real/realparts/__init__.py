# SPDX-License-Identifier: Apache-2.0
"""The real systems around nsaddrd, each a small class that starts it, waits for it, and ends it."""
