# SPDX-License-Identifier: Apache-2.0
"""A proxy for plain HTTP that stands in front of a Consul agent, records what it forwards, and breaks it.

Every connection of a client has one of its own to the agent. A reply is taken as a whole before its first byte
goes on, so it is known whether it will be handed over; only then it is recorded, just before its last byte.
"""

import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import NamedTuple

import history
from ports import free_port
from recorder import decoded

REFUSE = "refuse"  # nobody listens; open connections are reset
RESET_CONNECT = "reset-connect"  # reset as soon as they are there
RESET_HEADERS = "reset-headers"  # in the middle of the headers of the reply
RESET_BODY = "reset-body"  # in the middle of its body
BLACK_HOLE = "black-hole"  # connections come about, and then nothing
SLOW = "slow"  # one byte of the reply per second
KINDS = (REFUSE, RESET_CONNECT, RESET_HEADERS, RESET_BODY, BLACK_HOLE, SLOW)

_LARGEST_HEAD = 64 << 10
_BROKEN_OFF = {
    RESET_HEADERS: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Consul-In",
    RESET_BODY: b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 900\r\n\r\n" + b'[{"Node": {',
}


@dataclass
class Replacement:
    """A fault: this in place of every reply."""

    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=lambda: {"X-Consul-Index": "7"})


class _Message(NamedTuple):
    first: str  # request line or status line
    headers: dict  # names in lower case
    raw_head: bytes
    raw_body: bytes
    body: bytes  # without the chunks


class _Closed(Exception):
    """The peer has closed, or we have."""


