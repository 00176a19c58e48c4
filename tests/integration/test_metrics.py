# SPDX-License-Identifier: Apache-2.0
"""Metrics, health and progress of a running worker, read by independent clients."""
import json
import socket
import time

import pytest
from jsonschema import Draft202012Validator

from support.metrics import LISTEN, address_of, ask, promtool_check, scrape
from support.programs import run
from support.proxy import Proxy
from support.services import ROOT

PER_GROUP = {
    "users_export_duration_seconds": "histogram", "users_export_batch_duration_seconds": "histogram",
    "users_export_group_duration_seconds": "histogram", "users_export_failures": "counter",
    "users_export_batch_failures": "counter", "users_export_batch_processed": "counter",
    "users_export_invalid_group_type": "counter", "users_export_csv_processed": "counter",
    "users_export_csv_failures": "counter", "export_to_dlq": "counter",
}
OWN = {
    "users_export_commands": "counter", "users_export_in_flight": "gauge", "users_export_breaker_open": "gauge",
    "users_export_oldest_unfinished_seconds": "gauge", "users_export_last_scheduled_timestamp_seconds": "gauge",
    "users_export_transactions": "counter", "users_export_transaction_seconds": "histogram",
    "users_export_retries": "counter", "users_export_rebalances": "counter", "users_export_bytes": "counter",
    "users_export_build_info": "gauge", "process_resident_memory_bytes": "gauge", "process_cpu_seconds": "counter",
    "process_open_fds": "gauge", "process_start_time_seconds": "gauge",
}
OUTCOMES = {"exported", "skipped", "retried", "dead-lettered", "rerouted"}


def wait_for(condition, timeout=30, what="a condition"):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.05)
    return found


@pytest.fixture
def watched(pipe):
    """Start a worker with an HTTP port; returns (worker, address)."""

    def start(**settings):
        worker = pipe.worker(**{**LISTEN, **settings})
        return worker, address_of(worker)

    return start


def ready(address):
    wait_for(lambda: ask(address, "/readyz")[0] == 200, what="/readyz")


def test_metrics__before_any_command__all_families_and_outcomes_are_there(pipe, watched):
    worker, address = watched()
    ready(address)
    now = scrape(address)
    for name, kind in {**PER_GROUP, **OWN}.items():
        assert now.families[name].type == kind, name
        assert now.families[name].documentation, name
    assert now.labels("users_export_commands_total", "outcome") == OUTCOMES
    assert now.sum("users_export_commands_total") == 0
    assert now.labels("users_export_breaker_open", "dependency") == {"postgres", "store"}
    assert now.labels("users_export_build_info", "version") and now.sum("users_export_build_info") == 1
    assert now.value("users_export_ready") == 1
    assert promtool_check(now.text) == []
    assert worker.stop() == 0


