# SPDX-License-Identifier: Apache-2.0
"""What a worker says of itself: its records in the progress topic, Kafka's outages in its log, and the cause of a failure,
the same sentence wherever it stands."""
import contextlib
import datetime
import json
import re
import time
import urllib.parse
import uuid

import pytest
from jsonschema import Draft202012Validator

from support.checks import by_group, check_file, result_of, utc
from support.failing import Failing
from support.kafka import Reader
from support.murmur2 import partition_of
from support.proxy import Proxy
from support.services import ROOT
from support.terminal import Beside

SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/export-group-worker.schema.json").read_text(encoding="utf-8")),
                              format_checker=Draft202012Validator.FORMAT_CHECKER)
GROUPS = Draft202012Validator(json.loads((ROOT / "schemas/export-group-progress.schema.json").read_text(encoding="utf-8")))
EVERY_S = 10


def is_worker(record):
    return record.key.startswith(b"worker:") and "groupId" not in json.loads(record.value)


def of_workers(records):
    return [json.loads(record.value) for record in records if is_worker(record)]


def what(value):
    """Everything but the time."""
    return {name: content for name, content in value.items() if name != "at"}


def wait_for(pipe, condition, timeout=60):
    """Until a worker's record is as `condition` asks for; the first such record."""
    reader = pipe.reader("progress")
    reader.wait(lambda records: any(condition(value) for value in of_workers(records)), timeout, "a worker's record")
    return next(value for value in of_workers(reader.records) if condition(value))


def pairs_of(values):
    return list(zip(values, values[1:]))


def wait_gate(pipe):
    deadline = time.monotonic() + 60
    while not pipe.database.waiting_at_gate():
        assert time.monotonic() < deadline, "no export came to the gate"
        time.sleep(0.05)


def gated_group(pipe):
    group_id = pipe.new_group(rows=3)
    pipe.database.add_users(group_id, {"username": "gate"})
    return group_id


def test_records__of_a_worker__come_at_a_change_and_every_ten_seconds_until_its_last_word(pipe):
    group_id = gated_group(pipe)
    worker = pipe.worker(export__lanes="1")
    wait_for(pipe, lambda value: value["running"] == value["queued"] == 0)
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        wait_gate(pipe)
        for _ in range(2):
            pipe.send(group_id)
        busy = wait_for(pipe, lambda value: (value["running"], value["queued"]) == (1, 2))
        # Nothing changes any more: the next record of the same content is the heartbeat.
        pipe.reader("progress").wait(lambda records: sum(what(value) == what(busy) for value in of_workers(records)) >= 2)
    pipe.settle()
    assert worker.stop() == 0
    records = [record for record in pipe.reader("progress").drain() if is_worker(record)]
    values = of_workers(records)
    for record, value in zip(records, values):
        SCHEMA.validate(value)
        assert not GROUPS.is_valid(value)
        assert record.key.decode() == f"worker:{value['worker']}" and record.header_list == ()
        assert record.timestamp_ms == round(utc(value["at"]).timestamp() * 1000)
        assert record.partition == partition_of(record.key, 3)
    assert {value["worker"].rsplit(":", 1)[1] for value in values} == {str(worker.pid)} and len({r.key for r in records}) == 1
    for earlier, later in pairs_of(values[:-1]):
        apart = (utc(later["at"]) - utc(earlier["at"])).total_seconds()
        assert apart >= (EVERY_S if what(earlier) == what(later) else 1), (earlier, later)
        assert apart < 3 * EVERY_S, "a reader takes it for gone"
    assert [value["stopping"] for value in values] == sorted(value["stopping"] for value in values)
    assert values[-1]["stopping"] and (values[-1]["running"], values[-1]["queued"]) == (0, 0)


def test_records__stopping_while_an_export_runs__say_both(pipe):
    group_id = gated_group(pipe)
    worker = pipe.worker()
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        wait_for(pipe, lambda value: value["running"] == 1)
        worker.terminate()
        wait_for(pipe, lambda value: value["stopping"] and value["running"] == 1)
    assert worker.wait() == 0
    pipe.reader("progress").drain()
    assert what(of_workers(pipe.reader("progress").records)[-1])["running"] == 0
    check_file(pipe, result_of(pipe, group_id), group_id)


