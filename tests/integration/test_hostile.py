# SPDX-License-Identifier: Apache-2.0
"""Surroundings that nobody asked for: odd session settings, names made of SQL, foreign records, limits met exactly."""
import json
import uuid

import pytest
from confluent_kafka import Producer

from support.checks import by_group, check_file, check_list, check_rows, result_of
from support.csvfile import COLUMNS

SESSION = ("-c datestyle=German -c intervalstyle=postgres_verbose -c standard_conforming_strings=off"
           " -c backslash_quote=on -c escape_string_warning=on -c extra_float_digits=-15 -c transform_null_equals=on"
           " -c default_transaction_isolation=read\\ committed -c timezone=Asia/Kolkata")


def test_session__settings_of_the_role_and_environment__do_not_reach_the_file(pipe):
    names = ["back\\slash", "quote'", "\\'; DROP TABLE users; --", "$$; SELECT 1", 'double"quote', "%s %n %(x)s"]
    for name in names:
        pipe.new_group(rows=5, group_id=name)
    pipe.new_group("NON_COST_BASED", rows=5, group_id="list\\'")
    for name in [*names, "list\\'"]:
        pipe.send(name)
    worker = pipe.worker(environ={"PGOPTIONS": SESSION, "PGCLIENTENCODING": "LATIN1", "PGDATESTYLE": "SQL, DMY",
                                  "PGTZ": "Asia/Kolkata", "TZ": "America/New_York", "LC_ALL": "de_DE.UTF-8"},
                         export__formula_guard="prefix")
    pipe.settle()
    assert worker.stop() == 0
    assert pipe.dead_letters() == []
    for name in names:
        rows, _ = check_file(pipe, result_of(pipe, name), name)
        check_rows(pipe, rows, name)
    check_list(pipe, [result_of(pipe, "list\\'")], "list\\'")


@pytest.mark.parametrize("masks", ["", "gender:redact,location:hash,education:null"])
def test_view__columns_of_other_text_types__are_exported_or_refused_at_start(pipe, masks):
    """varchar, char(n) and an enum where the contract has text: never a group that fails in the night."""
    pipe.database.execute(
        "DROP VIEW {s}_user; CREATE TYPE {s}_gender AS ENUM ('FEMALE', 'MALE');"
        " ALTER TABLE {s}_users ALTER location TYPE varchar(50), ALTER education TYPE char(9),"
        " ALTER gender TYPE {s}_gender USING gender::{s}_gender, ALTER preferred_min_age TYPE smallint;"
        " CREATE VIEW {s}_user AS SELECT * FROM {s}_users; GRANT SELECT ON {s}_user TO export_worker")
    group_id = pipe.new_group()
    pipe.database.add_users(group_id, {"username": "a", "gender": "MALE", "location": "x", "education": "MASTERS"})
    pipe.send(group_id)
    worker = pipe.worker(export__mask=masks, export__formula_guard="prefix", startup__timeout="3s",
                         environ={"EXPORT_EXPORT_MASK_KEY": "k" * 32})
    try:
        code = worker.wait(6)
    except Exception:  # it runs: then it has to work
        pipe.settle()
        assert worker.stop() == 0
        rows, _ = check_file(pipe, result_of(pipe, group_id), group_id)
        if not masks:
            assert rows[0][COLUMNS.index("gender")] == "MALE"
    else:
        assert code in (2, 3)
        assert pipe.database.user_view in worker.text()


def test_dsn__first_host_dead__the_second_is_used(pipe):
    host = pipe.services.worker_dsn.rsplit("@", 1)[1].split("/")[0]
    port = host.rsplit(":", 1)[1]
    dsn = pipe.services.worker_dsn.replace(host, f"127.0.0.1:9,127.0.0.1:{port}") + "?target_session_attrs=any&connect_timeout=3"
    group_id = pipe.new_group(rows=2)
    pipe.send(group_id)
    pipe.run_worker(postgres__dsn=dsn)
    check_file(pipe, result_of(pipe, group_id), group_id)


def test_views__named_with_their_schema__are_found(pipe):
    group_id = pipe.new_group(rows=2)
    pipe.send(group_id)
    pipe.run_worker(postgres__group_view="public." + pipe.database.group_view,
                    postgres__user_view="public." + pipe.database.user_view)
    check_file(pipe, result_of(pipe, group_id), group_id)


def test_storage__bucket_without_prefix__key_begins_with_the_domain(pipe):
    group_id = pipe.new_group(rows=2)
    command_id = pipe.send_id(group_id)
    bucket = pipe.storage_url.rsplit("/", 2)[0]
    pipe.run_worker(storage__url=bucket)
    value = json.loads(result_of(pipe, group_id).value)
    assert value["filePath"] == f"{bucket}/{pipe.services.domain_id}/{group_id}/{command_id}.csv.gz"
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)


@pytest.mark.parametrize(("setting", "value"), [("s3__access_key_id", "nobody"), ("s3__secret_access_key", "wrong")])
def test_storage__wrong_credentials__are_said_clearly(pipe, setting, value):
    pipe.store.ensure_bucket(pipe.storage_url[len("s3://"):].partition("/")[0])
    worker = pipe.worker(startup__timeout="3s", **{setting: value})
    assert worker.wait(25) in (2, 3)
    assert "store-authentication" in worker.text()


# -- records that others wrote ------------------------------------------------------------------------------------------

