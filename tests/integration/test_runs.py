# SPDX-License-Identifier: Apache-2.0
"""Runs: started in the transaction of the commands, waited for, ended once; read by a consumer that is not ours."""
import collections
import concurrent.futures
import json
import time

import pytest
from confluent_kafka import Producer, TopicPartition

from support.acls import denied
from support.checks import by_group, recent_utc
from support.failing import Failing

FIELDS = ["version", "runId", "status", "groups", "exported", "skipped", "deadLettered", "unfinished", "rows", "bytes",
          "startedAt", "endedAt", "requestedBy", "manifestPath", "manifestSha256"]
COUNTS = ("groups", "exported", "skipped", "deadLettered", "unfinished", "rows", "bytes")
HEADER, AGAIN = "export-command-topic", "export-run-again"
DEAD_AT_ONCE, TRIED_AGAIN = "22012", "40001"  # what becomes of a command whose rows fail with this SQLSTATE


def records(pipe, run=None):
    """The values of the run topic, in order; of one run if it is named."""
    found = []
    for record in pipe.reader("run").drain():
        value = json.loads(record.value)
        assert list(value) == FIELDS and value["version"] == 1 and value["runId"] == record.key.decode()
        assert record.headers in ({HEADER: pipe.topic["command"].encode()}, {HEADER: pipe.topic["command"].encode(), AGAIN: b"true"})
        if run in (None, value["runId"]):
            found.append(value)
    return found


def statuses(pipe, run=None):
    return [value["status"] for value in records(pipe, run)]


def counts(value):
    return tuple(value[name] for name in COUNTS)


def command_count(pipe, run):
    return sum(json.loads(record.value)["runId"] == run for record in pipe.reader("command").drain())


def events(done, code):
    return [line for line in done.log if line["event"] == code]


def is_event(code):
    return lambda line: line["event"] == code


def wait_for(scheduler, code, timeout=30):
    return scheduler.wait_log(is_event(code), timeout, code)[0]


def test_night__every_group_ends__is_completed_with_its_counts(pipe):
    pipe.new_group(rows=7), pipe.new_group(rows=5), pipe.new_group("NON_COST_BASED", rows=3), pipe.new_group()
    pipe.new_group(rows=1, active=False)
    pipe.worker()
    done = pipe.scheduler("--run=night", "--schedule.wait=60s")
    assert done.code == 0, done
    started, completed = records(pipe)
    assert started["status"] == "started" and counts(started) == (4, None, None, None, None, None, None)
    assert completed["status"] == "completed" and counts(completed)[:6] == (4, 3, 1, 0, 0, 15)
    assert completed["bytes"] == sum(state["bytes"] or 0 for state in pipe.states().values())
    assert started["endedAt"] is None and started["requestedBy"] == completed["requestedBy"] == "export-scheduler"
    assert started["startedAt"] == completed["startedAt"]
    recent_utc(started["startedAt"]), recent_utc(completed["endedAt"])
    assert started["manifestPath"] is None and started["manifestSha256"] is None
    line = events(done, "run-completed")[0]
    assert line["message"] == "Completed export scheduling for all groups"
    expected = {"run": "night", "groups": 4, "exported": 3, "skipped": 1, "dead_lettered": 0, "unfinished": 0, "rows": 15}
    assert expected.items() <= line.items(), line


def test_start__commands_are_refused__no_run_is_started(pipe):
    pipe.new_group(group_id=pipe.suffix + "x" * 200)
    pipe.broker.set_topic(pipe.topic["command"], max_message_bytes=200)
    done = pipe.scheduler("--run=refused", "--schedule.wait=60s")
    assert done.code == 1 and events(done, "schedule-failed"), done
    assert records(pipe) == [] and command_count(pipe, "refused") == 0
    # It was in the transaction: the record stands there, aborted.
    assert sum(pipe.broker.end_offsets(pipe.topic["run"]).values()) > 0


