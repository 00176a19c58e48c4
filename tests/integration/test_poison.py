# SPDX-License-Identifier: Apache-2.0
"""A command that kills its worker: a bounded number of times, and the commands beside it are none the worse."""
import time
import uuid

import pytest

from support import preload
from support.checks import by_group, check_file, check_list, result_of
from support.deadletters import check_dead_letter


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return preload.built("poison", tmp_path_factory.mktemp("preload"))


def poisoned(shim, marker, how="abort"):
    return {"LD_PRELOAD": str(shim), "POISON_MARKER": marker, "POISON_HOW": how}


def alone_lines(worker):
    """'It runs alone': the count of the command's starts that were committed."""
    return [line for line in worker.log() if line["event"] == "poison-suspected"]


def restart_until_settled(pipe, most, timeout=90, **options):
    """As an orchestrator would: whenever the worker dies, the next one is started. How many died; the last one still runs."""
    died = 0
    worker = pipe.worker(**options)
    deadline = time.monotonic() + timeout
    while any(pipe.broker.lag(pipe.group_id, pipe.topic["command"]).values()):
        assert time.monotonic() < deadline, f"not settled after {died} deaths"
        if not worker.running:
            died += 1
            assert died <= most, f"{died} workers died of one command"
            worker = pipe.worker(**options)
            deadline = time.monotonic() + timeout
        time.sleep(0.1)
    return died, worker


