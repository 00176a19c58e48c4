# SPDX-License-Identifier: Apache-2.0
"""Endings that are not clean though nobody was killed."""
import datetime
import json
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.checks import by_group, check_file, result_of
from support.murmur2 import partition_of
from support.offsets import positions
from support.proxy import Proxy


def marks(pipe):
    """Positions of the command topic that say 'open'."""
    return {p: m for p, (_, m) in positions(pipe.broker.bootstrap, pipe.group_id, pipe.topic["command"]).items() if b";u=" in m}


@pytest.mark.timeout(200)
@pytest.mark.parametrize("variable", ["EXPORT_S3_ENDPOINT", "EXPORT_POSTGRES_DSN"])
def test_signal__while_a_dependency_hangs__leaves_the_group_and_its_marks_are_closed(pipe, variable):
    """The lane that probes must hear of the end; else the process is cut off: nobody owns its partitions until the session ends,
    and the next owner suspects each of its commands."""
    parts = urllib.parse.urlsplit(pipe.settings[variable])
    user, at, address = parts.netloc.rpartition("@")
    proxy = Proxy(address)
    pipe.settings[variable] = urllib.parse.urlunsplit(parts._replace(netloc=user + at + proxy.address))
    groups = [pipe.new_group(rows=2) for _ in range(4)]
    worker = pipe.worker(export__lanes="2", retry__attempts="0", postgres__stall_timeout="20s", s3__stall_timeout="20s", log__level="debug")
    pipe.send(groups[0])
    pipe.settle()
    proxy.hang()
    for group_id in groups:
        pipe.send(group_id)
    worker.wait_log(lambda line: line.get("event") == "breaker-open", 150, "the breaker")
    time.sleep(2)  # the next probe is under way
    assert worker.stop(60) == 0
    proxy.down()
    assert pipe.broker.members(pipe.group_id) == [], "it did not leave its group"
    assert marks(pipe) == {}, "an open mark after a clean end"
    assert not [line for line in worker.log() if line["event"] == "leaves-at-once"]


def test_signal__commit_interval_longer_than_the_last_commit_waits__outcome_is_committed(pipe):
    group_id = pipe.new_group(rows=3)
    worker = pipe.worker(commit__interval="30s", log__level="debug")
    command_id = pipe.send_id(group_id)
    deadline = time.monotonic() + 30
    while not pipe.keys():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    assert worker.stop(60) == 0
    assert by_group(pipe.results()), "an export that had ended before the signal was not announced"
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)
    assert marks(pipe) == {}


class _Denying(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def _all(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _all


def test_store__everything_is_denied_to_everybody__is_an_outage(pipe):
    """The bucket could be seen before: a policy was changed. No command is at fault, as with the right to a view."""
    groups = [pipe.new_group(rows=2) for _ in range(10)]
    parts = urllib.parse.urlsplit(pipe.settings["EXPORT_S3_ENDPOINT"])
    proxy = Proxy(parts.netloc)
    pipe.settings["EXPORT_S3_ENDPOINT"] = f"http://{proxy.address}"
    worker = pipe.worker(export__lanes="2", retry__delays="1s", log__level="debug")
    pipe.send(groups[0])
    pipe.settle()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Denying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    good = proxy._target
    proxy._target = ("127.0.0.1", server.server_port)
    proxy.cut()
    for group_id in groups[1:]:
        pipe.send(group_id)
    time.sleep(4)
    letters = pipe.dead_letters()
    proxy._target = good
    proxy.cut()
    server.shutdown()
    pipe.settle(60)
    assert worker.stop() == 0
    assert letters == [], "an outage dead-lettered what is not at fault"
    assert len(pipe.results()) == len(groups)


def test_restore__topics_grew_and_clocks_differ__what_was_written_with_the_other_in_its_history_counts(new_pipe):
    """The state that stands where the key belongs now was made with the older one's history in it; that the older owner's clock
    was fast does not make its record the newest."""
    pipe = new_pipe(partitions=4)
    group_id = next(name for name in (f"{pipe.suffix}-x{n}" for n in range(100))
                    if partition_of(name.encode(), 2) != partition_of(name.encode(), 4))
    pipe.new_group(rows=2, group_id=group_id)
    at = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    earlier = str(uuid.uuid4())
    entry = {"commandId": earlier, "runId": None, "outcome": "exported", "reason": None, "at": at}
    old = {"version": 1, "groupId": group_id, "outcome": "skipped", "reason": "empty", "commandId": earlier, "runId": None, "at": at,
           "attempts": 1, "recent": [{**entry, "outcome": "skipped", "reason": "empty"}], "lastExported": None}
    pipe.broker.send(pipe.topic["state"], group_id.encode(), json.dumps(old).encode(), partition=partition_of(group_id.encode(), 2))
    command_id = pipe.send_id(group_id)
    pipe.run_worker()
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})  # sent once more
    pipe.send(group_id, {"groupId": group_id, "commandId": earlier})
    # Nothing is known of the count at the last commit: all is read.
    pipe.settings["EXPORT_KAFKA_GROUP_ID"] = pipe.group_id = pipe.group_id + "-again"
    pipe.run_worker()
    assert len(by_group(pipe.results())[group_id]) == 1, "a duplicate of before was not known"


