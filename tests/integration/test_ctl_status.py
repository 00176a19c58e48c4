# SPDX-License-Identifier: Apache-2.0
"""exportctl status: outcomes, runs, what is missing, and what workers do now; over the brokers alone."""
import json
import subprocess
import time
import uuid

import pytest
from confluent_kafka import Producer

from support.murmur2 import partition_of
from support.programs import environment, program
from support.terminal import Beside, on_terminal, read_one_line

KEYS = {"groupId", "outcome", "reason", "runId", "at", "rows", "durationMs", "attempts", "nextAttemptAt", "commandId",
        "bytes", "filePath", "sha256", "snapshotAt", "lastExportedAt", "error"}
OPEN = {"not-scheduled", "running", "queued"}
KINDS = {"dead-lettered", "unreadable", "retried", "unknown", "skipped", "exported"} | OPEN


def only_brokers(pipe):
    """The settings of somebody who can reach Kafka and nothing else."""
    return {name: value for name, value in pipe.settings.items() if name.startswith(("EXPORT_KAFKA_", "EXPORT_TOPICS_"))}


def status(pipe, *arguments, code=0, **settings):
    done = pipe.ctl("status", *arguments, "--output=json", **settings)
    assert done.code == code, done
    document = json.loads(done.out)
    assert set(document) == {"run", "at", "groupCount", "counts", "missingKnown", "missingNote", "overview", "running", "groups"}
    assert set(document["counts"]) == KINDS | {"missing"}
    assert document["counts"]["missing"] == sum(document["counts"][kind] for kind in OPEN)
    assert all(set(row) == KEYS for row in document["groups"])
    assert document["groupCount"] == len(document["groups"]) == sum(document["counts"][kind] for kind in KINDS)
    return document


def outcomes(document):
    return {row["groupId"]: row["outcome"] for row in document["groups"]}


def a_night(pipe):
    """Groups of every outcome, in run r1: {outcome: group id}"""
    found = {"exported": pipe.new_group(rows=20), "skipped": pipe.new_group(), "dead-lettered": pipe.new_group(rows=2)}
    pipe.database.add_users(found["dead-lettered"], {"username": "=cmd()"})
    for group_id in found.values():
        pipe.send(group_id, {"runId": "r1"})
    pipe.run_worker(export__formula_guard="reject")
    return found


def test_status__after_a_night__is_what_the_states_say(pipe):
    night = a_night(pipe)
    document = status(pipe)
    states = pipe.states()
    for row in document["groups"]:
        state = states[row["groupId"]]
        assert {name: row[name] for name in KEYS - {"lastExportedAt"}} == {
            name: state.get(name) for name in KEYS - {"lastExportedAt"}}
        assert row["lastExportedAt"] == (state["lastExported"] or {"at": None})["at"]
    assert [row["groupId"] for row in document["groups"]] == [night[k] for k in ("dead-lettered", "skipped", "exported")]
    assert document["run"] is None
    table = pipe.ctl("status")
    assert table.code == 0 and not table.err
    lines = table.out.splitlines()
    assert lines[0].startswith("no worker; 0 waiting; 0 retrying; 1 open dead letter; ")
    assert lines[1] == "3 groups: 1 dead-lettered, 1 skipped, 1 exported"
    assert lines[3].split()[:3] == ["GROUP", "OUTCOME", "REASON"]
    assert lines[4].split()[:3] == [night["dead-lettered"], "dead-lettered", "formula-rejected"]
    assert "\x1b" not in table.out
    one = status(pipe, night["exported"])
    assert outcomes(one) == {night["exported"]: "exported"}


def test_status__of_a_run__counts_what_is_missing(pipe):
    night = a_night(pipe)
    missing = [pipe.new_group(), pipe.new_group()]
    pipe.new_group(active=False)
    pipe.send(night["exported"], {"runId": "r2"})
    pipe.run_worker()
    document = status(pipe, "--run=r1")
    assert document["missingKnown"] and document["missingNote"] is None
    assert outcomes(document) == {**{group_id: kind for kind, group_id in night.items()},
                                  **{group_id: "not-scheduled" for group_id in missing}}
    # A later run has come behind it; what is left is what `recent` remembers.
    again = next(row for row in document["groups"] if row["groupId"] == night["exported"])
    assert again["runId"] == "r1" and again["commandId"] != pipe.states()[night["exported"]]["commandId"]
    later = status(pipe, "--run=r2")
    assert outcomes(later)[night["exported"]] == "exported"
    assert later["counts"]["missing"] == 4 and later["groupCount"] == 5
    lines = pipe.ctl("status", "--run=r1").out.splitlines()
    assert lines[1] == "run r1: 5 groups: 1 dead-lettered, 2 not-scheduled, 1 skipped, 1 exported"