@pytest.mark.parametrize("how, crashes, partitions", [
    ("abort", 2, 3), ("segv", 1, 1), pytest.param("kill", 5, 3, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_poison__kills_its_worker_each_time__is_dead_lettered_and_others_are_exported(new_pipe, shim, how, crashes, partitions):
    pipe = new_pipe(partitions=partitions)
    files = [pipe.new_group(rows=3) for _ in range(12)]
    lists = [pipe.new_group("NON_COST_BASED", rows=3) for _ in range(6)]
    poison = f"{pipe.suffix}-poison"
    pipe.new_group(rows=3, group_id=poison)
    for group_id in files[:6] + lists[:3]:
        pipe.send(group_id)
    sent = pipe.send(poison, headers=[("traceparent", b"of the sender")])
    second_id = str(uuid.uuid4())
    behind_it = pipe.send(poison, {"groupId": poison, "commandId": second_id, "reason": "again"})  # kills as well, with a count of its own
    for group_id in files[6:] + lists[3:]:
        pipe.send(group_id)
    options = {"environ": poisoned(shim, poison, how), "export__lanes": "3"}
    if crashes != 5:
        options["retry__crashes"] = str(crashes)
    died, worker = restart_until_settled(pipe, 2 * (crashes + 1), **options)
    assert worker.stop() == 0
    # Beside the starts that are counted, one more: that of a command that nobody suspected yet.
    assert 2 * crashes <= died <= 2 * crashes + 2
    letters = by_group(pipe.dead_letters())
    assert list(letters) == [poison]
    for letter, record in zip(letters[poison], (sent, behind_it), strict=True):
        headers = check_dead_letter(letter, record, "worker-crashed")
    assert headers["export-command-id"].decode() == second_id, "the id is the value's own"
    found = by_group(pipe.results())
    assert {g: len(r) for g, r in found.items()} == {g: 1 for g in files + lists}
    for group_id in files:
        check_file(pipe, found[group_id][0], group_id)
    for group_id in lists:
        check_list(pipe, found[group_id], group_id)
    assert len(pipe.keys()) == len(files)
    states = pipe.states()
    assert (states[poison]["outcome"], states[poison]["reason"]) == ("dead-lettered", "worker-crashed")
    assert {states[g]["attempts"] for g in files + lists} == {1}

    # Mended (the library that crashed was replaced) it can be sent again, with the same id.
    letter = letters[poison][0]
    pipe.send(poison, letter.value, headers=list(letter.header_list))
    pipe.run_worker()
    check_file(pipe, result_of(pipe, poison), poison, letter.headers["export-command-id"].decode())


def test_poison__that_is_cured_in_time__is_exported_and_nobody_is_suspected_any_more(new_pipe, shim):
    pipe = new_pipe(partitions=1)
    poison, other = f"{pipe.suffix}-poison", pipe.new_group(rows=2)
    pipe.new_group(rows=2, group_id=poison)
    command_id = pipe.send_id(poison)
    for _ in range(2):
        worker = pipe.worker(environ=poisoned(shim, poison), retry__crashes="3")
        assert worker.wait(60) not in (0, 1, 2, 3)
    worker = pipe.worker(retry__crashes="3")
    pipe.settle()
    time.sleep(1)  # it is told of the partition's end a moment after the last record; before, whatever comes may have been there
    assert worker.stop() == 0
    check_file(pipe, result_of(pipe, poison), poison, command_id)
    pipe.send(other)
    worker = pipe.run_worker()
    check_file(pipe, result_of(pipe, other), other)
    assert alone_lines(worker) == [], "a command that came after the death is suspected of it"
    assert pipe.dead_letters() == []


def kill_at_gate(pipe, worker):
    """The database would not notice the worker's death before the gate opens."""
    worker.kill()
    pipe.database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                          "WHERE locktype = 'advisory' AND NOT granted AND query ILIKE %s", (f"%{pipe.database.user_view}%",))
    deadline = time.monotonic() + 20
    while pipe.database.waiting_at_gate():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_gate(pipe, worker, count=1):
    deadline = time.monotonic() + 60
    while pipe.database.waiting_at_gate() < count:
        assert worker.running, worker.text()
        assert time.monotonic() < deadline, worker.text()
        time.sleep(0.05)


def test_suspect__stopped_cleanly_while_it_runs__is_not_charged(pipe):
    """SIGTERM, and the export takes longer than shutdown.timeout: as often as one likes."""
    slow, other = pipe.new_group(rows=3), pipe.new_group(rows=3)
    pipe.database.add_users(slow, {"username": "gate"})
    command_id = pipe.send_id(slow)
    settings = {"retry__crashes": "2", "shutdown__timeout": "500ms"}
    with pipe.database.gate(slow):
        worker = pipe.worker(**settings)
        wait_gate(pipe, worker)
        kill_at_gate(pipe, worker)
        pipe.send(other)
        for _ in range(4):
            worker = pipe.worker(**settings)
            worker.wait_log(lambda line: line["event"] == "poison-suspected")
            wait_gate(pipe, worker)
            assert [line["start"] for line in alone_lines(worker)] == [1], "a clean stop was counted"
            assert worker.stop() == 0
        assert pipe.dead_letters() == []
    pipe.run_worker(**settings)
    for group_id in (slow, other):
        check_file(pipe, result_of(pipe, group_id), group_id)
    assert pipe.states()[slow]["commandId"] == command_id
    assert pipe.dead_letters() == []


def test_innocents__killed_with_their_worker_again_and_again__clear_themselves(pipe):
    """Many are under way whenever a worker is killed; none of them is the cause, and none is charged for it."""
    groups = [pipe.new_group(rows=2) for _ in range(4)]
    for group_id in groups:
        pipe.database.add_users(group_id, {"username": "gate"})
        pipe.send(group_id)
    settings = {"retry__crashes": "2", "export__lanes": "4"}
    gates = [pipe.database.gate(group_id) for group_id in groups]
    for gate in gates:
        gate.__enter__()
    try:
        worker = pipe.worker(**settings)
        wait_gate(pipe, worker, 4)
        kill_at_gate(pipe, worker)
        worker = pipe.worker(**settings)
        wait_gate(pipe, worker)
        time.sleep(1)
        assert pipe.database.waiting_at_gate() == 1, "suspects run one at a time"
        kill_at_gate(pipe, worker)
    finally:
        for gate in gates:
            gate.__exit__(None, None, None)
    pipe.run_worker(**settings)
    assert {g: len(r) for g, r in by_group(pipe.results()).items()} == {g: 1 for g in groups}
    assert pipe.dead_letters() == []
