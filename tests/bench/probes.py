# SPDX-License-Identifier: Apache-2.0
"""What looks at a server from outside: its answers, its connections, its CPU time, when it serves a change."""

import heapq
import os
import pathlib
import re
import socket
import threading
import time

from machine import cpu_ns

_SAMPLES_PER_SECOND = 20
_LOOKUPS = 3
_LONGEST_ANSWER = 1 << 20
# Of one poll for one change: at first, as a share of what it waits already, and at most.
_POLL_FIRST, _POLL_SHARE, _POLL_MOST = 0.0015, 0.05, 0.05


class Lists:
    """One kept connection that asks for lists. Requests may go out in a batch."""

    def __init__(self, port):
        self._port = port
        self._socket = None
        self._buffer = b""

    def get(self, cluster):
        """The list as a set of addresses, empty if it is not answered with 200."""
        return self.get_all([cluster])[0]

    def get_all(self, clusters):
        request = "".join(f"GET /rocketmq/{cluster} HTTP/1.1\r\nHost: bench\r\n\r\n" for cluster in clusters).encode()
        try:
            return self._ask(request, len(clusters))
        except ConnectionError:
            self.close()  # a kept connection may end: once more, on a new one
            return self._ask(request, len(clusters))

    def close(self):
        if self._socket:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def _ask(self, request, count):
        if not self._socket:
            self._socket = socket.create_connection(("127.0.0.1", self._port), 10)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        return [self._answer() for _ in range(count)]

    def _answer(self):
        head = self._until(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length:
            body = self._take(int(length[1]))
        else:
            body = self._until(b"0\r\n\r\n")  # our errors have no body, in the chunked form
        return frozenset(body.decode().split(";")) if head.startswith(b"HTTP/1.1 200 ") else frozenset()

    def _until(self, end):
        while end not in self._buffer:
            self._more()
        part, _, self._buffer = self._buffer.partition(end)
        return part

    def _take(self, length):
        while len(self._buffer) < length:
            self._more()
        part, self._buffer = self._buffer[:length], self._buffer[length:]
        return part

    def _more(self):
        data = self._socket.recv(65536)
        if not data or len(self._buffer) > _LONGEST_ANSWER:
            raise ConnectionError("closed before the end of an answer, or an answer without an end")
        self._buffer += data


class Propagation(threading.Thread):
    """Polls for what was changed until it is seen. look(change) says whether it is.

    The more often nothing is seen, the longer the next look waits: by a twentieth of what it took so far.
    """

    def __init__(self, look, give_up):
        super().__init__(daemon=True)
        self._look, self._give_up = look, give_up
        self._due = []  # (when, number, change, since)
        self._given = self._done = 0
        self._changed = threading.Condition()
        self._ending = False
        self._failure = None
        self.took = {}  # seconds by kind of change; what was never seen took as long as there was patience
        self.never = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self.join()

    def expect(self, change, since):
        with self._changed:
            self._given += 1
            heapq.heappush(self._due, (since, self._given, change, since))
            self._changed.notify_all()

    def wait(self):
        """Until each was seen or given up."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._done == self._given)
        if self._failure:
            raise self._failure

    def run(self):
        try:
            while (due := self._next()) is not None:
                self._try(*due)
        except Exception as error:  # for the thread that waits
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next(self):
        with self._changed:
            while not self._ending:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)
                self._changed.wait(self._due[0][0] - now if self._due else None)
            return None

    def _try(self, _, number, change, since):
        seen = self._look(change)
        now = time.monotonic()
        waited = now - since
        with self._changed:
            if seen or waited >= self._give_up:
                self.took.setdefault(change.kind, []).append(min(waited, self._give_up))
                self.never += not seen
                self._done += 1
                self._changed.notify_all()
            else:
                pause = min(max(_POLL_FIRST, waited * _POLL_SHARE), _POLL_MOST)
                heapq.heappush(self._due, (now + pause, number, change, since))


class Connections(threading.Thread):
    """Samples how many TCP sockets to a port a process has open, in whatever state.

    A machine may have thousands of connections and their table takes long to read, so it is read only when the
    process has a socket that was not there before.
    """

    def __init__(self, pid, port):
        super().__init__(daemon=True)
        self._pid = pid
        # local, remote, state, queues, timer, retransmits, uid, timeout, inode
        self._line = re.compile(rb" [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:%04X [0-9A-F]{2} (?:\S+ +){5}(\d+)" % port)
        self._end = threading.Event()
        self._lookups = {}  # by inode; a socket that is none of these after some lookups never will be
        self._to_port = set()
        self.most = self.samples = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def run(self):
        while not self._end.wait(1 / _SAMPLES_PER_SECOND):
            try:
                self.most = max(self.most, self._count())
            except (FileNotFoundError, ProcessLookupError):
                return  # the process has ended
            self.samples += 1

    def _count(self):
        own = self._own()
        unknown = {inode for inode in own - self._to_port if self._lookups.get(inode, 0) < _LOOKUPS}
        if unknown:
            for table in ("tcp", "tcp6"):
                self._to_port.update(self._line.findall(pathlib.Path(f"/proc/{self._pid}/net/{table}").read_bytes()))
            for inode in unknown:
                self._lookups[inode] = self._lookups.get(inode, 0) + 1
        return len(own & self._to_port)

    def _own(self):
        folder = f"/proc/{self._pid}/fd"
        own = set()
        for name in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                own.add(target[len("socket:[") : -1].encode())
        return own


class Window:
    """CPU time that processes use while the block runs, in per cent of one core."""

    def __init__(self, **pids):
        self._pids = pids
        self.percent, self.seconds = {}, 0.0

    def __enter__(self):
        self._started = time.monotonic()
        self._before = {name: cpu_ns(pid) for name, pid in self._pids.items()}
        return self

    def __exit__(self, failure, *_):
        if failure:
            return
        used = {name: cpu_ns(pid) - self._before[name] for name, pid in self._pids.items()}
        self.seconds = time.monotonic() - self._started
        self.percent = {name: 100 * ns / 1e9 / self.seconds for name, ns in used.items()}
