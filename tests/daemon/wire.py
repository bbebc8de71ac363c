# SPDX-License-Identifier: Apache-2.0
"""A plain HTTP client that shows the bytes as they came, which http.client would tidy up."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Response:
    status_line: str
    headers: list  # (name, value) as sent, in order
    body: bytes
    raw: bytes

    @property
    def status(self):
        return int(self.status_line.split(" ", 2)[1])

    @property
    def text(self):
        return self.body.decode()

    def header(self, name):
        """The value of a header that may appear once at most, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} sent {len(values)} times"
        return values[0] if values else None


class Connection:
    """One TCP connection; requests are given as bytes or built by request()."""

    def __init__(self, port, host="127.0.0.1", timeout=5.0):
        self._host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._socket = socket.create_connection((host, port), timeout)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def receive_once(self, size=65536):
        """What one recv() gives: the view of a client that reads once."""
        return self._socket.recv(size)

    def request(self, path, method="GET", headers=(), version="HTTP/1.1"):
        """Sends a request and returns its response. `path` goes out as it is."""
        lines = [f"{method} {path} {version}", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return self.response(method)

    def response(self, method="GET"):
        head = self._take_until(b"\r\n\r\n")
        status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        fields = {name.lower(): value for name, value in headers}
        status = int(status_line.split(" ", 2)[1])
        if method == "HEAD" or status == 304 or status < 200:
            body, sent = b"", b""
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            body, sent = self._take_chunked()
        elif "content-length" in fields:
            body = sent = self._take(int(fields["content-length"]))
        else:
            body = sent = self._take_rest()
        return Response(status_line, headers, body, head + sent)

    def is_closed_by_peer(self):
        """True once the peer has closed; False if it keeps the connection open for half a second."""
        if self._buffer:
            return False
        self._socket.settimeout(0.5)
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _fill(self):
        data = self._socket.recv(65536)
        self._buffer += data
        return bool(data)

    def _take(self, size):
        while len(self._buffer) < size:
            if not self._fill():
                raise ConnectionError(f"closed in the middle of a response: {self._buffer!r}")
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _take_until(self, mark):
        while mark not in self._buffer:
            if not self._fill():
                raise ConnectionError(f"closed before a whole header: {self._buffer!r}")
        return self._take(self._buffer.index(mark) + len(mark))

    def _take_rest(self):
        while self._fill():
            pass
        return self._take(len(self._buffer))

    def _take_chunked(self):
        body, sent = b"", b""
        while True:
            line = self._take_until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            chunk = self._take(size + 2)
            body, sent = body + chunk[:-2], sent + line + chunk
            if size == 0:
                return body, sent


def get(port, path, **options):
    """One request on a connection of its own."""
    with Connection(port) as connection:
        return connection.request(path, **options)