class _Stream:
    """Reads messages from a socket."""

    def __init__(self, connection):
        self.connection = connection
        self._buffer = b""

    def message(self, method=None):
        """The next one; method is that of the request when it is a reply."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if method == "HEAD" or (method and first.split(" ")[1] in ("204", "304")):
            raw = body = b""
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            raw, body = self._chunks()
        elif "content-length" in headers:
            raw = body = self._exactly(int(headers["content-length"]))
        else:
            raw = body = self._rest() if method else b""
        return _Message(first, headers, head, raw, body)

    def _fill(self):
        try:
            data = self.connection.recv(65536)
        except OSError as error:
            raise _Closed from error
        self._buffer += data
        return bool(data)

    def _need(self):
        if not self._fill():
            raise _Closed

    def _take(self, size):
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _until(self, mark):
        while mark not in self._buffer:
            if len(self._buffer) > _LARGEST_HEAD:
                raise _Closed
            self._need()
        return self._take(self._buffer.index(mark) + len(mark))

    def _exactly(self, size):
        while len(self._buffer) < size:
            self._need()
        return self._take(size)

    def _rest(self):
        while self._fill():
            pass
        return self._take(len(self._buffer))

    def _chunks(self):
        raw, body = [], []
        while True:
            line = self._until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            data = self._exactly(size + 2)
            raw += [line, data]
            if size == 0:
                return b"".join(raw), b"".join(body)
            body.append(data[:-2])


class Proxy:
    """recorder: what gets the replies that are handed over (Recorder.reply), or None. used counts how often the
    present fault was met."""

    def __init__(self, upstream_host, upstream_port, recorder=None):
        self._upstream = (upstream_host, upstream_port)
        self._recorder = recorder
        self.port = free_port()
        self._lock = threading.Condition()
        self._fault = None
        self._stopping = False
        self._listener = None
        self._links = set()
        self.used = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self._listen()

    def stop(self):
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        self._close_listener()
        self._reset_all()

    def fault(self, kind):
        """From now on: one of KINDS, or a Replacement. Requests that wait for their reply now are met by it too."""
        with self._lock:
            self._fault = kind
            self.used = 0
            self._lock.notify_all()
        if kind == REFUSE:
            self._close_listener()
        if kind in (REFUSE, RESET_CONNECT):
            self._reset_all()

    def clear(self):
        """All is well again. What was held back goes on."""
        with self._lock:
            refused = self._fault == REFUSE
            self._fault = None
            self._lock.notify_all()
        if refused:
            self._listen()

    # Inside

    def _listen(self):
        listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _close_listener(self):
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self._fault == RESET_CONNECT:
                self.count()
                reset(connection)
                continue
            link = _Link(self, connection)
            with self._lock:
                self._links.add(link)
            threading.Thread(target=link.run, daemon=True).start()

    def _reset_all(self):
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()

    def forget(self, link):
        with self._lock:
            self._links.discard(link)

    def connect(self):
        return socket.create_connection(self._upstream, 10)

    def count(self):
        with self._lock:
            self.used += 1

    @property
    def present_fault(self):
        with self._lock:
            return self._fault

    def wait_while(self, kind, seconds=None):
        """False when the time is over and the fault is the same."""
        with self._lock:
            ended = self._lock.wait_for(lambda: self._fault is not kind or self._stopping, seconds)
            if self._stopping:
                raise _Closed
            return ended

    def record(self, asked, request, reply):
        if self._recorder is not None and request.first.startswith("GET "):
            path, query = decoded(request.first.split(" ")[1])
            status = int(reply.first.split(" ")[1])
            self._recorder.reply(asked, path, query, status, reply.headers, reply.body)


def reset(connection):
    """Closes with a reset in place of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class _Link:
    """One connection of a client, and ours to the agent."""

    _TICK_MS = 50  # how soon a fault is seen while the agent keeps us waiting

    def __init__(self, proxy, client):
        self._proxy = proxy
        self._client = client
        self._agent = None

    def run(self):
        try:
            client = _Stream(self._client)
            while True:
                request = client.message()
                self._serve(request, history.now_ms())
        except (_Closed, OSError, ValueError):
            pass
        finally:
            self._proxy.forget(self)
            self._client.close()
            self._drop_agent()

    def cut(self):
        """From another thread: the client sees a reset."""
        try:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._client.shutdown(socket.SHUT_RD)  # wakes run(), whose close() then resets
        except OSError:
            pass  # it was faster

    def _serve(self, request, asked):
        forwarded = False
        while True:
            fault = self._proxy.present_fault
            if fault is not None and fault != SLOW:
                self._proxy.count()
            if fault == BLACK_HOLE:
                self._proxy.wait_while(BLACK_HOLE)
                continue
            if isinstance(fault, Replacement):
                self._drop_agent()  # it may still owe the true reply
                self._hand_over(asked, request, _replaced(fault))
                return
            if fault in _BROKEN_OFF:
                self._client.sendall(_BROKEN_OFF[fault])
                reset(self._client)
                raise _Closed
            if not forwarded:
                self._forward(request)
                forwarded = True
            if self._agent_answers():
                break
        reply = self._agent.message(request.first.split(" ")[0])
        if fault == SLOW:
            self._drip(asked, request, reply)
        else:
            self._hand_over(asked, request, reply)
        if reply.headers.get("connection", "").lower() == "close":
            raise _Closed

    def _forward(self, request):
        if self._agent is None:
            self._agent = _Stream(self._proxy.connect())
        self._agent.connection.sendall(request.raw_head + request.raw_body)

    def _agent_answers(self):
        """Waits a moment for it."""
        waiting = select.poll()
        waiting.register(self._agent.connection, select.POLLIN)
        waiting.register(self._client, select.POLLIN)
        ready = [number for number, _ in waiting.poll(self._TICK_MS)]
        if self._client.fileno() in ready:
            raise _Closed  # it does not wait any more
        return bool(ready)

    def _hand_over(self, asked, request, reply):
        waiting = select.poll()
        waiting.register(self._client, select.POLLIN)
        if waiting.poll(0):
            raise _Closed
        self._proxy.record(asked, request, reply)
        self._client.sendall(reply.raw_head + reply.raw_body)

    def _drip(self, asked, request, reply):
        self._proxy.count()
        data = reply.raw_head + reply.raw_body
        sent = 0
        while sent < len(data) - 1 and not self._proxy.wait_while(SLOW, 1.0):
            self._client.sendall(data[sent:sent + 1])
            sent += 1
        self._proxy.record(asked, request, reply)
        self._client.sendall(data[sent:])

    def _drop_agent(self):
        if self._agent is not None:
            self._agent.connection.close()
            self._agent = None


def _replaced(fault):
    headers = {"Content-Type": "application/json", "Content-Length": str(len(fault.body)), **fault.headers}
    first = f"HTTP/1.1 {fault.status} Replaced"
    head = "".join(f"{line}\r\n" for line in [first, *(f"{name}: {value}" for name, value in headers.items()), ""])
    fields = {name.lower(): value for name, value in headers.items()}
    return _Message(first, fields, head.encode("latin-1"), fault.body, fault.body)