def test_metrics__group_while_it_is_exported_and_after__counts_as_documented(pipe, watched):
    group_id = pipe.new_group()
    pipe.database.add_many(group_id, 249)
    pipe.database.add_users(group_id, {"username": "gate"})
    names = pipe.new_group("NON_COST_BASED", rows=30)
    worker, address = watched(export__batch_rows="100", commit__interval="10ms")
    ready(address)
    labels = {"groupId": group_id, "groupType": "COST_BASED"}
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        wait_for(pipe.database.waiting_at_gate, what="the export to reach its gate")
        time.sleep(0.1)
        now = scrape(address)
        assert now.value("users_export_in_flight") == 1
        assert now.value("users_export_oldest_unfinished_seconds") > 0
        for name in ("users_export_duration_seconds_count", "users_export_group_duration_seconds_count",
                     "users_export_failures_total"):
            assert now.value(name, **labels) == 0, name
        for name in ("users_export_batch_failures_total", "users_export_csv_processed_total",
                     "users_export_csv_failures_total"):
            assert now.value(name, groupId=group_id) == 0, name
        assert now.value("export_to_dlq_total", key=group_id, topic=pipe.topic["command"]) == 0
    pipe.send(names)
    pipe.settle()
    now = scrape(address)
    assert now.value("users_export_csv_processed_total", groupId=group_id) == 250
    assert now.value("users_export_batch_processed_total", groupId=group_id) == 250
    assert now.value("users_export_batch_duration_seconds_count", groupId=group_id) == 3
    for name in ("users_export_duration_seconds", "users_export_group_duration_seconds"):
        assert now.value(f"{name}_count", **labels) == now.value(f"{name}_bucket", le="7200", **labels) == 1
        for bound in ("0.005", "300", "360", "+Inf"):
            assert now.value(f"{name}_bucket", le=bound, **labels) is not None, bound
    assert now.value("users_export_group_duration_seconds_sum", **labels) <= now.value(
        "users_export_duration_seconds_sum", **labels)
    assert now.value("users_export_csv_processed_total", groupId=names) == 0
    assert now.value("users_export_batch_processed_total", groupId=names) == 30
    assert now.value("users_export_duration_seconds_count", groupId=names, groupType="NON_COST_BASED") == 1
    assert now.value("users_export_commands_total", outcome="exported") == 2
    assert now.value("users_export_rows_total") == 280
    state = pipe.states()[group_id]
    assert now.value("users_export_bytes_total", direction="written") == state["bytes"]
    assert now.value("users_export_bytes_total", direction="read") > state["bytes"]
    assert now.value("users_export_in_flight") == now.value("users_export_oldest_unfinished_seconds") == 0
    assert now.value("users_export_transactions_total", result="committed") >= 2
    assert now.value("users_export_s3_requests_total", method="PUT", code="200") >= 1
    lag = {dict(has)["topic"]: value for (name, has), value in now.samples.items() if name == "users_export_lag"}
    assert lag[pipe.topic["command"]] == 0
    assert promtool_check(now.text) and all("camelCase" in remark for remark in promtool_check(now.text))
    assert worker.stop() == 0


def test_metrics__commands_that_fail_and_are_skipped__each_in_its_family(pipe, watched):
    bad = pipe.new_group(rows=3)
    pipe.database.add_users(bad, {"username": "broken", "bio": "no number"})
    lottery = pipe.new_group("LOTTERY", rows=1)
    pipe.database.execute("""
        CREATE OR REPLACE VIEW {s}_user AS SELECT username, group_id, display_name, gender, date_of_birth, location, intent, bio,
            smokes, drinks, wants_kids, education, religion, occupation, preferred_genders,
            (CASE WHEN username = 'broken' THEN bio ELSE '18' END)::integer AS preferred_min_age,
            preferred_max_age, relationship_type, open_to_long_distance, ready_for_matching, sent_to_matching_service
        FROM {s}_users""")
    worker, address = watched()
    pipe.send(bad)
    pipe.send(lottery)
    pipe.send("nobody")
    pipe.send("malformed", b"{")
    pipe.send("wrong place", partition=pipe.wrong_partition("wrong place"))
    pipe.settle()
    wait_for(lambda: scrape(address).sum("users_export_commands_total") == 6, what="all outcomes")
    now = scrape(address)
    assert now.value("users_export_commands_total", outcome="dead-lettered") == 2
    assert now.value("users_export_commands_total", outcome="skipped") == 3
    assert now.value("users_export_commands_total", outcome="rerouted") == 1
    assert now.value("users_export_skipped_total", reason="unknown-group") == 2
    assert now.value("users_export_failures_total", groupId=bad, groupType="COST_BASED") == 1
    assert now.value("users_export_batch_failures_total", groupId=bad) == 1
    assert now.value("users_export_csv_failures_total", groupId=bad) == 1
    assert now.value("users_export_csv_processed_total", groupId=bad) == 0
    assert now.value("users_export_failed_attempts_total", code="database-data") == 1
    assert now.value("users_export_invalid_group_type_total", groupId=lottery, groupType="LOTTERY") == 1
    topic = pipe.topic["command"]
    assert now.value("export_to_dlq_total", key=bad, topic=topic) == 1
    assert now.value("export_to_dlq_total", key="malformed", topic=topic) == 1
    assert now.value("users_export_failures_total", groupId="malformed", groupType="UNKNOWN") == 1
    assert now.sum("export_to_dlq_total") == now.sum("users_export_failures_total") == len(pipe.dead_letters()) == 2
    assert worker.stop() == 0