def test_night__a_dead_letter__is_completed_and_exits_1_then_again_mends_it(pipe):
    failing = Failing(pipe.database)
    good, bad = pipe.new_group(rows=2), pipe.new_group(rows=2)
    failing.fail(bad, DEAD_AT_ONCE)
    pipe.worker()
    done = pipe.scheduler("--run=bad", "--schedule.wait=60s")
    assert done.code == 1, done
    assert counts(records(pipe)[-1])[:5] == (2, 1, 0, 1, 0)
    assert events(done, "run-completed")[0]["dead_lettered"] == 1

    # It was started: nothing is sent, and what it ended with is said.
    done = pipe.scheduler("--run=bad", "--schedule.wait=60s")
    assert done.code == 1 and not events(done, "run-completed"), done
    expected = {"status": "completed", "groups": 2, "exported": 1, "dead_lettered": 1, "unfinished": 0, "rows": 2}
    assert expected.items() <= events(done, "run-known")[0].items(), done
    assert pipe.scheduler("--run=bad").code == 0
    assert len(records(pipe)) == 2 and command_count(pipe, "bad") == 2

    # The earlier dead letter is no end of the new start.
    failing.mend(bad)
    done = pipe.scheduler("--run=bad", "--schedule.wait=60s", "--again")
    assert done.code == 0, done
    assert statuses(pipe) == ["started", "completed", "started", "completed"] and command_count(pipe, "bad") == 4
    assert counts(records(pipe)[-1])[:6] == (2, 2, 0, 0, 0, 4)
    assert sorted(record.key.decode() for record in pipe.results()) == sorted([good, bad])


def test_night__retries_and_groups_that_change__end_by_their_own_outcomes(pipe):
    failing = Failing(pipe.database)
    late, gone, off = pipe.new_group(rows=2), pipe.new_group(rows=2), pipe.new_group(rows=2)
    failing.fail(late, TRIED_AGAIN)
    scheduler = pipe.start_scheduler("--run=late", "--schedule.wait=60s")
    wait_for(scheduler, "run-progress")
    pipe.database.execute("DELETE FROM {s}_groups WHERE group_id = %s", (gone,))
    pipe.database.execute("UPDATE {s}_groups SET active = false WHERE group_id = %s", (off,))
    pipe.worker(retry__delays="2s,2s,2s", retry__attempts="0")
    pipe.reader("state").wait(lambda found: {json.loads(record.value)["outcome"] for record in found} == {"retried", "skipped"})
    failing.mend(late)
    assert scheduler.wait(60) == 0
    assert counts(records(pipe)[-1])[:5] == (3, 1, 2, 0, 0)


def test_wait__time_is_over__is_incomplete_and_exits_4(pipe):
    pipe.new_group(rows=2), pipe.new_group(rows=2)
    done = pipe.scheduler("--run=slow", "--schedule.wait=1s")
    assert done.code == 4 and events(done, "run-incomplete")[0]["unfinished"] == 2, done
    assert statuses(pipe) == ["started", "incomplete"] and counts(records(pipe)[-1]) == (2, 0, 0, 0, 2, 0, 0)
    # A later start goes on. What would say the same is not written once more.
    done = pipe.scheduler("--run=slow", "--schedule.wait=1s")
    assert done.code == 4 and events(done, "run-known") and events(done, "run-incomplete") and len(records(pipe)) == 2, done
    pipe.run_worker()
    done = pipe.scheduler("--run=slow", "--schedule.wait=20s")
    assert done.code == 0 and events(done, "run-known") and events(done, "run-completed"), done
    assert statuses(pipe) == ["started", "incomplete", "completed"] and counts(records(pipe)[-1])[:5] == (2, 2, 0, 0, 0)
    assert command_count(pipe, "slow") == 2


def test_wait__stopped_and_started_again__goes_on_and_sends_nothing(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(3)]
    scheduler = pipe.start_scheduler("--run=stopped", "--schedule.wait=60s")
    wait_for(scheduler, "run-progress")
    assert scheduler.stop() == 1
    assert scheduler.log()[-1]["event"] == "run-wait-ended" and statuses(pipe) == ["started"]
    # A later start without schedule.wait sends nothing either.
    assert pipe.scheduler("--run=stopped").code == 0
    pipe.worker()
    done = pipe.scheduler("--run=stopped", "--schedule.wait=60s")
    assert done.code == 0 and events(done, "run-known"), done
    assert statuses(pipe) == ["started", "completed"] and counts(records(pipe)[-1])[:6] == (3, 3, 0, 0, 0, 6)
    assert command_count(pipe, "stopped") == len(groups)


