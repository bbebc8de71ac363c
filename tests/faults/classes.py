# SPDX-License-Identifier: Apache-2.0
"""The classes of faults. Each is put on, is met some times, and is taken off.

Most are lies that can be told from the truth, and nothing may come of them. Those that cannot are marked so: then
the delays hold (no address leaves before its own, no cluster ends before its own) and no foreign address is served,
which is what the validator checks in every cell.
"""

import json
import os
import random
import threading

import proxy
from fake_consul import HEALTH, NAMES, STATES, Instance, Reply

EVERYTHING = (HEALTH + "*", NAMES, STATES + "*")
LISTS = (HEALTH + "*",)


class Fault:
    wire = False  # runs behind the proxy
    tls = False
    prefix = "nameServer"  # of the services; of those behind the proxy each cell has its own
    more_clusters = ()  # that the poller asks for beside the usual ones
    stirred = False  # is only met while clusters are read
    megabytes = 80  # of memory at most: a body of a few MB, its JSON, and the daemon itself

    def options(self, cell):
        """Further options of the daemon."""
        return {}

    def environment(self, cell):
        return {}

    def on(self, cell):
        raise NotImplementedError

    def met(self, cell):
        raise NotImplementedError

    def endured(self, cell):
        """It was met, and goes on: is all as it is to be now?"""

    def off(self, cell):
        raise NotImplementedError


class Wire(Fault):
    wire = True

    def __init__(self, kind, times=4):
        self._kind = kind
        self._times = times

    def on(self, cell):
        cell.agent.proxy.fault(self._kind)

    def met(self, cell):
        if self._kind == proxy.REFUSE:
            return cell.warned()  # nobody but the daemon knows
        return cell.agent.proxy.used >= self._times

    def off(self, cell):
        cell.agent.proxy.clear()


class Answered(Fault):
    """Requests are answered by something else than the truth."""

    stirred = True

    def __init__(self, reply, paths=EVERYTHING, times=3, megabytes=Fault.megabytes):
        self._reply = reply
        self._paths = paths
        self._times = times
        self.megabytes = megabytes
        self._rules = []

    def on(self, cell):
        self._rules = [cell.agent.fake.answer(path, self._reply) for path in self._paths]

    def met(self, cell):
        # Without names nobody asks for lists.
        return max(rule.used for rule in self._rules) >= self._times

    def off(self, cell):
        for rule in self._rules:
            rule.remove()


class Busy(Fault):
    """Something goes on in Consul, again and again."""

    def __init__(self, step, seconds, steps):
        self._step = step
        self._seconds = seconds
        self._steps = steps
        self._done = 0
        self._stop = threading.Event()
        self._thread = None

    def on(self, cell):
        self._thread = threading.Thread(target=self._run, args=(cell,), daemon=True)
        self._thread.start()

    def _run(self, cell):
        while not self._stop.wait(self._seconds):
            self._step(cell, self._done)
            self._done += 1

    def met(self, cell):
        return self._done >= self._steps

    def off(self, cell):
        self._stop.set()
        self._thread.join()
        cell.set_all()


class OtherCase(Fault):
    """Names that differ in case only: Consul finds their instances together."""

    more_clusters = ("A",)
    stirred = True

    def on(self, cell):
        for name in ("nameServerA", "NAMESERVERa"):
            cell.agent.fake.set_service(name, [Instance("10.66.6.6")])

    def met(self, cell):
        return len(cell.agent.fake.plain_reads("nameServerA")) >= 1 and len(
            cell.agent.fake.reads("nameServera", since=cell.fault_since)) >= 2

    def off(self, cell):
        for name in ("nameServerA", "NAMESERVERa"):
            cell.agent.fake.remove_service(name)


class AgentRestarted(Fault):
    """The agent comes back empty, and its services register one after another."""

    def on(self, cell):
        fake = cell.agent.fake
        fake.stop()
        for cluster in cell.truth:
            fake.remove_service(cell.agent.prefix + cluster)
        fake.rewind()
        fake.start()

    def met(self, cell):
        return len(cell.agent.fake.requests(since=cell.fault_since)) >= 6

    def off(self, cell):
        for cluster, hosts in cell.truth.items():
            for count in range(1, len(hosts) + 1):
                cell.agent.set(cluster, hosts[:count])


