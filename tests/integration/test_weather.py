# SPDX-License-Identifier: Apache-2.0
"""Dependencies that are gone for a while, and a cache that lies."""
import json
import time
import urllib.parse

import pytest
import redis

from support.checks import by_group, check_file, check_list, check_rows, result_of
from support.proxy import Proxy


def behind(url, proxy):
    """The same URL through the proxy."""
    parts = urllib.parse.urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urllib.parse.urlunsplit(parts._replace(netloc=user + at + proxy.address))


def address(url):
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def proxied(pipe, variable):
    proxy = Proxy(address(pipe.settings[variable]))
    pipe.settings[variable] = behind(pipe.settings[variable], proxy)
    return proxy


def patient():
    """Step retries that outlast a restart of a few seconds."""
    return {"retry__attempts": "6"}


# -- Redis --------------------------------------------------------------------------------------------------------------

def test_redis__not_there__exports_without_it(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(5)]
    for group_id in groups:
        pipe.send(group_id)
    pipe.run_worker(redis__url="redis://127.0.0.1:9/0")
    for group_id in groups:
        check_file(pipe, result_of(pipe, group_id), group_id)


def test_redis__wrong_password__exports_without_it(pipe):
    group_id = pipe.new_group(rows=2)
    pipe.send(group_id)
    pipe.run_worker(redis__url=f"redis://:wrong-marker-password@{address(pipe.settings['EXPORT_REDIS_URL'])}/0")
    check_file(pipe, result_of(pipe, group_id), group_id)
    assert "wrong-marker-password" not in pipe.all_logs()


def test_redis__hangs_and_dies_while_running__exports_go_on(pipe):
    proxy = proxied(pipe, "EXPORT_REDIS_URL")
    groups = [pipe.new_group(rows=2) for _ in range(12)]
    pipe.send(groups[0])
    worker = pipe.worker()
    pipe.settle()
    proxy.hang()
    started = time.monotonic()
    for group_id in groups[1:5]:
        pipe.send(group_id)
    pipe.settle()
    assert time.monotonic() - started < 20, "waits for Redis have to be short"
    proxy.down()
    for group_id in groups[5:9]:
        pipe.send(group_id)
    pipe.settle()
    proxy.up()
    for group_id in groups[9:]:
        pipe.send(group_id)
    pipe.settle()
    assert worker.stop() == 0
    assert sorted(r.key.decode() for r in pipe.results()) == sorted(groups)


def test_redis__cache_is_used__and_poisoned_values_are_not_believed(pipe):
    client = redis.Redis.from_url(pipe.services.redis_url)
    group_id, name = pipe.new_group("NON_COST_BASED", rows=2), pipe.suffix
    pipe.send(group_id)
    pipe.run_worker()
    keys = [key for key in client.scan_iter(count=1000) if name.encode() in key]
    assert len(keys) == 1, f"one cached group is expected, there are {keys}"
    assert 0 < client.ttl(keys[0]) <= 300
    good = client.get(keys[0])
    for poison in (b"", b"\x00\xff", b"{}", b"[]", b"null", good[:-1], good + b"x", b'{"type":"COST_BASED"', b"9" * 100_000,
                   good.replace(b"NON_COST_BASED", b"ANYTHING")):
        client.set(keys[0], poison)
        pipe.send(group_id)
        worker = pipe.run_worker()
    client.delete(keys[0])
    client.rpush(keys[0], b"a list, not a string")
    pipe.send(group_id)
    worker = pipe.run_worker()
    results = by_group(pipe.results())[group_id]
    assert len(results) == 12, "each command is exported, whatever the cache says"
    for record in results:
        check_list(pipe, [record], group_id)
    assert worker.process.returncode == 0


# -- the database -------------------------------------------------------------------------------------------------------

def test_database__connections_cut_between_exports__no_command_is_lost(pipe):
    proxy = proxied(pipe, "EXPORT_POSTGRES_DSN")
    groups = [pipe.new_group(rows=2) for _ in range(9)]
    worker = pipe.worker()
    for group_id in groups:
        pipe.send(group_id)
        pipe.settle()
        proxy.cut()
    assert worker.stop() == 0
    for group_id in groups:
        check_file(pipe, result_of(pipe, group_id), group_id)
    assert pipe.dead_letters() == []


