# SPDX-License-Identifier: Apache-2.0
"""The reader takes what a server may send, and nothing else; the judge takes what was expected, and nothing else."""

import socket

import pytest

import judging
from notation import Answer
from responses import Closed, Malformed, Reader

GOOD = (b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b'ETag: "t"\r\nContent-Length: 25\r\n\r\n10.0.0.9:9876;10.0.0.10:1')
CHUNKED = (b"HTTP/1.1 404 Not Found\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nX-Nsaddr-Reason: unknown-cluster\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


class _Reference:
    def fields(self, _):
        return {"content-type": "text/plain; charset=utf-8", "etag": '"t"', "content-length": "25"}


def response_of(data, head=False):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        return Reader(ours).only_response() if not head else Reader(ours).response(head=True)


def test_good_responses_are_taken():
    assert (response_of(GOOD).form, response_of(CHUNKED).form) == ("length", "chunked")
    judging.judge(response_of(GOOD), Answer(200, "a", False), _Reference())
    judging.judge(response_of(CHUNKED), Answer(404, "unknown-cluster", False), _Reference())


@pytest.mark.parametrize("old, new", [
    (b"HTTP/1.1", b"HTTP/2.0"), (b"HTTP/1.1", b"http/1.1"), (b"200 OK", b"200"), (b"200", b"20"), (b"200", b"2000"),
    (b"\r\n", b"\n"), (b"Date:", b"Date :"), (b"Date", b"D\x80te"), (b"utf-8", b"utf-8 "), (b"utf-8", b"utf\x008"),
    (b"utf-8", b"utf-8\rX"), (b"ETag:", b" ETag:"), (b"ETag:", b":"), (b"ETag", b"Date"), (b": 25", b": +25"),
    (b": 25", b": 26"), (b": 25", b": 24"), (b"ETag", b"Transfer-Encoding"),
    (b"ETag: \"t\"", b"Transfer-Encoding: chunked"),
])
def test_malformed_responses_are_refused(old, new):
    assert old in GOOD
    with pytest.raises(Malformed):
        response_of(GOOD.replace(old, new))


@pytest.mark.parametrize("end", [
    b"", b"0\r\n", b"0\r\n\r", b"1\r\n\r\n", b"1\r\na\r\n", b"0\r\nX: y\r\n\r\n", b"0x0\r\n\r\n", b"0;a\r\n\r\n",
    b"\r\n", b"1\r\nab\r\n0\r\n\r\n", b"0\r\n\r\n0\r\n\r\n",
])
def test_malformed_chunks_are_refused(end):
    with pytest.raises(Malformed):
        response_of(CHUNKED.replace(b"0\r\n\r\n", end))


def test_no_response_is_no_response():
    with pytest.raises(Closed):
        response_of(b"")


@pytest.mark.parametrize("old, new, answer", [
    (b"10.0.0.9", b"10.0.0.8", Answer(200, "a", False)),
    (b'"t"', b'"u"', Answer(200, "a", False)),
    (b"200", b"203", Answer(200, "a", False)),
    (b"utf-8", b"latin1", Answer(200, "a", False)),
    (b"Sat, 21 Nov", b"21 Nov", Answer(200, "a", False)),
    (b"Date", b"Dates", Answer(200, "a", False)),
    (b"ETag", b"X: y\r\nETag", Answer(200, "a", False)),
    (b"ETag", b"X-Nsaddr-Reason: bad-request\r\nETag", Answer(200, "a", False)),
    (b"ETag", b"ETag", Answer(200, "b", False)),
    (b"ETag", b"ETag", Answer(404, "unknown-cluster", False)),
    (b"ETag", b"ETag", Answer(200, "library", False)),
    (b"ETag", b"ETag", Answer(200, "go", False)),
])
def test_other_answers_than_expected_are_found(old, new, answer):
    with pytest.raises(AssertionError):
        judging.judge(response_of(GOOD.replace(old, new)), answer, _Reference())


@pytest.mark.parametrize("old, new", [
    (b"unknown-cluster", b"unknown-path"), (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    (b"0\r\n\r\n", b"1\r\nx\r\n0\r\n\r\n"), (b"X-Nsaddr", b"ETag: \"t\"\r\nX-Nsaddr"),
    (b"X-Nsaddr", b"Allow: GET\r\nX-Nsaddr"),
])
def test_other_errors_than_expected_are_found(old, new):
    with pytest.raises(AssertionError):
        judging.judge(response_of(CHUNKED.replace(old, new)), Answer(404, "unknown-cluster", False), _Reference())


def test_what_is_behind_the_answer_to_head_is_found():
    """As is the end of a chunked body that a HEAD must not have."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as ours, server.accept()[0] as theirs:
            theirs.sendall(CHUNKED)
            reader = Reader(ours)
            assert reader.response(head=True).status == 404
            theirs.shutdown(socket.SHUT_WR)
            assert reader.rest() == b"0\r\n\r\n"
