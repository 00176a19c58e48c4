# SPDX-License-Identifier: Apache-2.0
"""exportctl status: who works, what waits, what hinders it; words for groups without an outcome; runs; history; --check."""
import json
import time
import urllib.parse
import uuid

import pytest

from support.acls import denied
from support.checks import utc
from support.failing import Failing
from support.proxy import Proxy
from support.terminal import on_terminal

HOUR = "1h"


def document(pipe, *arguments, code=0):
    done = pipe.ctl("status", *arguments, "--output=json")
    assert done.code == code, done
    return json.loads(done.out)


def outcomes(found):
    return {row["groupId"]: row["outcome"] for row in found["groups"]}


def figures(found):
    return {name: value for name, value in found["overview"].items() if name not in ("breakers", "nextRetryAt", "unknown")}


def until(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.1)
    return found


def wait_event(worker, name):
    return until(lambda: [line for line in worker.log() if line.get("event") == name], name)


def test_status__no_worker__commands_wait_and_their_groups_are_queued(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(3)]
    idle = pipe.new_group(rows=1)
    for group_id in groups:
        pipe.send(group_id, {"runId": "r1"})
    pipe.send(groups[0], {"runId": "r2"})
    found = document(pipe, "--run=r1")
    assert figures(found) == {"workers": 0, "waiting": 4, "retrying": 0, "openDeadLetters": 0}
    assert found["overview"]["breakers"] == [] and found["overview"]["unknown"] == {}
    assert outcomes(found) == {**{group_id: "queued" for group_id in groups}, idle: "not-scheduled"}
    assert (found["counts"]["queued"], found["counts"]["not-scheduled"], found["counts"]["missing"]) == (3, 1, 4)
    lines = pipe.ctl("status", "--run=r1").out.splitlines()
    assert lines[0] == "no worker; 4 waiting; 0 retrying; no open dead letter; no open breaker"
    assert lines[1] == "run r1: 4 groups: 1 not-scheduled, 3 queued"
    # Without the database the commands are still there to be seen.
    lines = pipe.ctl("status", "--run=r1", EXPORT_POSTGRES_DSN="").out.splitlines()
    assert lines[1] == "run r1: 3 groups: 3 queued" and "postgres.dsn" in lines[2]
    one = pipe.ctl("status", groups[0])
    assert one.code == 1 and f"{groups[0]} has no outcome: its command waits for a worker" in one.err, one
    none = pipe.ctl("status", idle)
    assert none.code == 1 and "exportctl trigger" in none.err, none


def test_status__a_night_under_way_and_ended__says_what_runs_and_what_waits(new_pipe):
    pipe = new_pipe(partitions=1)
    held = pipe.new_group(rows=20)
    pipe.database.add_users(held, {"username": "gate"})
    done = [pipe.new_group(rows=1) for _ in range(30)]
    later = pipe.new_group(rows=1)
    with pipe.database.gate(held):
        pipe.send(held, {"runId": "night"})
        for group_id in done:
            pipe.send(group_id, {"runId": "night"})
        worker = pipe.worker(export__lanes="2", export__batch_rows="1")
        pipe.reader("state").wait(lambda records: len(records) >= len(done), what="the other groups' outcomes")
        # The first command keeps the committed offset back: all 31 lag, and only one has no outcome.
        assert sum(pipe.broker.lag(pipe.group_id, pipe.topic["command"]).values()) > len(done)
        found = until(lambda: (it := document(pipe, "--run=last"))["running"] and it, "the progress of the held group")
        assert found["run"] == "night"
        assert figures(found) == {"workers": 1, "waiting": 0, "retrying": 0, "openDeadLetters": 0}
        assert outcomes(found) == {**{group_id: "exported" for group_id in done}, held: "running", later: "not-scheduled"}
        assert [item["groupId"] for item in found["running"]] == [held]
        lines = pipe.ctl("status", "--run=night").out.splitlines()
        assert lines[0].startswith("1 worker; 0 waiting; 0 retrying; no open dead letter; ")
        assert lines[1].startswith(f"{held}  running  ") and "0 B" not in lines[1]
        assert lines[2] == "run night: 32 groups: 1 not-scheduled, 1 running, 30 exported"
        check = pipe.ctl("status", "--run=night", "--check")
        assert check.code == 1 and "1 not-scheduled, 1 running" in check.err and len(check.err.splitlines()) == 1, check
        # Two lanes: one holds the gate's group, so a third command of it waits.
        pipe.send(held, {"runId": "next"})
        assert outcomes(document(pipe, "--run=next"))[held] == "queued"
    pipe.send(later, {"runId": "night"})
    pipe.settle()
    assert worker.stop() == 0
    check = pipe.ctl("status", "--run=night", "--check")
    assert (check.code, check.err) == (0, ""), check


