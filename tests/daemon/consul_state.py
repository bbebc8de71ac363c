# SPDX-License-Identifier: Apache-2.0
"""What a Consul agent knows, with Consul's rules for indexes. No HTTP here, and no locking: the server
that owns it holds one lock around every call.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Optional

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
        self.generation = 0  # moves when blocking queries must return whatever their index

    # The catalog

    def set_service(self, name, instances, moves_index=True):
        instances = list(instances)
        old = self._catalog.get(name)
        if not instances:
            return self.remove_service(name)
        self._catalog[name] = instances
        if not moves_index:
            self.generation += 1
            return None
        if old is None or [i.definition(name) for i in old] != [i.definition(name) for i in instances]:
            self._names_index = self._next()
        return self._touch(name)

    def remove_service(self, name):
        if self._catalog.pop(name, None) is not None:
            self._names_index = self._next()
            self._touch(name)

    def bump(self, name):
        self._touch(name)

    def rewind(self):
        """What a snapshot restore does: every index goes back and every blocking query returns."""
        self._index = self._names_index = self._extinction_index = 7
        self._service_index = {key: 7 for key in self._service_index}
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
        rows = []
        for known, instances in self._catalog.items():
            if known.lower() == name.lower():
                rows += [_catalog_row(known, instance) for instance in instances]
        for service_id, service in self._agent.items():
            if service["Name"].lower() == name.lower():
                rows.append(self._agent_row(service_id))
        return rows

    def health_index(self, name):
        return self._service_index.get(name.lower(), self._extinction_index)

    def _touch(self, name):
        key = name.lower()
        if self.health(name):
            self._service_index[key] = self._next()
        elif self._service_index.pop(key, None) is not None:
            self._extinction_index = self._next()

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
        self._agent_changed(service["Name"], *([replaced["Name"]] if replaced else []))

    def deregister(self, service_id):
        service = self._agent.pop(service_id, None)
        if service is None:
            return False
        self._maintenance.pop(service_id, None)
        self._agent_changed(service["Name"])
        return True

    def set_maintenance(self, service_id, enable, reason=""):
        if service_id not in self._agent:
            return False
        if enable:
            self._maintenance.setdefault(service_id, reason)
        else:
            self._maintenance.pop(service_id, None)
        self._agent_changed(self._agent[service_id]["Name"])
        return True

    def forget_registrations(self):
        """An agent restarted with an empty data folder."""
        names = [service["Name"] for service in self._agent.values()]
        self._agent.clear()
        self._maintenance.clear()
        self._agent_changed(*names)

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

    def _agent_changed(self, *names):
        self._names_index = self._next()
        # An alias check follows its parent, so a change of one service can change the health of others.
        for name in {*names, *(service["Name"] for service in self._agent.values())}:
            self._touch(name)

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
    node = f"node-{instance.node_address}"
    service_id = instance.id_in(name)
    checks = [_check(node, "serfHealth", instance.node_status)]
    if instance.node_maintenance:
        checks.append(_check(node, "_node_maintenance", "critical"))
    if instance.status is not None:
        checks.append(_check(node, f"service:{service_id}", instance.status, service_id, name, "tcp"))
    if instance.maintenance:
        checks.append(_check(node, f"_service_maintenance:{service_id}", "critical", service_id, name, "maintenance"))
    return {
        "Node": _node(node, instance.node_address, instance.node_tagged_addresses),
        "Service": _service_fields(service_id, name, list(instance.tags), instance.address, instance.port, {},
                                   instance.tagged_addresses),
        "Checks": checks,
    }


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
