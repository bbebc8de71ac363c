# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells who looks inside: /status, /status.json, /explain, and the commands that ask for it."""

import base64
import hashlib
import json
import re

from fake_consul import Instance, Reply
from ports import free_port
from waiting import eventually

ONE, TWO, THREE = (Instance(f"10.0.0.{number}") for number in (1, 2, 3))
PAGES = ("/status", "/status.json", "/explain/a")


def failing(instance):
    return Instance(**{**vars(instance), "status": "critical"})


def status(daemon, query=""):
    response = daemon.admin("/status.json" + query)
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    return json.loads(response.body)


def cluster(daemon, name):
    found = status(daemon, f"?cluster={name}")["clusters"]
    return found[0] if found else None


def verdicts(daemon, name):
    return {instance["address"]: instance["verdict"] for instance in cluster(daemon, name)["instances"]}


def eventually_judged(daemon, name, expected):
    eventually(lambda: verdicts(daemon, name) == expected, f"the verdicts on {name} are {expected}")


def test_each_instance_has_its_verdict_until_it_has_left(watch, consul):
    consul.set_service("nameServera", [ONE, TWO, failing(THREE), Instance("a.host")])
    daemon = watch({"admission.leave_delay": "2s"})
    eventually_judged(daemon, "a", {"10.0.0.1": "served", "10.0.0.2": "served", "10.0.0.3": "failing",
                                    "a.host": "unusable"})
    consul.set_service("nameServera", [ONE, failing(TWO), failing(THREE)])
    eventually_judged(daemon, "a", {"10.0.0.1": "served", "10.0.0.2": "served-failing", "10.0.0.3": "failing"})
    eventually_judged(daemon, "a", {"10.0.0.1": "served", "10.0.0.2": "failing", "10.0.0.3": "failing"})
    last = cluster(daemon, "a")["last_change"]
    assert (last["why"], last["old_state"]) == ("instance left", "live")
    assert last["old_addresses"] == ["10.0.0.1:9876", "10.0.0.2:9876"]


def test_a_change_of_reports_alone_is_nobodys_news(watch, consul):
    consul.set_service("nameServera", [ONE, failing(TWO)])
    daemon = watch()
    before, lines = cluster(daemon, "a"), len(daemon.log_lines("cluster changed"))
    consul.set_service("nameServera", [ONE, failing(TWO), failing(THREE)])
    eventually(lambda: len(cluster(daemon, "a")["instances"]) == 3, "the third instance is reported")
    after = cluster(daemon, "a")
    assert (after["since"], after["changes"]) == (before["since"], before["changes"])
    assert len(daemon.log_lines("cluster changed")) == lines


def test_a_held_cluster_says_why_and_a_conflict_names_the_other(watch, consul):
    consul.set_service("nameServerheld", [ONE])
    consul.set_service("nameServerx", [TWO, Instance("10.0.0.8")])
    consul.set_service("nameServery", [TWO, Instance("10.0.0.9")])
    daemon = watch()
    assert status(daemon)["status"] == "ok"
    consul.set_service("nameServerheld", [failing(ONE)])
    eventually_judged(daemon, "held", {"10.0.0.1": "served-held"})
    told = status(daemon)
    assert (told["status"], told["cluster_states"]["held"]) == ("attention", 1)
    assert "held" in told["summary"]
    assert [c["id"] for c in told["clusters"]][0] == "held"
    assert verdicts(daemon, "x") == {"10.0.0.2": "contested", "10.0.0.8": "served"}
    assert cluster(daemon, "x")["withheld"] == ["10.0.0.2:9876"]
    assert "cluster y claims the address, too" in daemon.admin("/explain/x").text


def test_a_cluster_with_nothing_registered_says_that_it_ends_and_that_it_has(watch, consul):
    def metric(name):
        return int(re.search(rf"^{name} (\d+)$", daemon.admin("/metrics").text, re.MULTILINE)[1])

    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    daemon = watch({"admission.gone_delay": "2s"})
    consul.set_service("nameServera", [failing(ONE)])
    eventually_judged(daemon, "a", {"10.0.0.1": "served-held"})
    assert (cluster(daemon, "a")["unregistered"], metric("nsaddrd_clusters_unregistered")) == (False, 0)
    consul.remove_service("nameServera")
    eventually(lambda: cluster(daemon, "a")["gone_not_before"], "its end is known")
    told = cluster(daemon, "a")
    assert (told["state"], told["unregistered"]) == ("held", True)
    assert (told["last_change"]["why"], told["last_change"]["old_state"]) == ("nothing registered any more", "held")
    assert told["instances"][0]["leaves_not_before"] == told["gone_not_before"]
    assert (metric("nsaddrd_clusters_unregistered"), metric("nsaddrd_clusters_gone_total")) == (1, 0)
    assert "nothing is registered" in daemon.admin("/explain/a").text
    daemon.eventually_lists("a", 404)
    assert (metric("nsaddrd_clusters_unregistered"), metric("nsaddrd_clusters_gone_total")) == (0, 1)