def test_status__run_that_nobody_knows__lists_those_that_are_known(pipe):
    assert (none := pipe.ctl("status", "--run=typo")).code == 1 and "none" in none.err, none
    last = pipe.ctl("status", "--run=last")
    assert last.code == 1 and not last.out and "no run is known" in last.err, last
    group_id = pipe.new_group(rows=1)
    for run_id in [f"r{number:02}" for number in range(1, 13)]:
        pipe.send(group_id, {"runId": run_id})
        if run_id != "r12":
            other = pipe.new_group(rows=1)
            pipe.send(other, {"runId": run_id})
    pipe.run_worker(export__lanes="1")
    done = pipe.ctl("status", "--run=typo")
    assert done.code == 1 and not done.out and len(done.err.splitlines()) == 1, done
    assert "in run typo" in done.err and done.err.rstrip().endswith(" and 2 more"), done
    assert "newest first: r12, " in done.err and "r01" not in done.err, done
    assert document(pipe, "--run=last")["run"] == "r12"


def test_status__database_down__names_the_breaker_and_since_when(pipe):
    parts = urllib.parse.urlsplit(pipe.settings["EXPORT_POSTGRES_DSN"])
    user, at, address = parts.netloc.rpartition("@")
    proxy = Proxy(address)
    pipe.settings["EXPORT_POSTGRES_DSN"] = urllib.parse.urlunsplit(parts._replace(netloc=user + at + proxy.address))
    groups = [pipe.new_group(rows=2) for _ in range(5)]
    worker = pipe.worker(export__lanes="2", retry__attempts="1")
    wait_event(worker, "worker-ready")
    with proxy.outage():
        for group_id in groups:
            pipe.send(group_id, {"runId": "r1"})
        opened = wait_event(worker, "breaker-open")[0]
        found = until(lambda: (it := document(pipe, "--run=r1"))["overview"]["breakers"] and it, "the worker's record")
        assert figures(found) == {"workers": 1, "waiting": 5, "retrying": 0, "openDeadLetters": 0}
        (breaker,) = found["overview"]["breakers"]
        assert (breaker["dependency"], breaker["code"], breaker["workers"]) == ("postgres", opened["code"], 1)
        assert abs((utc(breaker["since"]) - utc(opened["time"])).total_seconds()) < 5
        assert set(outcomes(found).values()) == {"queued"} and not found["missingKnown"]
        line = pipe.ctl("status").out.splitlines()[0]
        assert f"circuit breaker of postgres open since {breaker['since']} ({opened['code']})" in line
        check = pipe.ctl("status", "--run=r1", "--check")
        assert check.code == 1 and "1 open circuit breaker" in check.err, check
    pipe.settle()
    until(lambda: document(pipe)["overview"]["breakers"] == [], "the breaker to close")
    assert set(outcomes(document(pipe, "--run=r1")).values()) == {"exported"}
    assert worker.stop() == 0


def test_status__retries_and_dead_letters__are_counted_and_explained(pipe):
    failing = Failing(pipe.database)
    again, bad = pipe.new_group(rows=2), pipe.new_group(rows=2)
    failing.fail(again, "55P03")
    failing.fail(bad, "22012")
    for group_id in (again, bad):
        pipe.send(group_id, {"runId": "r1"})
    pipe.run_worker(retry__delays=HOUR, retry__attempts="1")
    found = document(pipe, "--run=r1")
    assert figures(found) == {"workers": 0, "waiting": 0, "retrying": 1, "openDeadLetters": 1}
    assert found["overview"]["nextRetryAt"] == pipe.states()[again]["nextAttemptAt"]
    assert outcomes(found) == {again: "retried", bad: "dead-lettered"}
    line = pipe.ctl("status").out.splitlines()[0]
    assert f"; 1 retrying, next at {found['overview']['nextRetryAt']}; 1 open dead letter; " in line
    errors = {row["groupId"]: row["error"] for row in found["groups"]}
    assert errors == {group_id: state["error"] for group_id, state in pipe.states().items()} and errors[bad]
    one = pipe.ctl("status", bad)
    assert one.code == 0 and one.out.splitlines()[-1] == f"{bad}: {errors[bad]}", one
    assert pipe.ctl("status", "--run=r1", "--check").code == 1
    done = pipe.ctl("dlq", "discard", "--all", "--reason=the group was closed")
    assert done.code == 0, done
    assert document(pipe)["overview"]["openDeadLetters"] == 0
    check = pipe.ctl("status", "--run=r1", "--check")  # what is not exported is not exported, whoever knows of it
    assert check.code == 1 and "1 dead-lettered, 1 retried" in check.err and "open" not in check.err, check


@pytest.mark.parametrize("kind, name, operation, unknown", [
    ("GROUP", "", "DESCRIBE", {"workers", "waiting", "retrying"}),
    ("TOPIC", "dlq", "READ", {"openDeadLetters"}),
    ("TOPIC", "progress", "READ", {"breakers"}),
])
def test_status__a_right_is_missing__one_figure_is_unknown_and_the_rest_is_shown(pipe, kind, name, operation, unknown):
    group_id = pipe.new_group(rows=3)
    pipe.send(group_id, {"runId": "r1"})
    pipe.run_worker()
    with denied(pipe.broker, kind, pipe.topic[name] if name else pipe.suffix, operation):
        start = time.monotonic()
        found = document(pipe, "--run=r1")
        assert time.monotonic() - start < 40
        table = pipe.ctl("status")
    reasons = found["overview"]["unknown"]
    assert unknown <= set(reasons) <= unknown | {"breakers"}, reasons  # a worker that has ended says nothing of breakers
    assert all("authoriz" in reasons[name].lower() for name in unknown), reasons
    assert all(found["overview"][name] is None for name in unknown)
    assert outcomes(found) == {group_id: "exported"}
    assert table.code == 0 and " unknown: " in table.out.splitlines()[0] and group_id in table.out, table