def test_state__garbage_in_the_state_topic__is_survived(pipe):
    done, fresh = pipe.new_group(rows=2), pipe.new_group(rows=2)
    command_id = pipe.send_id(done)
    pipe.run_worker()
    topic, own = pipe.topic["state"], pipe.partition_of(fresh)
    good = pipe.reader("state").drain()[0].value
    bad = [b"", b"{}", b"null", b"\x00\xff", b'{"version":2}', good[:-5], good.replace(b'"version":1', b'"version":9'),
           good.replace(b'"recent":[', b'"recent":[null,17,{},'), good.replace(command_id.encode(), b"no-uuid"),
           b'{"version":1,"groupId":"x","recent":' + b"[" * 2000, b"x" * 500_000, None]
    for number, value in enumerate(bad):
        pipe.broker.send(topic, fresh.encode(), value, partition=own)
        pipe.broker.send(topic, b"junk-%d" % number, value, partition=number % 3)
        pipe.broker.send(topic, b"\xff\x00", value, partition=number % 3)
    pipe.send(fresh)
    pipe.send(done, {"groupId": done, "commandId": command_id})
    pipe.run_worker()
    check_file(pipe, result_of(pipe, fresh), fresh)
    assert len(by_group(pipe.results())[done]) == 1, "the duplicate was not known any more"


def test_commands__of_an_aborted_transaction__are_not_there(pipe):
    aborted, committed, after = (pipe.new_group(rows=1) for _ in range(3))
    producer = Producer({"bootstrap.servers": pipe.broker.bootstrap, "transactional.id": pipe.suffix + "-foreign",
                         "partitioner": "murmur2_random", "log_level": 0})
    producer.init_transactions(20)
    for group_id, end in ((aborted, producer.abort_transaction), (committed, producer.commit_transaction),
                          (aborted, producer.abort_transaction)):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(pipe.topic["command"], key=group_id.encode(), value=b"{}")
        producer.flush(20)
        end(20)
    pipe.run_worker()  # settles only if the position moves past aborted records and markers
    assert {key: len(records) for key, records in by_group(pipe.results()).items()} == {committed: 3}
    pipe.send(after)
    pipe.run_worker()
    check_file(pipe, result_of(pipe, after), after)


def test_commands__open_transaction_of_another_producer__later_ones_wait_and_nothing_is_lost(pipe):
    first, held, behind = (pipe.new_group(rows=1) for _ in range(3))
    worker = pipe.worker()
    pipe.send(first)
    pipe.settle()
    producer = Producer({"bootstrap.servers": pipe.broker.bootstrap, "transactional.id": pipe.suffix + "-open",
                         "log_level": 0})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(pipe.topic["command"], key=held.encode(), value=b"{}", partition=pipe.partition_of(behind))
    producer.flush(20)
    pipe.send(behind)
    producer.commit_transaction(20)
    pipe.settle()
    assert worker.stop() == 0
    assert sorted(r.key.decode() for r in pipe.results()) == sorted([first, held, behind])


def test_duplicate__same_id_many_times_at_once__is_exported_once(pipe):
    groups = [pipe.new_group(rows=3) for _ in range(3)]
    for group_id in groups:
        command_id = str(uuid.uuid4())
        for number in range(12):
            wrong = {"partition": pipe.wrong_partition(group_id)} if number % 3 == 1 else {}
            pipe.send(group_id, {"groupId": group_id, "commandId": command_id}, **wrong)
    pipe.run_worker(export__lanes="4")
    assert {key: len(records) for key, records in by_group(pipe.results()).items()} == dict.fromkeys(groups, 1)
    assert len(pipe.keys()) == 3


# -- limits -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [999_000, 1_040_000, 1_048_400])
def test_command__as_large_as_the_topic_takes__goes_its_way(pipe, size):
    """Moved, exported or dead-lettered with its value: what the DLQ takes is not refused by us."""
    group_id, other = pipe.new_group(rows=1), pipe.new_group(rows=1)
    padding = b'{"padding":"' + b"p" * (size - 14) + b'"}'
    malformed = pipe.send(group_id, b"!" + padding[1:])
    pipe.send(other, padding, partition=pipe.wrong_partition(other))
    pipe.send(group_id, padding)
    last = pipe.send_id(group_id)
    pipe.run_worker(timeout=90)
    done = by_group(pipe.results())
    letters = by_group(pipe.dead_letters())
    assert [letter.value for letter in letters[group_id]] == [malformed.value], "the DLQ has another value"
    assert [r.headers["export-command-id"].decode() for r in done[group_id]][-1] == last
    assert len(done[group_id]) == 2
    assert len(done.get(other, [])) + len(letters.get(other, [])) == 1


def test_rate__producer_rate__limits_outcomes_per_second(pipe):
    groups = [pipe.new_group("NON_COST_BASED", rows=1) for _ in range(16)]
    for group_id in groups:
        pipe.send(group_id)
    pipe.run_worker(producer__rate="4", export__lanes="4")
    times = sorted(record.timestamp_ms for record in pipe.results())
    assert len(times) == 16
    assert times[-1] - times[0] >= 2500, f"16 outcomes within {times[-1] - times[0]} ms at 4 a second"


def test_rate__a_list_in_parts__is_one_outcome(pipe):
    group_id, other = pipe.new_group("NON_COST_BASED", rows=3000), pipe.new_group("NON_COST_BASED", rows=1)
    pipe.send(group_id)
    pipe.send(other)
    pipe.run_worker(timeout=30, producer__rate="2", kafka__message__max__bytes="4000")
    parts = by_group(pipe.results())[group_id]
    assert len(parts) > 10
    check_list(pipe, parts, group_id)
