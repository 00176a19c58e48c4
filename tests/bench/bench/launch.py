# SPDX-License-Identifier: Apache-2.0
"""launch.py REPORT COMMAND…: runs it and writes what it took. A process of its own, because a child's peak of memory
begins with that of the process that forked it."""
import json
import os
import sys
import time

start = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
took = {"seconds": time.monotonic() - start, "user_s": usage.ru_utime, "system_s": usage.ru_stime, "peak_rss_kib": usage.ru_maxrss}
with open(sys.argv[1], "w", encoding="ascii") as report:
    json.dump(took, report)
sys.exit(min(255, abs(os.waitstatus_to_exitcode(status))))
