# SPDX-License-Identifier: Apache-2.0
"""The manifest of a run, and exportctl run: list, show, wait, finish. Record and manifest are read by confluent-kafka,
boto3, gzip and json."""
import gzip
import json
import re
import zlib

from support.checks import recent_utc, utc
from support.objects import segment, sha256
from support.terminal import Beside, on_terminal

LINE = ["groupId", "outcome", "reason", "commandId", "filePath", "sha256", "rows", "bytes", "snapshotAt"]
NOWHERE = {"EXPORT_S3_ENDPOINT": "http://127.0.0.1:9", "EXPORT_RETRY_ATTEMPTS": "0"}


def record_of(pipe, run_id):
    """The newest record of a run."""
    return [json.loads(record.value) for record in pipe.reader("run").drain() if record.key.decode() == run_id][-1]


def manifest_of(pipe, record):
    """{groupId: line}; what the record says of the object is checked."""
    data, answer = pipe.store.get(record["manifestPath"])
    assert sha256(data) == record["manifestSha256"]
    assert answer["ContentType"] == "application/gzip" and not answer.get("ContentEncoding")
    ended = re.sub(r"[-:]|\.\d+", "", record["endedAt"])
    assert record["manifestPath"] == f"{pipe.storage_url}/_runs/{segment(record['runId'])}/{ended}.jsonl.gz"
    member = zlib.decompressobj(wbits=31)
    text = member.decompress(data)
    assert member.eof and not member.unused_data, "not exactly one gzip member"
    assert text == gzip.decompress(data)
    lines = [json.loads(line) for line in text.decode().splitlines()]
    assert not text or text.endswith(b"\n")
    for line in lines:
        assert list(line) == LINE
    found = {line["groupId"]: line for line in lines}
    assert len(found) == len(lines), "a group has two lines"
    return found


def check_against_states(pipe, lines, group_ids):
    states = pipe.states()
    assert set(lines) == set(group_ids)
    for group_id, line in lines.items():
        for name in LINE:
            assert line[name] == states[group_id][name], (group_id, name)


def counts_of(lines):
    outcomes = [line["outcome"] for line in lines.values()]
    return {"groups": len(lines), "exported": outcomes.count("exported"), "skipped": outcomes.count("skipped"),
            "deadLettered": outcomes.count("dead-lettered"), "unfinished": 0,
            "rows": sum(line["rows"] for line in lines.values() if line["outcome"] == "exported"),
            "bytes": sum(line["bytes"] or 0 for line in lines.values() if line["outcome"] == "exported")}


def check_counts(record, lines):
    assert {name: record[name] for name in counts_of(lines)} == counts_of(lines)