def behind(pipe, variable):
    """The dependency behind a proxy of the test's own."""
    parts = urllib.parse.urlsplit(pipe.settings[variable])
    user, at, address = parts.netloc.rpartition("@")
    proxy = Proxy(address)
    pipe.settings[variable] = urllib.parse.urlunsplit(parts._replace(netloc=user + at + proxy.address))
    return proxy


@pytest.mark.parametrize("variable, dependency, code", [
    ("EXPORT_POSTGRES_DSN", "postgres", "database-unavailable"), ("EXPORT_S3_ENDPOINT", "store", "store-unavailable")])
def test_records__dependency_away__breaker_stands_with_since_when_until_it_is_back(pipe, variable, dependency, code):
    proxy = behind(pipe, variable)
    group_id = pipe.new_group(rows=3)
    worker = pipe.worker(export__lanes="1", retry__attempts="0", s3__connect_timeout="2s")
    wait_for(pipe, lambda value: True)
    with proxy.outage():
        pipe.send(group_id)
        value = wait_for(pipe, lambda value: value["breakers"])
        said = worker.wait_log(lambda line: line["event"] == "breaker-open")[0]
        breaker, = value["breakers"]
        assert {name: breaker[name] for name in ("dependency", "code")} == {"dependency": dependency, "code": code}
        assert said["dependency"] == dependency and said["code"] == code
        assert abs(utc(breaker["since"]) - utc(said["time"])) < datetime.timedelta(seconds=5)
        assert utc(breaker["since"]) <= utc(value["at"])
        # The command went back; nothing runs, and it waits.
        wait_for(pipe, lambda value: value["breakers"] and (value["running"], value["queued"]) == (0, 1))
    pipe.settle()
    assert worker.stop() == 0
    values = of_workers(pipe.reader("progress").drain())
    for value in values:
        SCHEMA.validate(value)
    open_ones = [bool(value["breakers"]) for value in values]
    assert True in open_ones and not open_ones[0] and not open_ones[-1]
    assert {entry["since"] for value in values for entry in value["breakers"]} == {breaker["since"]}, "it opened once"
    check_file(pipe, result_of(pipe, group_id), group_id)


def test_records__beside_a_group_with_a_name_like_a_worker__followers_tell_them_apart(pipe):
    name, command_id = "worker:pod-1:17", str(uuid.uuid4())
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    following = Beside(pipe.settings, "status", "--follow", "--output=json")
    try:
        following.wait_line(lambda line: json.loads(line)["event"] == "counts")
        pipe.broker.send(pipe.topic["progress"], name.encode(), json.dumps(
            {"version": 1, "worker": "pod-1:17", "at": now, "running": 7, "queued": 7, "breakers": [],
             "stopping": False}).encode())
        pipe.broker.send(pipe.topic["progress"], name.encode(), json.dumps(
            {"groupId": name, "commandId": command_id, "worker": "pod-1:17", "state": "running", "rows": 7, "bytes": 1,
             "startedAt": now, "at": now}).encode())
        following.wait_line(lambda line: json.loads(line)["event"] == "progress")
        assert [json.loads(line).get("commandId") for line in following.out
                if json.loads(line)["event"] == "progress"] == [command_id]
        following.interrupt()
        assert following.err == []
    finally:
        following.kill()


# -- the cause of a failure ---------------------------------------------------------------------------------------------

def check_sentence(text, condition, at):
    """It names the condition, and the server's log of that minute."""
    assert f"SQLSTATE {condition}: " in text, text
    minute, = re.findall(r"; the server's log at (\d\d:\d\d) UTC \(application_name users-export\) says more$", text)
    ended = utc(at)
    assert minute in {(ended - datetime.timedelta(seconds=s)).strftime("%H:%M") for s in (0, 30)}, (text, at)
    assert len(text) < 320


