# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Consul agent that a test can script.

It follows Consul's own rules where they matter to a client: blocking reads and their indexes, the headers
of streaming and plain reads, `[]` for a service that is not there, refused unknown fields, ACL refusals.
A test changes what it knows (set_service and so on), replaces single replies (answer), holds requests back
(hold), takes the agent away (stop, start), and looks at every request that came in (requests, reads).
"""

import json
import os
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from fnmatch import fnmatchcase
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Optional
from urllib.parse import parse_qs, unquote, urlsplit

from bexpr import BadFilter, compile_filter
from check_table import StateRead
from consul_state import BadRequest, ConsulState, Instance
from durations import seconds
from ports import free_port

__all__ = ["FakeConsul", "Instance", "Reply", "Request"]

HEALTH = "/v1/health/service/"
NAMES = "/v1/catalog/services"
STATES = "/v1/health/state/"
_DEFAULT_WAIT = 300.0
_MAX_WAIT = 600.0
_IN_ONE_PIECE = 1 << 20
_CHUNK_ABOVE = 2048  # Go's HTTP server sends larger bodies chunked


@dataclass
class Reply:
    """A reply that takes the place of the true one."""

    status: int = 200
    body: Any = b""  # bytes and text as they are, anything else as JSON
    headers: Mapping = field(default_factory=dict)  # on top of Consul's own
    raw: Optional[bytes] = None  # the whole reply, header and all; then the connection closes
    cut_at: Optional[int] = None  # send this much of the body, then close
    reset: bool = False  # no reply: the connection is reset
    delay: float = 0.0
    pieces: Optional[Callable] = None  # makes an iterable: the body, chunk by chunk, as long as the client takes it

    def body_bytes(self):
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Request:
    method: str
    path: str  # percent-decoded, without the query and the path prefix of the fake
    query: Mapping
    headers: Mapping  # lower-case names
    body: bytes
    connection: int
    at: float
    status: Optional[int] = None  # of the reply; None while there is none
    answered_at: Optional[float] = None

    @property
    def index(self):
        """0 for a read without an index: one that never blocks."""
        return int(self.query.get("index") or 0)

    @property
    def token(self):
        return self.headers.get("x-consul-token") or self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def is_write(self):
        return self.method != "GET"

    def json(self):
        return json.loads(self.body)


class _Rule:
    """A reply or a barrier for the requests it matches."""

    def __init__(self, fake, pattern, reply, times, when):
        self._fake = fake
        self._pattern = pattern
        self._when = when
        self.reply = reply
        self.times = times
        self.used = 0

    def matches(self, request):
        if self.times is not None and self.used >= self.times:
            return False
        return fnmatchcase(request.path, self._pattern) and (self._when is None or self._when(request))

    def remove(self):
        """From now on the true replies are given; requests held back go on."""
        self._fake.remove_rule(self)


class _Abandoned(Exception):
    """The fake stops while a request waits."""


class FakeConsul:
    def __init__(self, unix_socket=None, tls=None, client_ca=None, path_prefix="", observer=None):
        """tls: a KeyPair to serve https with; client_ca: a file, clients must then show a certificate.
        observer(request, status, headers, body) is called with every complete reply that is about to be sent."""
        self._unix_socket = unix_socket
        self._tls = _tls_context(tls, client_ca) if tls else None
        self._observer = observer
        self._path_prefix = path_prefix
        self.port = None if unix_socket else free_port()
        self._changed = threading.Condition()
        self._state = ConsulState()
        self._requests = []
        self._rules = []
        self._tokens = None
        self._stopping = True
        self._server = None
        self._datacenters = {"dc1"}
        self.failures = []  # tracebacks: of requests that could not be served by a mistake of ours
        self.broken_handshakes = 0  # TLS clients that left before their first request
        self._enterprise = False

    # Its life

    def start(self):
        self._stopping = False
        self._server = _UnixServer(self) if self._unix_socket else _TcpServer(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def use_certificate(self, pair):
        """From now on this one is shown; connections break, as at a restart."""
        self._tls = _tls_context(pair, None)
        self.break_connections()

    def break_connections(self):
        self._server.drop_connections()

    def stop(self):
        """The agent is gone: open connections break, new ones are refused."""
        if self._server is None:
            return
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._server = None
        if self._unix_socket:
            os.unlink(self._unix_socket)
        assert not self.failures, "\n".join(self.failures)

    @property
    def url(self):
        if self._unix_socket:
            return f"unix://{self._unix_socket}"
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{self._path_prefix}"

    # What it knows

    def set_service(self, name, instances, moves_index=True):
        """Registers, edits or (with no instances) removes a service. moves_index=False: blocking reads
        return the new body under the old index, as some Consul versions did."""
        with self._write() as state:
            state.set_service(name, instances, moves_index)

    def remove_service(self, name):
        with self._write() as state:
            state.remove_service(name)

    def bump(self, name):
        """The index of a service moves and nothing else, as when the output of a check changes."""
        with self._write() as state:
            state.bump(name)

    def rewind(self):
        """Every index goes back, as after the restore of a snapshot."""
        with self._write() as state:
            state.rewind()

    def forget_registrations(self):
        with self._write() as state:
            state.forget_registrations()

    def register_behind_its_back(self, definition):
        """Registers a service with the agent as another client of it would, without a request to record."""
        with self._write() as state:
            state.register(definition)

    def deregister_behind_its_back(self, service_id):
        with self._write() as state:
            assert state.deregister(service_id), service_id

    def put_in_maintenance_behind_its_back(self, service_id):
        with self._write() as state:
            assert state.set_maintenance(service_id, True, "an operator is at work"), service_id

    def require_token(self, *tokens):
        with self._write():
            self._tokens = set(tokens)

    def add_datacenter(self, name):
        with self._write():
            self._datacenters.add(name)

    def be_enterprise(self):
        """Namespaces and partitions are accepted, which the community edition answers with 400."""
        with self._write():
            self._enterprise = True

    def registrations(self):
        with self._changed:
            return self._state.registrations()

    def registered_names(self):
        return sorted(service["Name"] for service in self.registrations().values())

    def in_maintenance(self, service_id):
        with self._changed:
            return self._state.in_maintenance(service_id)

    def check_statuses(self):
        """Status of every check of our own services, by service ID."""
        with self._changed:
            statuses = {}
            for check in self._state.agent_checks().values():
                statuses.setdefault(check["ServiceID"], []).append(check["Status"])
            return statuses

    # Replies that are not the true ones

    def answer(self, pattern, reply, times=None, when=None):
        """Gives this reply to requests whose path matches, those that block right now included. reply may be a
        function that makes it from the request and the reply that would be true."""
        return self._add_rule(_Rule(self, pattern, reply, times, when))

    def hold(self, pattern, when=None):
        """Keeps matching requests waiting until the rule returned is removed."""
        return self._add_rule(_Rule(self, pattern, None, None, when))

    def remove_rule(self, rule):
        with self._changed:
            self._rules.remove(rule)
            self._changed.notify_all()

    def _add_rule(self, rule):
        with self._changed:
            self._rules.insert(0, rule)
            self._changed.notify_all()
        return rule

    # What it was asked

    def requests(self, path=None, since=0.0, when=None):
        with self._changed:
            return [r for r in self._requests if r.at >= since and (path is None or fnmatchcase(r.path, path))
                    and (when is None or when(r))]

    def reads(self, name, **options):
        """The health reads of one service."""
        return self.requests(HEALTH + name, **options)

    def plain_reads(self, name, since=0.0):
        """The health reads that did not block and so did not come from the agent's materialised view."""
        return self.reads(name, since=since, when=lambda r: r.index == 0 and "cached" not in r.query)

    def writes(self, since=0.0):
        return self.requests(since=since, when=lambda r: r.is_write)

    def is_watching(self, name, since=0.0):
        """True while a blocking read of the service is open."""
        return bool(self.reads(name, since=since, when=lambda r: r.index > 0 and r.status is None))

    # Serving

    @contextmanager
    def _write(self):
        with self._changed:
            yield self._state
            self._changed.notify_all()

    def serve(self, request):
        """The reply to a request, after waiting as long as Consul would."""
        with self._changed:
            inside = request.path.startswith(self._path_prefix + "/")
            request.path = request.path.removeprefix(self._path_prefix)
            self._requests.append(request)
            reply = (self._scripted(request) or self._true_reply(request)) if inside else _text(404, "")
        if reply.delay:
            time.sleep(reply.delay)
        request.answered_at = time.monotonic()
        request.status = reply.status
        return reply

    def observe(self, request, reply, body):
        """The reply is complete and its client is there to take it."""
        if self._observer is not None:
            self._observer(request, reply.status, reply.headers, body)

    def abandon(self, request):
        with self._changed:
            request.status = 0

    def _scripted(self, request):
        """The scripted reply, or None; waits while a hold matches. Called with the lock held."""
        while True:
            if self._stopping:
                raise _Abandoned
            rule = next((rule for rule in self._rules if rule.matches(request)), None)
            if rule is None:
                return None
            if rule.reply is not None:
                rule.used += 1
                reply = rule.reply
                if callable(reply):
                    reply = reply(request, self._reply_at_once(request))
                return self._with_own_headers(request, reply)
            self._changed.wait()

    def _reply_at_once(self, request):
        query = {name: value for name, value in request.query.items() if name != "index"}
        try:
            return self._refusal(request) or self._route(replace(request, query=query))
        except (BadRequest, BadFilter) as error:
            return _text(400, str(error))

    def _with_own_headers(self, request, reply):
        """Fills in what Consul would send with this path, so that a scripted reply differs in one thing."""
        headers = _plain_headers()
        if request.path.startswith(HEALTH):
            headers |= self._read_headers(self._state.health_index(request.path.removeprefix(HEALTH)), request, True)
        elif request.path == NAMES:
            headers |= self._read_headers(self._state.names_index(), request, False)
        elif request.path.startswith(STATES):
            headers |= self._read_headers(self._state.checks.index, request, False)
        return Reply(**{**vars(reply), "headers": {**headers, **reply.headers}})

    def _true_reply(self, request):
        try:
            return self._refusal(request) or self._route(request)
        except BadRequest as error:
            return _text(400, str(error))
        except BadFilter as error:
            return _text(500, f"Failed to create boolean expression evaluator: {error}")

    def _refusal(self, request):
        if "dc" in request.query and request.query["dc"] not in self._datacenters:
            return _text(500, "No path to datacenter")
        for name in ("ns", "partition"):
            if name in request.query and not self._enterprise:
                return _text(400, f'Invalid query parameter: "{name}" - this is a Consul Enterprise feature')
        if "stale" in request.query and "consistent" in request.query:
            return _text(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
        if self._tokens is None or request.token in self._tokens:
            return None
        if request.token:
            return _text(403, "rpc error making call: ACL not found")
        if request.is_write or request.path == "/v1/agent/self":
            return _text(403, "Permission denied: anonymous token lacks permission")
        # Lists are filtered to nothing for the anonymous token, without a word.
        empty = {} if request.path in (NAMES, "/v1/agent/services", "/v1/agent/checks") else []
        return _json(empty, {"X-Consul-Index": "1", "X-Consul-Default-Acl-Policy": "deny"})

    def _route(self, request):
        path = request.path
        if request.method == "GET":
            if path == NAMES:
                return self._names(request)
            if path.startswith(HEALTH):
                return self._health(request, path.removeprefix(HEALTH))
            if path.startswith(STATES):
                return self._checks(request, path.removeprefix(STATES))
            if path == "/v1/agent/services":
                return _json(_filtered(self._state.agent_services(), request))
            if path == "/v1/agent/checks":
                return _json(_filtered(self._state.agent_checks(), request))
            if path.startswith("/v1/agent/service/"):
                return self._own_service(path.removeprefix("/v1/agent/service/"))
            if path == "/v1/agent/self":
                return _json(self._self())
        elif request.method == "PUT":
            if path == "/v1/agent/service/register":
                return self._register(request)
            if path.startswith("/v1/agent/service/deregister/"):
                return self._changed_or_unknown(path, self._state.deregister(path.rsplit("/", 1)[1]))
            if path.startswith("/v1/agent/service/maintenance/"):
                return self._maintenance(request, path.rsplit("/", 1)[1])
        return _text(404, "")

    def _names(self, request):
        scripted = self._block(request, lambda after: self._state.names_index() > after)
        if scripted:
            return scripted
        rows = {name: {"ServiceName": name, "ServiceTags": tags} for name, tags in self._state.names().items()}
        names = {name: rows[name]["ServiceTags"] for name in _filtered(rows, request)}
        return _json(names, self._read_headers(self._state.names_index(), request, False))

    def _health(self, request, name):
        scripted = self._block(request, lambda after: self._state.health_index(name) > after)
        if scripted:
            return scripted
        rows = self._state.health(name)
        if "passing" in request.query:
            rows = [row for row in rows if all(check["Status"] == "passing" for check in row["Checks"])]
        return _json(_filtered_rows(rows, request), self._read_headers(self._state.health_index(name), request, True))

    def _checks(self, request, state):
        if not state:
            raise BadRequest("Missing check state")
        _filtered_rows([], request)  # a bad filter is refused before anything is waited for
        read = StateRead(self._state.checks, state)
        scripted = self._block(request, read.is_due)
        if scripted:
            return scripted
        index = min(read.index, self._state.checks.index)  # it has gone back if all was rewound meanwhile
        return _json(_filtered_rows(self._state.checks.in_state(state), request),
                     self._read_headers(index, request, False))

    def _block(self, request, is_due):
        """Waits as a blocking read does, until is_due(its index), which is asked again after every change. Returns a
        scripted reply that became due meanwhile, or None."""
        wait = _wait_seconds(request.query.get("wait"))
        after = _index_number(request.query.get("index"))
        deadline = time.monotonic() + wait
        generation = self._state.generation
        while after > 0 and not is_due(after) and generation == self._state.generation:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._changed.wait(left)
            scripted = self._scripted(request)
            if scripted:
                return scripted
        return None

    def _read_headers(self, index, request, may_stream):
        streaming = may_stream and (request.query.get("index", "0") not in ("", "0") or "cached" in request.query)
        return {
            **_plain_headers(),
            "X-Consul-Index": str(max(1, index)),
            # In streaming mode the agent never fills these two in.
            "X-Consul-Knownleader": "false" if streaming else "true",
            "X-Consul-Lastcontact": "0",
            "X-Consul-Query-Backend": "streaming" if streaming else "blocking-query",
            "X-Consul-Effective-Consistency": "leader",
        }

    def _own_service(self, service_id):
        service = self._state.agent_services().get(service_id)
        return _json(service) if service else _text(404, f"unknown service ID: {service_id!r}")

    @staticmethod
    def _self():
        return {"Config": {"Datacenter": "dc1", "NodeName": "agent-node", "Server": True, "Version": "1.22.0"},
                "Member": {"Name": "agent-node", "Addr": "127.0.0.1", "Port": 8301, "Status": 1}}

    def _register(self, request):
        try:
            definition = request.json()
        except ValueError as error:
            raise BadRequest(f"Request decode error: {error}") from error
        self._state.register(definition, request.query.get("replace-existing-checks") in ("", "true", "1"))
        return self._changed_or_unknown(request.path, True)

    def _maintenance(self, request, service_id):
        if request.query.get("enable") not in ("true", "false"):
            raise BadRequest("Missing value for enable")
        done = self._state.set_maintenance(service_id, request.query["enable"] == "true",
                                           request.query.get("reason", ""))
        return self._changed_or_unknown(request.path, done)

    def _changed_or_unknown(self, path, done):
        if not done:
            return _text(404, f"Unknown service ID {path.rsplit('/', 1)[1]!r}")
        self._changed.notify_all()
        return Reply(headers=_plain_headers())


def _plain_headers():
    return {"X-Consul-Default-Acl-Policy": "allow"}


def _text(status, text):
    return Reply(status, text, {**_plain_headers(), "Content-Type": "text/plain; charset=utf-8"})


def _json(value, headers=None):
    return Reply(200, json.dumps(value), {"Content-Type": "application/json", **(headers or _plain_headers())})


def _filtered(rows, request):
    if "filter" not in request.query:
        return rows
    test = compile_filter(request.query["filter"])
    return {key: row for key, row in rows.items() if test(row)}


def _filtered_rows(rows, request):
    return list(_filtered(dict(enumerate(rows)), request).values())


def _wait_seconds(text):
    if not text:
        return _DEFAULT_WAIT
    try:
        return min(seconds(text), _MAX_WAIT)
    except ValueError as error:
        raise BadRequest("Invalid wait time") from error


def _index_number(text):
    if not text:
        return 0
    if not text.isdigit():
        raise BadRequest("Invalid index")
    return int(text)


def _tls_context(pair, client_ca):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class _Server(socketserver.ThreadingMixIn):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def drop_connections(self):
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its peer was faster

    def process_request(self, request, client_address):
        # Before its thread runs, so that none is left open when all are dropped.
        self.connections.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request, client_address):
        if self.fake._tls:
            plain = request
            try:
                request = self.fake._tls.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                self.fake.broken_handshakes += 1
                return  # the client does not trust us, or has no certificate: it will say so itself
            finally:
                self.connections.discard(plain)
            self.connections.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self.connections.discard(request)
            request.close()

    def shutdown_request(self, request):
        # Closed without a FIN of its own, so that SO_LINGER 0 turns the close into a reset.
        request.close()

    def handle_error(self, request, client_address):
        # A client that went away in the middle is none: the test sees what matters in the daemon.
        if not isinstance(sys.exception(), OSError):
            self.fake.failures.append(traceback.format_exc())


