# SPDX-License-Identifier: Apache-2.0
"""The cases that make sense there, through a real fabio: both must agree on how many requests there were.

What fabio's HTTP library refuses never arrives. All else the daemon answers, once for each answer that the client
gets: it counts them itself. NSADDRD_REQUIRE_REAL=1 makes this fail when there is no real fabio.
"""

import os
import re
import select
import socket
import sys
from pathlib import Path

import pytest

import judging
import notation
import wire
from lists import LISTS
from waiting import eventually

_TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(_TESTS / folder) for folder in ("faults", "validate", "real")]

from agents import built_parts  # noqa: E402 (its folder has to be known first)

_CASES = notation.all_cases()
ANSWERED = [case for case in _CASES if case.fabio is not None]
COUNTED = [case for case in _CASES if case.fabio_arrivals is not None]
_COUNTER = re.compile(r'^nsaddrd_http_requests_total\{route="(?:cluster|other)",[^}]*\} (\d+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def parts():
    folder = built_parts()
    if folder is None or not (folder / "fabio").exists():
        if os.environ.get("NSADDRD_REQUIRE_REAL") == "1":
            raise pytest.UsageError("there is no real fabio: run tests/real/parts/build.sh")
        pytest.skip("there is no real fabio")
    return folder


@pytest.fixture(scope="module")
def fabio_port(parts, daemon, tmp_path_factory):
    """The port of a fabio that routes lists to the daemon."""
    from realparts.consul import Consul
    from realparts.fabio import Fabio
    from realparts.processes import Run

    run = Run(tmp_path_factory.mktemp("real"), parts)
    with Consul(run) as consul:
        consul.register("nsaddrd", daemon.port, service_id="nsaddrd", tags=["urlprefix-/rocketmq/"])
        with Fabio(run, consul) as fabio:
            fabio.await_route("/rocketmq/", f"127.0.0.1:{daemon.port}")
            yield int(fabio.address.rpartition(":")[2])


@pytest.fixture(scope="module")
def reference(daemon):
    return judging.Reference(daemon.port)


def arrived(daemon):
    """How many requests for lists the daemon has answered."""
    return sum(map(int, _COUNTER.findall(daemon.admin("/metrics").text)))


def from_the_daemon(answers):
    return sum(answer.what not in ("go", "fabio", "") for answer in answers)


def has_ended(connection):
    """Has fabio closed it? Then it forwards nothing more of it."""
    while select.select([connection], [], [], 0)[0]:
        try:
            if not connection.recv(65536):
                return True
        except ConnectionResetError:
            return True
    return False


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.name)
def test_case(daemon, fabio_port, reference, case):
    before = arrived(daemon)
    responses = judging.exchange(fabio_port, case.bytes(reference.etags), case.fabio)
    for response, answer in zip(responses, case.fabio.answers, strict=True):
        judging.judge(response, answer, reference, through_fabio=True)
    probes = 1 if case.fabio.end == "keep" else 0
    assert arrived(daemon) - before == from_the_daemon(case.fabio.answers) + probes


@pytest.mark.parametrize("case", COUNTED, ids=lambda case: case.name)
def test_arrivals(daemon, fabio_port, reference, case):
    """What the client gets is not certain here; that nobody makes more requests of it is."""
    before, most = arrived(daemon), max(case.fabio_arrivals)
    with socket.create_connection(("127.0.0.1", fabio_port), judging.TIMEOUT) as connection:
        judging.send(connection, case.bytes(reference.etags), one_by_one=False)
        eventually(lambda: arrived(daemon) - before >= most or has_ended(connection), f"{most} requests arrive")
    assert wire.get(fabio_port, "/rocketmq/probe").text == LISTS["probe"]
    assert arrived(daemon) - before - 1 in case.fabio_arrivals
