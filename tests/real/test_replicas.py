# SPDX-License-Identifier: Apache-2.0
"""Two replicas behind fabio are restarted in turn, and no request through fabio fails."""

import contextlib

from realparts.nsaddrd import Nsaddrd, list_of
from realparts.watcher import Watcher

ROUNDS = 10


def test_rolling_restarts_lose_no_request(run, consul, fabio, nameservers):
    consul.register_clusters({"a": nameservers["a"]})
    # The shipped drain: whether it is long enough for a real fabio is what this shows.
    settings = {"register.mode": "per-cluster", "register.drain": "5s"}
    with (
        Nsaddrd(run, consul.address, settings) as one,
        Nsaddrd(run, consul.address, settings) as other,
    ):
        for replica in one, other:
            replica.await_list("a", nameservers["a"])
            fabio.await_route("/rocketmq/a", replica.address)

        # Some with a connection for each request, as most clients do, and some that keep theirs.
        watchers = [
            Watcher(fabio.address, "/rocketmq/a", pause=0.01, keep_alive=keep)
            for keep in (False, False, True, True)
        ]
        with contextlib.ExitStack() as stack:
            for watcher in watchers:
                stack.enter_context(watcher)
            for _ in range(ROUNDS):
                for replica in one, other:
                    replica.stop()
                    # A quick start would hide a drain that is too short.
                    assert ("/rocketmq/a", replica.address) not in fabio.routes()
                    replica.start()
                    fabio.await_route("/rocketmq/a", replica.address)

    always = (200, "", "", list_of(nameservers["a"]))
    failures = [
        (at, outcome)
        for watcher in watchers
        for at, outcome in watcher.changes
        if outcome != always
    ]
    asked = sum(watcher.asked for watcher in watchers)
    print(f"{asked} requests")
    first = min(failures, key=lambda failure: failure[0], default=None)
    assert not failures, f"{len(failures)} bad outcomes in {asked} requests, the first: {first}"
    assert asked > 1000, f"only {asked} requests: too few to show anything"
