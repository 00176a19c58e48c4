# SPDX-License-Identifier: Apache-2.0
"""The consumers of schemas/sample-*: they do each result once, also when they are killed, and know when a night is complete."""
import dataclasses
import json
import time

import pytest
from confluent_kafka import Producer

from support.checks import by_group
from support.readers import SAMPLES, SampleReader

NIGHT = "2026-11-22"
PARTS = {"kafka__message__max__bytes": "30000"}  # so that a list of 5,000 users has several


def run_record(status, run_id=NIGHT, **counts):
    return {"version": 1, "runId": run_id, "status": status, "groups": 3, "exported": None, "skipped": None, "deadLettered": None,
            "unfinished": None, "rows": None, "bytes": None, "startedAt": "2026-11-22T17:50:00.000Z", "endedAt": None,
            "requestedBy": "export-scheduler", "manifestPath": None, "manifestSha256": None, **counts}


def completed(run_id=NIGHT, minute=0, **counts):
    return run_record("completed", run_id, **{"skipped": 0, "deadLettered": 0, "unfinished": 0, "rows": 0,
                                              "endedAt": f"2026-11-22T19:{minute:02}:00.000Z", **counts})


@pytest.fixture
def new_night(new_pipe):
    """A pipe, and say(record) in its run topic, start(sample, …) of a reader, new_copy() and copy() of the results' topic."""
    started = []

    def make(partitions):
        pipe = new_pipe(partitions)

        def say(record):
            pipe.broker.send(pipe.topic["run"], record["runId"].encode(), json.dumps(record).encode())

        def start(name, *arguments, results=pipe.topic["result"]):
            """With what a reader needs of the settings."""
            settings = {key: pipe.settings[key] for key in pipe.settings if key.startswith("EXPORT_S3_")}
            settings |= {key: pipe.settings[key] for key in ("EXPORT_KAFKA_BOOTSTRAP_SERVERS", "EXPORT_TOPICS_RUN")}
            started.append(SampleReader(name, {**settings, "EXPORT_TOPICS_RESULT": results}, pipe.folder, len(started),
                                        "--into", pipe.folder / f"into-{name}", "--group", f"{pipe.suffix}-{name}", *arguments))
            return started[-1]

        def new_copy():
            """An empty topic for results, with one partition."""
            pipe.broker.create_topic(f"{pipe.suffix}-copy", 1)
            return f"{pipe.suffix}-copy"

        def copy(topic, records):
            for record in records:
                pipe.broker.send(topic, record.key, record.value, headers=list(record.header_list))

        pipe.say, pipe.start, pipe.new_copy, pipe.copy = say, start, new_copy, copy
        return pipe

    yield make
    for reader in started:
        reader.kill()