def test_night__with_each_outcome__ends_with_a_manifest_and_again_after_a_replay(pipe):
    """One night from the scheduler to `run finish`: what each subcommand says of it on the way."""
    good, names, empty = pipe.new_group(rows=40), pipe.new_group("NON_COST_BASED", rows=3), pipe.new_group()
    bad, strange = pipe.new_group(rows=2, group_id=f"{pipe.suffix} पुणे/\"7\""), pipe.new_group("LOTTERY")
    groups = [good, names, empty, bad, strange]
    pipe.database.add_users(bad, {"username": "=cmd()"})
    worker = pipe.worker(export__formula_guard="reject")
    done = pipe.scheduler("--run=night/7", "--schedule.wait=60s", "--schedule.manifest=true")
    assert done.code == 1, done
    record = record_of(pipe, "night/7")
    assert (record["status"], record["deadLettered"], record["exported"]) == ("completed", 1, 2)
    lines = manifest_of(pipe, record)
    check_against_states(pipe, lines, groups)
    check_counts(record, lines)
    assert lines[bad]["reason"] == "formula-rejected" and lines[good]["filePath"] and not lines[names]["filePath"]
    ended = [line for line in done.log if line["event"] == "run-completed"]
    assert [line["manifest"] for line in ended] == [record["manifestPath"]]

    listed = pipe.ctl("run", "list", "--output=json")
    assert listed.code == 0 and json.loads(listed.out) == [record], listed
    table = pipe.ctl("run", "list")
    assert re.search(r"^night/7 +completed +5 +2 +2 +1 +0 +43 ", table.out, re.M), table
    shown = pipe.ctl("run", "show", "last", "--output=json")
    assert shown.code == 0, shown
    document = json.loads(shown.out)
    assert document["run"] == record and document["unfinished"] == []
    assert {name: document["counts"][name] for name in counts_of(lines)} == counts_of(lines)
    failed, = document["failed"]
    state = pipe.states()[bad]
    assert {name: failed[name] for name in ("groupId", "outcome", "reason", "commandId", "at", "attempts")} == {
        name: state[name] for name in ("groupId", "outcome", "reason", "commandId", "at", "attempts")}
    text = pipe.ctl("run", "show", "night/7")
    assert text.code == 0 and record["manifestPath"] in text.out and bad in text.out, text
    assert good not in text.out
    waited = pipe.ctl("run", "wait", "night/7", "--output=json")
    assert waited.code == 1 and json.loads(waited.out)["counts"]["deadLettered"] == 1, waited

    # The data are mended, the dead letter is replayed, and the end is written again.
    pipe.database.execute("UPDATE {s}_users SET username = 'cmd' WHERE username = '=cmd()'")
    assert pipe.ctl("dlq", "replay", "--all").code == 0
    pipe.reader("state").wait(lambda _: pipe.states()[bad]["outcome"] == "exported", what="the replayed command")
    assert pipe.ctl("run", "wait", "last").code == 0
    assert record_of(pipe, "night/7") == record, "waiting has written something"
    moved = pipe.ctl("run", "show", "last")
    assert "run finish" in moved.out and bad not in moved.out, moved
    finished = pipe.ctl("run", "finish", "last", "--output=json", "--schedule.manifest=true")
    assert finished.code == 0, finished
    again = record_of(pipe, "night/7")
    assert json.loads(finished.out) == {"run": again, "written": True}
    assert (again["status"], again["deadLettered"], again["exported"]) == ("completed", 0, 3)
    assert again["manifestPath"] != record["manifestPath"] and utc(again["endedAt"]) > utc(record["endedAt"])
    assert {name: again[name] for name in ("startedAt", "requestedBy", "groups")} == {
        name: record[name] for name in ("startedAt", "requestedBy", "groups")}
    lines = manifest_of(pipe, again)
    check_against_states(pipe, lines, groups)
    check_counts(again, lines)
    assert pipe.store.head(record["manifestPath"]), "the first manifest is still there"

    # A group is exported once more by hand: the run keeps its own outcome; and its manifest, without the setting too.
    assert pipe.ctl("trigger", good, "--wait", "--timeout=40s").code == 0
    refused = pipe.ctl("run", "finish", "night/7", EXPORT_STORAGE_URL="")
    assert refused.code == 2 and "manifest" in refused.err and "storage.url" in refused.err, refused
    assert record_of(pipe, "night/7") == again
    assert pipe.ctl("run", "finish", "night/7").code == 0
    assert record_of(pipe, "night/7")["manifestPath"] not in (None, again["manifestPath"])
    assert manifest_of(pipe, record_of(pipe, "night/7")) == lines
    assert lines[good]["commandId"] != pipe.states()[good]["commandId"]
    assert worker.stop() == 0


def test_run__nobody_works__waits_and_is_finished_only_by_force(pipe):
    groups = sorted([pipe.new_group(rows=1), pipe.new_group()])
    assert pipe.scheduler("--run=first").code == 0
    assert pipe.scheduler("--run=second").code == 0
    before = record_of(pipe, "second")
    waited = pipe.ctl("run", "wait", "second", "--timeout=8s", "--output=json")
    assert waited.code == 4 and "0 of 2 groups have ended" in waited.err, waited
    assert "no worker" in waited.err, "it does not say why nothing moves"
    assert json.loads(waited.out)["counts"]["unfinished"] == 2
    shown = json.loads(pipe.ctl("run", "show", "last", "--output=json").out)
    assert shown["run"] == before and shown["failed"] == []
    assert [(row["groupId"], row["outcome"]) for row in shown["unfinished"]] == [(name, "unfinished") for name in groups]
    code, screen = on_terminal(pipe.settings, "run", "wait", "second", stop_after="2 unfinished")
    assert code == 1 and "stopped: 0 of 2 groups have ended" in screen, screen
    refused = pipe.ctl("run", "finish", "second")
    assert refused.code == 1 and "2 of 2 groups have not ended" in refused.err, refused
    assert record_of(pipe, "second") == before
    forced = pipe.ctl("run", "finish", "second", "--force", "--schedule.manifest=true")
    assert forced.code == 1, forced
    after = record_of(pipe, "second")
    assert (after["status"], after["unfinished"], after["manifestPath"]) == ("incomplete", 2, None)
    recent_utc(after["endedAt"])
    listed = json.loads(pipe.ctl("run", "list", "--output=json").out)
    assert [(run["runId"], run["status"]) for run in listed] == [("second", "incomplete"), ("first", "started")]
    assert [run["runId"] for run in json.loads(pipe.ctl("run", "list", "--limit=1", "--output=json").out)] == ["second"]

    # Both runs go on when there is a worker.
    waiting = Beside(pipe.settings, "run", "wait", "first", "--timeout=60s", "--output=json")
    try:
        pipe.worker()
        assert waiting.wait(60) == 0, waiting
        counts = json.loads("\n".join(waiting.out))["counts"]
        assert (counts["exported"], counts["skipped"], counts["unfinished"], counts["rows"]) == (1, 1, 0, 1)
    finally:
        waiting.kill()
    assert pipe.ctl("run", "wait", "second", "--timeout=60s").code == 0
    assert pipe.ctl("run", "finish", "second").code == 0
    assert record_of(pipe, "second")["status"] == "completed" and record_of(pipe, "second")["manifestPath"] is None


