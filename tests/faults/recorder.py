# SPDX-License-Identifier: Apache-2.0
"""Records a run as a history: what a Consul said, as far as it was complete and valid, and what clients got."""

import gzip
import io
import ipaddress
import json
import threading
from collections import Counter
from urllib.parse import unquote

import history
import wire
from history import BAD, GOOD, MAINTENANCE, ODD
from validator import validate

HEALTH = "/v1/health/service/"
NAMES = "/v1/catalog/services"
STATES = "/v1/health/state/"
VIEWS = {"any": "all", "critical": "critical", "warning": "warning"}
# A larger body is refused unread.
LARGEST_HEALTH = 16 << 20
LARGEST_NAMES = 64 << 20
# What a view tells is that many may lose members. Of larger ones, in which nobody leaves, that is not worth the time.
_LARGEST_VIEW = 1 << 20
_LARGEST_INDEX = (1 << 64) - 1


class _Duplicates(dict):
    """A JSON object that has a member twice."""


def _object(pairs):
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Duplicates(members)


def _index(headers):
    text = headers.get("x-consul-index", "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= _LARGEST_INDEX else 0


def _usable(address, port):
    """ADDRESS:PORT as it is served, or None."""
    if isinstance(port, bool) or not isinstance(port, (int, float)) or port != int(port) or not 1 <= port <= 65535:
        return None
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.version == 4:
        return f"{ip}:{int(port)}" if 0 < int(ip) >> 24 < 224 else None
    if ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.scope_id:
        return None
    return f"[{ip}]:{int(port)}"


def _health(checks):
    worst = GOOD
    for check in checks or []:
        if check["Status"] == "passing":
            continue
        if check["CheckID"] == "_node_maintenance" or check["CheckID"].startswith("_service_maintenance:"):
            return MAINTENANCE
        worst = BAD
    return worst


def _instance(row):
    service, node = row["Service"], row["Node"]
    address = service.get("Address") or node.get("Address")
    twice = any(isinstance(part, _Duplicates) for part in (row, service, node))
    endpoint = None if twice or not isinstance(address, str) else _usable(address, service.get("Port"))
    return (endpoint, _health(row.get("Checks"))) if endpoint else (ODD, ODD)


class Recorder:
    """One history in memory. Its replies are those of one agent; its ids lack the prefix of the services."""

    def __init__(self, options, prefix="nameServer", has_token=False):
        self._stream = io.StringIO()
        self.history = history.History(self._stream, options)
        self._prefix = prefix
        self._has_token = has_token
        self._nodes = {}  # id -> names of the nodes of its instances

    def reply(self, asked, path, query, status, headers, body):
        """A complete reply is about to be handed over; not a valid one: nothing may come of it. path is decoded,
        header names are in lower case."""
        index = _index(headers)
        streaming = headers.get("x-consul-query-backend") == "streaming"
        if status != 200 or index == 0 or (headers.get("x-consul-knownleader") == "false" and not streaming):
            return
        filtered = headers.get("x-consul-results-filtered-by-acls") == "true"
        denied = headers.get("x-consul-default-acl-policy") == "deny" and not self._has_token
        try:
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if path == NAMES and len(body) <= LARGEST_NAMES:
                self._names(asked, index, json.loads(body), filtered or denied)
            elif path.startswith(HEALTH + self._prefix) and len(body) <= LARGEST_HEALTH and not filtered:
                # Bytes that are no UTF-8 spoil the text that they are in, not the reply.
                rows = json.loads(body.decode("utf-8", "surrogateescape"), object_pairs_hook=_object)
                watching = query.get("index", "0") not in ("", "0")
                if rows or not denied:
                    self._says(asked, path.removeprefix(HEALTH), "watch" if watching else "read", index, rows)
                    self._nodes[path.removeprefix(HEALTH + self._prefix)] = {row["Node"]["Node"] for row in rows}
            elif path.startswith(STATES) and len(body) <= _LARGEST_VIEW:
                self._view(asked, VIEWS[path.removeprefix(STATES)], index, json.loads(body))
        except (OSError, EOFError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return  # garbage

    def _names(self, asked, index, names, cut):
        ids = [name.removeprefix(self._prefix) for name in names.keys() if name.startswith(self._prefix)]
        if ids or not cut:
            self.history.names(asked, index, ids)

    def _says(self, asked, service, kind, index, rows):
        if not isinstance(rows, list):
            return
        # Consul ignores the case of names, so the rows of others may be among them.
        instances = [_instance(row) for row in rows if row["Service"]["Service"] == service]
        self.history.says(service.removeprefix(self._prefix), asked, kind, index, instances)

    def _view(self, asked, kind, index, rows):
        counts, of_nodes = Counter(), Counter()
        for row in rows:
            if not row["ServiceID"]:
                of_nodes[row["Node"]] += kind != "all"
            elif row["ServiceName"].startswith(self._prefix):
                counts[row["ServiceName"].removeprefix(self._prefix)] += 1
        for cluster, nodes in list(self._nodes.items()):  # other threads add to it
            counts[cluster] += sum(of_nodes[node] for node in nodes)
        self.history.view(kind, asked, index, counts)

    def observe(self, request, status, headers, body):
        """The observer of a FakeConsul."""
        if request.method == "GET":
            fields = {name.lower(): value for name, value in headers.items()}
            self.reply(int(request.at * 1000), request.path, request.query, status, fields, body)

    def text(self):
        return self._stream.getvalue()

    def violations(self):
        return list(validate(self.text().splitlines()))


class Poller:
    """Asks for every cluster again and again over one connection, as the clients of one host do."""

    INTERVAL = 0.015

    def __init__(self, port, clusters, record):
        self._port = port
        self._clusters = clusters
        self._history = record
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._connection = None
        self.answers = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(20)

    def _run(self):
        while not self._stop.wait(self.INTERVAL):
            for cluster in self._clusters:
                self._ask(cluster)

    def _ask(self, cluster):
        asked = history.now_ms()
        try:
            if self._connection is None:
                self._connection = wire.Connection(self._port)
                asked = history.now_ms()
            response = self._connection.request(f"/rocketmq/{cluster}")
        except TimeoutError:
            self._history.silent(cluster, asked)
            self._drop()
        except OSError:
            self._drop()  # it is not running
        else:
            state = (response.header("X-Nsaddr-State") or "live") if response.status == 200 else None
            self._history.serves(cluster, asked, response.status, state, response.text)
            self.answers += 1
            if (response.header("Connection") or "").lower() == "close":
                self._drop()

    def _drop(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def decoded(target):
    """(path, {name: value}) of a request target."""
    path, _, query = target.partition("?")
    pairs = (item.partition("=") for item in query.split("&") if item)
    return unquote(path), {unquote(name): unquote(value) for name, _, value in pairs}