class NameGone(Fault):
    """The name of the Consul host does not resolve any more (resolver.c is between the daemon and the C library).
    What curl has resolved is good for it for 30 s, so connections break until that is over."""

    NAME = "consul.invalid"

    def __init__(self):
        self._stop = threading.Event()
        self._breaker = None

    def options(self, cell):
        return {"consul.address": f"http://{self.NAME}:{cell.agent.fake.port}"}

    def environment(self, cell):
        self._works(cell).touch()
        return {"LD_PRELOAD": str(cell.shared.resolver), "RESOLVER_NAME": self.NAME,
                "RESOLVER_WORKS": str(self._works(cell)), "RESOLVER_FAILURES": str(self._failures(cell))}

    def on(self, cell):
        self._works(cell).unlink()
        self._breaker = threading.Thread(target=self._break, args=(cell,), daemon=True)
        self._breaker.start()

    def _break(self, cell):
        while not self._stop.wait(0.5):
            cell.agent.fake.break_connections()

    def met(self, cell):
        failures = self._failures(cell)
        return failures.exists() and failures.stat().st_size >= 3

    def off(self, cell):
        self._stop.set()
        self._breaker.join()
        self._works(cell).touch()

    @staticmethod
    def _works(cell):
        return cell.folder / "resolver-works"

    @staticmethod
    def _failures(cell):
        return cell.folder / "resolver-failures"


class Certificate(Fault):
    """Another certificate is shown, which the daemon must not trust; then all is set right."""

    tls = True

    def options(self, cell):
        self._ca_file(cell).write_bytes(cell.shared.ca.file.read_bytes())
        return {"consul.tls.ca_file": str(self._ca_file(cell))}

    def met(self, cell):
        return cell.agent.fake.broken_handshakes >= 3

    @staticmethod
    def _ca_file(cell):
        return cell.folder / "trusted.pem"


class CertificateExpired(Certificate):
    def on(self, cell):
        cell.agent.fake.use_certificate(cell.shared.expired)

    def off(self, cell):
        cell.agent.fake.use_certificate(cell.shared.pair)


class CertificateRotated(Certificate):
    """The server has one of another CA, and the file with the CA is replaced later."""

    def on(self, cell):
        cell.agent.fake.use_certificate(cell.shared.other_pair)

    def off(self, cell):
        new = cell.folder / "trusted.new"
        new.write_bytes(cell.shared.other_ca.file.read_bytes())
        os.replace(new, self._ca_file(cell))


class TokenRotated(Fault):
    def options(self, cell):
        cell.agent.fake.require_token("first")
        self._file(cell).write_text("first\n")
        return {"consul.token_file": str(self._file(cell))}

    def on(self, cell):
        cell.agent.fake.require_token("second")

    def met(self, cell):
        refused = cell.agent.fake.requests(since=cell.fault_since, when=lambda request: request.status == 403)
        return len(refused) >= 4

    def off(self, cell):
        self._file(cell).write_text("second\n")

    @staticmethod
    def _file(cell):
        return cell.folder / "token"


# Replies made from the truth


def _rows(change):
    """A reply with the rows of the true one changed."""
    def reply(_, truth):
        rows = json.loads(truth.body)
        return Reply(200, change(rows))
    return reply


def _last_service(**members):
    def change(rows):
        if rows:
            rows[-1]["Service"].update(members)
        return rows
    return _rows(change)


def _text(old, new):
    return lambda _, truth: Reply(200, truth.body.encode().replace(old, new))


def under_index(next_index):
    """The true body under another index, at once."""
    return lambda _, truth: Reply(200, truth.body, {"X-Consul-Index": str(next_index())})


def counting_down():
    index = 1_000_000
    lock = threading.Lock()

    def step():
        nonlocal index
        with lock:
            index -= 1
            return index
    return step


def _jumping():
    numbers = random.Random(1)
    return lambda: numbers.randint(10, 1_000_000_000)


def _two_bodies():
    """Under one index now the whole list, now a part of it."""
    seen = {}

    def reply(request, truth):
        rows = json.loads(truth.body)
        seen[request.path] = seen.get(request.path, 0) + 1
        return Reply(200, rows[:-1] if seen[request.path] % 2 else rows, {"X-Consul-Index": "500"})
    return reply


def _filtered(request, truth):
    """What the token may see: no names, and of each list a part."""
    rows = {} if request.path == NAMES else json.loads(truth.body)[:1]
    return Reply(200, rows, {"X-Consul-Results-Filtered-By-ACLs": "true"})


def _many_members():
    """Two of them are the same, which is seen at the very end. One instance cannot be served, so."""
    service = {"ID": "x", "Service": "nameServera", "Address": "10.0.0.1", "Port": 9876}
    service.update((f"k{number:06}", 0) for number in range(50_000))
    row = {"Node": {"Node": "n", "Address": "10.9.9.9"}, "Service": service, "Checks": []}
    return Reply(200, json.dumps([row]).replace("k049998", "k049999"))


# What goes on in Consul


def _flap(cell, step):
    first, second = cell.truth["a"]
    status = "critical" if step % 2 == 0 else "passing"
    cell.agent.fake.set_service("nameServera", [Instance(first), Instance(second, status=status)])


