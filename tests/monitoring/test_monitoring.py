# SPDX-License-Identifier: Apache-2.0
"""What is shipped for Prometheus and Grafana: valid, tested, and about metrics that there are."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from promtool import promtool
from test_metrics import CONSUL_INTERFACE, INTERFACE

ROOT = Path(__file__).parents[2]
RULES = ROOT / "packaging" / "prometheus" / "nsaddrd.rules.yml"
RULE_TESTS = RULES.with_name("nsaddrd.rules.test.yml")
DASHBOARD = ROOT / "packaging" / "grafana" / "nsaddrd.json"
README = ROOT / "README.md"

KNOWN = {**INTERFACE, **CONSUL_INTERFACE}.keys()

_EXPRESSION = re.compile(r"^( +)expr: (?:\|-\n)?(.*?)(?=^ +(?:for|labels):)", re.MULTILINE | re.DOTALL)
_METRIC = re.compile(r"\b(?:nsaddrd|process)_[a-z_]+[a-z]\b")


def families(text):
    """The metrics that are named in it, as they are announced."""
    found = set()
    for name in _METRIC.findall(text):
        histogram = re.sub("_(bucket|sum|count)$", "", name)
        found.add(histogram if histogram in KNOWN else name)
    return found


def alerts():
    """Name -> the text of the alert."""
    parts = re.split(r"^ +- alert: (\w+)\n", RULES.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def expression(alert):
    """The PromQL of an alert's text."""
    return _EXPRESSION.search(alert)[2]


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries():
    return [target["expr"] for panel in panels() for target in panel["targets"]]


# Alerts

def test_promtool_takes_the_alerts():
    code, said = promtool("check", "rules", RULES)
    assert (code, f"{len(alerts())} rules found" in said) == (0, True), said


def test_alerts_fire_when_they_shall():
    code, said = promtool("test", "rules", RULE_TESTS)
    assert code == 0, said


@pytest.mark.parametrize("instead", ["vector(1)", "vector(1) < 0"], ids=["always", "never"])
def test_alert_that_fires_wrongly_would_be_found(tmp_path, instead):
    """Each one, by a test of its own."""
    rules = _EXPRESSION.sub(rf"\1expr: {instead}\n", RULES.read_text())
    (tmp_path / RULES.name).write_text(rules)
    copy = tmp_path / RULE_TESTS.name
    copy.write_text(RULE_TESTS.read_text())
    code, said = promtool("test", "rules", copy)
    assert code != 0
    assert set(re.findall(r'alertname=\\"(\w+)\\"', said)) == set(alerts()), said


@pytest.mark.parametrize("name", alerts())
def test_alert_says_how_bad_it_is_and_what_to_do(name):
    text = alerts()[name]
    assert re.fullmatch(r"Nsaddrd([A-Z][a-z]+)+", name)
    assert re.search(r"^ +severity: (critical|warning|info)$", text, re.MULTILINE)
    summary = re.search(r"summary: >-\n(.*?) +description", text, re.DOTALL)[1]
    description = re.search(r"description: >-\n((?: {12}.*\n)+)", text)[1]
    assert summary.strip().endswith(".") and len(description) > 100


# Dashboard

def test_dashboard_can_be_imported():
    dashboard = json.loads(DASHBOARD.read_text())
    assert (dashboard["uid"], dashboard["schemaVersion"]) == ("nsaddrd", 36)
    assert [given["name"] for given in dashboard["__inputs"]] == ["DS_PROMETHEUS"]
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["job", "instance", "cluster"]
    sources = [part["datasource"]["uid"] for panel in panels() for part in [panel, *panel["targets"]]]
    assert set(sources) == {"${DS_PROMETHEUS}"}
    assert {panel["type"] for panel in panels()} == {
        needed["id"] for needed in dashboard["__requires"] if needed["type"] == "panel"}


def test_panels_have_a_place_each():
    every = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in every}) == len(every)
    places = [panel["gridPos"] for panel in every]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for a, b in combinations(places, 2):
        assert (a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]), (a, b)


def test_promtool_takes_the_queries(tmp_path):
    rules = [{"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
             for number, query in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))  # JSON is YAML, too
    code, said = promtool("check", "rules", file)
    assert code == 0, said


# Names

@pytest.mark.parametrize("name", alerts())
def test_alert_is_about_what_a_daemon_tells(name):
    used = families(expression(alerts()[name]))
    assert used <= KNOWN
    assert used or expression(alerts()[name]).startswith("up{")  # Prometheus' own


def test_dashboard_shows_what_a_daemon_tells():
    shown = families("\n".join(queries()))
    assert shown <= KNOWN
    assert {name for name in KNOWN - shown if name.startswith("nsaddrd_")} == {
        "nsaddrd_state_last_write_timestamp_seconds", "nsaddrd_config_last_reload_success_timestamp_seconds"}


def test_every_metric_is_documented_and_no_other():
    text = README.read_text()
    section = text[text.index("## Metrics"):]
    section = section[:section.index("\n## ")]
    documented = {name for name in families(section) if name.startswith("nsaddrd_")}
    assert documented - KNOWN == set()
    assert {name for name in KNOWN if name.startswith("nsaddrd_")} - documented == set()