def test_run__unknown_or_not_named__says_which_there_are(pipe):
    nothing = pipe.ctl("run", "wait", "last")
    assert nothing.code == 1 and len(nothing.err.splitlines()) == 1 and not nothing.out, nothing
    assert json.loads(pipe.ctl("run", "list", "--output=json").out) == []
    pipe.new_group()
    assert pipe.scheduler("--run=2026-11-21").code == 0
    assert pipe.scheduler("--run=2026-11-22").code == 0
    for verb in ("show", "wait", "finish"):
        unknown = pipe.ctl("run", verb, "2026-11-23")
        assert unknown.code == 1 and not unknown.out, unknown
        assert len(unknown.err.splitlines()) == 1 and "2026-11-22, 2026-11-21" in unknown.err, unknown
        assert pipe.ctl("run", verb).code == pipe.ctl("run", verb, "2026-11-21", "2026-11-22").code == 2


def test_run__topic_is_missing__is_said_with_the_command_that_creates_it(pipe):
    for words in (["list"], ["show", "x"], ["wait", "x"], ["finish", "x"]):
        done = pipe.ctl("run", *words, EXPORT_TOPICS_RUN=f"{pipe.suffix}-nowhere")
        assert done.code == 1 and "exportctl topics create" in done.err and not done.out, done


def test_manifest__store_is_away__run_is_incomplete_with_the_reason_and_can_be_finished(pipe):
    pipe.new_group(rows=3)
    pipe.new_group()
    pipe.worker()
    done = pipe.scheduler("--run=night", "--schedule.wait=9s", "--schedule.manifest=true", **NOWHERE)
    assert done.code == 4, done
    record = record_of(pipe, "night")
    assert (record["status"], record["unfinished"], record["exported"]) == ("incomplete", 0, 1)
    assert record["manifestPath"] is record["manifestSha256"] is None
    events = [line["event"] for line in done.log]
    assert events.count("run-manifest-wait") == 1 and events.count("run-manifest-failed") == 1, done
    failed = next(line for line in done.log if line["event"] == "run-manifest-failed")
    assert failed["error"] == "store-unavailable" and failed["run"] == "night"
    # exportctl says the same and leaves the record as it is.
    refused = pipe.ctl("run", "finish", "night", "--schedule.manifest=true", EXPORT_STARTUP_TIMEOUT="2s", **NOWHERE)
    assert refused.code == 3, refused
    assert record_of(pipe, "night") == record
    # The next start tries the manifest once more.
    done = pipe.scheduler("--run=night", "--schedule.wait=9s", "--schedule.manifest=true")
    assert done.code == 0, done
    record = record_of(pipe, "night")
    assert record["status"] == "completed"
    check_counts(record, manifest_of(pipe, record))
    assert pipe.ctl("run", "finish", "night", "--schedule.manifest=true").code == 0
    again = record_of(pipe, "night")
    assert again["manifestPath"] != record["manifestPath"] and manifest_of(pipe, again) == manifest_of(pipe, record)


