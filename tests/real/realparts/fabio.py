# SPDX-License-Identifier: Apache-2.0
"""fabio, routing by what Consul says."""

from . import web
from .ports import free_port
from .waiting import until


class RunningFabio:
    """A fabio that somebody else started."""

    def __init__(self, address, ui):
        self.address = address
        self._ui = ui

    def await_up(self):
        until(
            "fabio's health page",
            lambda: web.get(self._ui, "/health"),
            lambda reply: reply.status == 200,
        )

    def routes(self):
        """What it routes now, as pairs of path and address."""
        return {
            (route["path"], route["dst"].removeprefix("http://").rstrip("/"))
            for route in web.get_json(self._ui, "/api/routes") or ()
        }

    @property
    def table_url(self):
        return f"http://{self._ui}/api/routes"

    def table(self):
        """All that it tells of each target."""
        return web.get_json(self._ui, "/api/routes") or []

    def await_path(self, path):
        until(f"fabio's route {path}", self.table, lambda table: any(r["path"] == path for r in table))

    def await_no_routes(self):
        until("fabio to have no routes left", self.routes, lambda routes: not routes)

    def await_route(self, path, address, timeout=30.0):
        until(
            f"fabio's route {path} to {address}",
            self.routes,
            lambda routes: (path, address) in routes,
            timeout,
        )


class Fabio(RunningFabio):
    def __init__(self, run, consul):
        super().__init__(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
        self._run = run
        self._consul = consul
        self._process = None

    def __enter__(self):
        self._process = self._run.start(
            "fabio",
            [
                self._run.parts / "fabio",
                "-proxy.addr",
                self.address,
                "-ui.addr",
                self._ui,
                "-registry.consul.addr",
                self._consul.address,
                "-registry.consul.register.enabled=false",
            ],
        )
        self.await_up()
        return self

    def __exit__(self, *_):
        self._process.kill()