def test_status__of_a_run_without_the_database__says_that_missing_ones_are_not_known(pipe):
    night = a_night(pipe)
    done = subprocess.run([program("exportctl"), "status", "--run=r1"], env=environment(only_brokers(pipe)),
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    counts, unknown = done.stdout.splitlines()[1:3]
    assert counts == "run r1: 3 groups: 1 dead-lettered, 1 skipped, 1 exported" and "postgres.dsn" in unknown
    start = time.monotonic()
    silent = status(pipe, "--run=r1", EXPORT_POSTGRES_DSN="postgresql://x@127.0.0.1:1/x")
    assert not silent["missingKnown"] and "cannot connect" in silent["missingNote"]
    assert set(outcomes(silent)) == set(night.values())
    assert time.monotonic() - start < 15


def test_status__group_without_an_outcome__is_one_line_and_exit_code_1(pipe):
    night = a_night(pipe)
    document = status(pipe, "no-such-group", night["exported"], code=1)
    assert outcomes(document) == {"no-such-group": "not-scheduled", night["exported"]: "exported"}
    done = pipe.ctl("status", "no-such-group")
    assert done.code == 1
    assert done.err.startswith("exportctl: no-such-group ") and len(done.err.splitlines()) == 1
    assert "exportctl trigger" in done.err and "exportctl status --follow" in done.err
    in_run = pipe.ctl("status", night["exported"], "--run=other")
    assert in_run.code == 1 and "in run other" in in_run.err, in_run


def state_record(group_id, at, outcome="exported", run_id="2026-11-22", recent=1):
    entries = [{"commandId": str(uuid.uuid4()), "runId": f"run-{number}", "outcome": "exported", "reason": None,
                "at": "2026-11-20T17:50:00.500Z"} for number in range(recent)]
    path = f"s3://exports/prefix/5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11/{group_id}/{entries[-1]['commandId']}.csv.gz"
    return {"version": 1, "groupId": group_id, "outcome": outcome, "reason": None, "commandId": entries[-1]["commandId"],
            "runId": run_id, "at": at, "rows": 1234, "bytes": 55555, "filePath": path, "sha256": "ab" * 32,
            "snapshotAt": at, "durationMs": 250, "attempts": 1, "nextAttemptAt": None, "recent": entries,
            "lastExported": {"commandId": entries[-1]["commandId"], "runId": run_id, "at": at, "filePath": path,
                             "sha256": "ab" * 32, "rows": 1234}}


def put_state(pipe, group_id, value, partition=None):
    pipe.broker.send(pipe.topic["state"], group_id.encode(), value if value is None else json.dumps(value).encode(),
                     partition=partition)


def test_status__hostile_and_odd_states__are_shown_and_do_no_harm(pipe):
    put_state(pipe, "evil", {**state_record("evil", "2026-11-22T17:50:00.500Z"), "outcome": "dead-lettered",
                             "reason": "\x1b[2J\u009b31mgone"})
    put_state(pipe, "broken", {"version": 2})
    put_state(pipe, "gone", state_record("gone", "2026-11-22T17:50:00.500Z"))
    put_state(pipe, "gone", None)
    # The topic has grown: the older record stands in a partition that is not the group's any more.
    new, old = partition_of(b"moved", 3), (partition_of(b"moved", 3) + 1) % 3
    put_state(pipe, "moved", state_record("moved", "2026-11-22T17:50:00.500Z"), new)
    put_state(pipe, "moved", state_record("moved", "2026-11-21T17:50:00.500Z", "skipped"), old)
    assert outcomes(status(pipe)) == {"evil": "dead-lettered", "broken": "unreadable", "moved": "exported"}
    code, shown = on_terminal(pipe.settings, "status")
    assert code == 0 and "\x1b[2J" not in shown and "\u009b" not in shown and "?[2J?31mgone" in shown, shown
    assert "\x1b[31mdead-lettered\x1b[0m" in shown


def test_status__on_a_terminal__shows_the_first_and_says_how_many_more(pipe):
    for number in range(60):
        put_state(pipe, f"g-{number:02}", state_record(f"g-{number:02}", "2026-11-22T17:50:00.500Z"))
    code, shown = on_terminal(pipe.settings, "status")
    assert code == 0 and "… and 10 more (--limit 0 shows all)" in shown and "g-49" in shown and "g-50" not in shown
    assert len(pipe.ctl("status").out.splitlines()) == 64
    assert len(pipe.ctl("status", "--limit=5").out.splitlines()) == 10


def put_progress(pipe, group_id, command_id, rows, state="running", worker="pod-1:17"):
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    pipe.broker.send(pipe.topic["progress"], group_id.encode(), json.dumps(
        {"groupId": group_id, "commandId": command_id, "worker": worker, "state": state, "rows": rows, "bytes": 4096,
         "startedAt": now, "at": now}).encode())


def test_status_follow__over_the_brokers_alone__shows_progress_and_outcomes(pipe):
    put_state(pipe, "old", state_record("old", "2026-11-22T17:50:00.500Z"))
    people, scripts = (Beside(only_brokers(pipe), "status", "--follow", *more) for more in ([], ["--output=json"]))
    command_id = str(uuid.uuid4())
    try:
        people.wait_line(lambda line: line == "1 group: 1 exported", what="the counts")
        scripts.wait_line(lambda line: json.loads(line)["event"] == "counts", what="the counts")
        for rows in (1000, 2_000_000):
            put_progress(pipe, "g-1", command_id, rows)
        people.wait_line(lambda line: line.startswith("g-1  running  2,000,000 rows  ") and line.endswith("on pod-1:17"))
        scripts.wait_line(lambda line: json.loads(line).get("rows") == 2_000_000)
        put_state(pipe, "g-1", {**state_record("g-1", "2026-11-22T17:51:00.500Z"), "commandId": command_id})
        people.wait_line(lambda line: line.startswith("2026-11-22T17:51:00.500Z  g-1  exported  1,234 rows  in 0.2 s  s3://"))
        outcome = json.loads(scripts.wait_line(lambda line: json.loads(line)["event"] == "outcome")[0])
        assert set(outcome) == KEYS | {"event"} and outcome["commandId"] == command_id
        progress = json.loads(scripts.wait_line(lambda line: json.loads(line)["event"] == "progress")[0])
        assert set(progress) == {"event", "groupId", "commandId", "worker", "rows", "rowsPerSecond", "bytes", "startedAt", "at", "lastRows"}
        put_progress(pipe, "g-1", command_id, 3_000_000)  # later than its outcome: nobody runs it any more
        put_progress(pipe, "g-2", str(uuid.uuid4()), 7)
        people.wait_line(lambda line: line.startswith("g-2  running"))
        assert not [line for line in people.out if "3,000,000" in line]
        for beside in (people, scripts):
            code, seconds = beside.interrupt()
            assert code == 0 and seconds < 2, (code, seconds, beside)
        assert people.err == ["stopped; 2 groups: 2 exported"] and scripts.err == []
    finally:
        people.kill()
        scripts.kill()


def test_status_follow__of_groups_or_a_run__shows_these_only(pipe):
    named = Beside(only_brokers(pipe), "status", "mine", "--follow")
    in_run = Beside(only_brokers(pipe), "status", "--run=r2", "--follow")
    try:
        named.wait_line(lambda line: line.startswith("1 group: 1 not-scheduled"))
        in_run.wait_line(lambda line: line.startswith("run r2: 0 groups"))
        for group_id, run_id in (("other", "r1"), ("mine", "r1"), ("other", "r2")):
            put_state(pipe, group_id, state_record(group_id, "2026-11-22T17:50:00.500Z", run_id=run_id))
        in_run.wait_line(lambda line: "  other  exported" in line)
        named.wait_line(lambda line: "  mine  exported" in line)
        assert not [line for line in in_run.out if "mine" in line]
        assert not [line for line in named.out if "other" in line]
    finally:
        named.kill()
        in_run.kill()


def test_status_follow__on_a_terminal__draws_in_place_and_ends_on_ctrl_c(pipe):
    group_id = pipe.new_group(rows=5)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        pipe.worker()
        pipe.send(group_id)
        code, shown = on_terminal(only_brokers(pipe), "status", "--follow", stop_after=f"{group_id}  running  ")
    assert code == 0 and "Ctrl-C" in shown and "\x1b[" in shown, shown


def test_status_follow__nobody_reads__ends_quietly(pipe):
    done = read_one_line(pipe.settings, "status")
    assert (done[0], done[2]) == (0, ""), done
    following = subprocess.Popen([program("exportctl"), "status", "--follow"], env=environment(pipe.settings),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert [following.stdout.readline() for _ in range(2)][1] == b"0 groups\n"
        following.stdout.close()
        assert following.wait(20) == 0  # although there is nothing more to say
        assert following.stderr.read() == b""
    finally:
        following.kill()


def test_status__bad_input_and_bad_weather__are_one_line(pipe):
    for arguments, code, word in ((["--limit=-1"], 2, "--limit"), (["--run="], 2, "--run"), (["a\nb"], 2, "GROUP"),
                                  (["--output=csv"], 2, "--output"), (["--topics.state=no-such"], 1, "topics create"),
                                  (["--follow", "--topics.progress=no-such"], 1, "topics create"),
                                  (["--kafka.bootstrap.servers=127.0.0.1:1", "--startup.timeout=1s"], 3, "refused")):
        done = pipe.ctl("status", *arguments)
        assert done.code == code and not done.out, (arguments, done)
        assert word in done.err and len(done.err.splitlines()) == 1, (arguments, done)


def seconds_of(command, settings=None):
    """How long it takes, and how many bytes it prints."""
    start = time.monotonic()
    done = subprocess.run(command, env=settings, capture_output=True, timeout=60, check=True)
    return time.monotonic() - start, len(done.stdout)


@pytest.mark.slow  # compares times, so it wants a quiet machine
def test_status__10000_groups__takes_at_most_twice_the_time_of_reading_them(pipe):
    producer = Producer({"bootstrap.servers": pipe.broker.bootstrap, "linger.ms": 50, "queue.buffering.max.messages": 100000})
    for number in range(10000):
        group_id = f"group-{number:05}"
        producer.produce(pipe.topic["state"], key=group_id.encode(), partition=partition_of(group_id.encode(), 3),
                         value=json.dumps(state_record(group_id, "2026-11-22T17:50:00.500Z", recent=16)).encode())
        producer.poll(0)
    assert producer.flush(60) == 0
    plain = ["kcat", "-C", "-q", "-e", "-o", "beginning", "-b", pipe.broker.bootstrap, "-t", pipe.topic["state"],
             "-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=100"]
    # Others are at work on this machine too, so the best of several is compared.
    best_plain = best_ours = 1e9
    for _ in range(15):
        seconds, size = seconds_of(plain)
        assert size > 20_000_000
        best_plain = min(best_plain, seconds)
        seconds, size = seconds_of([program("exportctl"), "status", "--run=2026-11-22"], environment(only_brokers(pipe)))
        assert size > 1_000_000
        best_ours = min(best_ours, seconds)
        if best_ours <= 2 * best_plain:
            break
    assert best_ours <= 2 * best_plain, (best_ours, best_plain)
    done = pipe.ctl("status", "--run=2026-11-22", "--limit=1", EXPORT_POSTGRES_DSN="")
    assert done.out.splitlines()[1] == "run 2026-11-22: 10,000 groups: 10,000 exported", done


@pytest.mark.slow
def test_status_follow__2000000_users__shows_the_rows_rising(pipe):
    group_id = pipe.new_group(rows=2_000_000)
    following = Beside(only_brokers(pipe), "status", "--follow", "--output=json")
    try:
        following.wait_line(lambda line: json.loads(line)["event"] == "counts")
        # One record a second: at level 1 a quick machine is done before there are three.
        pipe.worker(export__compression_level="6")
        pipe.send(group_id)
        following.wait_line(lambda line: json.loads(line)["event"] == "outcome", timeout=180, what="the outcome")
        rows = [event["rows"] for event in map(json.loads, following.out) if event["event"] == "progress"]
        assert len(rows) >= 3 and rows == sorted(rows) and rows[-1] > rows[0], rows
        assert rows[-1] <= 2_000_000
    finally:
        following.kill()


COMPLETION = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_exportctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_completion__in_bash__knows_subcommands_options_and_values(pipe, tmp_path):
    done = pipe.ctl("completion", "bash")
    assert done.code == 0 and not done.err, done
    script = tmp_path / "completion"
    script.write_text(done.out)

    def complete(*words):
        answer = subprocess.run(["bash", "-c", COMPLETION, "bash", str(script), *words], capture_output=True, text=True,
                                timeout=20, check=True)
        return set(answer.stdout.split())

    assert {"trigger", "status", "verify", "export", "topics", "config", "completion"} <= complete("exportctl", "")
    assert complete("exportctl", "stat") == {"status"}
    assert {"check", "create"} <= complete("exportctl", "topics", "")
    assert complete("exportctl", "trigger", "g-1", "--wa") == {"--wait", "--wait-for"}
    assert complete("exportctl", "status", "--output", "") == {"table", "json"}
    assert complete("exportctl", "status", "--output", "=", "j") == {"json"}
    assert complete("exportctl", "--config", "x.ini", "topics", "cr") == {"create"}
    assert complete("exportctl", "completion", "") == {"bash", "zsh", "fish"}
    assert complete("exportctl", "status", "-o", "") == {"table", "json"}
    assert {"status", "settings"} <= complete("exportctl", "help", "s")
    assert complete("exportctl", "dlq", "list", "--error", "database-d") == {"database-data", "database-denied"}
    assert complete("exportctl", "status", "--export.la") == {"--export.lanes="}
    assert complete("exportctl", "status", "--profile", "=", "") == {"production", "test"}
    assert complete("exportctl", "status", "--color", "") == {"auto", "never", "always"}
    assert "last" in complete("exportctl", "status", "--run", "")
    assert str(script) in complete("exportctl", "--config", str(script)[:-2])
    assert pipe.ctl("completion", "csh").code == 2
    assert pipe.ctl("completion").code == 2
