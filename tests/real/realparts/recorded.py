# SPDX-License-Identifier: Apache-2.0
"""nsaddrd before a real Consul, with all that both say recorded, and judged at the end.

The proxy, the recorder and the validator are those of the tests beside a fake Consul.
"""

import pathlib
import sys

_TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(_TESTS / folder) for folder in ("daemon", "validate", "faults")]

from history import Options  # noqa: E402 (their folders have to be known first)
from proxy import Proxy  # noqa: E402
from recorder import Poller, Recorder  # noqa: E402

from .nsaddrd import Nsaddrd  # noqa: E402

# How much later than a reply its effect may be seen on a busy machine. What leaves early is found whatever it is.
SLACK = 1000


class Recorded:
    """Runs nsaddrd with these delays (milliseconds), and asks it for these clusters, while the block is entered."""

    def __init__(self, run, name, consul_address, clusters, *, settle, leave, gone):
        self._path = run.folder_for(f"history-{name}") / "history"
        options = Options(name, settle, leave, gone, state=False, slack=SLACK, static={})
        self._recorder = Recorder(options)
        host, port = consul_address.split(":")
        self._proxy = Proxy(host, int(port), self._recorder)
        self.nsaddrd = Nsaddrd(
            run,
            f"127.0.0.1:{self._proxy.port}",
            {
                "register.mode": "off",
                "consul.wait": "5s",
                "admission.settle": f"{settle}ms",
                "admission.leave_delay": f"{leave}ms",
                "admission.gone_delay": f"{gone}ms",
            },
        )
        self._poller = Poller(self.nsaddrd.port, clusters, self._recorder.history)

    def __enter__(self):
        self._proxy.start()
        self._recorder.history.start()
        self.nsaddrd.start()
        self._poller.__enter__()
        return self

    def __exit__(self, *failure):
        self._poller.__exit__()
        self.nsaddrd.__exit__(*failure)
        self._recorder.history.stop()
        self._proxy.stop()
        self._path.write_text(self._recorder.text(), encoding="utf-8")

    def events(self, word):
        """The fields of these events, once all are there."""
        lines = (line.split(" ") for line in self._recorder.text().splitlines())
        return [fields for fields in lines if fields[1] == word]

    def violations(self):
        return [f"{self._path}: {violation}" for violation in self._recorder.violations()]
