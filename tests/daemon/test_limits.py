# SPDX-License-Identifier: Apache-2.0
"""No peer takes the service from the others: deadlines, limits, and what happens when files run out."""

import contextlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import wire
from daemon import BINARY, clean_environment
from ports import free_port
from waiting import eventually

A_LIST = {"a": ["10.0.0.1:9876"]}
REQUEST = b"GET /rocketmq/a HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = REQUEST[:-4]
# Long enough that no test comes to its end.
ENDLESS = b"GET /rocketmq/a HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"x" * 4000
# Whoever makes us wait for longer than a second is slow.
SLOW = 1.1
# A byte that comes at once with an answer may be of what was asked.
AFTER_ANSWER = 0.1
# The least there is.
LIMIT = 16
# An end comes after a second or a few; a machine under load and a sanitizer take their time.
PATIENCE = 30.0


class Peer(wire.Connection):
    """A client that may misbehave: it can come from another address, and sees how it is ended."""

    def __init__(self, port, source=None, host="127.0.0.1", receive_buffer=None):
        self._host = f"[{host}]" if ":" in host else host
        self._buffer = b""
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.settimeout(PATIENCE)
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self._socket.bind((source, 0))
        self._socket.connect((host, port))

    def fileno(self):
        return self._socket.fileno()

    def ask(self, path="/rocketmq/a"):
        """Asks, and expects to be answered on a connection that stays open."""
        response = self.request(path)
        assert response.status == 200
        assert response.header("Connection") is None
        return response

    def try_to_send(self, data):
        """False once the connection has ended."""
        try:
            self._socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def send_until_full(self, data):
        """Sends it again and again until the other side takes no more."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.send(data)
        self._socket.settimeout(PATIENCE)

    def is_open(self):
        """Neither ended nor sent anything to, as far as can be known now."""
        return not select.select([self], [], [], 0)[0]

    def has_hung_up(self):
        """Ended, whatever there is still to be read."""
        poll = select.poll()
        poll.register(self, 0)
        return bool(poll.poll(0))

    def bytes_until_end(self):
        """Waits for the end and returns what came before it."""
        data = b""
        try:
            while more := self._socket.recv(65536):
                data += more
        except ConnectionResetError:
            pass
        return data

    def assert_ends_without_answer(self):
        assert self.bytes_until_end() == b""


@pytest.fixture
def connect():
    """Makes peers, which are closed in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda daemon_or_port, **options: stack.enter_context(
            Peer(getattr(daemon_or_port, "port", daemon_or_port), **options))


@pytest.fixture
def limited(serve):
    """Starts a daemon with these options of http: limited(header_timeout="1s")."""
    return lambda more=None, **http: serve(A_LIST, **{f"http.{name}": value for name, value in http.items()},
                                           **(more or {}))


def drops(daemon):
    """Reason -> connections ended or refused for it; those without any are left out."""
    page = daemon.admin("/metrics").text
    found = re.findall(r'^nsaddrd_http_connections_rejected_total\{reason="(\w+)"\} (\d+)$', page, re.M)
    assert len(found) == 5
    return {reason: int(count) for reason, count in found if count != "0"}


def number(page, name):
    """The value of a metric, all its labels together."""
    values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", page, re.M)
    assert values, name
    return sum(float(value) for value in values)


def metric(daemon, name):
    return number(daemon.admin("/metrics").text, name)


def eventually_open(daemon, count):
    """So many connections are open, without the one that asks."""
    eventually(lambda: metric(daemon, "nsaddrd_http_connections") - 1 == count, f"{count} connections are open")


def settled(value):
    """The value once it does not change any more."""
    last = None
    while last != (last := value()):
        time.sleep(0.2)
    return last


def threads_of(pid):
    """The states of its threads, such as S for one that waits."""
    states = []
    for path in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it ended just now
            states.append((path / "stat").read_text().rpartition(")")[2].split()[0])
    return states


def pid_of(daemon):
    line = eventually(lambda: daemon.log_lines("nsaddrd is up"), "it says that it is up")[0]
    return int(re.search(r" pid=(\d+)", line)[1])


