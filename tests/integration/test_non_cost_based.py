# SPDX-License-Identifier: Apache-2.0
"""Non-cost-based groups: usernames in messages."""
import json

from support.checks import by_group, check_list, common_headers, value_of


def records_of(pipe, group_id):
    return by_group(pipe.results()).get(group_id, [])


def test_list__small_group__one_message(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=120)
    pipe.database.add_users(group_id, {"username": 'quote " and \\ and \n'}, {"username": "zoë 🎈"}, {"username": ""},
                            {"username": "\u0001\u2028"})
    command_id = pipe.send_id(group_id, runId="r1")
    pipe.run_worker()
    records = records_of(pipe, group_id)
    assert len(records) == 1
    check_list(pipe, records, group_id, command_id, "r1")
    state = pipe.states()[group_id]
    assert (state["outcome"], state["rows"], state["filePath"], state["sha256"]) == ("exported", 124, None, None)
    assert pipe.keys() == []


def test_list__small_message_limit__parts_in_one_transaction(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=5000)
    pipe.broker.set_topic(pipe.topic["result"], max_message_bytes=20_000)
    command_id = pipe.send_id(group_id)
    pipe.run_worker(kafka__message__max__bytes="20000")
    records = records_of(pipe, group_id)
    assert len(records) > 2
    check_list(pipe, records, group_id, command_id)
    assert records[-1].offset - records[0].offset == len(records) - 1, "something stands between the parts"
    # Everything is in one transaction: one marker ends it all.
    end = pipe.broker.end_offsets(pipe.topic["result"])[records[0].partition]
    assert end == len(records) + 1


def test_list__many_megabytes__spooled_and_complete(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=200_000, prefix="a-long-name-so-that-the-list-becomes-big-" * 2)
    command_id = pipe.send_id(group_id)
    pipe.run_worker(timeout=120)
    records = records_of(pipe, group_id)
    assert sum(len(record.value) for record in records) > 16_000_000
    assert len(records) > 10
    check_list(pipe, records, group_id, command_id)


def test_list__longer_than_the_bound__result_refused_and_others_go_on(pipe):
    long, short = pipe.new_group("NON_COST_BASED", rows=60_000), pipe.new_group("NON_COST_BASED", rows=10)
    pipe.send(long)
    pipe.send(short)
    pipe.run_worker(commit__max_list="256KiB")
    assert records_of(pipe, long) == []
    check_list(pipe, records_of(pipe, short), short)
    assert [record.headers["export-error-code"] for record in pipe.dead_letters()] == [b"result-refused"]


def test_list__null_usernames__are_nulls_in_the_list(pipe):
    group_id, other = pipe.new_group("NON_COST_BASED"), pipe.new_group("NON_COST_BASED", rows=3)
    pipe.database.add_users(group_id, {"username": "known"}, {"username": None})
    pipe.send(group_id)
    pipe.send(other)
    pipe.run_worker()
    check_list(pipe, records_of(pipe, other), other)
    (record,) = records_of(pipe, group_id)
    assert sorted(value_of(record, group_id)["usernames"], key=str) == [None, "known"]
    assert common_headers(record)["export-row-count"] == "2"


def test_list__reexport__announces_the_rows_of_then(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=5)
    first = pipe.send_id(group_id)
    pipe.run_worker()
    pipe.database.execute("DELETE FROM {s}_users WHERE username <> 'user1'")
    second = pipe.send_id(group_id)
    pipe.run_worker()
    records = records_of(pipe, group_id)
    assert [len(json.loads(record.value)["usernames"]) for record in records] == [5, 1]
    assert [common_headers(record)["export-command-id"] for record in records] == [first, second]


def test_list__masked_usernames__are_masked_here_too(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=4)
    pipe.send(group_id)
    pipe.run_worker(export__mask="username:redact")
    assert value_of(records_of(pipe, group_id)[0], group_id)["usernames"] == ["***"] * 4
    pipe.send(group_id)
    pipe.run_worker(export__mask="username:null")
    assert value_of(records_of(pipe, group_id)[1], group_id)["usernames"] == [None] * 4


def test_list__formula_guard_reject__dead_letters_the_group(pipe):
    bad, good = pipe.new_group("NON_COST_BASED", rows=2), pipe.new_group("NON_COST_BASED", rows=2)
    pipe.database.add_users(bad, {"username": "=cmd()"})
    pipe.send(bad)
    pipe.send(good)
    pipe.run_worker(export__formula_guard="reject")
    check_list(pipe, records_of(pipe, good), good)
    assert records_of(pipe, bad) == []
    assert [record.headers["export-error-code"] for record in pipe.dead_letters()] == [b"formula-rejected"]


def test_start__longest_list_does_not_fit_the_transactions_timeout__is_warned_of(pipe):
    worker = pipe.worker(commit__max_list="32MiB", kafka__transaction__timeout__ms="2000")
    line, = worker.wait_log(lambda line: line["event"] == "list-beyond-timeout")
    assert line["level"] == "warn" and line["list_ms"] > line["timeout_ms"] == 2000
    assert worker.stop() == 0
