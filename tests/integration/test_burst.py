# SPDX-License-Identifier: Apache-2.0
"""Rebalances in the middle of a burst: what a revoke commits, the next owner knows. A duplicate would hide work that was done
twice, so the workers' audit is counted by the place of each record."""
import collections
import time

import pytest

from support.checks import check_each_record_once


@pytest.mark.timeout(240)
def test_burst__workers_come_and_go_in_it__each_record_has_one_outcome(new_pipe):
    pipe = new_pipe(partitions=4)
    groups = pipe.new_small_groups(120)
    workers = [pipe.worker(export__lanes="4")]
    sent = 0
    for round_number in range(8):
        for number, group_id in enumerate(groups):
            if number % 3 == 0:
                pipe.send(group_id, partition=pipe.wrong_partition(group_id) if number % 2 else None)
            else:
                pipe.send_id(group_id)
            sent += 1
            if number == 12 * round_number:
                if round_number % 2 == 0:
                    workers.append(pipe.worker(export__lanes="4"))
                else:
                    workers[-2].terminate()
            time.sleep(0.002)
    pipe.settle(120)
    pipe.end_workers()
    places = check_each_record_once(workers)
    counts = collections.Counter(said[0]["outcome"] for said in places.values())
    assert counts["exported"] == sent and counts["skipped"] == 0, counts
    assert len({(r.headers["export-command-id"], r.headers["export-part"]) for r in pipe.results()}) == len(pipe.results()) == sent
