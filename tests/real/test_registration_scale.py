# SPDX-License-Identifier: Apache-2.0
"""A thousand registrations: all are back soon after the agent lost them, and it is not flooded."""

import collections
import http.client
import json
import re
import time

from realparts.fabio import Fabio
from realparts.nsaddrd import Nsaddrd
from realparts.waiting import until

CLUSTERS = [f"scale-{n}" for n in range(1000)]
ALL = len(CLUSTERS) + 1
BACK_WITHIN = 30.0
# A hundred a second after a burst of ten; the times in the log are those of the ends.
WRITES_PER_SECOND = 130
SAMPLE = CLUSTERS[::250]

# A line of Consul's log; the time without what is below a second.
_WRITE = re.compile(r"^(\S+)\.\S+ .* method=PUT url=/v1/agent/service/register\?", re.M)


def put(consul, requests):
    """Many writes on one connection."""
    connection = http.client.HTTPConnection(consul.address, timeout=10)
    try:
        for path, value in requests:
            connection.request("PUT", path, None if value is None else json.dumps(value))
            reply = connection.getresponse()
            text = reply.read().decode()
            assert reply.status == 200, f"PUT {path}: {reply.status} {text[:200]}"
    finally:
        connection.close()


def put_clusters(consul):
    """Into the catalog, under nodes of their own: the agent knows nothing of them."""
    put(
        consul,
        (
            (
                "/v1/catalog/register",
                {
                    "Node": f"node-{cluster}",
                    "Address": f"10.1.{n // 200}.{n % 200 + 1}",
                    "Service": {"Service": f"nameServer{cluster}", "Port": 9876},
                    "Check": {
                        "Name": "up",
                        "Status": "passing",
                        "ServiceID": f"nameServer{cluster}",
                    },
                },
            )
            for n, cluster in enumerate(CLUSTERS)
        ),
    )


def ours(consul):
    return [name for name in consul.services() if name.startswith("nameSvrIndex")]


def await_all(consul, timeout):
    until(
        f"{ALL} registrations", lambda: len(ours(consul)), lambda n: n == ALL, timeout, every=0.5
    )


def busiest_second(consul):
    """How many registrations ended within the busiest second of Consul's log."""
    seconds = collections.Counter(_WRITE.findall(consul.log()))
    assert seconds, "no registration is in Consul's log"
    return max(seconds.values())


def test_a_thousand_registrations_come_back(run, consul):
    put_clusters(consul)
    with Nsaddrd(run, consul.address) as nsaddrd:
        await_all(consul, timeout=60)

        put(consul, [(f"/v1/agent/service/deregister/{name}", None) for name in ours(consul)])
        await_all(consul, BACK_WITHIN)
        assert busiest_second(consul) <= WRITES_PER_SECOND

        consul.kill()
        consul.start()
        started_at = time.monotonic()
        put_clusters(consul)
        await_all(consul, BACK_WITHIN - (time.monotonic() - started_at))
        assert busiest_second(consul) <= WRITES_PER_SECOND

        # Only now: with each change it reads a thousand services.
        with Fabio(run, consul) as fabio:
            for cluster in SAMPLE:
                fabio.await_route(f"/rocketmq/{cluster}", nsaddrd.address)
