# SPDX-License-Identifier: Apache-2.0
"""The service manager's side of its protocols: what a daemon says of itself, and sockets to hand over."""

import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path


class Notifications:
    """Reads what is sent to NOTIFY_SOCKET. A message is one datagram, a dictionary of its lines."""

    def __init__(self, abstract=False):
        self._folder = tempfile.mkdtemp(prefix="nsaddrd-")  # a test's own path may be too long for an address
        self.path = f"@{self._folder}" if abstract else f"{self._folder}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path.replace("@", "\0", 1))
        self.messages = []

    def close(self):
        self._socket.close()
        shutil.rmtree(self._folder)

    def read_until(self, condition, what, deadline=20.0):
        """Reads messages until one fulfils the condition, and returns that one."""
        end = time.monotonic() + deadline
        while True:
            message = self._read(end - time.monotonic())
            if message is None:
                raise AssertionError(f"not within {deadline} s: {what}; there were {self.messages}")
            if condition(message):
                return message

    def read_until_says(self, name, deadline=20.0):
        return self.read_until(lambda message: name in message, name, deadline)

    def read_until_status(self, *parts, deadline=20.0):
        return self.read_until(lambda message: all(part in message.get("STATUS", "") for part in parts),
                               f"STATUS with {parts}", deadline)

    def read_for(self, seconds):
        """What comes within this time."""
        end = time.monotonic() + seconds
        messages = []
        while (message := self._read(end - time.monotonic())) is not None:
            messages.append(message)
        return messages

    def read_all(self):
        """What has come already."""
        return self.read_for(0)

    def _read(self, seconds):
        self._socket.settimeout(max(seconds, 0))
        try:
            text = self._socket.recv(65536).decode()
        except (TimeoutError, BlockingIOError):
            return None
        assert text.endswith("\n")
        message = dict(line.split("=", 1) for line in text.splitlines())
        self.messages.append(message)
        return message


def listening_socket(port, host="127.0.0.1"):
    """As a service manager opens it before it starts us."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(1024)
    return listening


def handing_over(*sockets, names=""):
    """The arguments of subprocess.Popen() that start a program with these sockets: a command to put in front of its
    own, and the rest by name."""
    fds = [each.fileno() for each in sockets]
    script = Path(__file__).with_name("hand_over.py")
    return [sys.executable, str(script), ",".join(map(str, fds)), names], {"pass_fds": fds}
