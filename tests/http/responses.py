# SPDX-License-Identifier: Apache-2.0
"""A reader of HTTP/1.1 responses that takes nothing but what RFC 9112 allows a server to send."""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d) [\t\x20-\x7e]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
_IMF_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_LARGEST_HEAD = 16 << 10
_ONCE = ("connection", "content-length", "content-type", "date", "etag", "transfer-encoding", "x-nsaddr-reason")


class Malformed(AssertionError):
    """These bytes are no response."""


class Closed(Exception):
    """The peer closed before the first byte of a response."""


@dataclass(frozen=True)
class Response:
    version: str
    status: int
    fields: dict  # name in lower case -> value
    body: bytes
    form: str  # how the body's end is known: length, chunked, close or none

    @property
    def has_date(self):
        date = self.fields.get("date", "")
        return bool(_IMF_DATE.fullmatch(date)) and parsedate_to_datetime(date) is not None

    @property
    def closes(self):
        return "close" in (token.strip().lower() for token in self.fields.get("connection", "").split(","))


class Reader:
    """Reads the responses of a socket one by one."""

    def __init__(self, connection):
        self._socket = connection
        self._buffer = b""

    def response(self, head=False):
        """The next one; head: it answers a HEAD."""
        raw = self._head()
        status_line, *lines = raw.split(b"\r\n")
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            raise Malformed(f"status line {status_line!r}")
        version, status = f"1.{match[1].decode()}", int(match[2])
        fields = _fields(lines)
        form = _form(status, fields, head)
        return Response(version, status, fields, self._body(form, fields), form)

    def only_response(self):
        """The next one, which must be the last."""
        response = self.response()
        rest = self.rest()
        if rest:
            raise Malformed(f"after the response: {rest[:200]!r}")
        return response

    def rest(self):
        """All that comes before the peer closes."""
        while self._fill():
            pass
        return self._buffer

    def _head(self):
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _LARGEST_HEAD:
                raise Malformed("a head without an end")
            if not self._fill():
                if not self._buffer:
                    raise Closed
                raise Malformed(f"closed in the middle of a head: {self._buffer!r}")
        raw, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return raw

    def _body(self, form, fields):
        if form == "none":
            return b""
        if form == "chunked":
            return self._chunks()
        if form == "length":
            return self._take(int(fields["content-length"]))
        body, self._buffer = self.rest(), b""
        return body

    def _chunks(self):
        body = b""
        while True:
            size = self._line()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
                raise Malformed(f"size of a chunk {size!r}")
            chunk = self._take(int(size, 16))
            end = self._line()
            if end != b"":
                raise Malformed(f"after a chunk or instead of a trailer: {end!r}")
            if not chunk:
                return body
            body += chunk

    def _line(self):
        while b"\r\n" not in self._buffer:
            self._need()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def _take(self, size):
        while len(self._buffer) < size:
            self._need()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _need(self):
        if not self._fill():
            raise Malformed(f"closed in the middle of a body: {self._buffer!r}")

    def _fill(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:  # closed while something we sent was unread
            return False
        self._buffer += data
        return bool(data)


def _fields(lines):
    fields = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed(f"header {line!r}")
        name, value = match[1].decode().lower(), (match[2] or b"").decode()
        if name in fields and name in _ONCE:
            raise Malformed(f"two headers {name}")
        fields[name] = value
    return fields


def _form(status, fields, head):
    length, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if length is not None and not re.fullmatch(r"\d{1,10}", length):
        raise Malformed(f"Content-Length {length!r}")
    if coding is not None and coding.lower() != "chunked":
        raise Malformed(f"Transfer-Encoding {coding!r}")
    if length is not None and coding is not None:
        raise Malformed("both Content-Length and Transfer-Encoding")
    if status < 200:
        if length is not None or coding is not None:
            raise Malformed(f"a body announced with {status}")
        return "none"
    if head or status in (204, 304):
        return "none"
    if coding is not None:
        return "chunked"
    return "close" if length is None else "length"
