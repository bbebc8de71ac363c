# SPDX-License-Identifier: Apache-2.0
"""Every case of cases/, sent to the daemon at once and in segments of one byte."""

import contextlib

import pytest

import judging
import notation
import wire

CASES = notation.all_cases()


@pytest.fixture(scope="module")
def reference(daemon):
    return judging.Reference(daemon.port)


@pytest.fixture(scope="module")
def library_is_new(daemon):
    """Is it libmicrohttpd 1.0 or newer?"""
    version = next(line for line in daemon.log_lines("libmicrohttpd"))
    return int(version.partition("libmicrohttpd ")[2].split(".")[0]) >= 1


def try_case(case, port, reference, one_by_one, outcome):
    responses = judging.exchange(port, case.bytes(reference.etags), outcome, one_by_one)
    for response, answer in zip(responses, outcome.answers, strict=True):
        judging.judge(response, answer, reference)
    for text in case.has:
        judging.judge_header(responses[-1], text, True)
    for text in case.absent:
        judging.judge_header(responses[-1], text, False)
    if outcome.end == "close" and responses:
        assert responses[-1].closes, "the last answer does not say that it is the last"
    assert not any(response.closes for response in responses[:None if outcome.end == "open" else -1])


def test_an_error_of_http_1_0_ends_beside_connections_that_are_idle(daemon):
    """Nothing but the end of the connection ends its body, and old clients wait for that for ever."""
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            assert stack.enter_context(daemon.connect()).request("/rocketmq/a").status == 200
        for _ in range(16):
            connection = stack.enter_context(daemon.connect())
            connection.send(b"GET /rocketmq/none HTTP/1.0\r\n\r\n")
            assert (connection.response().status, connection.receive_once()) == (404, b"")


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(daemon, reference, case, one_by_one):
    try_case(case, daemon.port, reference, one_by_one, case.expect)
    assert wire.get(daemon.port, "/healthz").status == 200