def _move(cell, step):
    """The second address of one cluster is now the other's, now its own again."""
    first, second = cell.truth["a"]
    if step % 2 == 0:
        cell.agent.set("a", [first])
        cell.agent.set("b", [*cell.truth["b"], second])
    else:
        cell.agent.set("b", cell.truth["b"])
        cell.agent.set("a", [first, second])


def _wake(cell, _):
    for cluster in cell.truth:
        cell.agent.fake.bump("nameServer" + cluster)


HTML = "<html><body>Welcome to the hotel network</body></html>"
HUGE = b"[" + b" " * 100_000_000 + b"]"
TRUNCATED = '[{"Node": {"Node": "n", "Address": "10.0.0.1"}, "Service": {"ID": "x", "Serv'

# name -> what makes the fault, new for each cell
CLASSES = {
    "refused": lambda: Wire(proxy.REFUSE),
    "reset at connect": lambda: Wire(proxy.RESET_CONNECT),
    "reset in the headers": lambda: Wire(proxy.RESET_HEADERS),
    "reset in the body": lambda: Wire(proxy.RESET_BODY),
    "black hole": lambda: Wire(proxy.BLACK_HOLE, times=1),
    "1 byte/s": lambda: Wire(proxy.SLOW, times=1),
    # Health reads of it are lies that look like the truth.
    "200 []": lambda: Answered(Reply(200, "[]")),
    # Names reads of it are lies that look like the truth.
    "200 {}": lambda: Answered(Reply(200, "{}")),
    "null": lambda: Answered(Reply(200, "null")),
    "HTML": lambda: Answered(Reply(200, HTML, {"Content-Type": "text/html"})),
    "truncated JSON": lambda: Answered(Reply(200, TRUNCATED)),
    # The names may have 64 MB, of which curl's last piece makes another 64, and 3 lists 16 MB each.
    "100 MB body": lambda: Answered(Reply(200, HUGE), times=1, megabytes=250),
    "nesting 10^6 deep": lambda: Answered(Reply(200, "[" * 1_000_000)),
    "50,000 members": lambda: Answered(_many_members(), (HEALTH + "nameServera",), times=2),
    "duplicate keys": lambda: Answered(_text(b'"Port": 9876', b'"Port": 9876, "Port": 9877'), LISTS),
    "bad UTF-8": lambda: Answered(_text(b'"Address": "10.0.0.2"', b'"Address": "10.0.0.2\xff"'), LISTS),
    "port 0": lambda: Answered(_last_service(Port=0), LISTS),
    "port 70000": lambda: Answered(_last_service(Port=70000), LISTS),
    "port 1.5": lambda: Answered(_last_service(Port=1.5), LISTS),
    'port "80"': lambda: Answered(_last_service(Port="80"), LISTS),
    "host name": lambda: Answered(_last_service(Address="ns.example.com"), LISTS),
    "; in an address": lambda: Answered(_last_service(Address="10.0.0.1;10.66.6.6"), LISTS),
    "newline in an address": lambda: Answered(_last_service(Address="10.66.6.6\r\nX: y"), LISTS),
    "400": lambda: Answered(Reply(400, "Bad request")),
    "403": lambda: Answered(Reply(403, "rpc error making call: ACL not found")),
    "404": lambda: Answered(Reply(404, "")),
    "429": lambda: Answered(Reply(429, "Your IP is issuing too many concurrent connections")),
    "500 no leader": lambda: Answered(Reply(500, "No cluster leader")),
    "503": lambda: Answered(Reply(503, "Service unavailable")),
    "redirect": lambda: Answered(Reply(302, "", {"Location": "/v1/health/service/nothing"})),
    "index backwards": lambda: Answered(under_index(counting_down())),
    "index 0": lambda: Answered(under_index(lambda: 0)),
    "index garbage": lambda: Answered(under_index(lambda: "-7x")),
    "index stuck": lambda: Answered(under_index(lambda: 42)),
    "index jumping": lambda: Answered(under_index(_jumping())),
    "same index, other body": lambda: Answered(_two_bodies(), LISTS),
    "1,000 wake-ups/s": lambda: Busy(_wake, 0.001, 1000),
    # Lies that look like the truth.
    "partial lists": lambda: Answered(_rows(lambda rows: rows[:1]), LISTS),
    "flapping at 10 Hz": lambda: Busy(_flap, 0.1, 35),
    "ip:port moving": lambda: Busy(_move, 0.3, 8),
    "names in other case": OtherCase,
    "filtered by ACLs": lambda: Answered(_filtered),
    "agent restarted empty": AgentRestarted,
    "name does not resolve": NameGone,
    "certificate expired": CertificateExpired,
    "certificate rotated": CertificateRotated,
    "token rotated": TokenRotated,
}
