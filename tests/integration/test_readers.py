# SPDX-License-Identifier: Apache-2.0
"""The consumers of schemas/sample-*: they do each result once, also when they are killed, and know when a night is complete."""
import json

import pytest

from support.readers import SAMPLES, SampleReader

RUN = "2026-11-22"


def run_record(status, **counts):
    return {"version": 1, "runId": RUN, "status": status, "groups": 4, "exported": None, "skipped": None, "deadLettered": None,
            "unfinished": None, "rows": None, "bytes": None, "startedAt": "2026-11-22T17:50:00.000Z", "endedAt": None,
            "requestedBy": "export-scheduler", "manifestPath": None, "manifestSha256": None, **counts}


@pytest.fixture
def night(new_pipe):
    """A pipe with one partition, so that everything is in one order, and a run topic; say(record) writes to it."""
    pipe = new_pipe(partitions=1)
    topic = f"{pipe.suffix}-run"
    if topic not in pipe.broker.topics(topic):
        pipe.broker.create_topic(topic, 1, cleanup_policy="compact")
    pipe.settings["EXPORT_TOPICS_RUN"] = topic
    pipe.say = lambda record: pipe.broker.send(topic, RUN.encode(), json.dumps(record).encode())
    pipe.started = []
    yield pipe
    for reader in pipe.started:
        reader.kill()


def start(pipe, name, *arguments):
    """With what only a reader needs of the settings."""
    settings = {key: value for key, value in pipe.settings.items()
                if key.startswith(("EXPORT_S3_", "EXPORT_TOPICS_")) or key == "EXPORT_KAFKA_BOOTSTRAP_SERVERS"}
    reader = SampleReader(name, settings, pipe.folder, len(pipe.started), "--into", pipe.folder / f"into-{name}",
                          "--group", f"{pipe.suffix}-{name}", *arguments)
    pipe.started.append(reader)
    return reader


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__night_of_every_kind_of_result__is_complete_when_its_run_is(night, name):
    odd = night.new_group(group_id=f"{night.suffix} / 100% ☕", rows=5)
    night.database.add_users(odd, {"username": 'quotes " and\nlines', "bio": "", "location": None})
    names, empty = night.new_group("NON_COST_BASED", rows=5000), night.new_group()
    for group_id in (odd, names, empty):
        night.send_id(group_id, runId=RUN)
    night.send_id(night.new_group(rows=1), runId="another")
    night.run_worker(kafka__message__max__bytes="30000", export__announce_empty="true")
    night.say(run_record("started"))
    reader = start(night, name, "--run", RUN)
    lines = reader.wait(lambda lines: len(lines) == 4, "all results")
    seen = {line["groupId"]: line for line in lines}
    assert (seen[odd]["rows"], seen[odd]["outcome"]) == (6, "exported") and seen[odd]["sha256"]
    assert (seen[names]["rows"], seen[names]["usernames"]) == (5000, 5000)
    assert (seen[empty]["rows"], seen[empty]["outcome"]) == (0, "skipped")
    night.say(run_record("incomplete", exported=1, unfinished=3, endedAt="2026-11-22T18:00:00.000Z"))
    night.say(run_record("completed", exported=2, skipped=1, deadLettered=1, unfinished=0, rows=5006,
                         endedAt="2026-11-22T19:00:00.000Z"))
    assert reader.end() == 0, reader.err.read_text()
    assert reader.lines()[4:] == [{"run": RUN, "groups": 4, "exported": 2, "skipped": 1, "deadLettered": 1, "rows": 5006}]
    again = start(night, name, "--run", RUN)  # nothing is done a second time, and the answer is the same
    assert again.end() == 0
    assert again.lines() == reader.lines()[4:]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__killed_in_the_middle_of_a_list__reads_it_whole_and_the_rest_once(night, name):
    def part(group_id, number, count, names):
        value = {"groupId": group_id, "filePath": None, "fileName": None, "contentType": None,
                 "domainId": night.services.domain_id, "usernames": names}
        headers = {"export-command-id": f"00000000-0000-4000-8000-{ids[group_id]:012}", "export-run-id": RUN,
                   "export-version": "1.0", "export-row-count": str(3 if count == 3 else 1), "export-part": str(number),
                   "export-part-count": str(count), "export-snapshot-at": "2026-11-22T17:50:00.000Z"}
        night.broker.send(night.topic["result"], group_id.encode(), json.dumps(value).encode(),
                          headers=[(key, text.encode()) for key, text in headers.items()])

    ids = {"long": 1, "short": 2, "later": 3}
    part("long", 1, 3, ["a"])
    part("long", 2, 3, ["b"])
    part("short", 1, 1, ["x"])
    reader = start(night, name)
    assert [line["groupId"] for line in reader.wait(lambda lines: len(lines) == 1, "the short list")] == ["short"]
    reader.kill()
    part("long", 3, 3, ["c"])
    part("later", 1, 1, ["y"])
    night.say(run_record("completed", exported=3, skipped=0, deadLettered=0, unfinished=0, rows=5,
                         endedAt="2026-11-22T19:00:00.000Z"))
    again = start(night, name, "--run", RUN)
    assert again.end() == 0, again.err.read_text()
    found = again.lines()
    assert [(line["groupId"], line["rows"], line["usernames"]) for line in found[:-1]] == [("long", 3, 3), ("later", 1, 1)]
    assert (found[-1]["run"], found[-1]["exported"]) == (RUN, 3)
    group = f"{night.suffix}-{name}"
    ends = night.broker.end_offsets(night.topic["result"])
    assert night.broker.committed(group, night.topic["result"]) == ends, "everything is committed in the end"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_reader__result_of_a_run_that_is_gone__is_said_and_not_waited_for(night, name):
    night.say(run_record("completed", exported=1, skipped=0, deadLettered=0, unfinished=0, rows=5,
                         endedAt="2026-11-22T19:00:00.000Z"))
    reader = start(night, name, "--run", RUN)
    assert reader.end() == 1
    assert RUN in reader.err.read_text() and reader.lines() == []
