# SPDX-License-Identifier: Apache-2.0
"""export-scheduler: one command per active group, in one transaction, named after the night."""
import concurrent.futures
import datetime
import json
import uuid
import zoneinfo

import pytest
from confluent_kafka import Consumer, TopicPartition

from support.checks import by_group, check_file, recent_utc
from support.faketime import starting_at
from support.pipe import NAMESPACE

UNREACHABLE = "127.0.0.1:9"


def commands(pipe):
    return pipe.reader("command").drain()


def run_ids(pipe):
    return {json.loads(record.value)["runId"] for record in commands(pipe)}


def schedule_id(run_id, group_id):
    return str(uuid.uuid5(NAMESPACE, f"schedule/{run_id}/{group_id}"))


def nothing_sent(pipe):
    return not any(pipe.broker.end_offsets(pipe.topic["command"]).values())


def at(day, time):
    """faketime: the program starts at this wall clock time of Asia/Kolkata."""
    local = datetime.datetime.fromisoformat(f"{day} {time}+05:30").astimezone(datetime.timezone.utc)
    return starting_at(local)


def test_schedule__active_groups__one_command_each_in_one_transaction(pipe):
    active = [pipe.new_group(rows=1) for _ in range(4)] + [pipe.new_group("NON_COST_BASED"), pipe.new_group("LOTTERY"),
                                                          pipe.new_group(group_id=f"{pipe.suffix} ☕/%")]
    pipe.new_group(active=False)
    done = pipe.scheduler("--run", "night-7")
    assert done.code == 0, done
    assert done.log, "no summary"
    found = by_group(commands(pipe))
    assert sorted(found) == sorted(active)
    for group_id, records in found.items():
        assert len(records) == 1
        value = json.loads(records[0].value)
        assert value["groupId"] == group_id
        assert value["commandId"] == schedule_id("night-7", group_id)
        assert value["runId"] == "night-7"
        assert value["domainId"] == pipe.services.domain_id
        recent_utc(value["requestedAt"])
        assert records[0].partition == pipe.partition_of(group_id)
    # One marker per partition that was written to: it was one transaction.
    for number, end in pipe.broker.end_offsets(pipe.topic["command"]).items():
        count = sum(record.partition == number for record in commands(pipe))
        assert end == (count + 1 if count else 0)
    assert any("7" in json.dumps(line) for line in done.log[-1:]), f"the last line gives no count: {done.log[-1]}"


def test_schedule__noon_evening_and_after_midnight__each_takes_its_night(pipe):
    day = datetime.date.today() - datetime.timedelta(days=3)
    before, after = day - datetime.timedelta(days=1), day + datetime.timedelta(days=1)
    group_id = pipe.new_group(rows=3)
    runs = [(day, "12:00:00", before), (day, "23:05:00", before), (day, "23:12:00", day), (day, "23:20:00", day),
            (after, "00:10:00", day)]
    seen = []
    for when, time, night in runs:
        done = pipe.scheduler("--again", prefix=at(when, time))
        assert done.code == 0, done
        newest = max(commands(pipe), key=lambda record: record.offset)
        value = json.loads(newest.value)
        assert value["runId"] == night.isoformat(), f"started at {when} {time}"
        assert value["commandId"] == schedule_id(night.isoformat(), group_id)
        seen.append(value["commandId"])
    assert len(commands(pipe)) == len(runs)
    pipe.run_worker()
    exported = [record.headers["export-command-id"].decode() for record in pipe.results()]
    assert exported == list(dict.fromkeys(seen)), "each night is exported once"
    assert len(pipe.keys()) == 2


def test_schedule__other_time_and_zone__name_follows_the_settings(pipe):
    day = datetime.date.today() - datetime.timedelta(days=2)
    new_york = datetime.datetime(day.year, day.month, day.day, 5, 45, tzinfo=zoneinfo.ZoneInfo("America/New_York"))
    pipe.new_group()
    done = pipe.scheduler("--schedule.at=06:00", "--schedule.timezone=America/New_York",
                          prefix=starting_at(new_york.astimezone(datetime.timezone.utc)))
    assert done.code == 0, done
    # The next 06:00 is more than 10 minutes away.
    assert run_ids(pipe) == {(day - datetime.timedelta(days=1)).isoformat()}


def test_schedule__now__name_is_the_latest_night(pipe):
    pipe.new_group()
    assert pipe.scheduler().code == 0
    ahead = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=5, minutes=30 + 10)
    night = ahead.date() if (ahead.hour, ahead.minute) >= (23, 20) else ahead.date() - datetime.timedelta(days=1)
    assert run_ids(pipe) == {night.isoformat()}


def test_schedule__dry_run__prints_and_sends_nothing(pipe):
    groups = [pipe.new_group() for _ in range(3)]
    done = pipe.scheduler("--dry-run", "--run", "dry")
    assert done.code == 0, done
    assert nothing_sent(pipe)
    for group_id in groups:
        assert group_id in done.out
        assert schedule_id("dry", group_id) in done.out


def test_schedule__profile_test__refuses_with_exit_0(pipe):
    pipe.new_group()
    done = pipe.scheduler("--profile=test")
    assert done.code == 0, done
    assert nothing_sent(pipe)
    assert "test" in done.said


@pytest.mark.parametrize("domain", ["", "not-a-uuid", "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d1"])
def test_schedule__bad_domain_id__error_and_nothing_sent(pipe, domain):
    pipe.new_group()
    done = pipe.scheduler(EXPORT_EXPORT_DOMAIN_ID=domain)
    assert done.code == 2, done
    assert "export.domain_id" in done.err
    assert nothing_sent(pipe)


