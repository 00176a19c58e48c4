# SPDX-License-Identifier: Apache-2.0
"""exportctl forget: a tombstone for the state of a group, after a question, and never while a command of it is under way."""
import json

from support.terminal import on_terminal


def states(pipe):
    """{group id: newest value or None}"""
    return {record.key.decode(): record.value for record in pipe.reader("state").drain()}


def test_forget__group__is_a_tombstone_and_its_command_is_no_duplicate(pipe):
    group_id, other = pipe.new_group(rows=3), pipe.new_group(rows=1)
    command_id = pipe.send_id(group_id)
    pipe.send(other)
    pipe.run_worker()
    (before,) = [state for state in [pipe.states()[group_id]]]
    done = pipe.ctl("forget", group_id, "--force", "--reason=closed", "--by=asha", "--output=json")
    assert done.code == 0, done
    assert json.loads(done.out) == [{"groupId": group_id, "result": "forgotten", "lastExportedAt": before["lastExported"]["at"]}]
    (audit,) = [line for line in done.log if line["event"] == "group-forgotten"]
    assert (audit["group"], audit["by"], audit["reason"]) == (group_id, "asha", "closed")
    assert states(pipe)[group_id] is None and states(pipe)[other] is not None
    assert pipe.ctl("status", group_id).code == 1
    again = pipe.ctl("forget", group_id, "--force")
    assert again.code == 1 and "has no state" in again.err and not again.out, again
    # The log still has the old record before the tombstone; a new worker takes both, and exports the command once more.
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.run_worker()
    assert json.loads(states(pipe)[group_id])["outcome"] == "exported"
    assert [record.key.decode() for record in pipe.results()].count(group_id) == 2


def test_forget__command_waits__is_refused(pipe):
    group_id, idle = pipe.new_group(rows=1), pipe.new_group(rows=1)
    for name in (group_id, idle):
        pipe.send(name)
    pipe.run_worker()
    pipe.send(group_id)
    done = pipe.ctl("forget", group_id, idle, "--force")
    assert done.code == 1 and f"{group_id} cannot be forgotten" in done.err and not done.out, done
    assert all(value is not None for value in states(pipe).values())
    pipe.run_worker()
    assert pipe.ctl("forget", group_id, idle, "--force").code == 0
    assert states(pipe) == {group_id: None, idle: None}


def test_forget__terminal_or_none__asks_or_needs_force(pipe):
    group_id = pipe.new_group(rows=1)
    pipe.send(group_id)
    pipe.run_worker()
    done = pipe.ctl("forget", group_id, EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert done.code == 2 and "--force" in done.err and len(done.err.splitlines()) == 1, done
    assert pipe.ctl("forget").code == 2
    code, shown = on_terminal(pipe.settings, "forget", group_id, answer="n")
    assert code == 1 and "duplicates" in shown and "nothing was forgotten" in shown, shown
    assert states(pipe)[group_id] is not None
    code, shown = on_terminal(pipe.settings, "forget", group_id, answer="yes")
    assert code == 0 and states(pipe)[group_id] is None, shown
