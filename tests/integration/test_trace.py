# SPDX-License-Identifier: Apache-2.0
"""Traces from command to result, and the audit: lines of the log that belong together."""
import hashlib

import pytest

from support.checks import utc
from support.failing import Failing
from support.kafka import Reader

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def failing(pipe):
    return Failing(pipe.database)


def events(worker, name):
    return [line for line in worker.log() if line.get("event") == name]


def spans_of(worker):
    """{span id: (line where it begins, line where it ends)}, each of which is there once."""
    begins = {line["span_id"]: line for line in events(worker, "span-begin")}
    ends = {line["span_id"]: line for line in events(worker, "span-end")}
    assert len(begins) == len(events(worker, "span-begin")) and len(ends) == len(events(worker, "span-end"))
    assert begins.keys() == ends.keys()
    return {key: (begins[key], ends[key]) for key in begins}


def test_trace__command_that_is_tried_again__is_one_trace_from_command_to_result(pipe, failing):
    group_id = pipe.new_group(rows=40)
    failing.fail(group_id, "57014")
    pipe.send(group_id, headers=[("traceparent", SAMPLED.encode())])
    worker = pipe.worker(retry__delays="1s", retry__attempts="0")
    worker.wait_log(lambda line: line.get("outcome") == "retried")
    failing.mend(group_id)
    (result,) = pipe.reader("result").wait(lambda found: found, what="the result")
    worker.wait_log(lambda line: line.get("outcome") == "exported")
    assert worker.stop() == 0

    (tier,) = Reader(pipe.broker.bootstrap, f"{pipe.topic['retry']}-0").drain()
    assert [record.headers["traceparent"] for record in (tier, result)] == [SAMPLED.encode()] * 2

    spans = spans_of(worker)
    assert len(spans) == 4 and {line["trace_id"] for pair in spans.values() for line in pair} == {TRACE}
    commands = sorted((pair for pair in spans.values() if pair[0]["span"] == "command"), key=lambda pair: pair[0]["attempt"])
    assert [(begin["attempt"], end["result"]) for begin, end in commands] == [(1, "retried"), (2, "exported")]
    assert [begin["topic"] for begin, _ in commands] == [pipe.topic["command"], f"{pipe.topic['retry']}-0"]
    assert all(begin["parent_span_id"] == PARENT for begin, _ in commands)
    for (begin, end), outcome in zip(commands, events(worker, "outcome")):
        (inner,) = [pair for pair in spans.values() if pair[0]["parent_span_id"] == begin["span_id"]]
        assert inner[0]["span"] == "export" and inner[1]["span_ms"] <= end["span_ms"]
        assert utc(begin["time"]) <= utc(inner[0]["time"]) <= utc(inner[1]["time"]) <= utc(end["time"])
        assert inner[1]["result"] == ("ok" if end["result"] == "exported" else "database-transient")
        assert (outcome["trace_id"], outcome["span_id"], outcome["outcome"]) == (TRACE, begin["span_id"], end["result"])
        assert begin["group"] == end["group"] == group_id


def test_trace__dead_letter_that_is_replayed__stays_in_its_trace(pipe, failing):
    group_id = pipe.new_group(rows=4)
    failing.fail(group_id, "22P02")
    pipe.send(group_id, headers=[("traceparent", SAMPLED.encode())])
    worker = pipe.worker(retry__delays="1s", retry__attempts="0")
    (letter,) = pipe.reader("dlq").wait(lambda found: found, what="the dead letter")
    assert letter.headers["traceparent"] == SAMPLED.encode()
    failing.mend(group_id)
    assert pipe.ctl("dlq", "replay", "--all", "--reason=mended").code == 0
    (result,) = pipe.reader("result").wait(lambda found: found, what="the result")
    worker.wait_log(lambda line: line.get("outcome") == "exported")
    assert worker.stop() == 0
    assert result.headers["traceparent"] == SAMPLED.encode()
    assert [(line["trace_id"], line["outcome"]) for line in events(worker, "outcome")] == [
        (TRACE, "dead-lettered"), (TRACE, "exported")]


@pytest.mark.parametrize("header", [None, f"00-{TRACE}-{PARENT}-00", "00-no-trace-01"])
def test_trace__not_sampled_or_no_trace__says_its_spans_at_debug_only(pipe, header):
    group_id = pipe.new_group(rows=2)
    headers = [] if header is None else [("traceparent", header.encode())]
    quiet = pipe.worker()
    first = str(pipe.send_id(group_id, requestedBy="asha")) if header is None else None
    if header is not None:
        pipe.send(group_id, headers=headers)
    (result, *_) = pipe.reader("result").wait(lambda found: found, what="the result")
    quiet.wait_log(lambda line: line.get("outcome") == "exported")
    assert quiet.stop() == 0
    assert events(quiet, "span-begin") == events(quiet, "span-end") == []
    (outcome,) = events(quiet, "outcome")
    # Without a trace of its own the command's id is the trace's.
    assert outcome["trace_id"] == (TRACE if header and TRACE in header else outcome["command"].replace("-", ""))
    assert result.headers.get("traceparent") == (header and header.encode())
    assert first in (None, outcome["command"])

    loud = pipe.worker(log__level="debug")
    pipe.send(pipe.new_group("NON_COST_BASED"), headers=headers)
    loud.wait_log(lambda line: line.get("outcome") == "skipped")
    assert loud.stop() == 0
    assert {begin["span"] for begin, _ in spans_of(loud).values()} == {"command", "export"}


def test_audit__quiet_log__still_says_who_asked_and_what_went_where(pipe, failing):
    files, names, bad, unknown = pipe.new_group(rows=30), pipe.new_group("NON_COST_BASED", rows=5), pipe.new_group(rows=3), "nobody"
    failing.fail(bad, "22P02")
    worker = pipe.worker(log__level="error")
    ids = {group: pipe.send_id(group, requestedBy="asha@ops-1", reason="ticket 7", runId="r1") for group in (files, names, bad, unknown)}
    pipe.settle()
    assert worker.stop() == 0
    lines = {line["group"]: line for line in worker.log()}
    assert len(worker.log()) == 4 and {line["event"] for line in lines.values()} == {"outcome"}
    assert {group: (line["level"], line["outcome"]) for group, line in lines.items()} == {
        files: ("info", "exported"), names: ("info", "exported"), bad: ("error", "dead-lettered"), unknown: ("info", "skipped")}
    states = pipe.states()
    for group, line in lines.items():
        assert (line["requested_by"], line["requested_reason"], line["run"]) == ("asha@ops-1", "ticket 7", "r1")
        assert line["requested_at"] and line["command"] == ids[group] == states[group]["commandId"]
    data, _ = pipe.store.get(lines[files]["object"])
    assert lines[files]["sha256"] == hashlib.sha256(data).hexdigest() == states[files]["sha256"]
    assert (lines[files]["rows"], lines[files]["bytes"]) == (30, len(data)) == (states[files]["rows"], states[files]["bytes"])
    assert lines[files]["snapshot_at"] == states[files]["snapshotAt"] and lines[files]["object"] == states[files]["filePath"]
    assert (lines[names]["rows"], lines[names]["parts"]) == (5, 1) and states[names]["rows"] == 5
    usernames = [row[0] for group in (files, names) for row in pipe.database.expected(group)]
    assert usernames and not any(name in worker.text() for name in usernames)