def test_schedule__no_active_group__says_so_and_exits_0(pipe):
    pipe.new_group(active=False)
    done = pipe.scheduler()
    assert done.code == 0, done
    assert nothing_sent(pipe)
    assert "no active group" in done.said.lower(), done


def test_schedule__same_run_twice__each_group_is_exported_once(pipe):
    groups = [pipe.new_group(rows=5) for _ in range(5)]
    for _ in range(2):
        assert pipe.scheduler("--run", "twice").code == 0
    pipe.run_worker()
    results = by_group(pipe.results())
    assert sorted(results) == sorted(groups)
    for group_id, records in results.items():
        assert len(records) == 1
        check_file(pipe, records[0], group_id, schedule_id("twice", group_id), run_id="twice")
    assert len(pipe.keys()) == len(groups)
    assert {state["outcome"] for state in pipe.states().values()} == {"exported"}


def test_schedule__two_at_the_same_time__groups_are_exported_once(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(200)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda _: pipe.scheduler("--run", "both"), range(2)))
    assert [done.code for done in ends] == [0, 0], ends
    found = by_group(commands(pipe))
    assert sorted(found) == sorted(groups)
    for number in range(3):  # whole transactions only: every group as often as every other
        assert len({len(found[g]) for g in groups}) == 1, number
    pipe.run_worker()
    assert sorted(record.key.decode() for record in pipe.results()) == sorted(groups)


def test_schedule__many_groups__all_in_one_transaction(pipe):
    pipe.database.execute("INSERT INTO {s}_groups SELECT 'many-' || n, 'COST_BASED', true FROM generate_series(1, 20000) n")
    done = pipe.scheduler(timeout=120)
    assert done.code == 0, done
    records = commands(pipe)
    assert len({record.key for record in records}) == len(records) == 20000
    ends = pipe.broker.end_offsets(pipe.topic["command"])
    assert sum(ends.values()) == 20000 + len(ends)


def commit_downstream(pipe, group, back):
    """The downstream group has read everything but `back` records."""
    consumer = Consumer({"bootstrap.servers": pipe.broker.bootstrap, "group.id": group, "enable.auto.commit": False})
    ends = pipe.broker.end_offsets(pipe.topic["result"])
    offsets = []
    for number, end in ends.items():
        offsets.append(TopicPartition(pipe.topic["result"], number, max(0, end - back)))
        back -= min(back, end)
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


def lag_gate(pipe, group, wait):
    return ["--schedule.lag_group=" + group, "--schedule.lag_max=3", "--schedule.lag_wait=" + wait, "--run=gated"]


def test_schedule__downstream_lags__waits_and_gives_up_with_exit_1(pipe):
    pipe.new_group()
    for n in range(10):
        pipe.broker.send(pipe.topic["result"], b"k", b"%d" % n)
    group = pipe.suffix + "-downstream"
    commit_downstream(pipe, group, 8)
    done = pipe.scheduler(*lag_gate(pipe, group, "2s"))
    assert done.code == 1, done
    assert nothing_sent(pipe)
    assert done.log[-1]["level"] == "error"


def test_schedule__downstream_catches_up__lets_the_scheduler_go(pipe):
    pipe.new_group()
    for n in range(10):
        pipe.broker.send(pipe.topic["result"], b"k", b"%d" % n)
    group = pipe.suffix + "-downstream"
    commit_downstream(pipe, group, 8)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(pipe.scheduler, *lag_gate(pipe, group, "60s"), timeout=90)
        with pytest.raises(concurrent.futures.TimeoutError):
            running.result(timeout=3)
        assert nothing_sent(pipe)
        commit_downstream(pipe, group, 3)
        assert running.result(timeout=60).code == 0
    assert len(commands(pipe)) == 1


@pytest.mark.parametrize("run", ["", "r" * 65, "line\nbreak"])
def test_schedule__bad_run_id__exit_2_and_nothing_sent(pipe, run):
    pipe.new_group()
    done = pipe.scheduler(f"--run={run}")
    assert done.code == 2, done
    assert nothing_sent(pipe)


def test_schedule__kafka_unreachable__exit_3(pipe):
    pipe.new_group()
    done = pipe.scheduler("--startup.timeout=3s", EXPORT_KAFKA_BOOTSTRAP_SERVERS=UNREACHABLE)
    assert done.code == 3, done


def test_schedule__database_unreachable__exit_3(pipe):
    done = pipe.scheduler("--startup.timeout=3s", EXPORT_POSTGRES_DSN=f"postgresql://x@{UNREACHABLE}/x")
    assert done.code == 3, done
    assert nothing_sent(pipe)


def test_schedule__topics_missing__says_what_creates_them(new_pipe):
    pipe = new_pipe(partitions=0)
    pipe.new_group()
    done = pipe.scheduler("--startup.timeout=5s")
    assert done.code in (1, 2, 3), done
    assert pipe.topic["command"] in done.err
    assert "exportctl topics create" in done.err


def test_schedule__bad_group_id_in_the_view__others_are_scheduled(pipe):
    good = pipe.new_group()
    pipe.new_group(group_id=pipe.suffix + "-line\nbreak")
    pipe.new_group(group_id=pipe.suffix + "x" * 300)
    done = pipe.scheduler()
    assert done.code in (0, 1), done
    assert [record.key.decode() for record in commands(pipe)] == [good]
    assert any(line["level"] in ("warn", "error") for line in done.log), "nothing is said of the bad ids"