def test_wait__commands_are_gone__groups_are_those_whose_states_name_the_run(pipe):
    for _ in range(3):
        pipe.new_group(rows=2)
    assert pipe.scheduler("--run=old").code == 0
    pipe.run_worker()
    ends = pipe.broker.end_offsets(pipe.topic["command"])
    gone = [TopicPartition(pipe.topic["command"], number, end) for number, end in ends.items()]
    for future in pipe.broker.admin.delete_records(gone).values():
        future.result(timeout=20)
    done = pipe.scheduler("--run=old", "--schedule.wait=60s")
    assert done.code == 0 and counts(records(pipe)[-1])[:6] == (3, 3, 0, 0, 0, 6), done


def test_wait__topics_grow__states_in_new_partitions_count(new_pipe):
    pipe = new_pipe(partitions=1)
    groups = pipe.new_small_groups(12)
    scheduler = pipe.start_scheduler("--run=grown", "--schedule.wait=90s")
    wait_for(scheduler, "run-progress")
    done = pipe.ctl("topics", "grow", "--partitions=3")
    assert done.code == 0, done
    pipe.worker()
    assert scheduler.wait(90) == 0
    assert {record.partition for record in pipe.reader("state").drain()} > {0}
    assert counts(records(pipe)[-1])[:5] == (len(groups), len(groups), 0, 0, 0)


def test_wait__two_at_the_same_time__one_start_and_one_end(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(20)]
    pipe.worker()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda _: pipe.scheduler("--run=both", "--schedule.wait=60s"), range(2)))
    assert [done.code for done in ends] == [0, 0], ends
    assert statuses(pipe) == ["started", "completed"]
    assert command_count(pipe, "both") == len(groups) == len(by_group(pipe.results()))


