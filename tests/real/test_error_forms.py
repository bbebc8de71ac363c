# SPDX-License-Identifier: Apache-2.0
"""Old clients take our errors quietly.

The Java client logs a NullPointerException at each poll when an error says `Content-Length: 0`,
and old Go clients take any body as the list. So the body must be empty and the header must not say
so, and fabio must not turn it into that form either, as it did with two answers of a thousand before they announced
a trailer.
"""

import http.client
from urllib.parse import urlsplit

import pytest

from realparts import rocketmq, web
from realparts.nsaddrd import Nsaddrd
from realparts.ports import free_port
from realparts.waiting import until

_UNKNOWN, _EARLY = "/rocketmq/unknown", "/rocketmq/early"


@pytest.fixture(scope="module")
def urls(run, consul, fabio, nameservers):
    """An URL for each error and each way to it."""
    consul.register_clusters({"a": nameservers["a"]})
    off = {"register.mode": "off"}
    no_consul = f"127.0.0.1:{free_port()}"
    with Nsaddrd(run, consul.address, off) as ready, Nsaddrd(run, no_consul, off) as not_ready:
        ready.await_list("a", nameservers["a"])
        consul.register("ready", ready.port, service_id="ready", tags=["urlprefix-/rocketmq/"])
        consul.register(
            "not-ready", not_ready.port, service_id="not-ready", tags=[f"urlprefix-{_EARLY}"]
        )
        fabio.await_route("/rocketmq/", ready.address)
        fabio.await_route(_EARLY, not_ready.address)
        for address, path, wanted in [
            (fabio.address, _UNKNOWN, (404, "", "unknown-cluster", "")),
            (fabio.address, _EARLY, (503, "", "not-ready", "")),
        ]:
            until(
                f"our answer to {path}",
                lambda: web.get(address, path),
                lambda reply: reply == wanted,
            )
        yield {
            ("404", "direct"): f"http://{ready.address}{_UNKNOWN}",
            ("404", "fabio"): f"http://{fabio.address}{_UNKNOWN}",
            ("503", "direct"): f"http://{not_ready.address}{_EARLY}",
            ("503", "fabio"): f"http://{fabio.address}{_EARLY}",
        }


_errors = pytest.mark.parametrize("status", ["404", "503"])
_ways = pytest.mark.parametrize("way", ["direct", "fabio"])


@_errors
@_ways
@pytest.mark.parametrize("version", ["4.5.2", "4.7.1"])
def test_java_reads_an_error_without_a_stack_trace(run, urls, version, status, way):
    assert rocketmq.java_on_error(run, version, urls[status, way]) == f"status {status} body 0"


@_errors
@_ways
def test_old_go_takes_no_list_from_an_error(run, urls, status, way):
    assert rocketmq.list_taken_by_old_go(run, urls[status, way]) == ""


@_errors
def test_fabio_keeps_the_form(urls, status):
    url = urlsplit(urls[status, "fabio"])
    forms = set()
    for _ in range(3000):
        connection = http.client.HTTPConnection(url.netloc, timeout=5)
        connection.request("GET", url.path)
        response = connection.getresponse()
        forms.add((response.getheader("Content-Length"), response.getheader("Transfer-Encoding"), response.read()))
        connection.close()
    assert forms == {(None, "chunked", b"")}
