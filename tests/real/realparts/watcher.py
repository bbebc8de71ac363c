# SPDX-License-Identifier: Apache-2.0
"""Asking for one path again and again while something else happens."""

import http.client
import threading
import time

from . import web


class Watcher:
    """A thread that asks with a pause between, and keeps each change of the outcome with its time.

    An outcome is a Reply, or the text of the error that came instead of one.
    """

    def __init__(self, address, path, pause=0.05, keep_alive=False):
        self._address, self._path, self._pause, self._keep_alive = address, path, pause, keep_alive
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.asked = 0
        self.changes = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def outcomes(self, since=0.0):
        """All that was seen from the moment `since` (of time.monotonic) on."""
        before = [outcome for at, outcome in self.changes if at < since]
        return set(before[-1:] + [outcome for at, outcome in self.changes if at >= since])

    def first(self, accept):
        """The moment of the first change to such an outcome, or None."""
        return next((at for at, outcome in self.changes if accept(outcome)), None)

    def _watch(self):
        connection = http.client.HTTPConnection(self._address, timeout=5)
        while not self._stop.wait(self._pause):
            try:
                outcome = web.ask(connection, self._path)
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
                connection.close()
            if not self._keep_alive:
                connection.close()
            self.asked += 1
            if not self.changes or outcome != self.changes[-1][1]:
                self.changes.append((time.monotonic(), outcome))
        connection.close()
