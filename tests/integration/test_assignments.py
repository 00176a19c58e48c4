# SPDX-License-Identifier: Apache-2.0
"""An assignment that is looked at when the group has moved on. On new metadata the client joins again without waiting for the
worker's answer, so it may speak for a generation in which these partitions are somebody else's."""
import collections
import threading
import time

import pytest

from support import preload
from support.checks import by_group, check_each_record_once


@pytest.fixture(scope="session")
def late(tmp_path_factory):
    return preload.built("late", tmp_path_factory.mktemp("preload"))


class Load(threading.Thread):
    def __init__(self, pipe, groups):
        super().__init__(daemon=True)
        self.pipe, self.groups, self.count, self.stop, self.failure = pipe, groups, 0, threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.stop.wait(0.01):
                self.pipe.send_id(self.groups[self.count % len(self.groups)])
                self.count += 1
        except Exception as error:  # shown by the test
            self.failure = error


@pytest.mark.timeout(300)
def test_assignment__out_of_date_when_it_is_looked_at__nothing_is_committed_under_it(new_pipe, late, tmp_path):
    pipe = new_pipe(partitions=4)
    groups = pipe.new_small_groups(160)
    slow = tmp_path / "be-late"
    options = {"export__lanes": "4", "kafka__topic__metadata__refresh__interval__ms": "300"}
    environ = {"LD_PRELOAD": str(late), "LATE_WHILE": str(slow)}
    workers = [pipe.worker(environ=environ, **options) for _ in range(2)]
    load = Load(pipe, groups)
    time.sleep(3)
    slow.touch()
    for count in range(5, 15):
        if count % 2:
            workers.append(pipe.worker(environ=environ, **options))
        else:
            workers[-1].terminate()
        done = pipe.ctl("topics", "grow", f"--partitions={count}")
        assert done.code == 0, done
        time.sleep(0.7)
    time.sleep(5)
    slow.unlink()
    time.sleep(2)
    load.stop.set()
    load.join(30)
    assert load.failure is None, load.failure
    pipe.settle(120)
    pipe.end_workers()
    check_each_record_once(workers)
    # Of one generation a worker has one assignment.
    believed = collections.defaultdict(set)
    for number, worker in enumerate(workers):
        for line in worker.log():
            if line["event"] == "partitions-assigned":
                believed[number, line["generation"]].add(line["numbers"])
    assert {key: lists for key, lists in believed.items() if len(lists) > 1} == {}
    assert any(line["event"] == "assignment-outdated" for worker in workers for line in worker.log()), "no assignment came late"


def test_librdkafka__writes_group_metadata_in_another_layout__is_said_at_start(new_pipe, tmp_path):
    """Then nobody checks whether an assignment still speaks for a member; tests/compat fails with such a version."""
    pipe = new_pipe(partitions=1)
    group_id = pipe.new_group(rows=1)
    pipe.send(group_id)
    worker = pipe.worker(environ={"LD_PRELOAD": str(preload.built("metadata", tmp_path))})
    pipe.settle(60)
    assert worker.stop() == 0
    assert [line["level"] for line in worker.log() if line.get("event") == "group-metadata-unknown"] == ["warn"]
    assert sorted(by_group(pipe.results())) == [group_id]