class _TcpServer(_Server, socketserver.TCPServer):
    def __init__(self, fake):
        self.fake = fake
        self.connections = set()
        super().__init__(("127.0.0.1", fake.port), _Handler)


class _UnixServer(_Server, socketserver.UnixStreamServer):
    def __init__(self, fake):
        self.fake = fake
        self.connections = set()
        super().__init__(str(fake._unix_socket), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve()

    def do_PUT(self):
        self._serve()

    def _serve(self):
        request = self._request()
        try:
            reply = self.server.fake.serve(request)
            self._send(request, reply)
        except (_Abandoned, OSError):
            self.server.fake.abandon(request)
            self.close_connection = True

    def _request(self):
        target = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(target.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Request(self.command, unquote(target.path), query, headers, body, id(self.connection),
                       time.monotonic())

    def _send(self, request, reply):
        if reply.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif reply.raw is not None:
            self.wfile.write(reply.raw)
            self.close_connection = True
        else:
            self._send_http(request, reply)

    def _send_http(self, request, reply):
        if reply.pieces is not None:
            self._send_pieces(reply)
            return
        body = reply.body_bytes()
        if reply.cut_at is None and not self._is_left():
            self.server.fake.observe(request, reply, body)
        headers = {"Date": formatdate(usegmt=True), "Content-Length": str(len(body)), **reply.headers}
        parts = [body]
        if len(body) > _CHUNK_ABOVE and reply.cut_at is None:
            del headers["Content-Length"]
            headers["Transfer-Encoding"] = "chunked"
            parts = [b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n"]
        if reply.cut_at is not None:
            parts = [body[:reply.cut_at]]
            self.close_connection = True
        head = self._head(reply.status, headers)
        if len(body) < _IN_ONE_PIECE:
            parts = [b"".join([head, *parts])]
        else:
            parts.insert(0, head)  # nobody needs a copy of that
        for part in parts:
            self.wfile.write(part)

    def _send_pieces(self, reply):
        self.wfile.write(self._head(reply.status, {**reply.headers, "Transfer-Encoding": "chunked"}))
        for piece in reply.pieces():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def _head(status, headers):
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()

    def _is_left(self):
        """Has the client gone? It sends nothing while it waits, so what there is to read is its end."""
        waiting = select.poll()
        waiting.register(self.connection, select.POLLIN)
        return bool(waiting.poll(0))