def test_restore__newest_state_behind_an_open_transaction__is_waited_for(new_pipe):
    """Rule 6: the end of a restore is the high watermark. The last stable offset stands before another producer's open transaction,
    and an outcome that was committed behind it would not be known."""
    from confluent_kafka import Producer
    pipe = new_pipe(partitions=1)
    group_id = pipe.new_group(rows=2)
    other = Producer({"log_level": 0, "bootstrap.servers": pipe.broker.bootstrap, "transactional.id": pipe.suffix + "-other",
                      "transaction.timeout.ms": 25000})
    first = pipe.worker()
    first.wait_log(lambda line: line["event"] == "state-restored")
    other.init_transactions(20)
    other.begin_transaction()
    other.produce(pipe.topic["state"], key=b"nobody", value=b"{}", partition=0)
    assert other.flush(20) == 0
    pipe.send(group_id)
    pipe.settle()
    assert first.stop() == 0
    assert len(pipe.results()) == 1
    second = pipe.worker(kafka__group__id=pipe.group_id + "-again")
    time.sleep(6)
    other.abort_transaction(20)
    second.wait_log(lambda line: line.get("outcome") == "skipped" and line.get("reason") == "duplicate"
                    or line.get("outcome") == "exported", 60)
    assert second.stop() == 0
    assert len(pipe.results()) == 1, "its outcome stood behind the open transaction and was not known"


def test_position__more_commands_than_a_position_can_tell_apart__only_its_partition_waits(new_pipe):
    """Rule 9: metadata of more than 4,096 bytes would abort for ever; whoever is ahead of its window waits, others go on."""
    from test_shutdown import wait_gate
    pipe = new_pipe(partitions=2)
    names = {pipe.partition_of(f"{pipe.suffix}-w{n}"): f"{pipe.suffix}-w{n}" for n in range(20)}
    slow, elsewhere = (pipe.new_group(rows=2, group_id=names[p]) for p in (0, 1))
    pipe.database.add_users(slow, {"username": "gate"})
    filler = next(f"{pipe.suffix}-f{n}" for n in range(100) if pipe.partition_of(f"{pipe.suffix}-f{n}") == 0)
    many = 21_000
    with pipe.database.gate(slow):
        first = pipe.send(slow)
        worker = pipe.worker(export__lanes="2", postgres__stall_timeout="10m")
        wait_gate(pipe, worker)
        pipe.broker.send_many(pipe.topic["command"], [(filler.encode(), b"no command")] * many)
        deadline, last = time.monotonic() + 120, (-1, time.monotonic())
        while time.monotonic() - last[1] < 4:
            assert time.monotonic() < deadline and worker.running
            done = sum('"event": "outcome"' in line or '"event":"outcome"' in line for line in worker.text().splitlines())
            last = (done, time.monotonic()) if done != last[0] else last
            time.sleep(0.3)
        assert 18_000 < last[0] < many, "it went beyond what its position can say"
        offset, metadata = positions(pipe.broker.bootstrap, pipe.group_id, pipe.topic["command"])[0]
        assert offset == first.offset and 3000 < len(metadata) <= 4096
        pipe.send(elsewhere)
        pipe.reader("result").wait(lambda records: len(records) >= 1, 30, "the other partition")
    pipe.settle(120)
    assert worker.stop() == 0
    assert {g: len(r) for g, r in by_group(pipe.results()).items()} == {slow: 1, elsewhere: 1}


def test_command_topic__record_with_a_retry_s_headers__holds_up_nobody(new_pipe):
    """A tier's record that somebody copied into the command topic (or that a worker with a fast clock moved there) is not due for an
    hour: the partition's other commands go on."""
    pipe = new_pipe(partitions=1)
    waiting, other = pipe.new_group(rows=2), pipe.new_group(rows=2)
    due_ms = int(time.time() * 1000) + 3600_000
    pipe.send(waiting, headers=[("retry_topic-attempts", (2).to_bytes(4, "big")),
                                ("retry_topic-original-timestamp", due_ms.to_bytes(8, "big")),
                                ("retry_topic-backoff-timestamp", due_ms.to_bytes(8, "big"))])
    pipe.send(other)
    worker = pipe.worker()
    worker.wait_log(lambda line: line["event"] == "state-restored")
    pipe.reader("result").wait(lambda records: len(records) >= 2, 30, "both: the times of tiers do not count here")
    assert worker.stop() == 0
    assert sorted(by_group(pipe.results())) == sorted([waiting, other])
