# SPDX-License-Identifier: Apache-2.0
"""Consul's agent dies for a minute and comes back knowing nothing: clients notice nothing of it."""

import itertools
import time

from realparts import web
from realparts.fabio import Fabio
from realparts.nsaddrd import Nsaddrd, list_of
from realparts.waiting import until
from realparts.watcher import Watcher

OUTAGE = 60.0


def test_list_outlives_a_consul_agent_that_returns_empty_handed(run, consul, fabio, nameservers):
    consul.register_clusters(nameservers)
    with Nsaddrd(run, consul.address) as nsaddrd:
        children = {f"nameSvrIndex-{cluster}-127.0.0.1-{nsaddrd.port}" for cluster in nameservers}
        for cluster in nameservers:
            nsaddrd.await_list(cluster, nameservers[cluster])
            fabio.await_route(f"/rocketmq/{cluster}", nsaddrd.address)

        with (
            Watcher(nsaddrd.address, "/rocketmq/a") as a,
            Watcher(nsaddrd.address, "/rocketmq/a1") as a1,
            Watcher(fabio.address, "/rocketmq/a") as through_fabio,
        ):
            consul.kill()
            time.sleep(OUTAGE)
            assert bodies(through_fabio) == {(200, list_of(nameservers["a"]))}, (
                "fabio lost its routes while Consul was away"
            )

            consul.start()
            until(
                "our registrations to be back",
                lambda: set(consul.services()),
                children.issubset,
                timeout=40,
            )
            until(
                "the list to be held",
                lambda: nsaddrd.get("/rocketmq/a"),
                lambda reply: reply.state == "held",
            )
            # The fabio that lived through it may go on with what it knew: it waits for an index
            # above its last. A fresh one can only route by what we have registered again.
            with Fabio(run, consul) as fresh:
                for router, cluster in itertools.product((fabio, fresh), nameservers):
                    router.await_route(f"/rocketmq/{cluster}", nsaddrd.address)
                    until(
                        f"the held list of {cluster} through fabio",
                        lambda: web.get(router.address, f"/rocketmq/{cluster}"),
                        lambda r: r == (200, "held", "", list_of(nameservers[cluster])),
                    )

            consul.register_clusters(nameservers)
            for cluster in nameservers:
                nsaddrd.await_list(cluster, nameservers[cluster], timeout=60)

        assert bodies(a) == {(200, list_of(nameservers["a"]))}
        assert bodies(a1) == {(200, list_of(nameservers["a1"]))}
        # Until our registrations are back fabio may have no route. It never has another answer.
        assert bodies(through_fabio) <= {(200, list_of(nameservers["a"])), (404, "")}


def bodies(watcher):
    return {
        (reply.status, reply.body) if isinstance(reply, web.Reply) else reply
        for reply in watcher.outcomes()
    }
