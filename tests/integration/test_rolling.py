# SPDX-License-Identifier: Apache-2.0
"""Long exports while workers are replaced: what runs on a worker that stays goes on."""
import contextlib
import time

import pytest

from support.checks import by_group, check_file

GENERATION_S = 60


def long_groups(pipe, partitions):
    """For each partition a group whose export stops at its gate; {partition: group}"""
    found = {}
    for n in range(1000):
        group_id = f"{pipe.suffix}-long{n}"
        partition = pipe.partition_of(group_id)
        if partition not in found:
            found[partition] = group_id
            pipe.new_group(rows=3, group_id=group_id)
            pipe.database.add_users(group_id, {"username": "gate"})
        if len(found) == partitions:
            break
    return found


def copies(pipe):
    """The COPY statements that wait at a gate, as the database sees them: {(pid, start)}; a new one has another start."""
    with pipe.database.connect() as connection:
        return set(connection.execute(
            "SELECT a.pid, a.query_start FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE l.locktype = 'advisory' "
            "AND NOT l.granted AND a.query ILIKE %s", (f"%{pipe.database.user_view}%",)).fetchall())


def wait_copies(pipe, count, new=0, of=frozenset(), gone=frozenset(), timeout=GENERATION_S):
    """Until `count` are under way, `new` of them or more not in `of`, and none of `gone`."""
    deadline = time.monotonic() + timeout
    while len(found := copies(pipe)) != count or len(found - of) < new or found & gone:
        assert time.monotonic() < deadline, f"{len(found)} exports are under way, {len(found - of)} of them new, not {count}, {new}"
        time.sleep(0.1)
    return found


def taken(worker):
    """Groups in the order in which the worker began their exports."""
    return [line["group"] for line in worker.log() if line["event"] == "command-taken"]


def adopted(worker):
    return [line["group"] for line in worker.log() if line["event"] == "export-adopted"]


def assignments(worker):
    return [line["partitions"] for line in worker.log() if line["event"] == "partitions-assigned"]


def wait_assigned(worker, partitions, count=1):
    """Until the newest assignment has that many topic partitions and there were `count` of them at least."""
    deadline = time.monotonic() + GENERATION_S
    while len(found := assignments(worker)) < count or found[-1] != partitions:
        assert worker.running, worker.text()[-3000:]
        assert time.monotonic() < deadline, f"assignments: {found}"
        time.sleep(0.1)


def wait_shared(workers, counts, partitions):
    """Until each of them has had `counts` assignments, and together they hold everything."""
    deadline = time.monotonic() + GENERATION_S
    while True:
        found = [assignments(worker) for worker in workers]
        if all(len(f) >= c for f, c in zip(found, counts)) and sum(f[-1] for f in found) == partitions:
            return
        assert time.monotonic() < deadline, f"assignments: {found}"
        time.sleep(0.1)


def worker_named(pipe, name, **settings):
    # The broker makes member ids of the client id, and the range assignor sorts by them: so it is known who gets what.
    return pipe.worker(kafka__client__id=name, export__lanes="3", log__level="debug", shutdown__timeout="1s",
                       postgres__stall_timeout="10m", **settings)


def gates(pipe, groups):
    stack = contextlib.ExitStack()
    for group_id in groups:
        stack.enter_context(pipe.database.gate(group_id))
    return stack


def finish(pipe, workers, groups):
    pipe.settle(120)
    for worker in workers:
        assert worker.stop() == 0
    found = by_group(pipe.results())
    assert {g: len(r) for g, r in found.items()} == {g: 1 for g in groups}
    for group_id in groups:
        check_file(pipe, found[group_id][0], group_id)
    assert pipe.dead_letters() == []


SOURCES = 4  # the command topic and three tiers: a partition number is held in all of them


