# SPDX-License-Identifier: Apache-2.0
"""What a Consul agent knows, with Consul's rules for indexes. No HTTP here, and no locking: the server
that owns it holds one lock around every call.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Optional

from check_table import CheckTable
from durations import seconds

AGENT_NODE = "agent-node"
AGENT_ADDRESS = "127.0.0.1"

_CHECK_FIELDS = {
    "CheckID", "Name", "Notes", "Status", "HTTP", "Method", "Header", "Body", "TLSSkipVerify", "TLSServerName",
    "DisableRedirects", "TCP", "TTL", "AliasService", "AliasNode", "Interval", "Timeout", "SuccessBeforePassing",
    "FailuresBeforeWarning", "FailuresBeforeCritical", "DeregisterCriticalServiceAfter", "OutputMaxSize",
}
_SERVICE_FIELDS = {
    "ID", "Name", "Tags", "Address", "Port", "Meta", "TaggedAddresses", "EnableTagOverride", "Weights", "Check",
    "Checks",
}
_SEVERITY = ("passing", "warning", "critical")


class BadRequest(Exception):
    """A request that Consul answers with 400 and this text."""


@dataclass
class Instance:
    """One instance of a service, as a test describes it. Odd values are passed on as they are."""

    address: str = "10.0.0.1"
    port: Any = 9876
    status: Optional[str] = "passing"  # of the service's own check; None: it has no check
    node_address: str = "10.9.9.9"
    node_status: str = "passing"
    service_id: Optional[str] = None
    maintenance: bool = False
    node_maintenance: bool = False
    tags: tuple = ()
    tagged_addresses: dict = field(default_factory=dict)
    node_tagged_addresses: dict = field(default_factory=dict)

    def id_in(self, name):
        return self.service_id or f"{name}-{self.address}-{self.port}"

    def definition(self, name):
        """The part of the instance that the names index follows: everything but health."""
        return (self.id_in(name), self.node_address, self.address, self.port, tuple(self.tags),
                repr(self.tagged_addresses))


def worst(statuses):
    return max(statuses, key=_SEVERITY.index, default="passing")


class ConsulState:
    def __init__(self):
        self._catalog = {}  # service name -> instances
        self._agent = {}  # service ID -> registered definition
        self._maintenance = {}  # IDs of agent services in maintenance -> the reason given
        self._index = 100
        self._names_index = 100
        self._extinction_index = 100
        self._service_index = {}  # lower-case name -> index: Consul ignores the case of names here
        self._spellings = defaultdict(dict)  # lower-case name -> names in the catalog, in the order they came
        self._nodes_of = {}  # service name -> (node, service ID, status, maintenance of the node) of its instances
        self._nodes = defaultdict(Counter)  # node -> (status, maintenance) -> instances that say so
        self.checks = CheckTable(self._index)
        self.checks.put(("node", AGENT_NODE), _node_checks(AGENT_NODE, "passing", False), self._next)
        self.generation = 0  # moves when blocking queries must return whatever their index

    # The catalog

    def set_service(self, name, instances, moves_index=True):
        instances = list(instances)
        old = self._catalog.get(name)
        if not instances:
            return self.remove_service(name)
        self._catalog[name] = instances
        self._spellings[name.lower()][name] = True
        self._put_checks(name, instances, self._next if moves_index else lambda: self.checks.index)
        if not moves_index:
            self.generation += 1
            return None
        if old is None or [i.definition(name) for i in old] != [i.definition(name) for i in instances]:
            self._names_index = self._next()
        return self._touch(name)

    def remove_service(self, name):
        if self._catalog.pop(name, None) is not None:
            del self._spellings[name.lower()][name]
            self._names_index = self._next()
            self._put_checks(name, [], self._next)
            self._touch(name)

    def bump(self, name):
        for known in self._spellings.get(name.lower(), ()):
            self.checks.touch(("service", known), self._next)
        self._touch(name)

    def rewind(self):
        """What a snapshot restore does: every index goes back and every blocking query returns."""
        self._index = self._names_index = self._extinction_index = 7
        self._service_index = {key: 7 for key in self._service_index}
        self.checks.rewind(7)
        self.generation += 1

    def names(self):
        """Name -> union of tags."""
        tags = {"consul": set()}
        for name, instances in self._catalog.items():
            tags.setdefault(name, set()).update(*(instance.tags for instance in instances))
        for service in self._agent.values():
            tags.setdefault(service["Name"], set()).update(service.get("Tags") or [])
        return {name: sorted(tags[name]) for name in sorted(tags)}

    def names_index(self):
        return self._names_index

    def health(self, name):
        """Rows of /v1/health/service: names that differ in case only are found together."""
        rows = [_catalog_row(known, instance) for known in self._spellings.get(name.lower(), ())
                for instance in self._catalog[known]]
        for service_id, service in self._agent.items():
            if service["Name"].lower() == name.lower():
                rows.append(self._agent_row(service_id))
        return rows

    def health_index(self, name):
        return self._service_index.get(name.lower(), self._extinction_index)

    def _put_checks(self, name, instances, next_index):
        """The checks of a service of the catalog and of the nodes that it is on, or was on."""
        checks = [check for instance in instances for check in _service_checks(name, instance)]
        self.checks.put(("service", name), checks, next_index)
        before = self._nodes_of.pop(name, [])
        now = [(_node_name(i), i.id_in(name), i.node_status, i.node_maintenance) for i in instances]
        if now:
            self._nodes_of[name] = now
        if {said[:2] for said in before} - {said[:2] for said in now}:
            self.checks.deregistered(next_index)
        for node, _, *says in now:
            self._nodes[node][tuple(says)] += 1
        for node, _, *says in before:
            self._nodes[node][tuple(says)] -= 1
        for node in sorted({node for node, *_ in before + now}):
            self._nodes[node] = +self._nodes[node]
            said = self._nodes[node]
            checks = _node_checks(node, worst([status for status, _ in said]), any(m for _, m in said)) if said else []
            self.checks.put(("node", node), checks, next_index)

    def _touch(self, name):
        key = name.lower()
        if self._is_there(key):
            self._service_index[key] = self._next()
        elif self._service_index.pop(key, None) is not None:
            self._extinction_index = self._next()

    def _is_there(self, key):
        return bool(self._spellings.get(key)) or any(s["Name"].lower() == key for s in self._agent.values())

    def _next(self):
        self._index += 1
        return self._index

    # The agent's own services

    def register(self, definition, replace_checks=False):
        service = _checked_definition(definition)
        service_id = service["ID"]
        if replace_checks:
            self._maintenance.pop(service_id, None)  # it is a check like any other
        if self._agent.get(service_id) == service:
            return
        replaced = self._agent.get(service_id)
        self._agent[service_id] = service
        self._agent_changed({service_id}, service["Name"], *([replaced["Name"]] if replaced else []))

    def deregister(self, service_id):
        service = self._agent.pop(service_id, None)
        if service is None:
            return False
        self._maintenance.pop(service_id, None)
        self._agent_changed({service_id}, service["Name"])
        return True

    def set_maintenance(self, service_id, enable, reason=""):
        if service_id not in self._agent:
            return False
        if enable:
            self._maintenance.setdefault(service_id, reason)
        else:
            self._maintenance.pop(service_id, None)
        self._agent_changed({service_id}, self._agent[service_id]["Name"])
        return True

    def forget_registrations(self):
        """An agent restarted with an empty data folder."""
        names = [service["Name"] for service in self._agent.values()]
        ids = set(self._agent)
        self._agent.clear()
        self._maintenance.clear()
        self._agent_changed(ids, *names)

    def registrations(self):
        """Registered definitions by ID, as they were sent."""
        return dict(self._agent)

    def in_maintenance(self, service_id):
        return service_id in self._maintenance

    def agent_services(self):
        return {service_id: _agent_service(service_id, service) for service_id, service in self._agent.items()}

    def agent_checks(self):
        checks = (check for service_id in self._agent for check in self._checks_of(service_id))
        return {check["CheckID"]: check for check in checks}

    def _agent_changed(self, ids, *names):
        self._names_index = self._next()
        # An alias check follows its parent, so a change of one service can change the health of others.
        ids = self._with_followers(ids)
        for name in {*names, *(self._agent[service_id]["Name"] for service_id in ids & self._agent.keys())}:
            self._touch(name)
        for service_id in sorted(ids):
            is_there = service_id in self._agent
            self.checks.put(("agent", service_id), self._checks_of(service_id) if is_there else [], self._next)
            if not is_there:
                self.checks.deregistered(self._next)

    def _with_followers(self, ids):
        """Services with an alias check of one of these, and these."""
        following = {service_id for service_id, service in self._agent.items()
                     if any(check.get("AliasService") in ids for check in _sent_checks(service))}
        return ids if following <= ids else self._with_followers(ids | following)

    def _agent_row(self, service_id):
        service = self._agent[service_id]
        return {
            "Node": _node(AGENT_NODE, AGENT_ADDRESS, {}),
            "Service": _service_fields(service_id, service["Name"], service.get("Tags") or [],
                                       service.get("Address", ""), service.get("Port", 0),
                                       service.get("Meta") or {}, {}),
            "Checks": [_check(AGENT_NODE, "serfHealth", "passing"), *self._checks_of(service_id)],
        }

    def _checks_of(self, service_id):
        service = self._agent[service_id]
        for number, check in enumerate(_sent_checks(service), 1):
            yield _check(AGENT_NODE, check.get("CheckID") or f"service:{service_id}:{number}",
                         self._status_of(check), service_id, service["Name"], "alias" if _alias(check) else "http")
        if service_id in self._maintenance:
            yield _check(AGENT_NODE, f"_service_maintenance:{service_id}", "critical", service_id,
                         service["Name"], "maintenance", self._maintenance[service_id])

    def _status_of(self, check):
        if not _alias(check):
            return check.get("Status", "critical")
        target = check["AliasService"]
        # An alias of a service that is not there, or has no checks, passes.
        if target not in self._agent:
            return "passing"
        return worst([c["Status"] for c in self._checks_of(target)])


def _alias(check):
    return bool(check.get("AliasService") or check.get("AliasNode"))


def _sent_checks(service):
    return ([service["Check"]] if service.get("Check") else []) + list(service.get("Checks") or [])


def _checked_definition(definition):
    """The registration with its ID filled in, or BadRequest: what the agent refuses."""
    if not isinstance(definition, dict):
        raise BadRequest("Request decode error: json: cannot unmarshal into ServiceDefinition")
    _refuse_unknown(definition, _SERVICE_FIELDS)
    if not definition.get("Name"):
        raise BadRequest("Missing service name")
    if definition.get("Address") in ("0.0.0.0", "::", "[::]"):
        raise BadRequest("Invalid service address")
    for key, value in (definition.get("Meta") or {}).items():
        if len(key) > 128 or len(value) > 512:
            raise BadRequest("Invalid Service Meta: Key or value is too long")
    for check in _sent_checks(definition):
        _refuse_bad_check(check)
    return {**definition, "ID": definition.get("ID") or definition["Name"]}


def _refuse_bad_check(check):
    _refuse_unknown(check, _CHECK_FIELDS)
    for name in ("Interval", "Timeout", "TTL", "DeregisterCriticalServiceAfter"):
        try:
            seconds(str(check.get(name, "0s")))
        except ValueError as error:
            raise BadRequest(f"Request decode error: time: {error}") from error
    polls = bool(check.get("HTTP") or check.get("TCP"))
    if polls and not check.get("Interval"):
        raise BadRequest("Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks")
    if polls and _alias(check):
        raise BadRequest("Invalid check: Interval cannot be set for Alias checks")
    if not polls and not _alias(check) and not check.get("TTL"):
        raise BadRequest("Invalid check: TTL must be > 0 for TTL checks")
    if check.get("FailuresBeforeWarning", 0) > check.get("FailuresBeforeCritical", 0):
        raise BadRequest("Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical")


def _refuse_unknown(given, known):
    for name in given:
        if name not in known:
            raise BadRequest(f'Request decode error: json: unknown field "{name}"')


def _catalog_row(name, instance):
    node = _node_name(instance)
    return {
        "Node": _node(node, instance.node_address, instance.node_tagged_addresses),
        "Service": _service_fields(instance.id_in(name), name, list(instance.tags), instance.address, instance.port,
                                   {}, instance.tagged_addresses),
        "Checks": [*_node_checks(node, instance.node_status, instance.node_maintenance),
                   *_service_checks(name, instance)],
    }


def _node_name(instance):
    return f"node-{instance.node_address}"


def _node_checks(node, status, maintenance):
    checks = [_check(node, "serfHealth", status)]
    if maintenance:
        checks.append(_check(node, "_node_maintenance", "critical"))
    return checks


def _service_checks(name, instance):
    node, service_id = _node_name(instance), instance.id_in(name)
    checks = []
    if instance.status is not None:
        checks.append(_check(node, f"service:{service_id}", instance.status, service_id, name, "tcp"))
    if instance.maintenance:
        checks.append(_check(node, f"_service_maintenance:{service_id}", "critical", service_id, name, "maintenance"))
    return checks


def _node(name, address, tagged):
    return {
        "ID": "11111111-2222-3333-4444-555555555555", "Node": name, "Address": address, "Datacenter": "dc1",
        "TaggedAddresses": {"lan": address, "lan_ipv4": address, "wan": address, "wan_ipv4": address, **tagged},
        "Meta": {"consul-version": "1.22.0"}, "CreateIndex": 5, "ModifyIndex": 6,
    }


def _service_fields(service_id, name, tags, address, port, meta, tagged):
    return {
        "ID": service_id, "Service": name, "Tags": tags, "Address": address, "TaggedAddresses": tagged or None,
        "Meta": meta, "Port": port, "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
        "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}}, "Connect": {}, "PeerName": "", "CreateIndex": 8,
        "ModifyIndex": 9,
    }


def _agent_service(service_id, service):
    fields = _service_fields(service_id, service["Name"], service.get("Tags") or [], service.get("Address", ""),
                             service.get("Port", 0), service.get("Meta") or {}, _filled_addresses(service))
    # The agent's own listing leaves these out and adds the datacenter.
    for name in ("Proxy", "Connect", "PeerName", "CreateIndex", "ModifyIndex"):
        fields.pop(name)
    return {**fields, "Datacenter": "dc1"}


def _filled_addresses(service):
    """The agent adds lan_ipv4 and wan_ipv4 to what was registered."""
    tagged = dict(service.get("TaggedAddresses") or {})
    if re.fullmatch(r"[\d.]+", service.get("Address", "")):
        for kind in ("lan_ipv4", "wan_ipv4"):
            tagged.setdefault(kind, {"Address": service["Address"], "Port": service.get("Port", 0)})
    return tagged


def _check(node, check_id, status, service_id="", service_name="", kind="", notes=""):
    return {
        "Node": node, "CheckID": check_id, "Name": check_id, "Status": status, "Notes": notes, "Output": "",
        "ServiceID": service_id, "ServiceName": service_name, "ServiceTags": [], "Type": kind, "Interval": "",
        "Timeout": "", "ExposedPort": 0, "Definition": {}, "CreateIndex": 5, "ModifyIndex": 6,
    }