def become_slow(daemon, peers, others):
    """Beside so many others, they begin a request; waits until they are slow."""
    for peer in peers:
        peer.send(HALF)
    eventually_open(daemon, len(peers) + others)
    time.sleep(SLOW)


# A request has a deadline

@pytest.mark.parametrize("kept", [False, True], ids=["first", "kept"])
def test_a_request_has_one_deadline_however_its_bytes_come(limited, connect, kept):
    daemon = limited(header_timeout="1s", idle_timeout="1h")
    peer = connect(daemon)
    if kept:
        peer.ask()
    end = time.monotonic() + PATIENCE
    for byte in ENDLESS:
        if not peer.try_to_send(bytes([byte])) or select.select([peer], [], [], 0.05)[0]:
            break
        assert time.monotonic() < end, "it is let go on for ever"
    peer.assert_ends_without_answer()
    assert drops(daemon) == {"header_timeout": 1}


@pytest.mark.parametrize("sent", [b"G", HALF], ids=["one_byte", "half"])
@pytest.mark.parametrize("kept", [False, True], ids=["first", "kept"])
def test_a_request_that_does_not_go_on_is_ended(limited, connect, kept, sent):
    """On a kept connection nobody tells of its first byte, and it may be idle for long."""
    daemon = limited(header_timeout="1s", idle_timeout="1h")
    peer = connect(daemon)
    if kept:
        peer.ask()
        time.sleep(AFTER_ANSWER)
    peer.send(sent)
    peer.assert_ends_without_answer()
    assert drops(daemon) == {"header_timeout": 1}


def test_who_sends_nothing_at_all_is_ended(limited, connect):
    daemon = limited(header_timeout="1s", idle_timeout="1h")
    connect(daemon).assert_ends_without_answer()
    assert drops(daemon) == {"header_timeout": 1}


def test_who_takes_no_answers_is_ended(limited, connect):
    daemon = limited(header_timeout="1s", idle_timeout="1h")
    peer = connect(daemon, receive_buffer=4096)
    peer.send_until_full(REQUEST * 100)
    eventually(peer.has_hung_up, "it is ended", PATIENCE)
    assert drops(daemon) == {"header_timeout": 1}
    eventually_open(daemon, 0)


def test_who_takes_no_answers_has_few_of_them_kept_for_it(limited, connect):
    """The kernel would keep megabytes, for each."""
    daemon = limited(header_timeout="1h")
    size = len(connect(daemon).ask().raw)
    peer = connect(daemon, receive_buffer=4096)
    peer.send_until_full(REQUEST * 100)
    answered = settled(lambda: metric(daemon, "nsaddrd_clients_total"))
    assert 100 < answered < 512 * 1024 / size


@pytest.mark.parametrize("kept", [False, True], ids=["first", "kept"])
def test_a_request_in_pieces_that_is_there_in_time_is_answered(limited, connect, kept):
    daemon = limited(header_timeout="1h")
    peer = connect(daemon)
    if kept:
        peer.ask()
    for byte in REQUEST:
        peer.send(bytes([byte]))
        assert not select.select([peer], [], [], 0.01)[0] or byte == REQUEST[-1]
    assert peer.response().text == "10.0.0.1:9876"
    peer.ask()
    assert not drops(daemon)


def test_the_deadline_of_requests_does_not_end_who_is_idle(limited, connect):
    daemon = limited(header_timeout="1s", idle_timeout="1h")
    idle, slow = connect(daemon), connect(daemon)
    idle.ask()
    for _ in range(3):  # each takes as long as a request may
        slow.send(HALF)
        slow.assert_ends_without_answer()
        slow = connect(daemon)
        assert idle.is_open()
    idle.ask()
    assert drops(daemon) == {"header_timeout": 3}


