# SPDX-License-Identifier: Apache-2.0
"""The proxy forwards what it does not break, and the recorder takes what is whole and valid, and nothing else."""

import threading

import pytest

import proxy
from fake_consul import HEALTH, FakeConsul, Instance, Reply
from history import Options
from recorder import NAMES, STATES, Recorder
from waiting import eventually
from wire import Connection

ONE, TWO = Instance("10.0.0.1"), Instance("10.0.0.2")


@pytest.fixture
def consul():
    agent = FakeConsul()
    agent.start()
    yield agent
    agent.stop()


@pytest.fixture
def recorder():
    return Recorder(Options("test", 1, 1, 1, False, 1, {}))


@pytest.fixture
def link(consul, recorder):
    between = proxy.Proxy("127.0.0.1", consul.port, recorder)
    between.start()
    yield between
    between.stop()


def events(recorder):
    """The events, without their times."""
    return [tuple(line.split(" ")[1:]) for line in recorder.text().splitlines()[1:]]


def said(recorder):
    return [event[-1] for event in events(recorder) if event[0] == "says"]


def test_many_connections_with_many_requests_each(consul, link, recorder):
    # Larger than what goes without chunks.
    consul.set_service("nameServera", [Instance(f"10.0.0.{n}") for n in range(1, 40)])
    expected = Connection(consul.port).request(HEALTH + "nameServera").body
    connections = [Connection(link.port) for _ in range(200)]
    for _ in range(3):
        for connection in connections:
            assert connection.request(HEALTH + "nameServera").body == expected
    for connection in connections:
        connection.close()
    assert len(said(recorder)) == 600


def test_views_of_the_checks_of_all(consul, link, recorder):
    consul.set_service("web", [Instance("10.0.1.1", status="critical")])
    consul.set_service("nameServera", [ONE, Instance("10.0.0.2", status="critical"),
                                       Instance("10.0.0.3", node_address="10.9.9.9", node_status="critical")])
    with Connection(link.port) as connection:
        for target in (HEALTH + "nameServera", STATES + "any", STATES + "critical", STATES + "warning"):
            connection.request(target)
    assert [event[1::3] for event in events(recorder) if event[0] == "view"] == [
        ("all", "a=3"), ("critical", "a=2"), ("warning", "-")]


def test_blocking_queries(consul, link, recorder):
    consul.set_service("nameServera", [ONE])
    with Connection(link.port, timeout=20) as connection:
        index = connection.request(HEALTH + "nameServera").header("X-Consul-Index")
        replies = []
        asking = threading.Thread(
            target=lambda: replies.append(connection.request(f"{HEALTH}nameServera?index={index}&wait=15s")))
        asking.start()
        eventually(lambda: consul.is_watching("nameServera"), "it blocks")
        consul.set_service("nameServera", [ONE, TWO])
        asking.join()
    assert replies[0].status == 200
    assert [event[3] for event in events(recorder)] == ["read", "watch"]
    assert said(recorder) == ["10.0.0.1:9876=good", "10.0.0.1:9876=good,10.0.0.2:9876=good"]


BREAKING = sorted(set(proxy.KINDS) - {proxy.SLOW})


@pytest.mark.parametrize("kind", BREAKING)
def test_each_fault_and_its_end(consul, link, recorder, kind):
    consul.set_service("nameServera", [ONE])
    link.fault(kind)
    with pytest.raises(OSError), Connection(link.port, timeout=1.5) as connection:
        connection.request(HEALTH + "nameServera")
    assert kind == proxy.REFUSE or link.used == 1
    assert said(recorder) == []
    link.clear()
    with Connection(link.port) as connection:
        assert connection.request(HEALTH + "nameServera").status == 200
    assert said(recorder)[-1] == "10.0.0.1:9876=good"


