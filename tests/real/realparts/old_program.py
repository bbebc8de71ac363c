# SPDX-License-Identifier: Apache-2.0
"""The program that nsaddrd replaces: it answers for one cluster, with the list it was rendered with."""

import http.server
import threading


class OldProgram:
    """Registers itself for fabio, as its orchestrator would."""

    def __init__(self, consul, cluster, body):
        self._consul, self.cluster, self.body = consul, cluster, body
        self.asked = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._consul.register(
            f"nsaddr-{self.cluster}",
            self.port,
            service_id=self._id(),
            tags=[f"urlprefix-/rocketmq/{self.cluster}"],
        )
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Harmless when it is stopped already."""
        if self._server is None:
            return
        self._consul.deregister(self._id())
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    def _id(self):
        return f"nsaddr-{self.cluster}-{self.port}"

    def _handler(self):
        program = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                known = self.path == f"/rocketmq/{program.cluster}"
                program.asked += known
                body = program.body.encode() if known else b""
                self.send_response(200 if known else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