def test_each_request_of_a_connection_has_its_own_deadline(limited, connect):
    """Together they take longer than one may."""
    daemon = limited(header_timeout="2s", idle_timeout="1h")
    slow, steady = connect(daemon), connect(daemon)
    slow.send(HALF)
    requests = 0
    while slow.is_open():
        steady.send(HALF)
        time.sleep(0.1)
        steady.send(REQUEST[len(HALF):])
        assert steady.response().status == 200
        requests += 1
    assert requests > 1
    steady.ask()
    assert drops(daemon) == {"header_timeout": 1}


# Who is idle

def test_who_is_idle_for_too_long_is_ended_and_who_asks_is_not(limited, connect):
    daemon = limited(idle_timeout="2s", header_timeout="1h")
    busy = connect(daemon)
    for _ in range(2):  # the busy one outlasts them all
        idle = connect(daemon)
        idle.ask()
        while idle.is_open():
            busy.ask()
            time.sleep(0.05)
        idle.assert_ends_without_answer()
    busy.ask()
    assert drops(daemon) == {"idle_timeout": 2}
    assert not daemon.log_lines("level=warn")  # nothing is wrong


def test_the_idle_time_begins_when_the_answer_was_taken(make_daemon, connect):
    """However long that took."""
    addresses = [f"10.{i // 65536}.{i // 256 % 256}.{i % 256}:9876" for i in range(40000)]
    daemon = make_daemon({
        "consul.enabled": False, "static_clusters": [{"id": "a", "addresses": addresses}],
        "http.header_timeout": "1h", "http.idle_timeout": "2s"})
    slow, idle = connect(daemon, receive_buffer=4096), connect(daemon)
    slow.send(REQUEST)
    eventually(lambda: not slow.is_open(), "the answer begins")
    idle.ask("/healthz")
    idle.assert_ends_without_answer()
    assert slow.response().text == ";".join(addresses)
    time.sleep(AFTER_ANSWER)  # for it to be ended, were it so
    slow.ask("/healthz")


# No more than so many

