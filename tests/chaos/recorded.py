# SPDX-License-Identifier: Apache-2.0
"""A daemon beside a fake Consul, with all that both say recorded, and judged at the end."""

import signal
import time
from contextlib import contextmanager
from typing import NamedTuple

from daemon import Daemon, run
from fake_consul import FakeConsul
from history import Options
from ports import free_port
from recorder import Poller, Recorder
from validator import validate

# How much later than a reply its effect may be seen on a busy machine. What leaves early is found whatever it is.
SLACK = 1000


class Delays(NamedTuple):
    """Milliseconds."""

    settle: int
    leave: int
    gone: int


# Not below a second: nobody leaves before the daemon can see whether most clusters lose members at once.
SHORT = Delays(settle=150, leave=1200, gone=1500)
AS_SHIPPED = Delays(settle=2000, leave=30_000, gone=300_000)


class RecordedRun:
    """Consul and the daemon run, and are recorded, while the block is entered."""

    def __init__(self, name, folder, clusters, *, ports=None, options=None, delays=SHORT, env=None):
        """ports: of Consul and the two of the daemon, where other processes look for free ones at the same time."""
        self._folder = folder
        self._path = folder / "history"
        self._recorder = Recorder(Options(name, *delays, state=True, slack=SLACK, static={}))
        consul_port, port, admin_port = ports or (free_port(), free_port(), free_port())
        self.consul = FakeConsul(observer=self._recorder.observe)
        self.consul.port = consul_port
        self.daemon = Daemon(folder, {
            "listen": f"127.0.0.1:{port}",
            "admin.listen": f"127.0.0.1:{admin_port}",
            "consul.address": self.consul.url,
            "admission.settle": f"{delays.settle}ms",
            "admission.leave_delay": f"{delays.leave}ms",
            "admission.gone_delay": f"{delays.gone}ms",
            "state.dir": str(folder),
            **(options or {}),
        }, env=env)
        self.daemon.port, self.daemon.admin_port = port, admin_port
        self._poller = Poller(port, clusters, self._recorder.history)

    def __enter__(self):
        self.consul.start()
        self.start()
        self._poller.__enter__()
        return self

    def __exit__(self, *_):
        complaint = self.daemon.finish()
        self._recorder.history.stop()
        self._poller.__exit__()
        self.consul.stop()
        self._path.write_text(self._recorder.text(), encoding="utf-8")
        assert complaint is None, complaint

    def history(self):
        """Its lines, once it is complete."""
        return self._recorder.text().splitlines()

    def violations(self):
        return [f"{self._path}: {violation}" for violation in validate(self.history())]

    @staticmethod
    def let_pass(seconds):
        """Time in which only what is recorded happens."""
        time.sleep(seconds)

    # The life of the daemon

    def start(self):
        self._recorder.history.start()
        self.daemon.start(ready=False)

    def stop(self):
        self.daemon.stop()
        self._recorder.history.stop()

    def kill(self):
        self.daemon.kill()
        self._recorder.history.kill()

    @contextmanager
    def frozen(self):
        self.daemon.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.daemon.signal(signal.SIGCONT)

    def reload_badly(self):
        """SIGHUP with a configuration that is none: nothing may change. The next start writes a good one."""
        self.daemon.refuse("consul : { address = ;")

    def start_badly(self):
        """A start that must fail, beside the state of the run before."""
        result = run(self._folder, config="consul : { address = ;")
        assert result.returncode == 78, result