def test_error__of_a_dead_letter__is_one_sentence_in_state_header_and_log(pipe, tmp_path):
    failing = Failing(pipe.database)
    divided, good = pipe.new_group(rows=2), pipe.new_group(rows=2)
    failing.fail(divided, "22012")
    pipe.send(divided)
    pipe.send(good)
    worker = pipe.run_worker()
    state, letter = pipe.states()[divided], by_group(pipe.dead_letters())[divided][0]
    check_sentence(state["error"], "22012 (division_by_zero)", state["at"])
    assert letter.headers["export-error"].decode() == letter.headers["kafka_dlt-exception-message"].decode() == state["error"]
    line, = [line for line in worker.log() if line["event"] == "outcome" and line["group"] == divided]
    assert line["error"] == state["error"] and "exportctl export" in line["advice"]
    assert pipe.states()[good]["error"] is None
    shown = pipe.ctl("dlq", "show", f"{letter.partition}:{letter.offset}").out
    assert state["error"] in shown and f"exportctl export {divided} --output -\n" in shown
    # The failure can be made again, without Kafka.
    again = pipe.ctl("export", divided, f"--output={tmp_path / 'x'}", EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert again.code == 1 and "22012 (division_by_zero)" in again.said


def test_error__of_a_retry__is_in_the_state_until_the_export_succeeds(pipe):
    failing = Failing(pipe.database)
    group_id = pipe.new_group(rows=2)
    failing.fail(group_id, "XX001")
    pipe.send(group_id)
    worker = pipe.worker(retry__delays="4s,1h,1h")
    states = pipe.reader("state")
    states.wait(lambda records: len(records) >= 1)
    retried = json.loads(states.records[0].value)
    assert retried["outcome"] == "retried"
    check_sentence(retried["error"], "XX001 (data_corrupted)", retried["at"])
    with contextlib.closing(Reader(pipe.broker.bootstrap, f"{pipe.topic['retry']}-0")) as tier:
        assert tier.drain()[0].headers["export-error"].decode() == retried["error"]
    failing.mend(group_id)
    states.wait(lambda records: len(records) >= 2)
    exported = json.loads(states.records[1].value)
    assert (exported["outcome"], exported["error"]) == ("exported", None)
    assert worker.stop() == 0


# -- Kafka --------------------------------------------------------------------------------------------------------------

def events(worker, *names):
    return [line for line in worker.log() if line["event"] in names]


def test_kafka__stopped_for_a_while__worker_says_so_once_with_the_outcomes_that_wait(pipe, services):
    held, other = gated_group(pipe), pipe.new_group(rows=3)
    pipe.send(other)
    worker = pipe.worker()
    result_of_other = pipe.reader("result").wait(lambda records: len(records) >= 1)[0]
    with pipe.database.gate(held):
        pipe.send(held)
        wait_gate(pipe)
        services.kill("kafka")
    try:
        away = worker.wait_log(lambda line: line["event"] == "kafka-away", 60)[0]
    finally:
        services.start("kafka")
    back = worker.wait_log(lambda line: line["event"] == "kafka-back", 90)[0]
    pipe.settle(90)
    assert worker.stop() == 0
    assert away["level"] == "error" and away["outcomes"] == 1 and away["error"]
    assert utc(away["since"]) < utc(away["time"]) and back["since"] == away["since"]
    lasted = (utc(back["time"]) - utc(back["since"])).total_seconds()
    assert abs(lasted - back["away_ms"] / 1000) < 2
    assert len(events(worker, "kafka-away")) == len(events(worker, "kafka-back")) == 1
    noise = events(worker, "kafka-client")
    assert len(noise) <= 3, noise
    assert not events(worker, "previous-owner-crashed"), "nobody crashed"
    for group_id, result in ((other, result_of_other), (held, result_of(pipe, held))):
        check_file(pipe, result, group_id)


def test_kafka__not_there_at_the_start__is_said_before_the_time_is_over(pipe):
    worker = pipe.worker(kafka__bootstrap__servers="127.0.0.1:9", startup__timeout="4s")
    said = worker.wait_log(lambda line: line["event"] == "dependency-wait")[0]
    assert said["code"] == "kafka-unavailable" and "127.0.0.1:9" in said["error"]
    assert worker.wait() == 3
    assert events(worker, "kafka-client") == [] and len(events(worker, "start-failed")) == 1
