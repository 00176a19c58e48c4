# SPDX-License-Identifier: Apache-2.0
"""exportctl trigger: what commands it sends, and how it follows them."""
import collections
import getpass
import json
import re
import socket
import time
import uuid

from support.checks import recent_utc
from support.murmur2 import partition_of
from support.terminal import Beside, on_terminal, read_one_line

COMMAND_FIELDS = {"groupId", "commandId", "runId", "domainId", "requestedAt", "requestedBy", "reason"}
KEYS = {"groupId", "commandId", "runId", "outcome", "reason", "at", "rows", "bytes", "durationMs", "attempts",
        "nextAttemptAt", "filePath", "sha256"}


def commands(pipe):
    return [(record, json.loads(record.value)) for record in pipe.reader("command").drain()]


def test_trigger__two_groups__are_commands_with_who_and_why(pipe):
    done = pipe.ctl("trigger", "पुणे/1", "g 2", "पुणे/1", "--run", "रात-7", "--reason", "asked for by support",
                    "--output=json")
    assert done.code == 0, done
    said = {row["groupId"]: row for row in json.loads(done.out)}
    assert set(said) == {"पुणे/1", "g 2"} and all(set(row) == KEYS for row in said.values())
    sent = commands(pipe)
    assert len(sent) == 2, "a group that was named twice was sent twice"
    for record, value in sent:
        group_id = value["groupId"]
        assert record.key.decode() == group_id
        assert record.partition == partition_of(record.key, 3)
        assert set(value) == COMMAND_FIELDS
        assert value["commandId"] == said[group_id]["commandId"] == str(uuid.UUID(value["commandId"]))
        assert value["runId"] == said[group_id]["runId"] == "रात-7"
        assert value["reason"] == "asked for by support"
        assert value["requestedBy"] == f"{getpass.getuser()}@{socket.gethostname()}"
        assert value["domainId"] == pipe.services.domain_id
        recent_utc(value["requestedAt"])
    assert len({value["commandId"] for _, value in sent}) == 2


def test_trigger__by_and_table__are_what_was_asked_for(pipe):
    done = pipe.ctl("trigger", "g-1", "--by", "asha (on call)")
    assert done.code == 0, done
    (_, value), = commands(pipe)
    assert value["requestedBy"] == "asha (on call)"
    assert not {"runId", "reason"} & set(value)
    assert done.out.splitlines()[1].split() == ["g-1", value["commandId"]]


