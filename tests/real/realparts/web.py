# SPDX-License-Identifier: Apache-2.0
"""One HTTP request on one connection, as the clients make it."""

import http.client
import json
from typing import NamedTuple


class Reply(NamedTuple):
    status: int
    state: str  # X-Nsaddr-State: "" is live
    reason: str  # X-Nsaddr-Reason
    body: str


def get(address, path, timeout=5.0):
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        return ask(connection, path)
    finally:
        connection.close()


def ask(connection, path):
    """GET on a connection that may be used again."""
    connection.request("GET", path)
    reply = connection.getresponse()
    body = reply.read().decode()
    return Reply(
        reply.status,
        reply.getheader("X-Nsaddr-State", ""),
        reply.getheader("X-Nsaddr-Reason", ""),
        body,
    )


def get_json(address, path, timeout=5.0):
    reply = get(address, path, timeout)
    if reply.status != 200:
        raise OSError(f"GET http://{address}{path}: {reply.status} {reply.body[:200]}")
    return json.loads(reply.body)


def put_json(address, path, value=None, timeout=5.0):
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("PUT", path, body=None if value is None else json.dumps(value))
        reply = connection.getresponse()
        body = reply.read().decode()
        if reply.status != 200:
            raise OSError(f"PUT http://{address}{path}: {reply.status} {body[:200]}")
    finally:
        connection.close()
