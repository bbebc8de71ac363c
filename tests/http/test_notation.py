# SPDX-License-Identifier: Apache-2.0
"""The notation of the cases says what it seems to say, and a case that cannot be read is no case."""

import pytest

from notation import Answer, BadCase, Outcome, all_cases, read

CASE = "case: x\nrfc: 9112 3\n{}\nexpect: 200=a keep\nfabio: same\n"


def only(text):
    (case,) = read(text)
    return case


def sent(line):
    return only(CASE.format(line)).bytes({"a": '"tag"'})


@pytest.mark.parametrize("line, data", [
    (r"send: a\r\n\t\0\\\x7f", b"a\r\n\t\0\\\x7f"),
    (r"send: \{3*a\r\n}b", b"a\r\na\r\na\r\nb"),
    (r"send: \{etag a}", b'"tag"'),
    ("send: a b\n    c\n     d", b"a bc d"),
    ("send:", b""),
    ("line: GET / HTTP/1.0", b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"),
    ("target: /", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("header: Host: x\nheader: X:y", b"GET /rocketmq/a HTTP/1.1\r\nHost: x\r\nX:y\r\n\r\n"),
])
def test_what_is_sent(line, data):
    assert sent(line) == data


def test_what_is_expected():
    case = only("case: x\nrfc: 9112 3\nsend: y\nexpect: 100 200=a*2 404=unknown-cluster(head) close\n"
                "has: Date\nnot: X\nnewer: open\nfabio: 400=go close; because\n")
    list_of_a = Answer(200, "a", False)
    assert case.expect == Outcome(
        (Answer(100, "", False), list_of_a, list_of_a, Answer(404, "unknown-cluster", True)), "close")
    assert (case.has, case.absent, case.newer) == (["Date"], ["X"], Outcome((), "open"))
    assert (case.fabio, case.fabio_why) == (Outcome((Answer(400, "go", False),), "close"), "because")


def test_how_many_arrive():
    assert only(CASE.replace("same", "arrives 1..2; because").format("send: x")).fabio_arrivals == range(1, 3)


@pytest.mark.parametrize("text", [
    CASE.format("sned: x"),
    CASE.format("send: x\nsend: y"),
    CASE.format("send: x\ntarget: /"),
    CASE.format("why: nothing is sent"),
    CASE.format("send: x").replace("rfc", "#"),
    CASE.format("send: x").replace("200=a keep", "200=a"),
    CASE.format("send: x").replace("200=a", "OK"),
    CASE.format("send: x").replace("same", "400=go close"),
    CASE.format("send: x").replace("same", "no"),
])
def test_bad_cases_are_refused(text):
    with pytest.raises(BadCase):
        read(text)


@pytest.mark.parametrize("data", [r"\q", r"\x7", "\\", r"\{2*", "\u00e4", "\t"])
def test_bad_bytes_are_refused(data):
    with pytest.raises(BadCase):
        sent(f"send: {data}")


def test_there_are_cases():
    assert len(all_cases()) >= 400