def test_trigger__dry_run__prints_the_commands_and_sends_nothing(pipe):
    nowhere = {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    active = {pipe.new_group(), pipe.new_group()}
    done = pipe.ctl("trigger", "--all", "--dry-run", "--run=r", "--reason=why", **nowhere)
    assert (done.code, done.err) == (0, ""), done
    values = [json.loads(line) for line in done.out.splitlines()]
    assert {value["groupId"] for value in values} == active
    assert all(set(value) == COMMAND_FIELDS and (value["runId"], value["reason"]) == ("r", "why") for value in values)
    document = pipe.ctl("trigger", "g 1", "--dry-run", "--output=json", **nowhere)
    assert document.code == 0 and [value["groupId"] for value in json.loads(document.out)] == ["g 1"], document
    assert not commands(pipe)
    both = pipe.ctl("trigger", "g-1", "--dry-run", "--wait", **nowhere)
    assert both.code == 2 and "--dry-run" in both.err and len(both.err.splitlines()) == 1, both


def test_trigger__group_that_the_view_does_not_have__is_asked_about_on_a_terminal(pipe):
    group_id = pipe.new_group(rows=1)
    mistyped = group_id.upper()
    for answer, code, count in (("n", 1, 0), ("", 1, 0), ("y", 0, 1)):
        found, shown = on_terminal(pipe.settings, "trigger", mistyped, answer=answer or " ")
        assert found == code and f"{mistyped}; did you mean {group_id}?" in shown and "[y/N]" in shown, shown
        assert ("nothing was sent" in shown) == (code == 1), shown
        assert len(commands(pipe)) == count
    for arguments in ([mistyped, "--force"], [group_id]):
        code, shown = on_terminal(pipe.settings, "trigger", *arguments)
        assert code == 0 and "[y/N]" not in shown, shown
    code, shown = on_terminal(pipe.settings, "status", mistyped, answer="n")
    assert code == 1 and f"did you mean {group_id}?" in shown and "has no outcome" not in shown, shown
    # Nobody can be asked, or the database does not answer: as ever.
    assert pipe.ctl("trigger", mistyped).code == 0
    code, shown = on_terminal({**pipe.settings, "EXPORT_POSTGRES_DSN": "postgresql://x@127.0.0.1:1/x"}, "trigger", mistyped)
    assert code == 0 and "[y/N]" not in shown, shown
    assert len(commands(pipe)) == 5


def test_trigger__thousands__are_one_transaction(pipe):
    groups = [f"group-{number:05}-with-a-name-of-some-length" for number in range(5000)]
    done = pipe.ctl("trigger", *groups, "--output=json")
    assert done.code == 0, done
    sent = commands(pipe)
    assert [value["groupId"] for _, value in sorted(sent, key=lambda pair: pair[1]["groupId"])] == groups
    counts = collections.Counter(record.partition for record, _ in sent)
    # Each partition ends in the marker of the one transaction.
    assert {number: end - counts[number] for number, end in pipe.broker.end_offsets(pipe.topic["command"]).items()} == {
        0: 1, 1: 1, 2: 1}


def test_trigger__all__takes_the_active_groups_of_the_database(pipe):
    active = {pipe.new_group(), pipe.new_group("NON_COST_BASED"), pipe.new_group("LOTTERY")}
    pipe.new_group(active=False)
    done = pipe.ctl("trigger", "--all", "--output=json")
    assert done.code == 0, done
    assert {value["groupId"] for _, value in commands(pipe)} == active
    refused = pipe.ctl("trigger", "--all", EXPORT_POSTGRES_DSN="")
    assert refused.code == 2 and "postgres.dsn" in refused.err, refused
    away = pipe.ctl("trigger", "--all", EXPORT_POSTGRES_DSN="postgresql://x@127.0.0.1:1/x", EXPORT_STARTUP_TIMEOUT="1s")
    assert away.code == 3 and len(away.err.splitlines()) == 1, away
    pipe.database.execute("DELETE FROM {s}_groups")
    nothing = pipe.ctl("trigger", "--all")
    assert nothing.code == 0 and "no active group" in nothing.err and not nothing.out, nothing
    assert len(commands(pipe)) == 3


def test_trigger__wait__ends_when_every_group_has_its_outcome(pipe):
    good, empty, names = pipe.new_group(rows=50), pipe.new_group(), pipe.new_group("NON_COST_BASED", rows=5)
    pipe.worker()
    done = pipe.ctl("trigger", good, empty, names, "--wait", "--output=json", "--timeout=40s")
    assert done.code == 0, done
    said = {row["groupId"]: row for row in json.loads(done.out)}
    assert all(set(row) == KEYS for row in said.values())
    states = pipe.states()
    for group_id, row in said.items():
        for name in KEYS - {"groupId"}:
            assert row[name] == states[group_id][name], (group_id, name)
    assert {group_id: (row["outcome"], row["reason"], row["rows"]) for group_id, row in said.items()} == {
        good: ("exported", None, 50), empty: ("skipped", "empty", None), names: ("exported", None, 5)}
    again = pipe.ctl("trigger", good, "--wait", "--timeout=40s")
    assert again.code == 0, again
    assert re.fullmatch(rf"{good}  exported  50 rows  in [\d.]+ s  s3://\S+/{again.out.split()[3]}.csv.gz",
                        again.out.splitlines()[2]), again


def test_trigger__wait_for_what_fails__says_why(pipe):
    good, bad = pipe.new_group(rows=5), pipe.new_group(rows=5)
    closed, strange = pipe.new_group(active=False), pipe.new_group("LOTTERY")
    pipe.database.add_users(bad, {"username": "=cmd()"})
    pipe.worker(export__formula_guard="reject")
    done = pipe.ctl("trigger", good, bad, closed, strange, "no-such-group", "--wait", "--timeout=40s")
    assert done.code == 1, done
    lines = done.err.splitlines()
    assert len(lines) == 4, done
    assert any(f"{bad} failed: " in line and "(formula-rejected)" in line and "exportctl dlq" in line for line in lines)
    assert f"exportctl: {closed} was not exported: inactive" in lines
    assert f"exportctl: {strange} was not exported: invalid-group-type" in lines
    assert "exportctl: no-such-group was not exported: unknown-group" in lines
    # With --all nobody asked for these in particular.
    pipe.database.execute("DELETE FROM {s}_groups WHERE group_id = %s", (bad,))
    assert pipe.ctl("trigger", "--all", "--wait", "--timeout=40s").code == 0


def test_trigger__wait_over_a_retry__goes_on_to_the_end(pipe):
    group_id = pipe.new_group(rows=5)
    gate = "CREATE OR REPLACE FUNCTION {s}_gate(name text, id text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN %s; END $$"
    pipe.database.execute(gate % "RAISE EXCEPTION 'not now'")
    pipe.worker(retry__delays="2s,2s,2s")
    waiting = Beside(pipe.settings, "trigger", group_id, "--wait", "--timeout=60s")
    try:
        command_id = waiting.wait_line(lambda line: line.startswith(group_id), what="the command")[0].split()[1]
        retried = waiting.wait_line(lambda line: "retried" in line, what="a retry")[0]
        assert "database-query" in retried and "next attempt at 2" in retried, retried
        pipe.database.execute(gate % "RETURN true")
        waiting.wait_line(lambda line: "exported" in line, what="the outcome")
        assert waiting.wait() == 0 and not waiting.err, waiting
        assert pipe.states()[group_id]["commandId"] == command_id
        assert pipe.states()[group_id]["attempts"] >= 2
    finally:
        waiting.kill()


def test_trigger__wait_while_kafka_is_away__says_so_and_goes_on(pipe, services):
    group_id = pipe.new_group(rows=5)
    waiting = Beside(pipe.settings, "trigger", group_id, "--wait", "--timeout=150s")
    try:
        waiting.wait_line(lambda line: line.startswith(group_id), what="the command")
        with services.stopped("kafka"):
            deadline = time.monotonic() + 40
            while "exportctl: Kafka does not answer; waiting for it. The commands were sent" not in waiting.err:
                assert time.monotonic() < deadline, waiting
                time.sleep(0.1)
        pipe.worker()
        waiting.wait_line(lambda line: "exported" in line, timeout=90, what="the outcome")
        assert waiting.wait() == 0
    finally:
        waiting.kill()


def test_trigger__wait_without_a_worker__ends_with_the_timeout(pipe):
    done = pipe.ctl("trigger", "g-1", "g-2", "--wait", "--timeout=1s", "--output=json")
    assert done.code == 4, done
    assert re.fullmatch(r"exportctl: --timeout .*\b0 of 2\b.* exportctl status --follow .*\n", done.err), done.err
    assert [row["outcome"] for row in json.loads(done.out)] == [None, None]
    assert len(commands(pipe)) == 2


def test_trigger__interrupted_while_it_waits__stops_at_once_and_says_so(pipe):
    waiting = Beside(pipe.settings, "trigger", "g-1", "--wait")
    try:
        waiting.wait_line(lambda line: line.startswith("g-1"), what="the command")
        code, seconds = waiting.interrupt()
        assert code == 1 and seconds < 2, (code, seconds, waiting)
        assert len(waiting.err) == 1, waiting.err
        assert re.fullmatch(r"exportctl: stopped.*\b0 of 1\b.* exportctl status --follow .*", waiting.err[0]), waiting.err
        assert len(commands(pipe)) == 1
    finally:
        waiting.kill()


def test_trigger__on_a_terminal__has_a_live_line_for_each_group(pipe):
    first, second = pipe.new_group(rows=5), pipe.new_group(rows=5)
    pipe.database.add_users(first, {"username": "gate"})
    with pipe.database.gate(first):
        pipe.worker()
        code, shown = on_terminal(pipe.settings, "trigger", first, second, "--wait", stop_after="1 of 2 have ended, 1 running")
    assert code == 1, shown
    assert f"{second}  \x1b[32mexported\x1b[0m  5 rows" in shown
    assert f"{first}  waiting  " in shown and f"{first}  running  " in shown
    assert "stopped: 1 of 2 commands have ended" in shown


def test_trigger__bad_input__is_refused_before_anything_is_touched(pipe):
    nowhere = {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    for arguments, word in ((["trigger"], "--all"), (["trigger", "--all", "g-1"], "both"), (["trigger", ""], "GROUP"),
                            (["trigger", "a\nb"], "GROUP"), (["trigger", "x" * 256], "GROUP"),
                            (["trigger", "g-1", "--run", "x" * 65], "--run"), (["trigger", "g-1", "--run="], "--run"),
                            (["trigger", "g-1", "--reason", "x" * 256], "--reason"),
                            (["trigger", "g-1", "--by", "a\tb"], "--by"), (["trigger", "g-1", "--timeout=5s"], "--wait"),
                            (["trigger", "g-1", "--wait", "--timeout=5"], "--timeout"),
                            (["trigger", "g-1", "--output=xml"], "--output"), (["trigger", "g-1", "--what"], "--what")):
        done = pipe.ctl(*arguments, **nowhere)
        assert done.code == 2 and not done.out, (arguments, done)
        assert word in done.err and len(done.err.splitlines()) == 1, (arguments, done)
    assert not commands(pipe)


def test_trigger__no_broker_or_topic__is_one_line(pipe):
    away = pipe.ctl("trigger", "g-1", EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", EXPORT_STARTUP_TIMEOUT="1s")
    assert away.code == 3 and len(away.err.splitlines()) == 1 and "Connection refused" in away.err, away
    for arguments in ([], ["--wait"]):
        missing = pipe.ctl("trigger", "g-1", *arguments, EXPORT_TOPICS_COMMAND="no-such-topic")
        assert missing.code == 1 and len(missing.err.splitlines()) == 1, missing
        assert "no-such-topic" in missing.err and "exportctl topics create" in missing.err, missing


def test_trigger__nobody_reads_what_it_says__ends_quietly(pipe):
    code, line, err = read_one_line(pipe.settings, "trigger", *[f"group-{number:06}" for number in range(3000)])
    assert (code, err) == (0, "") and line.startswith("GROUP"), (code, line, err)
    assert len(commands(pipe)) == 3000


def test_trigger_wait__nobody_reads_any_more__ends_quietly(pipe):
    code, line, err = read_one_line(pipe.settings, "trigger", "g-1", "--wait", timeout=20)
    assert (code, err) == (0, "") and line.startswith("GROUP"), (code, line, err)
    assert len(commands(pipe)) == 1