@pytest.mark.parametrize("kind", BREAKING)
def test_a_request_that_waits_is_met_too(consul, link, recorder, kind):
    consul.set_service("nameServera", [ONE])
    with Connection(link.port, timeout=3) as connection:
        index = connection.request(HEALTH + "nameServera").header("X-Consul-Index")
        connection.send(f"GET {HEALTH}nameServera?index={index}&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: consul.is_watching("nameServera"), "it blocks")
        link.fault(kind)
        with pytest.raises(OSError):
            connection.response()
    assert len(said(recorder)) == 1


def test_a_reply_is_replaced(consul, link, recorder):
    consul.set_service("nameServera", [ONE])
    link.fault(proxy.Replacement(200, b"[]"))
    with Connection(link.port) as connection:
        assert connection.request(HEALTH + "nameServera").body == b"[]"
        assert link.used == 1
        link.clear()
        assert connection.request(HEALTH + "nameServera").body != b"[]"
    assert said(recorder) == ["-", "10.0.0.1:9876=good"]


def test_one_byte_per_second(consul, link, recorder):
    consul.set_service("nameServera", [ONE])
    link.fault(proxy.SLOW)
    with Connection(link.port) as connection:
        connection.send(f"GET {HEALTH}nameServera HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.receive_once() + connection.receive_once() == b"HT"
        assert said(recorder) == []
        link.clear()
        assert connection.receive_once().startswith(b"TP/1.1 200 OK\r\n")
    assert said(recorder) == ["10.0.0.1:9876=good"]


def test_a_black_hole_ends_with_the_reply(consul, link, recorder):
    consul.set_service("nameServera", [ONE])
    link.fault(proxy.BLACK_HOLE)
    with Connection(link.port) as connection:
        connection.send(f"GET {HEALTH}nameServera HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: link.used, "it is in the hole")
        link.clear()
        assert connection.response().status == 200


@pytest.mark.parametrize("instance, expected", [
    (ONE, "10.0.0.1:9876=good"),
    (Instance("10.0.0.1", status="warning"), "10.0.0.1:9876=bad"),
    (Instance("10.0.0.1", node_status="critical"), "10.0.0.1:9876=bad"),
    (Instance("10.0.0.1", maintenance=True), "10.0.0.1:9876=maint"),
    (Instance("", node_address="10.1.1.1"), "10.1.1.1:9876=good"),
    (Instance("2001:db8::1"), "[2001:db8::1]:9876=good"),
    (Instance("::ffff:10.0.0.1"), "10.0.0.1:9876=good"),
    (Instance("fe80::1"), "odd=odd"),
    (Instance("a.example"), "odd=odd"),
    (Instance("10.0.0.1;10.0.0.2"), "odd=odd"),
    (Instance("10.0.0.1", port=70000), "odd=odd"),
    (Instance("10.0.0.1", port="80"), "odd=odd"),
    (Instance("10.0.0.1", port=1.5), "odd=odd"),
])  # fmt: skip
def test_what_an_instance_says(consul, link, recorder, instance, expected):
    consul.set_service("nameServera", [instance])
    with Connection(link.port) as connection:
        connection.request(HEALTH + "nameServera")
    assert said(recorder) == [expected]


@pytest.mark.parametrize("reply", [
    Reply(500, "[]"),
    Reply(200, "[", {}),
    Reply(200, "{}", {}),
    Reply(200, "[1]", {}),
    Reply(200, [], {"X-Consul-Index": "0"}),
    Reply(200, [], {"X-Consul-Index": "banana"}),
    Reply(200, [], {"X-Consul-Index": str(1 << 64)}),
    Reply(200, [], {"X-Consul-Knownleader": "false"}),
    Reply(200, [], {"X-Consul-Default-Acl-Policy": "deny"}),
    Reply(200, [], {"X-Consul-Results-Filtered-By-Acls": "true"}),
    Reply(200, "[" * 1_000_000, {}),
])  # fmt: skip
def test_what_says_nothing(consul, link, recorder, reply):
    consul.answer(HEALTH + "*", reply)
    with Connection(link.port) as connection:
        connection.request(HEALTH + "nameServera")
    assert said(recorder) == []


def test_names(consul, link, recorder):
    consul.set_service("nameServera", [ONE])
    consul.set_service("other", [ONE])
    with Connection(link.port) as connection:
        connection.request(NAMES)
    assert [(event[0], event[-1]) for event in events(recorder)] == [("names", "a")]


def test_a_fake_agent_is_observed(recorder):
    agent = FakeConsul(observer=recorder.observe)
    agent.start()
    agent.set_service("nameServera", [ONE])
    with Connection(agent.port) as connection:
        connection.request(HEALTH + "nameServera")
        agent.answer("*", Reply(200, "[]", cut_at=1))
        with pytest.raises(ConnectionError):
            connection.request(HEALTH + "nameServera")
    agent.stop()
    assert said(recorder) == ["10.0.0.1:9876=good"]
