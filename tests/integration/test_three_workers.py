# SPDX-License-Identifier: Apache-2.0
"""Three workers, 500 groups, one killed and one stopped in the middle: each command has exactly one outcome."""
import json
import uuid

import pytest

from support.checks import by_group, check_file, check_list, check_rows
from support.kafka import Reader

GROUPS = 500


def fill(pipe):
    """500 groups of both types, of 1 to 40 users; {group: rows}"""
    pipe.database.execute("""
        INSERT INTO {s}_groups SELECT '{s}-' || n, CASE n % 4 WHEN 0 THEN 'NON_COST_BASED' ELSE 'COST_BASED' END, true
            FROM generate_series(1, 500) n;
        INSERT INTO {s}_users (username, group_id, bio) SELECT 'u' || n || '-' || m, '{s}-' || n, repeat(md5(m::text), 20)
            FROM generate_series(1, 500) n, generate_series(1, 40) m WHERE m <= 1 + n % 40;
        -- Each export takes a moment, so that some are under way whenever a worker dies.
        CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_users
            WHERE CASE WHEN username LIKE '%-1' THEN pg_sleep(0.05) IS NOT NULL ELSE true END""")
    return {f"{pipe.suffix}-{n}": 1 + n % 40 for n in range(1, GROUPS + 1)}


@pytest.mark.timeout(400)
def test_three_workers__one_killed_one_stopped__each_command_has_one_outcome(new_pipe):
    pipe = new_pipe(partitions=12)
    rows = fill(pipe)
    commands = {group_id: str(uuid.uuid4()) for group_id in rows}
    workers = [pipe.worker(export__lanes="2", kafka__session__timeout__ms="6000") for _ in range(3)]
    pipe.broker.send_many(pipe.topic["command"], [
        (group_id.encode(), json.dumps({"groupId": group_id, "commandId": command_id}).encode())
        for group_id, command_id in commands.items()])
    results = pipe.reader("result")
    results.wait(lambda records: len(records) >= 60, 120, "60 results")
    workers[0].kill()
    assert len(pipe.results()) < GROUPS - 50, "it was not in the middle"
    results.wait(lambda records: len(records) >= 200, 120, "200 results")
    workers[1].terminate()
    assert len(pipe.results()) < GROUPS - 50, "it was not in the middle"
    assert workers[1].wait(60) == 0
    pipe.settle(180)
    assert workers[2].stop() == 0

    found = by_group(pipe.results())
    assert {g: len(r) for g, r in found.items() if len(r) != 1} == {}, "announced more than once"
    assert sorted(found) == sorted(rows)
    for group_id, (record,) in found.items():
        if record.headers["export-part-count"] == b"1" and json.loads(record.value)["usernames"] is not None:
            check_list(pipe, [record], group_id, commands[group_id])
        else:
            exported, _ = check_file(pipe, record, group_id, commands[group_id])
            assert len(exported) == rows[group_id]
    check_rows(pipe, check_file(pipe, found[f"{pipe.suffix}-39"][0], f"{pipe.suffix}-39")[0], f"{pipe.suffix}-39")
    states = pipe.states()
    assert {states[group_id]["commandId"] for group_id in rows} == set(commands.values())
    assert {state["outcome"] for state in states.values()} == {"exported"}
    assert pipe.dead_letters() == []
    assert len(pipe.keys()) == sum(n % 4 != 0 for n in range(1, GROUPS + 1))
    assert pipe.store.uploads(pipe.storage_url) == []


def test_workers__joining_and_leaving_while_exports_run__nothing_twice(new_pipe):
    """A rolling update: each worker is replaced while groups are exported."""
    pipe = new_pipe(partitions=6)
    groups = [pipe.new_group("NON_COST_BASED", rows=2) for _ in range(40)]
    slow = pipe.new_group(rows=3)
    pipe.database.add_users(slow, {"username": "gate"})
    with pipe.database.gate(slow):
        pipe.send(slow)
        old = [pipe.worker(export__lanes="2") for _ in range(2)]
        for group_id in groups[:20]:
            pipe.send(group_id)
        pipe.reader("result").wait(lambda records: len(records) >= 10, 60)
        new = []
        for worker in old:
            new.append(pipe.worker(export__lanes="2"))
            worker.terminate()
            pipe.reader("result").poll(1)
        for group_id in groups[20:]:
            pipe.send(group_id)
        pipe.reader("result").wait(lambda records: len(records) >= 40, 90)
    pipe.settle(120)
    for worker in old + new:
        if worker.running:
            worker.terminate()
        assert worker.wait(60) == 0
    found = by_group(pipe.results())
    assert {group_id: len(records) for group_id, records in found.items()} == {g: 1 for g in [slow, *groups]}
    check_file(pipe, found[slow][0], slow)


def test_worker__killed_between_object_and_announcement__next_one_announces_it(pipe):
    """Whatever the moment of death: an object that is there is announced once, with its own facts."""
    groups = [pipe.new_group(rows=3) for _ in range(60)]
    commands = {group_id: pipe.send_id(group_id) for group_id in groups}
    for _ in range(4):
        worker = pipe.worker(export__lanes="2", commit__interval="400ms")
        seen = len(pipe.keys())
        for _ in range(200):
            if len(pipe.keys()) > seen + 3 or not worker.running:
                break
        worker.kill()
    pipe.worker(export__lanes="2")
    pipe.settle(120)
    found = by_group(pipe.results())
    assert {g: len(r) for g, r in found.items()} == {g: 1 for g in groups}
    for group_id, command_id in commands.items():
        check_file(pipe, found[group_id][0], group_id, command_id)
    assert len(pipe.keys()) == len(groups)
    reader = Reader(pipe.broker.bootstrap, pipe.topic["dlq"])
    assert reader.drain() == []
    reader.close()