def test_metrics__more_groups_than_max_groups__share_other_and_sums_hold(pipe, watched):
    groups = [pipe.new_group(rows=5) for _ in range(6)]
    worker, address = watched(metrics__max_groups="2")
    for group_id in groups:
        pipe.send(group_id)
    pipe.settle()
    now = scrape(address)
    for name in ("users_export_csv_processed_total", "users_export_failures_total", "users_export_duration_seconds_count"):
        labels = now.labels(name, "groupId")
        assert len(labels) == 3 and "_other" in labels, name
    assert now.labels("export_to_dlq_total", "key") == now.labels("users_export_csv_processed_total", "groupId")
    assert now.sum("users_export_csv_processed_total") == 30
    assert now.value("users_export_csv_processed_total", groupId="_other") == 20
    assert worker.stop() == 0


def test_metrics__scheduled_and_other_commands__only_the_scheduler_moves_its_time(pipe, watched):
    group_id = pipe.new_group(rows=1)
    worker, address = watched()
    ready(address)
    pipe.send_id(group_id, runId="2026-11-22", requestedBy="export-scheduler")
    pipe.settle()
    assert scrape(address).value("users_export_last_scheduled_timestamp_seconds") == 0
    before = time.time()
    assert pipe.scheduler().code == 0
    pipe.settle()
    wait_for(lambda: scrape(address).value("users_export_last_scheduled_timestamp_seconds"), what="the scheduled command")
    assert before - 2 <= scrape(address).value("users_export_last_scheduled_timestamp_seconds") <= time.time() + 2
    assert worker.stop() == 0


def test_metrics__retries__by_tier_and_old_while_they_wait(pipe, watched):
    group_id = pipe.new_group(rows=3)
    # Another command's object in the way is no matter for a retry; a store that refuses the write is.
    worker, address = watched(retry__delays="3s", retry__attempts="0", postgres__stall_timeout="500ms")
    ready(address)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        wait_for(lambda: scrape(address).value("users_export_retries_total", tier="0") == 1, what="the retry")
        now = scrape(address)
        assert now.sum("users_export_failures_total") == 0
        assert now.value("users_export_failed_attempts_total", code="database-stalled") == 1
        assert now.value("users_export_batch_failures_total", groupId=group_id) == 1
        old = wait_for(lambda: (age := scrape(address).value("users_export_oldest_unfinished_seconds")) > 1 and age,
                       what="the waiting command to grow old")
        assert old < 20
    wait_for(lambda: scrape(address).value("users_export_commands_total", outcome="exported") == 1, what="the export")
    wait_for(lambda: scrape(address).value("users_export_oldest_unfinished_seconds") == 0, what="nothing to be unfinished")
    assert worker.stop() == 0


def test_health__outage_of_the_store__breaker_is_open_and_the_worker_alive_and_ready(pipe, watched):
    proxy = Proxy(pipe.settings["EXPORT_S3_ENDPOINT"].removeprefix("http://"))
    pipe.settings["EXPORT_S3_ENDPOINT"] = f"http://{proxy.address}"
    group_id = pipe.new_group(rows=2)
    worker, address = watched(retry__attempts="0")
    ready(address)
    with proxy.outage():
        pipe.send(group_id)
        wait_for(lambda: scrape(address).value("users_export_breaker_open", dependency="store") == 1, what="the breaker")
        assert ask(address, "/livez")[0] == 200
        status, text, _ = ask(address, "/readyz?verbose")
        assert status == 200 and json.loads(text)["breakers"] == {"postgres": "closed", "store": "open"}
        now = scrape(address)
        assert now.value("users_export_breaker_open", dependency="postgres") == 0
        assert now.sum("users_export_commands_total") == 0 == now.value("users_export_in_flight")
        assert now.value("users_export_s3_requests_total", method="HEAD", code="none") >= 1
    pipe.settle()
    now = scrape(address)
    assert now.value("users_export_breaker_open", dependency="store") == 0
    assert now.value("users_export_breaker_openings_total", dependency="store") == 1
    assert now.value("users_export_commands_total", outcome="exported") == 1
    assert worker.stop() == 0


def test_health__while_starting_and_while_stopping__alive_but_not_ready(pipe, watched):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pipe.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{silent.getsockname()[1]}"
        worker, address = watched(startup__timeout="60s")
        wait_for(lambda: ask(address, "/readyz")[1] == "not ready: waiting for dependencies\n", what="the start")
        assert ask(address, "/readyz")[0] == 503
        assert ask(address, "/livez")[:2] == (200, "ok\n")
        assert ask(address, "/metrics", "HEAD")[:2] == (200, "")
        assert scrape(address).value("users_export_ready") == 0
        assert worker.stop() == 0


