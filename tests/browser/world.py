# SPDX-License-Identifier: Apache-2.0
"""Clusters in every state, and names that want to be markup."""

from fake_consul import Instance

from waiting import eventually

OPTIONS = {
    "admission.leave_delay": "10m",
    "static_clusters": [{"id": "pinned", "addresses": ["10.200.0.1:9876", "[2001:db8::1]:9876"]}],
    "consul.token": "very-secret-token",
}
PLAIN = 230
MARKUP = "\"'><script>hacked=1</script><img src=x onerror=hacked=1><b>&amp;\x1b[2J\u202e"
AGENT = "<svg onload=hacked=1>\xc3\xa9"


def _instances(network, count, **options):
    return [Instance(f"10.{network // 250}.{network % 250}.{host}", **options) for host in range(1, count + 1)]


def settle(consul):
    """All is well."""
    for number in range(PLAIN):
        consul.set_service(f"nameServerorders-{number:03}", _instances(number, 3))
    consul.set_service("nameServerpayments", _instances(1000, 3))
    consul.set_service("nameServerbilling", _instances(1001, 3))
    consul.set_service("nameServerstock", _instances(1002, 2))
    consul.set_service("nameServernever-healthy", _instances(1003, 2, status="critical"))
    consul.set_service("nameServerevil", [*_instances(1004, 1),
                                          Instance(MARKUP, service_id=MARKUP, node_address=MARKUP)])


def upset(consul, daemon):
    """Then it is not."""
    eventually(lambda: daemon.admin("/status.json?page=1").text.startswith('{"status":"attention"'),
               "all was read once")
    consul.set_service("nameServerpayments", _instances(1000, 3, status="critical"))
    consul.set_service("nameServerbilling", [*_instances(1001, 2), *_instances(1002, 1)])
    evil = _instances(1004, 1)
    consul.set_service("nameServerevil", [*evil, Instance("10.99.0.1", status="critical", service_id=MARKUP,
                                                          node_address=MARKUP),
                                          Instance(MARKUP, service_id=MARKUP)])
    for agent in (AGENT, "Java/17.0.2", "Go-http-client/1.1"):
        daemon.get("/rocketmq/billing", headers=[("User-Agent", agent), ("Client-Version", "V5_3_3")])
    eventually(lambda: "10.99.0.1" in daemon.admin("/explain/evil").text, "the last change is seen")
    eventually(lambda: "claims the address" in daemon.admin("/explain/billing").text, "a conflict is seen")
