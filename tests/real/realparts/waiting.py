# SPDX-License-Identifier: Apache-2.0
"""Waiting for an event, with a deadline, and a message that says what was seen instead."""

import http.client
import time

from . import processes


def until(what, look, accept=bool, timeout=30.0, every=0.1):
    """Calls look() until accept(its result), and returns that result.

    A refused or broken connection counts as "not yet". A child that died ends the wait at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        processes.assert_all_alive()
        try:
            seen = look()
            if accept(seen):
                return seen
        except (OSError, http.client.HTTPException) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for: {what}\nlast seen: {seen!r}")
        time.sleep(every)
