# SPDX-License-Identifier: Apache-2.0
"""A DNS server that knows one name: enough for a resolver to be asked in earnest."""

import socketserver
import struct
import threading

ADDRESS = "127.77.0.1"
_A = 1


class Resolver:
    def __init__(self, name, address):
        self.asked = []
        labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\0"
        resolver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                query, socket = self.request
                end = 12 + len(labels)
                known = query[12:end].lower() == labels
                kind = struct.unpack("!H", query[end:end + 2])[0] if known else 0
                resolver.asked.append(query[12:])
                answers = 1 if kind == _A else 0
                reply = query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, answers, 0, 0)
                question_end = query.index(b"\0", 12) + 5
                reply += query[12:question_end]
                if answers:
                    reply += struct.pack("!HHHIH4B", 0xC00C, _A, 1, 60, 4, *map(int, address.split(".")))
                socket.sendto(reply, self.client_address)

        self._server = socketserver.UDPServer((ADDRESS, 53), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