def test_the_slowest_make_room_first_and_then_the_longest_idle(limited, connect):
    daemon = limited(max_connections=LIMIT, threads=1, header_timeout="1h", idle_timeout="1h")
    kept = [connect(daemon) for _ in range(LIMIT // 2)]
    for peer in kept:
        peer.ask()
    slow = [connect(daemon) for _ in range(LIMIT // 2)]
    become_slow(daemon, slow, len(kept))
    kept.append(kept.pop(0))
    kept[-1].ask()  # what it did first does not count
    for left in (slow, kept):
        while left:
            new = connect(daemon)
            new.ask()
            left.pop(0).assert_ends_without_answer()
            assert all(peer.is_open() for peer in [*slow, *kept])
    assert drops(daemon) == {"max_connections": LIMIT}
    eventually_open(daemon, LIMIT)
    assert len(daemon.log_lines("level=warn", "dropping connections", "why=max_connections")) == 1


def test_who_is_slow_to_begin_the_next_request_is_slow_too(limited, connect):
    """It counts from when its first byte was noticed."""
    daemon = limited(max_connections=LIMIT, threads=1, header_timeout="4s", idle_timeout="1h")
    kept = [connect(daemon) for _ in range(LIMIT - 1)]
    for peer in kept:
        peer.ask()
    slow = connect(daemon)
    slow.ask()
    time.sleep(AFTER_ANSWER)
    slow.send(b"G")
    time.sleep(2.5)  # within a quarter of the time of a request it is noticed
    assert slow.is_open()
    connect(daemon).ask()
    slow.assert_ends_without_answer()
    assert all(peer.is_open() for peer in kept)


@pytest.mark.parametrize("threads", [1, 4])
def test_every_one_of_many_clients_is_answered_at_the_limit(limited, connect, threads):
    daemon = limited(max_connections=LIMIT, threads=threads, header_timeout="1h", idle_timeout="1h")
    for _ in range(200):
        connect(daemon).ask()
    eventually_open(daemon, LIMIT)
    assert drops(daemon) == {"max_connections": 200 - LIMIT}


@pytest.mark.parametrize("threads", [1, 4])
def test_good_clients_keep_their_connections_while_slow_ones_are_there(limited, connect, threads):
    """However the threads share the connections."""
    daemon = limited(max_connections=LIMIT, threads=threads, header_timeout="1h", idle_timeout="1h")
    good = [connect(daemon) for _ in range(4)]
    for _ in range(3):
        slow = [connect(daemon) for _ in range(LIMIT - len(good))]
        become_slow(daemon, slow, len(good))
        new = [connect(daemon) for _ in slow]
        for peer in new:
            for each in [peer, *good]:
                each.ask()
        for peer in slow:
            peer.assert_ends_without_answer()
        for peer in new:
            peer.close()
        eventually_open(daemon, len(good))


def test_the_admin_listener_has_its_own_limit(limited, connect):
    daemon = limited(max_connections=LIMIT, threads=1, header_timeout="1h", idle_timeout="1h")
    operator = connect(daemon.admin_port)
    operator.ask("/healthz")
    peers = [connect(daemon) for _ in range(3 * LIMIT)]
    for peer in peers:
        peer.try_to_send(HALF)
    eventually(lambda: drops(daemon) == {"max_connections": 2 * LIMIT}, "all have come")
    operator.ask("/healthz")
    assert daemon.admin("/readyz").status == 200
    eventually_open(daemon, LIMIT + 1)
    assert sum(peer.is_open() for peer in peers) == LIMIT


def test_operators_cannot_take_all_files_either(limited, connect):
    daemon = limited()
    operators = [connect(daemon.admin_port) for _ in range(200)]
    for peer in operators:
        peer.ask("/healthz")
    eventually(lambda: sum(peer.is_open() for peer in operators) == 128, "the first ones are ended")
    assert all(peer.is_open() for peer in operators[-128:])


def test_the_operator_is_told_once_in_a_while(limited, connect):
    """Whatever the number of threads."""
    daemon = limited(max_connections=LIMIT, threads=4, header_timeout="1s", idle_timeout="1h")
    for _ in range(10 * LIMIT):
        connect(daemon).ask()
    connect(daemon).assert_ends_without_answer()
    assert sum(drops(daemon).values()) > 9 * LIMIT
    assert len(daemon.log_lines("level=warn", "dropping connections")) == 1


# No more than so many from one address

def test_one_address_has_so_many_connections_and_no_more(limited, connect):
    daemon = limited(max_connections_per_address=3)
    kept = [connect(daemon, source="127.0.0.2") for _ in range(3)]
    for peer in kept:
        peer.ask()
    for _ in range(10):
        refused = connect(daemon, source="127.0.0.2")
        refused.try_to_send(REQUEST)
        refused.assert_ends_without_answer()
    connect(daemon, source="127.0.0.3").ask()
    for peer in kept:
        peer.ask()
    assert drops(daemon) == {"per_address": 10}
    eventually_open(daemon, 4)


def test_a_refused_connections_request_is_not_answered(limited, connect):
    daemon = limited(max_connections_per_address=1)
    connect(daemon, source="127.0.0.2").ask()
    before = metric(daemon, "nsaddrd_clients_total")
    for _ in range(10):
        refused = connect(daemon, source="127.0.0.2")
        refused.try_to_send(REQUEST)
        refused.assert_ends_without_answer()
    assert metric(daemon, "nsaddrd_clients_total") == before


def test_who_ends_makes_room_for_the_next_of_its_address(limited, connect):
    daemon = limited(max_connections_per_address=2)
    for _ in range(2):
        ends = [
            lambda peer: peer.close(),
            lambda peer: peer.request("/rocketmq/a", headers=[("Connection", "close")]),
            lambda peer: peer.request("/rocketmq/a", version="HTTP/1.0"),
            lambda peer: (peer.send(b"no request\r\n\r\n"), peer.bytes_until_end()),
            lambda peer: (peer.send(b"x" * 20000), peer.bytes_until_end()),
        ]
        for end in ends:
            peers = [connect(daemon, source="127.0.0.2") for _ in range(2)]
            for peer in peers:
                peer.ask()
            for peer in peers:
                end(peer)
            eventually_open(daemon, 0)
    peers = [connect(daemon, source="127.0.0.2") for _ in range(2)]
    for peer in peers:
        peer.ask()
    refused = connect(daemon, source="127.0.0.2")
    refused.try_to_send(REQUEST)
    refused.assert_ends_without_answer()


def test_exempt_networks_have_no_such_limit(limited, connect):
    daemon = limited(max_connections_per_address=1, exempt_networks=["127.0.0.4/30", "192.0.2.0/24"])
    for source in ("127.0.0.4", "127.0.0.7"):
        for _ in range(4):
            connect(daemon, source=source).ask()
    for source in ("127.0.0.3", "127.0.0.8"):
        connect(daemon, source=source).ask()
        refused = connect(daemon, source=source)
        refused.try_to_send(REQUEST)
        refused.assert_ends_without_answer()
    assert drops(daemon) == {"per_address": 2}


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")
def test_ipv6_clients_are_counted_too(make_daemon, connect):
    port = free_port()
    daemon = make_daemon({
        "consul.enabled": False, "static_clusters": [{"id": "a", "addresses": A_LIST["a"]}],
        "http.max_connections_per_address": 2}, start=False)
    daemon.options["listen"] = [f"[::]:{port}", f"127.0.0.1:{daemon.port}"]
    daemon.start()
    for _ in range(2):
        connect(port, host="::1").ask()
    refused = connect(port, host="::1")
    refused.try_to_send(REQUEST)
    refused.assert_ends_without_answer()
    connect(daemon).ask()
    assert drops(daemon) == {"per_address": 1}


# Files

@contextlib.contextmanager
def soft_limit(count):
    """What is started meanwhile has it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_of_files_is_raised_to_what_is_needed(limited):
    with soft_limit(300):
        daemon = limited(max_connections=1000)
    soft, _ = resource.prlimit(pid_of(daemon), resource.RLIMIT_NOFILE)
    assert soft > 1000


def test_a_soft_limit_that_is_enough_is_left_alone(limited):
    with soft_limit(2000):
        daemon = limited(max_connections=100)
    soft, _ = resource.prlimit(pid_of(daemon), resource.RLIMIT_NOFILE)
    assert soft == 2000


def start_with_files(folder, limit, *options):
    """Starts the program with this hard limit. Returns the line that says that it is up, and None, or what it said
    and its exit code."""
    options = ["listen=127.0.0.1:0", "admin.listen=", "consul.enabled=false", "register.drain=0s", *options]
    command = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(limit), str(BINARY)]
    for option in options:
        command += ["-o", option.replace(":0", f":{free_port()}")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder,
                          env=clean_environment(folder)) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "nsaddrd is up" in line:
                process.terminate()
                return line, None
    return "".join(lines), process.returncode


def test_a_hard_limit_that_is_too_low_refuses_to_start_and_says_what_is_right(tmp_path):
    said, code = start_with_files(tmp_path, 600, "http.max_connections=1000")
    assert code == 1
    found = re.fullmatch(
        r"nsaddrd: -o http\.max_connections: 1000 connections need (\d+) open files, the limit is 600; right is at "
        r"most (\d+) connections, or a limit \(ulimit -Hn, LimitNOFILE=\) of at least (\d+)\n", said)
    assert found, said
    need, most, least = map(int, found.groups())
    assert need == least
    assert 1000 - most == need - 600
    assert start_with_files(tmp_path, least - 1, "http.max_connections=1000")[1] == 1
    assert start_with_files(tmp_path, least, "http.max_connections=1000")[1] is None
    assert start_with_files(tmp_path, 600, f"http.max_connections={most + 1}")[1] == 1
    assert start_with_files(tmp_path, 600, f"http.max_connections={most}")[1] is None


def test_a_hard_limit_for_no_connection_at_all_says_so(tmp_path):
    said, code = start_with_files(tmp_path, 300, "http.max_connections=1000")
    assert code == 1
    found = re.fullmatch(
        r"nsaddrd: the limit of open files is 300, which is too low for any number of connections; right is a limit "
        r"\(ulimit -Hn, LimitNOFILE=\) of at least (\d+)\n", said)
    assert found, said
    least = int(found[1])
    assert start_with_files(tmp_path, least, "http.max_connections=1000")[1] is None
    for_16 = least - 1000 + 16  # the least number of connections that may be configured
    assert start_with_files(tmp_path, for_16, "http.max_connections=16")[1] is None
    assert "right is at most 16 connections" in start_with_files(tmp_path, for_16, "http.max_connections=1000")[0]
    assert "any number of" in start_with_files(tmp_path, for_16 - 1, "http.max_connections=1000")[0]


class Files:
    """Takes the files from a running daemon, and gives them back."""

    def __init__(self, daemon, connect):
        self._use_one = lambda: connect(daemon.admin_port).ask("/healthz")
        self._pid = pid_of(daemon)
        self._before = resource.prlimit(self._pid, resource.RLIMIT_NOFILE)

    def _used(self):
        return {int(path) for path in os.listdir(f"/proc/{self._pid}/fd")}

    def take(self):
        """It can open no further one; those that are open stay so."""
        while len(used := settled(self._used)) <= max(used):  # the limit is one of numbers
            self._use_one()
        resource.prlimit(self._pid, resource.RLIMIT_NOFILE, (len(used), self._before[1]))

    def give_back(self):
        resource.prlimit(self._pid, resource.RLIMIT_NOFILE, self._before)


def complaints(daemon):
    """How often accepting failed for want of files."""
    return len(daemon.log_lines("libmicrohttpd", "Hit process or system resource limit"))


@pytest.mark.parametrize("threads", [1, 4])
def test_out_of_files_with_no_connection_it_waits_without_spinning(limited, connect, threads):
    daemon = limited({"log.level": "debug"}, threads=threads)
    files = Files(daemon, connect)
    files.take()
    peers = [connect(daemon) for _ in range(3)]
    for peer in peers:
        peer.send(REQUEST)
    first = eventually(lambda: complaints(daemon), "a connection cannot be accepted")
    time.sleep(1)
    # It tries again now and then: a thread that spins does so many thousand times.
    assert 0 < complaints(daemon) - first < 200 * threads
    assert all(peer.is_open() for peer in peers)
    files.give_back()
    for peer in peers:
        assert peer.response().status == 200
    connect(daemon).ask()
    assert "out_of_files" in drops(daemon)


def test_out_of_files_the_longest_idle_makes_room(limited, connect):
    daemon = limited({"log.level": "debug"}, threads=1)
    files = Files(daemon, connect)
    kept = [connect(daemon) for _ in range(4)]
    for peer in kept:
        peer.ask()
    files.take()
    connect(daemon).ask()
    kept.pop(0).assert_ends_without_answer()  # for the new one
    kept.pop(0).assert_ends_without_answer()  # so that one file stays free
    for _ in range(10):
        new = connect(daemon)
        new.ask()
        kept.append(new)
    while len(kept) > 3:
        kept.pop(0).assert_ends_without_answer()
    for peer in kept:
        peer.ask()
    assert complaints(daemon) < 50
    files.give_back()
    assert drops(daemon) == {"out_of_files": 12}
    for peer in [*kept, connect(daemon)]:
        peer.ask()


def test_out_of_files_who_is_slow_makes_room_before_who_is_good(limited, connect):
    daemon = limited({"log.level": "debug"}, threads=1, header_timeout="1h")
    files = Files(daemon, connect)
    good, slow = connect(daemon), [connect(daemon) for _ in range(2)]
    good.ask()
    become_slow(daemon, slow, 1)
    files.take()
    connect(daemon).ask()
    for peer in slow:  # for the new one, and so that one file stays free
        peer.assert_ends_without_answer()
    good.ask()


# The stop

def test_a_request_under_way_is_finished_before_a_stop(serve, connect):
    daemon = serve(A_LIST, **{"register.drain": "1s"})
    peer, kept = connect(daemon), connect(daemon)
    kept.ask()
    peer.send(HALF)
    daemon.signal(signal.SIGTERM)
    eventually(lambda: daemon.log_lines("stopping"), "it stops")
    peer.send(REQUEST[len(HALF):])
    for response in (peer.response(), kept.request("/rocketmq/a")):
        assert response.text == "10.0.0.1:9876"
        assert response.header("Connection") == "close"
    for each in (peer, kept):
        assert each.bytes_until_end() == b""
    assert daemon.wait() == 0


def test_a_request_under_way_is_finished_without_a_drain(serve, connect):
    daemon = serve(A_LIST, **{"register.drain": "0s", "http.threads": 1})
    operator = connect(daemon.admin_port)

    def accepted():  # asked over a connection that is there already
        return number(operator.ask("/metrics").text, "nsaddrd_http_connections_accepted_total")

    before = accepted()
    peer = connect(daemon)
    peer.send(HALF)
    eventually(lambda: accepted() == before + 1, "it has begun")
    pid = pid_of(daemon)
    threads = len(threads_of(pid))
    daemon.signal(signal.SIGTERM)
    # The operator is idle, and is waited for, too, but not for as long.
    eventually(lambda: len(threads_of(pid)) == threads - 2, "the threads of Consul and of operators have ended")
    peer.send(REQUEST[len(HALF):])
    response = peer.response()
    assert response.text == "10.0.0.1:9876"
    assert response.header("Connection") == "close"
    assert daemon.wait() == 0


def test_who_never_finishes_a_request_does_not_keep_it_from_stopping(serve, connect):
    daemon = serve(A_LIST, **{"http.header_timeout": "1h"})
    peer = connect(daemon)
    peer.send(HALF)
    eventually_open(daemon, 1)
    daemon.stop()
    peer.assert_ends_without_answer()


# All of it together

@pytest.mark.parametrize("count", [126, 127, 128, 129, 256])
def test_requests_that_come_at_the_same_time_are_answered_before_it_waits_again(limited, connect, count):
    """The library takes 128 events from the kernel at once; of a request behind another one there is none."""
    daemon = limited(threads=1, header_timeout="1h", idle_timeout="1h")
    pid = pid_of(daemon)
    peers = [connect(daemon) for _ in range(count)]
    for peer in peers:
        peer.ask()
    daemon.signal(signal.SIGSTOP)
    for peer in peers:
        peer.send(REQUEST * 3)
    daemon.signal(signal.SIGCONT)
    eventually(lambda: set(threads_of(pid)) == {"S"}, "all is done")
    assert sum(not peer.is_open() for peer in peers) == count
    assert sum(peer.receive_once().count(b"HTTP/1.1 200 OK") for peer in peers) == 3 * count


class Crowd:
    """Slow connections of three kinds: one byte now and then, idle, and never reading an answer."""

    def __init__(self, connect, daemon, count):
        self._peers = [connect(daemon, receive_buffer=4096) for _ in range(count)]
        self._dribbling = self._peers[::3]
        for peer in self._peers[1::3]:
            peer.ask()
        for peer in self._peers[2::3]:
            peer.send(REQUEST * 20)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._dribble, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(PATIENCE)

    def _dribble(self):
        for byte in ENDLESS:
            for peer in self._dribbling:
                peer.try_to_send(bytes([byte]))
            if self._stop.wait(0.5):
                return

    def still_there(self):
        return sum(not peer.has_hung_up() for peer in self._peers)


@pytest.fixture
def many_files():
    """This process may open all it can; how many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_good_clients_are_answered_while_a_crowd_is_slow(limited, connect, many_files):
    count = min(1000, many_files - 500)
    daemon = limited(header_timeout="1h", idle_timeout="1h", max_connections=2000)
    with Crowd(connect, daemon, count) as crowd:
        good = connect(daemon)
        for _ in range(300):
            good.ask()

        def come_and_go(times):
            return sum(daemon.get("/rocketmq/a").status == 200 for _ in range(times))

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(come_and_go, [1250] * 4)) == 5000
        assert crowd.still_there() == count
    assert not drops(daemon)
    eventually_open(daemon, count + 1)