class Others:
    """Starts of other runs, which have the same transactional id and send nothing. Its look at the run topic waits for
    open transactions: so one can take over after it has begun, and before it has sent anything."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._open = self._producer(f"{pipe.suffix}-open")
        self._is_open = False

    def _producer(self, name):
        producer = Producer({"bootstrap.servers": self._pipe.broker.bootstrap, "transactional.id": name})
        producer.init_transactions(20)
        return producer

    def hold(self):
        """Before the scheduler is started: it would be done sooner than anybody could take over."""
        self._open.begin_transaction()
        self._open.produce(self._pipe.topic["run"], b"never committed", b"open"), self._open.flush(20)
        self._is_open = True

    def take_over(self, seconds):
        """Once it has begun, which it does within so many seconds."""
        if not self._is_open:
            self.hold()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._producer(f"{self._pipe.group_id}-scheduler"), time.sleep(0.5)
        self._open.abort_transaction(20)
        self._is_open = False


def test_start__another_run_takes_over__is_sent_all_the_same(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(3)]
    others = Others(pipe)
    others.hold()
    scheduler = pipe.start_scheduler("--run=overtaken", "--startup.timeout=20s")
    wait_for(scheduler, "groups-read")
    others.take_over(4)
    wait_for(scheduler, "scheduler-fenced")
    assert scheduler.wait(60) == 0
    assert statuses(pipe) == ["started"] and command_count(pipe, "overtaken") == len(groups)


def test_start__others_take_over_each_time__gives_up_and_exits_1(pipe):
    pipe.new_group(rows=2)
    others = Others(pipe)
    others.hold()
    scheduler = pipe.start_scheduler("--run=given-up", "--startup.timeout=8s")
    wait_for(scheduler, "groups-read")
    for count, seconds in ((1, 4), (2, 12), (3, 12)):  # it looks for its run for 8 s before it tries again
        others.take_over(seconds)
        while sum(line["event"] == "scheduler-fenced" for line in scheduler.log()) < count:
            assert scheduler.running, scheduler.text()
            time.sleep(0.05)
    assert scheduler.wait(60) == 1
    failed = scheduler.log()[-1]
    assert (failed["event"], failed["level"]) == ("schedule-failed", "error") and "took over 3 times" in failed["detail"]
    assert records(pipe) == [] and command_count(pipe, "given-up") == 0


# An event of its log; so many seconds after the last outcome; or when its record `completed` is seen, before it is
# committed (read_uncommitted) or once it is (read_committed).
PLACES = ["groups-read", "scheduled", "run-progress", 0, 0.2, 0.4, "read_uncommitted", "read_uncommitted", "read_uncommitted",
          "read_committed"]


def wait_for_place(pipe, scheduler, place, run):
    if isinstance(place, str) and not place.startswith("read_"):
        # A run that ends within its first second has no progress to tell.
        scheduler.wait_log(lambda line: line["event"] in (place, "run-completed"), 30, place)
        return
    is_end = isinstance(place, str)
    reader = pipe.new_reader("run" if is_end else "state", place if is_end else "read_committed")
    name = f'"{run}"'.encode()
    if is_end:
        reader.wait(lambda found: any(name in record.value and b'"completed"' in record.value for record in found))
    else:
        reader.wait(lambda found: len({record.key for record in found if name in record.value}) == 2)
        time.sleep(place)
    reader.close()


def killed_and_started_again(pipe, number):
    run = f"place-{number}"
    # A name of its own: transactional ids are the deployment's, and the ten would fence each other.
    arguments = [f"--run={run}", "--schedule.wait=60s", f"--kafka.group.id={pipe.group_id}-{number}",
                 "--schedule.manifest=true", "--schedule.report=true"]
    scheduler = pipe.start_scheduler(*arguments)
    wait_for_place(pipe, scheduler, PLACES[number], run)
    scheduler.kill()
    return pipe.scheduler(*arguments)


def test_end__scheduler_is_killed_at_ten_places__is_written_once(pipe):
    pipe.new_group(rows=2), pipe.new_group("NON_COST_BASED", rows=2)
    pipe.worker()
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        ends = list(pool.map(lambda number: killed_and_started_again(pipe, number), range(len(PLACES))))
    assert [done.code for done in ends] == [0] * len(PLACES), ends
    by_run, beside = collections.defaultdict(list), set()
    for value in records(pipe):
        by_run[value["runId"]].append((value["status"], value["exported"], value["unfinished"]))
        if value["manifestPath"]:
            beside.add(value["manifestPath"].removeprefix("s3://").split("/", 1)[1].removesuffix(".jsonl.gz"))
    assert by_run == {f"place-{n}": [("started", None, None), ("completed", 2, 0)] for n in range(len(PLACES))}
    assert len(pipe.reader("command").drain()) == 2 * len(PLACES)
    # Each end has its manifest and its page. A manifest of an end that was not written may be there too.
    found = [key for key in pipe.keys() if "/_runs/" in key]
    assert {key.removesuffix(".html") for key in found if key.endswith(".html")} == beside and len(beside) == len(PLACES)
    assert beside <= {key.removesuffix(".jsonl.gz") for key in found}


@pytest.mark.parametrize("wait", ["0s", "60s"])
def test_night__no_groups__is_completed_at_once(pipe, wait):
    done = pipe.scheduler("--run=empty", f"--schedule.wait={wait}")
    assert done.code == 0 and events(done, "no-groups") and events(done, "run-completed"), done
    assert statuses(pipe) == ["started", "completed"] and counts(records(pipe)[-1]) == (0,) * 7


def test_start__no_run_topic__is_as_before_and_refused_with_schedule_wait(pipe):
    pipe.new_group(rows=2)
    pipe.broker.delete_topics([pipe.topic["run"]])
    # Nor is anything sent where the outcomes could not be waited for.
    done = pipe.scheduler("--run=plain", "--schedule.wait=60s", "--topics.state=no-such-topic")
    assert done.code == 1 and "no-such-topic" in done.err and command_count(pipe, "plain") == 0, done
    done = pipe.scheduler("--run=plain", "--schedule.wait=60s")
    assert done.code == 2 and "topics create" in done.err and command_count(pipe, "plain") == 0, done
    for count in (1, 2):
        done = pipe.scheduler("--run=plain")
        assert done.code == 0 and events(done, "run-not-recorded"), done
        assert command_count(pipe, "plain") == count
    assert pipe.topic["run"] not in pipe.broker.topics(pipe.suffix)


def test_start__run_of_another_deployment__leaves_no_night_out(pipe):
    pipe.new_group(rows=2)
    value = {"version": 1, "runId": "shared", "status": "started", "groups": 9, "startedAt": "2026-11-22T17:50:00.000Z"}
    pipe.broker.send(pipe.topic["run"], b"shared", json.dumps(value).encode(), headers=[(HEADER, b"another-topic")])
    done = pipe.scheduler("--run=shared")
    assert done.code == 0 and events(done, "run-not-recorded") and command_count(pipe, "shared") == 1, done
    done = pipe.scheduler("--run=shared", "--schedule.wait=60s")
    assert done.code == 2 and command_count(pipe, "shared") == 1, done
    assert len(pipe.reader("run").drain()) == 1


RIGHTS = [("TOPIC", "run", "READ"), ("TOPIC", "run", "WRITE"), ("TOPIC", "state", "READ"), ("TOPIC", "state", "DESCRIBE"),
          ("TOPIC", "command", "READ"), ("TRANSACTIONAL_ID", "-run", "WRITE")]


def test_rights__one_is_missing__is_said_and_no_end_is_written(pipe):
    pipe.new_group(rows=2)
    for number, (kind, name, operation) in enumerate(RIGHTS):
        with denied(pipe.broker, kind, pipe.topic.get(name, pipe.group_id + name), operation):
            done = pipe.scheduler(f"--run={number}")
            if done.code == 0:  # it is needed for the end
                done = pipe.scheduler(f"--run={number}", "--schedule.wait=1s")
        assert done.code == 1 and ("not authorized" in done.err or "uthorization" in done.err or "may not be seen" in done.err), done
        assert set(statuses(pipe, f"{number}")) <= {"started"}
    # Consumer groups are not needed: nothing is committed.
    with denied(pipe.broker, "GROUP", pipe.group_id, "DESCRIBE"):
        assert pipe.scheduler("--run=groups").code == 0
        done = pipe.scheduler("--run=groups", "--schedule.wait=1s")
        assert done.code == 4 and "uthoriz" not in done.err, done
    assert statuses(pipe, "groups") == ["started", "incomplete"]


def test_topics__create_and_check__run_topic_has_one_partition_and_is_compacted(pipe):
    assert pipe.broker.partition_count(pipe.topic["run"]) == 1
    assert pipe.broker.topic_settings(pipe.topic["run"])["cleanup.policy"] == "compact"

    def found():
        done = pipe.ctl("topics", "check", "--output=json")
        assert done.code == 0, done  # a worker does not need it
        return {(row["what"], row["result"]) for row in json.loads(done.out) if row["topic"] == pipe.topic["run"]}

    assert {result for _, result in found()} == {"good"}
    pipe.broker.set_topic(pipe.topic["run"], cleanup_policy="delete")
    assert ("cleanup.policy", "warning") in found()
    pipe.broker.delete_topics([pipe.topic["run"]])
    assert found() == {("topic", "warning")}


def test_wait__broker_is_away__goes_on_and_says_so(pipe):
    pipe.new_group(rows=2)
    scheduler = pipe.start_scheduler("--run=away", "--schedule.wait=120s")
    wait_for(scheduler, "run-progress")
    with pipe.services.paused("kafka"):
        wait_for(scheduler, "run-kafka-away", 60)
    pipe.worker()
    assert scheduler.wait(90) == 0
    assert len([line for line in scheduler.log() if line["event"] == "run-kafka-away"]) == 1
    assert statuses(pipe) == ["started", "completed"]


def test_wait__state_topic_is_made_anew__is_said_and_no_hang(pipe):
    failing = Failing(pipe.database)
    pipe.new_group(rows=2)
    late = pipe.new_group(rows=2)
    failing.fail(late, TRIED_AGAIN)
    scheduler = pipe.start_scheduler("--run=anew", "--schedule.wait=16s")
    wait_for(scheduler, "scheduled")
    worker = pipe.worker(retry__delays="1h", retry__attempts="0")
    pipe.reader("state").wait(lambda found: {json.loads(record.value)["outcome"] for record in found} == {"exported", "retried"})
    assert worker.stop() == 0
    wait_for(scheduler, "run-progress")
    pipe.broker.delete_topics([pipe.topic["state"]])
    pipe.broker.create_topic(pipe.topic["state"], 3, cleanup_policy="compact")
    wait_for(scheduler, "run-states-lost")
    assert scheduler.wait(60) == 4
    # What was read before counts; what was not cannot be known any more.
    assert counts(records(pipe)[-1])[:5] == (2, 1, 0, 0, 1)
