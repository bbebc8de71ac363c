# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions instead of sleeping."""

import threading
import time
from dataclasses import dataclass

POLL_INTERVAL = 0.02


def eventually(condition, what, deadline=10.0):
    """Returns the first true value of condition(), or fails naming what never came about."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(POLL_INTERVAL)


@dataclass(frozen=True)
class Sample:
    at: float
    value: object


class Watcher:
    """Samples a value in its own thread, so that a test can look at its whole history afterwards.

    Use as a context manager; what there is when the block begins, and when it ends, is seen for sure.
    observe() bounds the "this never changes" kind of check.
    """

    def __init__(self, sample):
        self._sample = sample
        self._samples = []
        self._stop = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._take()
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        self._thread.join(10)
        if kind is not None:
            return
        if self._failure is not None:
            raise self._failure
        self._take()

    def _take(self):
        self._samples.append(Sample(time.monotonic(), self._sample()))

    def _run(self):
        try:
            while not self._stop.wait(POLL_INTERVAL):
                self._take()
        except Exception as error:  # handed to the test by __exit__ or history()
            self._failure = error

    def observe(self, seconds):
        """Goes on watching for this long."""
        self._stop.wait(seconds)

    def history(self):
        if self._failure is not None:
            raise self._failure
        return list(self._samples)

    def values(self):
        """The values seen, in order, repeats left out."""
        seen = []
        for sample in self.history():
            if not seen or seen[-1] != sample.value:
                seen.append(sample.value)
        return seen

    def first(self, value):
        """The time at which the value was first seen, or None."""
        return next((s.at for s in self.history() if s.value == value), None)
