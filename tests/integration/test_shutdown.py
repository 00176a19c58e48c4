# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and SIGINT: gentle once, at once the second time; nothing is lost or left behind."""
import os
import signal
import time

import pytest

from support import preload
from support.checks import by_group, check_file, result_of


def gated(pipe, **settings):
    """A worker that stands in the middle of an export; the caller opens the gate."""
    group_id = pipe.new_group(rows=5)
    pipe.database.add_users(group_id, {"username": "gate"})
    return group_id, pipe.send_id(group_id), lambda: wait_gate(pipe, pipe.worker(**settings))


def wait_gate(pipe, worker):
    deadline = time.monotonic() + 30
    while not pipe.database.waiting_at_gate():
        assert worker.running, worker.text()
        assert time.monotonic() < deadline, worker.text()
        time.sleep(0.05)
    return worker


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signal__idle_worker__exit_0_quickly_and_clean(pipe, how):
    group_id = pipe.new_group(rows=1)
    pipe.send(group_id)
    worker = pipe.worker()
    pipe.settle()
    started = time.monotonic()
    worker.terminate(how)
    assert worker.wait(20) == 0
    assert time.monotonic() - started < 10
    assert pipe.broker.members(pipe.group_id) == [], "it did not leave its group"
    assert os.listdir(pipe.folder / "work") == [], "a folder stayed in the work directory"


def blocked_signals(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk:"))


def test_signal__any_thread_but_the_main_one__takes_none(pipe):
    pipe.send(pipe.new_group(rows=1))
    worker = pipe.worker()
    pipe.settle()
    pid = worker.process.pid
    wanted = sum(1 << (number - 1) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    assert len(threads) > 5
    takes = [thread for thread in threads if blocked_signals(pid, thread) & wanted != wanted]
    assert takes == [pid], "a signal may interrupt a thread that does not look for it"


def test_signal__before_anything_is_ready__exit_0(pipe):
    worker = pipe.worker(startup__timeout="30s", kafka__bootstrap__servers="127.0.0.1:9")
    time.sleep(1)
    worker.terminate()
    assert worker.wait(15) == 0


def test_signal__running_export__is_finished_and_committed(pipe):
    group_id, command_id, start = gated(pipe)
    behind = pipe.new_group(rows=1)
    with pipe.database.gate(group_id):
        worker = start()
        worker.terminate()
        time.sleep(1)
        assert worker.running, "it did not wait for the running export"
        pipe.send(behind)
    assert worker.wait(30) == 0
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)
    assert behind not in by_group(pipe.results()), "new work was taken after the signal"
    pipe.run_worker()
    check_file(pipe, result_of(pipe, behind), behind)
    assert len(by_group(pipe.results())[group_id]) == 1


def test_signal__export_longer_than_shutdown_timeout__is_left_to_the_next_owner(pipe):
    group_id, command_id, start = gated(pipe, shutdown__timeout="2s")
    with pipe.database.gate(group_id):
        worker = start()
        started = time.monotonic()
        worker.terminate()
        assert worker.wait(20) == 0
        assert 1.5 < time.monotonic() - started < 12
        assert pipe.results() == [] and pipe.dead_letters() == [] and pipe.keys() == []
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)


def test_signal__second_one__ends_it_at_once(pipe):
    group_id, command_id, start = gated(pipe, shutdown__timeout="60s")
    with pipe.database.gate(group_id):
        worker = start()
        worker.terminate()
        time.sleep(1)
        started = time.monotonic()
        worker.terminate()
        worker.wait(10)
        assert time.monotonic() - started < 5
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)


def test_kill__spool_of_a_dead_worker__is_removed_by_the_next(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=150_000, prefix="p" * 80)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        worker = wait_gate(pipe, pipe.worker())
        worker.kill()
    left = os.listdir(pipe.folder / "work")
    for name in left:
        assert os.stat(pipe.folder / "work" / name).st_mode & 0o777 == 0o700
    pipe.run_worker(timeout=90)
    assert os.listdir(pipe.folder / "work") == []
    assert len({r.headers["export-command-id"] for r in pipe.results()}) == 1
    names = pipe.results()
    assert sum(r.value.count(b"pppp") > 0 for r in names) == len(names) > 5


@pytest.mark.parametrize("most", range(1, 6))  # after a thread of the check: two lanes, committer, intake, monitor
def test_start__no_more_threads__exit_1_with_the_reason(pipe, tmp_path, most):
    """A supervisor that looks at exit codes has to start it again."""
    environ = {"LD_PRELOAD": str(preload.built("threads", tmp_path)), "THREADS_MAX": str(most)}
    worker = pipe.worker(environ=environ, export__lanes="2")
    assert worker.wait(60) == 1, worker.text()
    assert [line["level"] for line in worker.log() if line["event"] == "start-failed"] == ["error"]
