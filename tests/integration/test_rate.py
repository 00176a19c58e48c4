# SPDX-License-Identifier: Apache-2.0
"""producer.rate: what others see of it in any ten seconds, and that a worker that may not commit does not take."""
import json
import time

import pytest

from support.checks import by_group
from support.metrics import LISTEN, address_of, scrape

WINDOW_MS = 10_000
QUEUE_MOST = 2000   # commands that a worker reads ahead


def fill(pipe, count):
    pipe.database.execute("""
        INSERT INTO {s}_groups SELECT '{s}-' || n, 'NON_COST_BASED', true FROM generate_series(1, %s) n""", (count,))
    pipe.database.execute("""
        INSERT INTO {s}_users (username, group_id) SELECT 'u' || n, '{s}-' || n FROM generate_series(1, %s) n""", (count,))
    return [f"{pipe.suffix}-{n}" for n in range(1, count + 1)]


def send_all(pipe, groups):
    pipe.broker.send_many(pipe.topic["command"], [(g.encode(), json.dumps({"groupId": g}).encode()) for g in groups])


def most_in_a_window(records):
    """Outcomes in the fullest ten seconds, by the records' timestamps; a list in parts is one."""
    times = sorted(r.timestamp_ms for r in records if r.headers["export-part"] == b"1")
    most, begin = 0, 0
    for end, at in enumerate(times):
        while times[begin] <= at - WINDOW_MS:
            begin += 1
        most = max(most, end - begin + 1)
    return most


@pytest.mark.parametrize("rate, count", [
    (20, 400), pytest.param(50, 2500, marks=[pytest.mark.slow, pytest.mark.timeout(400)])])
def test_rate__any_ten_seconds__no_more_than_allowed_and_intake_pauses(pipe, rate, count):
    groups = fill(pipe, count)
    worker = pipe.worker(**LISTEN, producer__rate=str(rate), export__lanes="4", log__level="debug")
    address = address_of(worker)
    worker.wait_log(lambda line: line["event"] == "state-restored")
    time.sleep(3)  # however long it had nothing to do, that gives no more than a second's worth
    send_all(pipe, groups)
    samples = []
    while any(pipe.broker.lag(pipe.group_id, pipe.topic["command"]).values()):
        now = scrape(address)
        samples.append({name: now.value(f"users_export_{name}") for name in ("uncommitted", "queued", "in_flight")})
        samples[-1]["taken"] = sum(line["event"] == "command-taken" for line in worker.log())
        samples[-1]["seen"] = len(pipe.reader("result").records)
        pipe.reader("result").poll(0.2)
    assert worker.stop() == 0
    records = pipe.results()
    assert {g: len(r) for g, r in by_group(records).items()} == {g: 1 for g in groups}
    assert most_in_a_window(records) <= WINDOW_MS // 1000 * rate * 1.1
    duration_s = (max(r.timestamp_ms for r in records) - min(r.timestamp_ms for r in records)) / 1000
    assert duration_s >= count / rate - 2
    # Exports are not made in advance: the lanes wait as soon as a second's worth of outcomes does. As much again can be in
    # the transaction that is under way, which takes long on a busy machine.
    assert max(sample["uncommitted"] for sample in samples) <= 2 * rate + 4
    assert max(sample["in_flight"] for sample in samples) <= 4
    assert max(sample["uncommitted"] for sample in samples) >= rate / 2, "it was the exports that were slow"


def test_rate__more_commands_than_the_queue_holds__consumer_waits_and_memory_stays(new_pipe):
    """What is not taken stays in Kafka: neither memory nor the queue grow with the number of commands."""
    pipe = new_pipe(partitions=2)
    groups = fill(pipe, 50)
    worker = pipe.worker(**LISTEN, producer__rate="5")
    address = address_of(worker)
    worker.wait_log(lambda line: line["event"] == "state-restored")
    send_all(pipe, groups)
    pipe.reader("result").wait(lambda records: len(records) >= 10)
    before_kib = worker.memory_peak_kib()
    # The text is not read by anyone and has to be kept all the same.
    filler = "x" * 2000
    pipe.broker.send_many(pipe.topic["command"], [
        (groups[n % 50].encode(), json.dumps({"groupId": groups[n % 50], "filler": filler}).encode()) for n in range(30_000)])
    queued, steady = [], time.monotonic() + 8
    while time.monotonic() < steady:
        queued.append(scrape(address).value("users_export_queued"))
        time.sleep(0.5)
    after_kib = worker.memory_peak_kib()
    assert QUEUE_MOST / 2 < max(queued) <= QUEUE_MOST
    # 60 MB of commands wait in the broker; a client library's own fetch buffers are not the queue.
    assert after_kib - before_kib < 48 * 1024
    lag = sum(pipe.broker.lag(pipe.group_id, pipe.topic["command"]).values())
    assert lag > 29_000
    assert worker.stop() == 0


def test_rate__list_in_parts__is_one_outcome(pipe):
    large = pipe.new_group("NON_COST_BASED", rows=60_000, prefix="p" * 80)
    pipe.send(large)
    pipe.run_worker(producer__rate="1", timeout=60)
    parts = pipe.results()
    assert len(parts) > 3
    assert max(r.timestamp_ms for r in parts) - min(r.timestamp_ms for r in parts) < 1000 * len(parts)
    assert most_in_a_window(parts) == 1