def test_manifest__no_groups__is_empty(pipe):
    done = pipe.scheduler("--run=quiet", "--schedule.wait=20s", "--schedule.manifest=true")
    assert done.code == 0, done
    record = record_of(pipe, "quiet")
    assert (record["status"], record["groups"]) == ("completed", 0)
    assert manifest_of(pipe, record) == {}


def test_manifest__without_a_store__is_a_mistake_of_the_configuration(pipe):
    pipe.new_group()
    for program in (lambda *a, **s: pipe.scheduler(*a, **s), lambda *a, **s: pipe.ctl("run", "finish", "x", *a, **s)):
        done = program("--schedule.manifest=true", EXPORT_STORAGE_URL="")
        assert done.code == 2 and "storage.url" in done.err, done
    assert not any(pipe.broker.end_offsets(pipe.topic["command"]).values())


def test_trigger__a_run_without_groups__is_started_and_completed(pipe):
    pipe.new_group(active=False)
    dry = pipe.ctl("trigger", "--all", "--run=quiet", "--dry-run")
    assert dry.code == 0 and not pipe.reader("run").drain(), dry
    refused = pipe.ctl("trigger", "--all", "--run=quiet", "--schedule.manifest=true", EXPORT_STORAGE_URL="")
    assert refused.code == 2 and "storage.url" in refused.err and not pipe.reader("run").drain(), refused
    done = pipe.ctl("trigger", "--all", "--run=quiet", "--by=asha")
    assert done.code == 0 and "quiet is started and completed" in done.err, done
    found = [json.loads(record.value) for record in pipe.reader("run").drain()]
    assert [(run["status"], run["groups"], run["unfinished"], run["requestedBy"]) for run in found] == [
        ("started", 0, None, "asha"), ("completed", 0, 0, "asha")]
    assert pipe.ctl("trigger", "--all", "--run=quiet").code == 1 and len(pipe.reader("run").drain()) == 2
    again = pipe.ctl("trigger", "--all", "--run=quiet", "--again", "--schedule.manifest=true")
    assert again.code == 0, again
    assert manifest_of(pipe, record_of(pipe, "quiet")) == {}
    # Where the topic is missing there is nothing to be sent.
    old = pipe.ctl("trigger", "--all", "--run=old", EXPORT_TOPICS_RUN=f"{pipe.suffix}-nowhere")
    assert old.code == 0 and "nothing was sent" in old.err, old


def test_trigger__all_with_a_run__starts_it_as_the_scheduler_does(pipe):
    groups = {pipe.new_group(), pipe.new_group(rows=2)}
    done = pipe.ctl("trigger", "--all", "--run=by hand", "--by=asha", "--output=json")
    assert done.code == 0 and {row["groupId"] for row in json.loads(done.out)} == groups, done
    record = record_of(pipe, "by hand")
    assert (record["status"], record["groups"], record["requestedBy"]) == ("started", 2, "asha")
    recent_utc(record["startedAt"])
    assert record["endedAt"] is record["exported"] is record["unfinished"] is None
    sent = len(pipe.reader("command").drain())
    for program in (lambda *a: pipe.ctl("trigger", "--all", *a), pipe.scheduler):
        done = program("--run=by hand")
        assert len(pipe.reader("command").drain()) == sent, "the run was sent twice"
    assert pipe.ctl("trigger", "--all", "--again").code == 2
    refused = pipe.ctl("trigger", "--all", "--run=by hand", "--output=json")
    assert refused.code == 1 and "--again" in refused.err and not refused.out, refused
    again = pipe.ctl("trigger", "--all", "--run=by hand", "--again", "--output=json")
    assert again.code == 0 and len(json.loads(again.out)) == 2, again
    assert len(pipe.reader("command").drain()) == 2 * sent
    assert utc(record_of(pipe, "by hand")["startedAt"]) > utc(record["startedAt"])
    pipe.worker()
    assert pipe.ctl("run", "wait", "by hand", "--timeout=40s").code == 0
    # A group that is named is no run.
    assert pipe.ctl("trigger", groups.pop(), "--run=one").code == 0
    assert {record.key.decode() for record in pipe.reader("run").drain()} == {"by hand"}
    # Where the topic is missing, the commands are sent as ever.
    old = pipe.ctl("trigger", "--all", "--run=old", EXPORT_TOPICS_RUN=f"{pipe.suffix}-nowhere")
    assert old.code == 0 and "topics create" in old.err, old
