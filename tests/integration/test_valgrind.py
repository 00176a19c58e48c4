# SPDX-License-Identifier: Apache-2.0
"""No leak in a worker that did 100 commands and shut down."""
import re

import pytest

# Whatever librdkafka, libcurl or OpenSSL keep for the life of the process is reachable, not lost.
VALGRIND = ("valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--num-callers=30", "--child-silent-after-fork=yes")


@pytest.mark.timeout(400)
def test_valgrind__a_hundred_commands_and_shutdown__nothing_is_lost(pipe):
    groups = [pipe.new_group("COST_BASED" if n % 3 else "NON_COST_BASED", rows=n % 5) for n in range(1, 51)]
    for group_id in groups:
        pipe.send(group_id)
        pipe.send(group_id)
    pipe.send(groups[0], b"malformed")
    pipe.send(groups[1], partition=pipe.wrong_partition(groups[1]))
    report = pipe.folder / "valgrind.txt"
    # Under valgrind a worker is slow: the group must not take it for dead.
    worker = pipe.worker(prefix=(*VALGRIND, f"--log-file={report}"), kafka__session__timeout__ms="45000",
                         startup__timeout="120s", shutdown__timeout="60s")
    pipe.settle(300)
    assert worker.stop(120) == 0
    text = report.read_text(encoding="utf-8", errors="replace")
    summary = re.search(r"ERROR SUMMARY: (\d+) errors", text)
    assert summary and summary.group(1) == "0", text[-6000:]
    assert len(pipe.results()) == 2 * sum(n % 5 > 0 for n in range(1, 51)) + 1