def test_the_same_is_in_the_metrics(watch, consul):
    consul.set_service("nameServerx", [TWO, Instance("10.0.0.8"), Instance("a.host"), Instance("10.0.0.7", port=0)])
    consul.set_service("nameServery", [TWO, Instance("10.0.0.9")])
    daemon = watch()
    page = daemon.admin("/metrics").text
    assert "\nnsaddrd_conflicts 2\n" in page
    assert '\nnsaddrd_instances_skipped_total{reason="address"} 1\n' in page
    assert '\nnsaddrd_instances_skipped_total{reason="port"} 1\n' in page
    assert f'\nnsaddrd_cluster_changes_total{{cluster="x"}} {cluster(daemon, "x")["changes"]}\n' in page
    assert '\nnsaddrd_cluster_last_confirmed_timestamp_seconds{cluster="x"} ' in page


def test_a_consul_that_is_away_is_told(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    assert status(daemon)["consul"]["up"] is True
    consul.answer("/v1/*", Reply(status=500, body=b"\x1b[2Jno \"leader\""))
    eventually(lambda: status(daemon)["consul"]["up"] is False, "Consul is seen to be away")
    told = status(daemon)
    assert told["status"] == "attention"
    assert told["consul"]["error"]["text"]
    explained = daemon.admin("/explain/a").text
    assert "Consul gives no good answer" in explained
    assert "\x1b" not in explained


def test_a_cluster_that_cannot_be_read_is_told_and_is_not_consul_away(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.set_service("nameServerb", [TWO])
    daemon = watch({"state.dir": ""})
    before, lines = cluster(daemon, "a"), len(daemon.log_lines("cluster changed"))
    assert status(daemon)["summary"] == "All clusters are live: 2"
    rule = consul.answer("/v1/health/service/nameServera", Reply(status=403, body=b"\x1b[2J<b>denied"))
    consul.set_service("nameServera", [ONE, THREE])
    eventually(lambda: consul.reads("nameServera", when=lambda r: r.status == 403)[3:], "it is tried again and again")
    told = status(daemon, "?state=problems")
    assert (told["status"], told["summary"]) == ("attention", "All clusters are live: 2; 1 cannot be read from Consul")
    assert told["consul"]["up"] is True
    found, = told["clusters"]
    assert (found["id"], found["changes"], found["since"]) == ("a", before["changes"], before["since"])
    assert "403" in found["read_error"]["text"]
    explained = daemon.admin("/explain/a").text
    assert "live, as Consul confirmed " in explained
    assert re.search(r"\nreading: +fails since .*403", explained)
    assert "\x1b" not in explained
    page = daemon.admin("/status?cluster=a").text
    assert "denied" in page and "<b>" not in page
    assert len(daemon.log_lines("cluster changed")) == lines
    consul.remove_rule(rule)
    eventually(lambda: cluster(daemon, "a")["read_error"] is None, "it is read again", 40)
    assert daemon.list_of("a") == "10.0.0.1:9876;10.0.0.3:9876"
    assert status(daemon)["status"] == "ok"


def test_registrations_that_are_refused_are_told(watch, consul):
    consul.set_service("nameServera", [ONE])
    consul.answer("/v1/agent/service/register", Reply(status=403, body=b"Permission denied"))
    daemon = watch({"register.mode": "single", "register.advertise": "127.0.0.1"})
    eventually(lambda: status(daemon)["registrations"]["failing"], "the registration is refused")
    told = status(daemon)
    assert told["status"] == "attention"
    assert "Our registrations in Consul fail. " in told["summary"]


def test_a_refused_reload_is_told(serve):
    daemon = serve({"a": ["10.0.0.1:9876"]})
    before = status(daemon)
    assert (before["status"], before["reload"]["successful"]) == ("ok", True)
    daemon.refuse("bogus = 1;\n")
    eventually(lambda: not status(daemon)["reload"]["successful"], "the refused reload is told")
    told = status(daemon)
    assert told["status"] == "attention"
    assert told["reload"]["last_success"] == before["reload"]["last_success"]
    assert "The last reload was refused" in told["summary"]
    assert b"the last reload was refused" in daemon.admin("/status").body


def test_a_head_tells_no_wrong_length(serve):
    daemon = serve({"a": ["10.0.0.1:9876"], "b": ["10.0.0.2:9876"]})
    for path in PAGES:
        there, head = daemon.admin(path), daemon.admin(path, method="HEAD")
        assert head.body == b""
        # what it tells of itself, as times and requests, may have another length by now
        assert abs(int(head.header("Content-Length")) - len(there.body)) < 64, path


def test_pages_are_for_admin_alone(serve):
    daemon = serve({"a": ["10.0.0.1:9876"]})
    for path in PAGES:
        assert daemon.get(path).status == 404
        response = daemon.admin(path)
        assert response.status == 200
        assert response.header("Cache-Control") == "no-store"
        assert response.header("X-Content-Type-Options") == "nosniff"
        assert response.header("Content-Security-Policy").startswith("default-src 'none'; ")
        head = daemon.admin(path, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert daemon.admin(path, method="POST").status == 405


def test_the_page_may_have_its_own_style_and_no_other(serve):
    daemon = serve({"a": ["10.0.0.1:9876"]})
    response = daemon.admin("/status")
    styles = re.findall(rb"<style>(.*?)</style>", response.body, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(style).digest()).decode() for style in styles]
    assert re.findall(r"'sha256-([^']*)'", response.header("Content-Security-Policy")) == hashes
    assert "unsafe" not in response.header("Content-Security-Policy")
    assert b" style=" not in response.body


def test_queries_choose_clusters(serve):
    daemon = serve({f"c{number:03}": [f"10.0.0.{number}:9876"] for number in range(1, 121)})
    assert len(status(daemon)["clusters"]) == 120
    assert [c["id"] for c in status(daemon, "?page=2")["clusters"]] == [f"c{number:03}" for number in range(101, 121)]
    assert [c["id"] for c in status(daemon, "?q=C11&x=%00")["clusters"]] == [f"c11{digit}" for digit in range(10)]
    assert status(daemon, "?state=held")["clusters"] == []
    assert len(status(daemon, "?" + "q=c1&" * 1000)["clusters"]) == 120  # too long to be one of ours
    assert len(status(daemon, "?")["clusters"]) == 120


def test_secrets_are_not_shown(make_daemon):
    daemon = make_daemon({"consul.address": f"http://127.0.0.1:{free_port()}", "consul.token": "very-secret-token"},
                         ready=False)
    for path in ("/status", "/status.json"):
        text = daemon.admin(path).text
        assert "service_prefix" in text
        assert "very-secret-token" not in text


def test_clients_are_counted_by_what_they_call_themselves(serve):
    daemon = serve({"a": ["10.0.0.1:9876"]})
    evil = "<b>\xff\"'\\" + "x" * 100
    for headers in ([("User-Agent", "Java/17"), ("Client-Version", "V5_3_3")], [("User-Agent", evil)], []):
        for _ in range(2):
            assert daemon.get("/rocketmq/a", headers=headers).status == 200
    clients = status(daemon)["clients"]
    assert sum(client["requests"] for client in clients) == 6
    assert {("V5_3_3", "Java/17"), (None, None)} <= {(c["client_version"], c["user_agent"]) for c in clients}
    assert any(c["user_agent"] and c["user_agent"].startswith("<b>\ufffd\"'\\x") for c in clients)
    page = daemon.admin("/status").body
    assert b"&#60;b&#62;\\xff&#34;&#39;\\\\x" in page
    assert b"<b>" not in page


def test_explain_asks_the_running_daemon(serve, command):
    daemon = serve({"Demo": ["10.0.0.1:9876"]})
    url = f"http://127.0.0.1:{daemon.admin_port}"
    found = command("explain", "--url", url, "Demo")
    assert (found.returncode, found.stderr) == (0, "")
    assert "10.0.0.1:9876" in found.stdout
    assert command("explain", "--url", url, "Demo", env={"NSADDRD_LISTEN": "nonsense"}).returncode == 0
    found = command("explain", "-o", f"admin.listen=0.0.0.0:{daemon.admin_port}", "Demo")
    assert found.returncode == 0
    missing = command("explain", "--url", url, "demo")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "nearest known ids (case matters): Demo" in missing.stderr
    assert "no cluster id" in command("explain", "--url", url, "a/b c").stderr
    assert "cannot be" in daemon.admin("/explain/b%20c").text


def test_explain_of_an_excluded_id_says_so(watch, consul):
    consul.set_service("nameServera", [ONE])
    daemon = watch()
    assert "consul.exclude" not in daemon.admin("/explain/b").text
    daemon.reload({"consul.exclude": ["a", "b"]})
    daemon.eventually_lists("a", 404)
    eventually(lambda: "consul.exclude has it" in daemon.admin("/explain/a").text, "it is said to be excluded")


def test_explain_says_when_there_is_nobody_to_ask(command, serve):
    result = command("explain", "--url", f"http://127.0.0.1:{free_port()}", "a")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    daemon = serve({"a": ["10.0.0.1:9876"]})
    result = command("explain", "--url", f"http://127.0.0.1:{daemon.port}", "a")
    assert result.returncode == 1
    assert "404" in result.stderr and "admin listener" in result.stderr


def test_probe_is_a_health_check(make_daemon, command):
    daemon = make_daemon({"consul.address": f"http://127.0.0.1:{free_port()}", "state.dir": ""}, ready=False)
    result = command("probe", "-o", f"listen=127.0.0.1:{daemon.port}")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    result = command("probe", f"http://127.0.0.1:{daemon.port}/rocketmq/a")
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert "503" in result.stderr
    result = command("probe", env={"NSADDRD_LISTEN": "nonsense"})
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    result = command("probe", f"http://127.0.0.1:{free_port()}/healthz", env={"NSADDRD_LISTEN": "nonsense"})
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