def state_record(group_id, commands, **fields):
    """A state after these commands, each (id, run id, outcome, reason, at)."""
    names = ("commandId", "runId", "outcome", "reason", "at")
    recent = [dict(zip(names, command)) for command in commands]
    return {"version": 1, "groupId": group_id, **recent[-1], "rows": 1234, "bytes": 5, "filePath": None, "sha256": None,
            "snapshotAt": None, "durationMs": 250, "attempts": 1, "nextAttemptAt": None, "recent": recent[-16:],
            "lastExported": {"commandId": recent[-1]["commandId"], "runId": "r", "at": recent[-1]["at"],
                             "filePath": "s3://x/y", "sha256": None, "rows": 1000}, **fields}


def test_status_history__more_than_16_commands__shows_the_last_16_newest_first(pipe):
    commands = [(str(uuid.uuid4()), f"run-{number}", ("exported", "skipped", "dead-lettered")[number % 3],
                 (None, "empty", "database-data")[number % 3], f"2026-11-{number:02}T17:50:00.500Z")
                for number in range(1, 19)]
    pipe.broker.send(pipe.topic["state"], b"g-1", json.dumps(state_record("g-1", commands)).encode())
    pipe.broker.send(pipe.topic["state"], b"other", json.dumps(state_record("other", commands)).encode())
    found = document(pipe, "g-1", "--history")
    (row,) = found["groups"]
    assert [tuple(entry[name] for name in ("commandId", "runId", "outcome", "reason", "at")) for entry in row["history"]] == [
        *reversed(commands)][:16]
    lines = pipe.ctl("status", "g-1", "--history").out.splitlines()
    title = lines.index("history of g-1, newest first")
    assert lines[title + 2].split() == ["AT", "OUTCOME", "REASON", "RUN", "COMMAND"]
    assert [line.split()[-1] for line in lines[title + 3:]] == [command[0] for command in reversed(commands)][:16]
    assert "history" not in document(pipe, "g-1")["groups"][0]
    for wrong in (["--history"], ["g-1", "--history", "--follow"], ["g-1", "--history", "--check"], ["--follow", "--check"]):
        done = pipe.ctl("status", *wrong)
        assert done.code == 2 and not done.out and len(done.err.splitlines()) == 1, done


def put_progress(pipe, group_id, rows, size=4096):
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    pipe.broker.send(pipe.topic["progress"], group_id.encode(), json.dumps(
        {"groupId": group_id, "commandId": str(uuid.uuid4()), "worker": "pod-1:17", "state": "running", "rows": rows, "bytes": size,
         "startedAt": now, "at": now}).encode())


def test_status__running_exports__tell_their_share_and_are_cut_with_how_many_more(pipe):
    for number in range(13):
        group_id = f"g-{number:02}"
        command = (str(uuid.uuid4()), "r", "exported", None, "2026-11-22T17:50:00.500Z")
        pipe.broker.send(pipe.topic["state"], group_id.encode(), json.dumps(state_record(group_id, [command])).encode())
    for number in reversed(range(13)):
        put_progress(pipe, f"g-{number:02}", 480, 0 if number == 0 else 4096)
    lines = pipe.ctl("status").out.splitlines()
    assert [line.split()[0] for line in lines[1:14]] == [f"g-{number:02}" for number in range(13)]
    assert lines[1].startswith("g-00  running  480 rows  48 %") and " B" not in lines[1] and "KiB" in lines[2]
    code, shown = on_terminal(pipe.settings, "status")
    assert code == 0 and "… and 3 more running" in shown and "g-09  running" in shown and "g-10  running" not in shown
    for number in range(13):  # those of before may be too old by now
        put_progress(pipe, f"g-{number:02}", 480)
    code, shown = on_terminal(pipe.settings, "status", "--follow", size=(10, 160), stop_after="… and ")
    assert code == 0 and "no worker; 0 waiting" in shown and "g-00  running" in shown and "g-12  running" not in shown


def test_run__has_ended__a_group_that_became_active_since_does_not_belong_to_it(pipe):
    groups = [pipe.new_group(rows=1) for _ in range(3)]
    pipe.worker()
    done = pipe.scheduler("--run=night", "--schedule.wait=60s")
    assert done.code == 0, done
    pipe.new_group(rows=1)
    assert pipe.ctl("status", "--run", "night", "--check").code == 0
    found = json.loads(pipe.ctl("status", "--run", "night", "--output", "json").out)
    assert outcomes(found) == {group_id: "exported" for group_id in groups}
    # The record is enough: the database may be away.
    away = pipe.ctl("status", "--run", "night", "--check", EXPORT_POSTGRES_DSN="host=127.0.0.1 port=1 user=u")
    assert away.code == 0, away