@pytest.mark.parametrize("rows", [200, 60_000])
def test_database__cut_in_the_middle_of_an_export__is_done_again_and_complete(pipe, rows):
    proxy = proxied(pipe, "EXPORT_POSTGRES_DSN")
    group_id = pipe.new_group(rows=rows, bio_words=16)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        worker = pipe.worker(**patient())
        deadline = time.monotonic() + 30
        while not pipe.database.waiting_at_gate():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        proxy.cut()
        time.sleep(0.3)
    pipe.settle(90)
    assert worker.stop() == 0
    rows, _ = check_file(pipe, result_of(pipe, group_id), group_id)
    check_rows(pipe, rows, group_id)
    assert len(pipe.keys()) == 1 and pipe.store.uploads(pipe.storage_url) == []


def test_database__gone_for_two_seconds__step_retries_carry_over(pipe):
    proxy = proxied(pipe, "EXPORT_POSTGRES_DSN")
    first, second = pipe.new_group(rows=2), pipe.new_group(rows=2)
    worker = pipe.worker(**patient())
    pipe.send(first)
    pipe.settle()
    with proxy.outage():
        pipe.send(second)
        time.sleep(2)
    pipe.settle()
    assert worker.stop() == 0
    check_file(pipe, result_of(pipe, second), second)
    assert pipe.dead_letters() == []


def test_database__restarted__exports_go_on(pipe, services):
    groups = [pipe.new_group(rows=2) for _ in range(4)]
    worker = pipe.worker(**patient())
    pipe.send(groups[0])
    pipe.settle()
    services.restart("postgres")
    for group_id in groups[1:]:
        pipe.send(group_id)
    pipe.settle()
    assert worker.stop() == 0
    assert sorted(r.key.decode() for r in pipe.results()) == sorted(groups)
    assert pipe.dead_letters() == []


def test_database__query_that_stalls__is_given_up(pipe):
    group_id, other = pipe.new_group(rows=2), pipe.new_group(rows=2)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        pipe.send(other)
        worker = pipe.worker(postgres__stall_timeout="1s", retry__attempts="1", export__lanes="2")
        worker.wait_log(lambda line: "database-stalled" in json.dumps(line), 30, "the stalled query")
        pipe.reader("result").wait(lambda records: len(records) >= 1)
    worker.stop()
    check_file(pipe, result_of(pipe, other), other)


# -- the store ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("rows", [200, 60_000])
def test_store__cut_while_uploading__object_is_complete_or_absent(pipe, rows):
    proxy = proxied(pipe, "EXPORT_S3_ENDPOINT")
    group_id = pipe.new_group(rows=rows, bio_words=16)
    pipe.send(group_id)
    worker = pipe.worker(**patient())
    deadline = time.monotonic() + 60
    while worker.running and time.monotonic() < deadline:
        if proxy.accepted:
            proxy.cut()
        time.sleep(0.4)
        if proxy.accepted > 5 or not any(pipe.broker.lag(pipe.group_id, pipe.topic["command"]).values()):
            break
    pipe.settle(90)
    assert worker.stop() == 0
    rows, _ = check_file(pipe, result_of(pipe, group_id), group_id)
    check_rows(pipe, rows, group_id)
    assert pipe.store.uploads(pipe.storage_url) == []


def test_store__gone_for_two_seconds__step_retries_carry_over(pipe):
    proxy = proxied(pipe, "EXPORT_S3_ENDPOINT")
    first, second = pipe.new_group(rows=2), pipe.new_group(rows=2)
    worker = pipe.worker(**patient())
    pipe.send(first)
    pipe.settle()
    with proxy.outage():
        pipe.send(second)
        time.sleep(2)
    pipe.settle()
    assert worker.stop() == 0
    check_file(pipe, result_of(pipe, second), second)
    assert pipe.dead_letters() == []


def test_store__restarted__exports_go_on(pipe, services):
    groups = [pipe.new_group(rows=2) for _ in range(3)]
    worker = pipe.worker(**patient())
    pipe.send(groups[0])
    pipe.settle()
    services.restart("s3")
    for group_id in groups[1:]:
        pipe.send(group_id)
    pipe.settle()
    assert worker.stop() == 0
    assert sorted(r.key.decode() for r in pipe.results()) == sorted(groups)


def test_kafka__connections_cut_while_running__each_outcome_once(pipe, services):
    """The broker itself is restarted: what is cached is committed once it is back."""
    groups = [pipe.new_group("NON_COST_BASED", rows=2) for _ in range(30)]
    worker = pipe.worker()
    for group_id in groups[:15]:
        pipe.send(group_id)
    pipe.reader("result").wait(lambda records: len(records) >= 3)
    services.restart("kafka")
    for group_id in groups[15:]:
        pipe.send(group_id)
    pipe.settle(120)
    assert worker.stop() == 0
    assert sorted(r.key.decode() for r in pipe.results()) == sorted(groups)
    assert pipe.dead_letters() == []