def test_health__verbose__names_every_thread(pipe, watched):
    worker, address = watched(export__lanes="3")
    ready(address)
    status, text, headers = ask(address, "/livez?verbose")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    detail = json.loads(text)
    assert [check["name"] for check in detail["checks"]] == [
        "intake", "committer", "monitor", "lane-0", "lane-1", "lane-2"]
    assert all(check["status"] in ("ok", "idle") for check in detail["checks"])
    assert ask(address, "/nothing")[0] == 404
    status, _, headers = ask(address, "/metrics", "PUT")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert worker.stop() == 0


def test_listen__address_in_use__exit_2_before_anything_is_touched(pipe, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as broker:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        work = tmp_path / "untouched"
        done = run("export-worker", [f"--http.listen={address}", f"--export.work_dir={work}"],
                   {**pipe.settings, "EXPORT_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.getsockname()[1]}"})
        assert done.code == 2, done
        assert len(done.log) == 1 and "http.listen" in done.said and address in done.said
        assert not work.exists()
        broker.settimeout(0.1)
        with pytest.raises(TimeoutError):
            broker.accept()


def test_progress__running_export__is_told_of_once_a_second_and_at_its_end(pipe, watched):
    schema = Draft202012Validator(json.loads((ROOT / "schemas/export-group-progress.schema.json").read_text()),
                                  format_checker=Draft202012Validator.FORMAT_CHECKER)
    group_id = pipe.new_group(rows=2000)
    pipe.database.add_users(group_id, {"username": "gate"})
    worker, address = watched(export__lanes="2")
    ready(address)
    with pipe.database.gate(group_id):
        command_id = pipe.send_id(group_id)
        quick = pipe.new_group(rows=1)
        pipe.send(quick)
        reader = pipe.reader("progress")
        reader.wait(lambda records: sum(r.key == group_id.encode() for r in records) >= 4, what="records of progress")
    pipe.settle()
    reader.wait(lambda records: any(json.loads(r.value).get("state") == "ended" for r in records), what="the end")
    assert worker.stop() == 0
    records = [record for record in reader.drain() if record.key == group_id.encode()]
    values = [json.loads(record.value) for record in records]
    for value in values:
        schema.validate(value)
        assert (value["groupId"], value["commandId"]) == (group_id, command_id)
        assert value["worker"].endswith(f":{worker.pid}")
    assert {record.partition for record in records} == {pipe.partition_of(group_id)}
    assert [value["state"] for value in values] == ["running"] * (len(values) - 1) + ["ended"]
    rows = [value["rows"] for value in values]
    assert rows == sorted(rows) and rows[-1] == 2001
    times = [record.timestamp_ms for record in records]
    assert all(later - earlier >= 1000 for earlier, later in zip(times, times[1:])), times


def test_metrics__ten_thousand_groups__scrapes_hold_nothing_up(pipe, watched):
    count = 10_000
    pipe.database.execute("INSERT INTO {s}_groups SELECT 'crowd-' || n, 'COST_BASED', false FROM generate_series(1, %s) n",
                          (count,))
    worker, address = watched(metrics__max_groups=str(count))
    ready(address)
    pipe.broker.send_many(pipe.topic["command"],
                          [(f"crowd-{n}".encode(), f'{{"groupId":"crowd-{n}"}}'.encode()) for n in range(1, count + 1)])
    slowest, done, alive = 0, [], 0
    deadline = time.monotonic() + 200
    while not done or done[-1] < count:
        from_s = time.monotonic()
        text = ask(address, "/metrics", timeout=60)[1]
        slowest = max(slowest, time.monotonic() - from_s)
        line = next(line for line in text.splitlines() if line.startswith('users_export_commands_total{outcome="skipped"}'))
        done.append(int(line.split()[-1]))
        from_s = time.monotonic()
        assert ask(address, "/livez")[0] == 200
        alive = max(alive, time.monotonic() - from_s)
        assert time.monotonic() < deadline, done
        time.sleep(2)
    now = scrape(address)
    assert len(now.labels("users_export_batch_processed_total", "groupId")) == count
    assert slowest < 20 and alive < 2, (slowest, alive)
    print(f"{len(text) >> 20} MiB, the slowest scrape {slowest:.2f} s, done before each: {done}")
    assert worker.stop() == 0
