# SPDX-License-Identifier: Apache-2.0
"""Alerts and dashboard of deploy/monitoring against a real worker's /metrics, and a real Prometheus that scrapes it."""
import datetime
import subprocess
import time
from xml.etree import ElementTree

import pytest

from support.metrics import LISTEN, address_of, ask, promtool_check, scrape
from support.prometheus import Prometheus
from support.queries import KUBE, MONITORING, TARGET_LABELS, dashboard, dashboard_queries, family_of, substituted, used

BROKEN_VIEW = """
    CREATE OR REPLACE VIEW {s}_user AS SELECT username, group_id, display_name, gender, date_of_birth, location, intent, bio,
        smokes, drinks, wants_kids, education, religion, occupation, preferred_genders,
        (CASE WHEN username = 'broken' THEN bio ELSE '18' END)::integer AS preferred_min_age,
        preferred_max_age, relationship_type, open_to_long_distance, ready_for_matching, sent_to_matching_service
    FROM {s}_users"""


@pytest.fixture
def busy(pipe, tmp_path):
    """A worker that has exported, skipped, dead-lettered and sent to a retry tier, seen by Prometheus; what both offer."""
    folder = tmp_path / "prometheus"
    folder.mkdir()
    worker = pipe.worker(**LISTEN, retry__delays="2s", retry__attempts="0", postgres__stall_timeout="500ms")
    address = address_of(worker)
    prometheus = Prometheus(folder, [address])
    try:
        prometheus.wait("users_export_ready == 1")
        files, stalled = pipe.new_group(rows=2500), pipe.new_group(rows=3)
        names = pipe.new_group("NON_COST_BASED", rows=20)
        lottery = pipe.new_group("LOTTERY", rows=1)
        pipe.database.add_users(stalled, {"username": "gate"})
        # It is scheduled while its rows stall.
        with pipe.database.gate(stalled):
            assert pipe.scheduler().code == 0
            prometheus.wait('users_export_retries_total{tier="0"} == 1')
        prometheus.wait('users_export_commands_total{outcome="exported"} == 3')
        # Only now: the gate is in the view that this replaces.
        pipe.database.execute(BROKEN_VIEW)
        bad = pipe.new_group(rows=3)
        pipe.database.add_users(bad, {"username": "broken", "bio": "no number"})
        pipe.send(bad)
        prometheus.wait('sum(users_export_commands_total) == 6')
        yield prometheus, address, {"bad": bad, "files": files, "names": names, "lottery": lottery}
    finally:
        prometheus.stop()
    assert worker.stop() == 0


def offered_by(address):
    """{metric: labels} of one scrape; a family without series yet has no labels to compare: None."""
    now, found = scrape(address), {}
    for name, labels in now.samples:
        found.setdefault(name, set()).update(dict(labels))
    return now, found


def missing(where, expression, now, offered, recorded=()):
    metrics, _ = used(expression)
    for metric, labels in metrics.items():
        if metric in KUBE or metric in recorded or metric == "up":
            continue
        if metric not in offered:
            yield f"{where}: {metric} is not on /metrics (family: {family_of(metric) in now.families})"
        elif not labels <= offered[metric] | TARGET_LABELS:
            yield f"{where}: {metric} has no labels {labels - offered[metric] - TARGET_LABELS}"


def test_monitoring__busy_worker__every_alert_and_panel_has_its_metrics_and_data(busy):
    prometheus, address, groups = busy
    rules = prometheus.wait_rules()
    now, offered = offered_by(address)
    # Valid; the labels groupId and groupType are what the only remark is about.
    assert all("camelCase" in remark for remark in promtool_check(now.text))
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}

    problems = [f"{rule['name']}: {rule.get('lastError') or rule['health']}" for rule in rules if rule["health"] != "ok"]
    for rule in rules:
        problems += missing(rule["name"], rule["query"], now, offered, recorded)
    from_kubernetes = {rule["name"] for rule in rules if set(used(rule["query"])[0]) & set(KUBE)}
    assert from_kubernetes == {"UsersExportPodRestarts", "UsersExportSchedulerFailed", "UsersExportRunNotFinished"}
    for panel, legend, expression in dashboard_queries():
        problems += missing(panel, expression, now, offered)
        if not prometheus.query(substituted(expression, group=groups["files"])):
            problems.append(f"{panel} {legend}: no data from {expression}")
    assert not problems, "\n".join(problems)

    # One command failed for good, so that alert is on its way, that of the dead letters is there, and no other.
    alerts = {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting" and rule["state"] != "inactive"}
    assert alerts == {"UsersExportFailures": "pending", "UsersExportDeadLetters": "firing"}
    assert [float(found["value"][1]) for found in prometheus.query(
        next(rule["query"] for rule in rules if rule["name"] == "UsersExportFailures"))] == [1]


def test_monitoring__no_group_yet__alerts_are_quiet(pipe, tmp_path):
    worker = pipe.worker(**LISTEN)
    prometheus = Prometheus(tmp_path, [address_of(worker)])
    try:
        prometheus.wait("users_export_ready == 1")
        assert all(rule["state"] == "inactive" and rule["health"] == "ok"
                   for rule in prometheus.wait_rules() if rule["type"] == "alerting")
    finally:
        prometheus.stop()
    assert worker.stop() == 0


def test_monitoring__variables_of_the_dashboard__have_values(busy):
    prometheus, address, groups = busy
    assert ask(address, "/readyz")[0] == 200
    assert {found["metric"]["groupId"] for found in prometheus.query("users_export_csv_processed_total")} >= set(groups.values())
    assert prometheus.query("users_export_build_info")[0]["metric"]["job"] == "users-export"

    # The same panels as a picture: each is there, and none is empty but the history of a group that is none.
    begun = time.time()
    times = [datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat() for at in (begun - 120, begun)]
    draw = [MONITORING / "draw-dashboard", f"--prometheus=http://{prometheus.address}", "--scrape-interval=1",
            f"--from={times[0]}", f"--to={times[1]}"]
    done = subprocess.run([*draw, f"--group={groups['files']}"], capture_output=True, text=True, timeout=60, check=True)
    texts = [element.text for element in ElementTree.fromstring(done.stdout).iter("{http://www.w3.org/2000/svg}text")]
    panels = {panel["title"].replace("$group", groups["files"]) for panel in dashboard()["panels"]}
    assert {title for title in panels if len(title) < 12} <= set(texts) and "no data" not in texts
    nobody = subprocess.run([*draw, "--group=nobody", "--row=History of $group"], capture_output=True, text=True, timeout=60, check=True)
    assert nobody.stdout.count("no data") == 4
    away = subprocess.run([*draw, "--prometheus=http://127.0.0.1:1"], capture_output=True, text=True, timeout=60, check=False)
    assert away.returncode == 1 and len(away.stderr.splitlines()) == 1
