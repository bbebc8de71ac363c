# SPDX-License-Identifier: Apache-2.0
"""Every case of cases/, sent to the daemon at once and in segments of one byte."""

import contextlib

import pytest

import judging
import notation
import wire
from daemon import run
from responses import Closed


@pytest.fixture(scope="module")
def reference(daemon):
    return judging.Reference(daemon.port)


@pytest.fixture(scope="module")
def library_is_new(daemon):
    """Is it libmicrohttpd 1.0 or newer?"""
    version = run(daemon.folder, "--version").stdout.partition("libmicrohttpd ")[2]
    return int(version.split(".")[0]) >= 1


def assert_outcome(port, data, outcome, reference, one_by_one):
    responses = judging.exchange(port, data, outcome, one_by_one)
    for response, answer in zip(responses, outcome.answers, strict=True):
        assert response.version == "1.1"
        judging.judge(response, answer, reference)
    last = responses[-1:] if outcome.end == "close" else []
    for response in responses:
        assert response.closes == (response in last), "does it say that it is the last?"
    return responses


def assert_expected(case, port, reference, one_by_one):
    data = case.bytes(reference.etags)
    responses = assert_outcome(port, data, case.expect, reference, one_by_one)
    for text in case.has:
        judging.judge_header(responses[-1], text, True)
    for text in case.absent:
        judging.judge_header(responses[-1], text, False)


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", notation.all_cases(), ids=lambda case: case.name)
def test_case(daemon, reference, library_is_new, case, one_by_one):
    try:
        assert_expected(case, daemon.port, reference, one_by_one)
    except (AssertionError, Closed, TimeoutError):
        if not library_is_new or case.newer is None:
            raise
        assert_outcome(daemon.port, case.bytes(reference.etags), case.newer, reference, one_by_one)
    assert wire.get(daemon.port, "/healthz").status == 200


def test_an_error_of_http_1_0_ends_beside_connections_that_are_idle(daemon):
    """Nothing but the end of the connection ends its body, and old clients wait for that for ever."""
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            assert stack.enter_context(daemon.connect()).request("/rocketmq/a").status == 200
        for _ in range(16):
            connection = stack.enter_context(daemon.connect())
            connection.send(b"GET /rocketmq/none HTTP/1.0\r\n\r\n")
            assert (connection.response().status, connection.receive_once()) == (404, b"")
