# SPDX-License-Identifier: Apache-2.0
"""exportctl retry list: what waits in the retry topics, by what the workers have committed."""
import base64
import json
import time

from confluent_kafka import Consumer, TopicPartition

from support.checks import utc
from support.failing import Failing


def waiting(pipe, *arguments):
    done = pipe.ctl("retry", "list", "--output=json", *arguments)
    assert done.code == 0 and done.err == "", done
    return {row["groupId"]: row for row in json.loads(done.out)}


def wait_until(pipe, groups, timeout=60):
    deadline = time.monotonic() + timeout
    while set(found := waiting(pipe)) != set(groups):
        assert time.monotonic() < deadline, (found, groups)
        time.sleep(0.1)
    return found


def test_retry_list__two_wait_and_one_has_ended__shows_the_two(new_pipe):
    pipe = new_pipe(partitions=1)  # what has ended stands behind what waits: the committed offset alone does not tell
    failing = Failing(pipe.database)
    first, second, good = (pipe.new_group(rows=1) for _ in range(3))
    assert waiting(pipe) == {}
    for group_id in (first, second):
        failing.fail(group_id, "P0001")
    first_id = pipe.send_id(first)
    pipe.send(second)
    pipe.send(good)
    worker = pipe.worker(retry__delays="1h,1h")
    found = wait_until(pipe, {first, second})
    row = found[first]
    assert set(row) == {"groupId", "commandId", "topic", "tier", "partition", "offset", "dueAt", "attempts", "errorCode", "error"}
    assert (row["commandId"], row["topic"], row["tier"], row["attempts"]) == (first_id, f"{pipe.topic['retry']}-0", 0, 1)
    state = pipe.states()[first]
    assert (row["errorCode"], utc(row["dueAt"])) == (state["reason"], utc(state["nextAttemptAt"])) and row["error"]
    assert list(waiting(pipe, second)) == [second]
    table = pipe.ctl("retry", "list")
    assert table.code == 0 and "2 commands wait in the retry topics" in table.out and first_id in table.out, table
    assert "… and 1 more" in pipe.ctl("retry", "list", "--limit=1").out
    assert worker.stop() == 0

    # The later one has ended: the committed offset stays at the first, and its metadata has a bit for the other.
    ahead, behind = sorted((found[first], found[second]), key=lambda row: row["offset"])
    bits = 1 << (behind["offset"] - ahead["offset"])
    consumer = Consumer({"bootstrap.servers": pipe.broker.bootstrap, "group.id": pipe.group_id, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(ahead["topic"], 0, ahead["offset"],
                                            metadata="uex1;n=1;b=" + base64.b64encode(bytes([bits])).decode())],
                    asynchronous=False)
    consumer.close()
    assert list(waiting(pipe)) == [ahead["groupId"]]


def test_retry_list__wrong_usage_or_no_broker__is_one_line(pipe):
    for arguments, word in ((["--limit=x"], "--limit"), (["a\nb"], "GROUP")):
        done = pipe.ctl("retry", "list", *arguments, EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
        assert done.code == 2 and word in done.err and len(done.err.splitlines()) == 1, done
    away = pipe.ctl("retry", "list", EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9", EXPORT_STARTUP_TIMEOUT="1s")
    assert away.code == 3 and len(away.err.splitlines()) == 1, away
