# SPDX-License-Identifier: Apache-2.0
"""Peers that hurt, in small: good clients lose nothing. The benchmarks have them in large, and with times."""

import json
import subprocess
from pathlib import Path

import pytest

from waiting import eventually

PARTS = Path(__file__).parents[1] / "bench" / "parts"
LIST = "10.0.0.1:9876;10.0.0.2:9876"
PATH = "/rocketmq/a"
THIRD, SLOW = 334, 3 * 334
REQUESTS = 200
NEW = 5000


@pytest.fixture(scope="session")
def part(tmp_path_factory):
    """Compiles a client of the benchmarks."""
    folder = tmp_path_factory.mktemp("parts")

    def build(name):
        program = folder / name
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-o", program, PARTS / f"{name}.c"], check=True)
        return program

    return build


@pytest.fixture
def slow(part, tmp_path, request):
    """Starts the slow clients; the function returned says what they say last."""

    def start(port):
        log = tmp_path / "slow"
        with open(log, "wb") as out:
            process = subprocess.Popen([part("slow"), *map(str, (port, PATH, THIRD, THIRD, THIRD, 64, 10))], stdout=out)
        request.addfinalizer(process.wait)
        request.addfinalizer(process.kill)

        def said():
            lines = log.read_text().split("\n")[:-1]
            return json.loads(lines[-1]) if lines else {"held": 0}

        return said

    return start


def test_slow_connections_keep_nobody_from_an_answer(serve, slow):
    # No deadline ends any of them meanwhile.
    daemon = serve({"a": LIST.split(";")}, **{"http.max_connections": SLOW + 50, "http.header_timeout": "5m"})
    said = slow(daemon.port)
    eventually(lambda: said()["held"] == SLOW, "all slow connections are held", deadline=20)
    with daemon.connect() as kept:
        for _ in range(REQUESTS):
            assert kept.request(PATH).text == LIST
            assert daemon.get(PATH).text == LIST
    assert said()["held"] == SLOW and said()["refused"] == 0


def test_slow_connections_beyond_the_limit_make_room_for_good_ones(serve, slow):
    daemon = serve({"a": LIST.split(";")}, **{"http.max_connections": SLOW // 2})
    said = slow(daemon.port)
    eventually(lambda: said().get("reopened", 0) > 0, "the first slow connection is dropped", deadline=20)
    for _ in range(REQUESTS):
        assert daemon.get(PATH).text == LIST


def test_every_one_of_many_new_connections_is_answered(serve, part):
    daemon = serve({"a": LIST.split(";")})
    storm = subprocess.run([part("storm"), *map(str, (daemon.port, PATH, LIST, NEW, 1000))], stdout=subprocess.PIPE,
                           check=True, timeout=60)
    result = json.loads(storm.stdout)
    assert result["right"] == result["offered"] == NEW, result