@pytest.mark.timeout(400)
def test_rolling__three_workers_in_turn__exports_of_those_that_stay_go_on(new_pipe):
    """With one partition for each worker, w1 and w2 can go and come without moving another's partition: the range
    assignor gives the free one to w1 or leaves it to w2. When w3 goes, w2's partition becomes w3's: only w1 is left alone."""
    pipe = new_pipe(partitions=3)
    groups = long_groups(pipe, 3)
    workers = {}
    for name in ("w1", "w2", "w3"):
        workers[name] = worker_named(pipe, name)
        wait_assigned(workers[name], SOURCES if name != "w1" else 3 * SOURCES)
    for name in workers:
        wait_assigned(workers[name], SOURCES)
    started = list(workers.values())
    with gates(pipe, groups.values()):
        for group_id in groups.values():
            pipe.send(group_id)
        before = wait_copies(pipe, 3)
        of = {name: taken(worker)[0] for name, worker in workers.items()}
        assert set(of.values()) == set(groups.values())
        for name, stay in (("w1", ("w2", "w3")), ("w2", ("w1", "w3")), ("w3", ("w1",))):
            counts = {other: len(taken(workers[other])) for other in stay}
            began = {other: len(assignments(workers[other])) for other in workers}
            assert workers[name].stop() == 0
            wait_shared([workers[other] for other in workers if other != name],
                        [began[other] + 1 for other in workers if other != name], 3 * SOURCES)
            # The groups of the one that went are exported by others, until it is there again.
            meanwhile = wait_copies(pipe, 3, new=3 - len(stay), of=before)
            workers[name] = worker_named(pipe, name)
            started.append(workers[name])
            for other in workers:
                wait_assigned(workers[other], SOURCES)
            after = wait_copies(pipe, 3, gone=meanwhile - before)
            assert len(before & after) >= len(stay), "an export of a worker that stayed has begun again"
            for other in stay:
                assert taken(workers[other]).count(of[other]) == 1, f"{other} began {of[other]} again"
                assert adopted(workers[other]).count(of[other]) >= 2, "adopted when one left and when one came"
                assert len(taken(workers[other])) <= counts[other] + 1
            before = after
            of = {other: next(g for p, g in groups.items() if p == number) for number, other in enumerate(sorted(workers))}
    finish(pipe, workers.values(), groups.values())


@pytest.mark.timeout(300)
def test_rolling__partition_goes_to_another__export_is_given_up_here_and_done_there(new_pipe):
    pipe = new_pipe(partitions=2)
    groups = long_groups(pipe, 2)
    first = worker_named(pipe, "w1")
    wait_assigned(first, 2 * SOURCES)
    with gates(pipe, groups.values()):
        for group_id in groups.values():
            pipe.send(group_id)
        before = wait_copies(pipe, 2)
        second = worker_named(pipe, "w2")
        wait_assigned(second, SOURCES)
        wait_assigned(first, SOURCES, 2)
        second.wait_log(lambda line: line["event"] == "command-taken")
        after = wait_copies(pipe, 2, new=1, of=before)  # the query of the first was cancelled
        assert len(before & after) == 1
        assert taken(second) == [groups[1]] and sorted(taken(first)) == sorted(groups.values())
        assert adopted(first) == [groups[0]]
    finish(pipe, (first, second), groups.values())


# -- static membership --------------------------------------------------------------------------------------------------

def static(pipe, name):
    return worker_named(pipe, name, kafka__group__instance__id=f"{pipe.suffix}-{name}", kafka__session__timeout__ms="45000")


@pytest.mark.timeout(300)
def test_static_membership__restart_within_the_session__moves_nothing(new_pipe):
    pipe = new_pipe(partitions=2)
    groups = long_groups(pipe, 2)
    first = static(pipe, "w1")
    wait_assigned(first, 2 * SOURCES)
    second = static(pipe, "w2")
    wait_assigned(second, SOURCES)
    wait_assigned(first, SOURCES, 2)
    assert sorted(m.group_instance_id for m in pipe.broker.members(pipe.group_id)) == [
        f"{pipe.suffix}-w1", f"{pipe.suffix}-w2"]
    with gates(pipe, groups.values()):
        for group_id in groups.values():
            pipe.send(group_id)
        before = wait_copies(pipe, 2)
        was = len(assignments(first))
        assert second.stop() == 0
        assert len(pipe.broker.members(pipe.group_id)) == 2, "a static member does not leave"
        second = static(pipe, "w2")
        wait_assigned(second, SOURCES)
        after = wait_copies(pipe, 2, new=1, of=before)
        assert taken(second) == [groups[1]], "the same partition as before"
        assert len(before & after) == 1 and taken(first) == [groups[0]]
        assert len(assignments(first)) == was, "the other one had a rebalance"
        # Killed and started again is no different; the server ends the query of the dead one by itself.
        second.kill()
        second = static(pipe, "w2")
        wait_assigned(second, SOURCES)
        wait_copies(pipe, 2, new=1, of=after)
        assert len(assignments(first)) == was
    finish(pipe, (first, second), groups.values())


def test_static_membership__from_the_file_that_all_share__is_refused(pipe):
    path = pipe.folder / "export.ini"
    path.write_text("[kafka]\ngroup.instance.id = one-for-all\n", encoding="ascii")
    done = pipe.ctl("config", "check", EXPORT_CONFIG=str(path))
    assert done.code == 2 and "kafka.group.instance.id" in done.said
    worker = pipe.worker(environ={"EXPORT_CONFIG": str(path)})
    assert worker.wait(20) == 2
    assert "kafka.group.instance.id" in worker.text() and "one-for-all" not in worker.text()
