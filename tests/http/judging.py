# SPDX-License-Identifier: Apache-2.0
"""Sends the bytes of a case and holds what comes back against what it expects."""

import socket

import wire
from lists import LISTS, LONGEST
from responses import Reader

TIMEOUT = 20.0
# No request begins or goes on like this.
NO_END = 200_000 * b"X"
PROBE = b"GET /rocketmq/probe HTTP/1.1\r\nHost: probe\r\n\r\n"
_PAGES = {"healthz": b"ok\n", "readyz": b"ready\n"}
_REASONS = ("bad-request", "method-not-allowed", "unknown-cluster", "unknown-path")
# Different with each answer, or a matter of the connection.
_NOT_COMPARED = ("date", "connection")


class Reference:
    """What plain requests are answered, for others to be compared with."""

    def __init__(self, port):
        self._headers = {}
        for cluster in LISTS:
            headers = wire.get(port, f"/rocketmq/{cluster}").headers
            self._headers[cluster] = {name.lower(): value for name, value in headers}
        for page in _PAGES:
            self._headers[page] = {name.lower(): value for name, value in wire.get(port, f"/{page}").headers}
        self.etags = {cluster: self._headers[cluster]["etag"] for cluster in LISTS}

    def fields(self, what):
        return _compared(self._headers[what])


def _compared(fields):
    return {name: value for name, value in fields.items() if name not in _NOT_COMPARED}


def send(connection, data, one_by_one):
    """Sends what the peer takes; one that has refused a request need not take the rest."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if not one_by_one:
            connection.sendall(data)
        for at in range(len(data) if one_by_one else 0):
            connection.send(data[at:at + 1])
    except (BrokenPipeError, ConnectionResetError):
        pass


class _Bytes:
    """A socket that has these bytes and then the end."""

    def __init__(self, data):
        self._data = data

    def recv(self, _):
        data, self._data = self._data, b""
        return data


def exchange(port, data, outcome, one_by_one=False):
    """Sends data, reads as many answers as are expected, then asserts the end that is expected."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        send(connection, data, one_by_one)
        reader = Reader(connection)
        responses = [reader.response(answer.head) for answer in outcome.answers]
        if outcome.end == "keep":
            connection.sendall(PROBE)
            probe = reader.response()
            assert (probe.status, probe.body.decode()) == (200, LISTS["probe"]), "what the next request got"
        elif outcome.end == "open":
            send(connection, NO_END, one_by_one=False)
            refusal = reader.response()
            assert refusal.status in (414, 431), f"{refusal.status}, though it was to wait"
        if outcome.end != "keep":
            rest = reader.rest()
            if outcome.answers and outcome.answers[-1].what == "library-twice":
                responses[-1] = Reader(_Bytes(responses[-1].body + rest)).only_response()
            else:
                assert rest == b"", f"before the end: {rest[:200]!r}"
    return responses


def judge(response, answer, reference, through_fabio=False):
    """Is this response the answer that was expected?"""
    what, fields = LONGEST if answer.what == "longest" else answer.what, response.fields
    assert response.status == answer.status, f"{response.status} instead of {answer.status}: {fields}"
    if what in ("go", "fabio"):
        assert "etag" not in fields and "x-nsaddr-reason" not in fields
        return
    assert response.status < 200 or response.has_date
    if what in _REASONS:
        assert fields.get("x-nsaddr-reason") == what
        assert response.body == b""
        # A length of 0 would be logged as an error of its own by some clients; none of them sends HEAD. Fabio
        # adds it or not, as it comes.
        assert through_fabio or ("content-length" in fields) == answer.head
        assert "etag" not in fields
        assert ("allow" in fields) == (response.status == 405)
        return
    assert "x-nsaddr-reason" not in fields
    if what.startswith("library"):
        assert response.body.startswith(b"<html>") and response.form == "length"
        return
    if response.status == 100:
        return
    plain = reference.fields(what)
    if response.status == 304:
        assert fields["etag"] == plain["etag"]
        assert response.body == b""
        return
    assert _compared(fields) == plain
    if answer.head:
        return
    assert response.form == "length"
    assert response.body == (LISTS[what].encode() if what in LISTS else _PAGES[what])


def judge_header(response, text, wanted):
    name, _, value = text.partition(": ")
    found = response.fields.get(name.lower())
    assert (found is not None) == wanted, f"{name}: {found}"
    if wanted and value:
        assert found == value