def wait_committed(night, group, topic, expected, timeout=60):
    deadline = time.monotonic() + timeout
    while (found := night.broker.committed(group, topic)) != expected:
        assert all(found[number] is None or found[number] <= expected[number] for number in found), (found, expected)
        assert time.monotonic() < deadline, (found, expected)
        time.sleep(0.1)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__night_of_the_scheduler__is_complete_with_every_kind_of_result(new_night, name):
    night = new_night(3)
    odd = night.new_group(group_id=f"{night.suffix} / 100% ☕", rows=5)
    night.database.add_users(odd, {"username": 'quotes " and\nlines', "bio": "", "location": None})
    names, empty = night.new_group("NON_COST_BASED", rows=5000), night.new_group()
    reader = night.start(name, "--run", NIGHT)
    night.worker(export__announce_empty="true", **PARTS)
    assert night.scheduler(f"--run={NIGHT}", "--schedule.wait=60s").code == 0
    assert reader.end() == 0, reader.said()
    *results, end = reader.lines()
    seen = {line["groupId"]: line for line in results}
    assert len(results) == len(seen) == 3 and len(by_group(night.results())[names]) > 1
    assert (seen[odd]["rows"], seen[odd]["outcome"]) == (6, "exported") and seen[odd]["sha256"]
    assert (seen[names]["rows"], seen[names]["usernames"], seen[names]["outcome"]) == (5000, 5000, "exported")
    assert (seen[empty]["rows"], seen[empty]["outcome"]) == (0, "skipped")
    assert end == {"run": NIGHT, "groups": 3, "exported": 2, "skipped": 1, "deadLettered": 0, "rows": 5006}
    again = night.start(name, "--run", NIGHT)  # nothing is done a second time, and the answer is the same
    assert again.end() == 0, again.said()
    assert again.lines() == [end]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__killed_in_the_middle_of_a_list__does_everything_once(new_night, name):
    """What the worker wrote is copied into another topic piece by piece, with the kill in between."""
    night = new_night(1)
    first, file, long, last = (night.new_group("NON_COST_BASED", rows=1), night.new_group(rows=30),
                               night.new_group("NON_COST_BASED", rows=5000), night.new_group("NON_COST_BASED", rows=2))
    for group_id in (first, file, long, last):
        night.send_id(group_id, runId=NIGHT)
    night.run_worker(**PARTS)
    records = by_group(night.results())
    assert len(records[long]) >= 3
    topic, group = night.new_copy(), f"{night.suffix}-{name}"
    night.copy(topic, records[first] + records[long][:2] + records[file])
    reader = night.start(name, results=topic)
    lines = reader.wait(lambda lines: len(lines) == 2, "the short list and the file")
    assert [line["groupId"] for line in lines] == [first, file]
    wait_committed(night, group, topic, {0: 1})  # the list begins there
    reader.kill()

    night.copy(topic, records[long][2:] + records[last])
    night.say(run_record("incomplete", exported=3, unfinished=1, endedAt="2026-11-22T18:00:00.000Z"))
    night.say(completed(exported=4, rows=5033))
    reader = night.start(name, "--run", NIGHT, results=topic)
    assert reader.end() == 0, reader.said()
    *results, end = reader.lines()
    assert [(line["groupId"], line["usernames"]) for line in results] == [(long, 5000), (last, 2)]
    assert (end["run"], end["exported"], end["rows"]) == (NIGHT, 4, 5033)
    assert night.broker.committed(group, topic) == night.broker.end_offsets(topic), "everything is committed in the end"

    ledger = [json.loads(line) for line in (night.folder / f"into-{name}/ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [entry.get("groupId") for entry in ledger] == [first, file, long, last, None]
    night.say(completed("another", exported=0))
    reader = night.start(name, results=topic)  # a night is told once; the next one is news
    assert [line["run"] for line in reader.wait(lambda lines: lines, "the next night")] == ["another"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__results_behind_an_open_transaction__are_waited_for(new_night, name):
    """The end of a run was read, and a result of it is still hidden behind somebody else's transaction."""
    night = new_night(1)
    seen, hidden = night.new_group("NON_COST_BASED", rows=1), night.new_group("NON_COST_BASED", rows=3)
    for group_id in (seen, hidden):
        night.send_id(group_id, runId=NIGHT)
    night.run_worker()
    records = by_group(night.results())
    topic, group = night.new_copy(), f"{night.suffix}-{name}"
    night.copy(topic, records[seen])
    other = Producer({"bootstrap.servers": night.broker.bootstrap, "transactional.id": f"{night.suffix}-other"})
    other.init_transactions(30)
    other.begin_transaction()
    other.produce(topic, key=b"other", value=b"never seen")
    assert other.flush(30) == 0
    night.copy(topic, records[hidden])
    reader = night.start(name, "--run", NIGHT, results=topic)
    wait_committed(night, group, topic, {0: 1})
    night.say(completed(exported=2, rows=4))
    reader.wait(lambda _: f"run {NIGHT} is completed" in reader.said(), "the end of the run")
    other.abort_transaction(30)
    assert reader.end() == 0, reader.said()
    assert [line.get("groupId") for line in reader.lines()] == [seen, hidden, None]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__list_that_is_not_as_announced__is_refused_at_every_start(new_night, name):
    night = new_night(1)
    group_id = night.new_group("NON_COST_BASED", rows=5000)
    night.send_id(group_id, runId=NIGHT)
    night.run_worker(**PARTS)
    topic = night.new_copy()
    *parts, last = night.results()
    value = json.loads(last.value)
    value["usernames"].pop()
    night.copy(topic, [*parts, dataclasses.replace(last, value=json.dumps(value).encode())])
    for _ in range(2):
        reader = night.start(name, results=topic)
        assert reader.end() == 1
        assert f"partition 0 offset {len(parts)}: 4999 usernames" in reader.said() and reader.lines() == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__result_of_a_run_that_is_gone__is_said_and_not_waited_for(new_night, name):
    night = new_night(3)
    night.say(completed(exported=1, rows=5))
    reader = night.start(name, "--run", NIGHT)
    assert reader.end() == 1
    assert f"run {NIGHT}: 0 of 1 results are there" in reader.said() and reader.lines() == []
