# SPDX-License-Identifier: Apache-2.0
"""What the store refuses to everybody is an outage: nothing is charged. What it refuses to one object is that command's own."""
import contextlib

import pytest

from support.checks import by_group
from support.objects import Store
from support.refusing import allow, error, refusing
from test_outages import QUICK, check_all_exported, events, run_through, send_all

SIZE = (40, 5)


def is_write(method, path):
    return method in ("PUT", "POST") and path.strip("/").count("/") > 0


def all_writes(status, code=""):
    return lambda method, path, headers: error(status, code) if is_write(method, path) else None


def conditional_writes(status, code=""):
    return lambda method, path, headers: error(status, code) if headers.get("If-None-Match") else None


def single_puts(status, code=""):
    return lambda method, path, headers: error(status, code) if method == "PUT" and "uploadId=" not in path else None


def every_head(status):
    return lambda method, path, headers: error(status) if method == "HEAD" else None


def list_of_uploads(status, code=""):
    return lambda method, path, headers: error(status, code) if method == "GET" and "uploads=" in path else None


@pytest.fixture
def gate(pipe):
    """The store behind a proxy that refuses what `gate.rule` says."""
    pipe.store = Store(dict(pipe.settings))  # the test itself looks at the store directly
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"]) as server:
        pipe.settings["EXPORT_S3_ENDPOINT"] = server.url
        yield server


@contextlib.contextmanager
def ruled(gate, rule):
    gate.rule = rule
    try:
        yield
    finally:
        gate.rule = allow


@pytest.mark.parametrize("rule, said", [
    pytest.param(all_writes(403, "AccessDenied"), "HTTP 403 AccessDenied", id="writes-403"),
    pytest.param(all_writes(403), "HTTP 403", id="writes-403-without-a-code"),
    pytest.param(all_writes(307, "TemporaryRedirect"), "HTTP 307", id="writes-307"),
    pytest.param(all_writes(501, "NotImplemented"), "HTTP 501 NotImplemented", id="writes-501"),
    pytest.param(conditional_writes(501, "NotImplemented"), "HTTP 501 NotImplemented", id="conditional-writes-501"),
    pytest.param(single_puts(403, "AccessDenied"), "HTTP 403 AccessDenied", id="put-403"),
    pytest.param(single_puts(400, "InvalidArgument"), "HTTP 400 InvalidArgument", id="put-400"),
    pytest.param(single_puts(409), "HTTP 409", id="put-409"),
    pytest.param(every_head(403), "HTTP 403", id="head-403"),
])
def test_store__refuses_to_everybody__is_an_outage(pipe, gate, rule, said):
    worker = run_through(pipe, SIZE, ruled(gate, rule), "store")
    opened = events(worker, "breaker-open")
    assert {line["code"] for line in opened} == {"store-refused"}
    assert said in opened[0]["error"], opened
    assert gate.refused > 0 and pipe.store.uploads(pipe.storage_url) == []


@pytest.mark.parametrize("rule", [all_writes(403, "AccessDenied"), every_head(403)], ids=["writes", "head"])
def test_start__store_refuses__is_said_before_any_command_is_taken(pipe, gate, rule):
    group_id = pipe.new_group(rows=2)
    pipe.send(group_id)
    pipe.store.ensure_bucket(pipe.storage_url.split("/")[2])
    gate.rule = rule
    worker = pipe.worker(startup__timeout="3s")
    assert worker.wait(30) == 3
    assert {line.get("code") for line in worker.log() if line["event"] in ("dependency-wait", "start-failed")} == {"store-refused"}
    assert pipe.dead_letters() == [] and pipe.states() == {}
    gate.rule = allow
    pipe.run_worker()
    assert pipe.states()[group_id]["outcome"] == "exported"


def test_store__refuses_one_object__is_that_commands_own(pipe, gate):
    groups = [pipe.new_group(rows=2) for _ in range(12)]
    writes, reads = groups[3], groups[7]
    gate.rule = lambda method, path, _: error(403, "AccessDenied") if (
        (is_write(method, path) and f"/{writes}/" in path) or (method in ("HEAD", "GET") and f"/{reads}/" in path)) else None
    send_all(pipe, groups)
    worker = pipe.run_worker(**QUICK)
    letters = {r.key.decode(): (r.headers["export-error-code"], r.headers["export-attempts"]) for r in pipe.dead_letters()}
    assert letters == {writes: (b"store-denied", b"1"), reads: (b"store-denied", b"1")}
    assert set(by_group(pipe.results())) == set(groups) - set(letters)
    assert events(worker, "breaker-open") == []


@pytest.mark.parametrize("status, code", [(403, "AccessDenied"), (404, ""), (405, "MethodNotAllowed"), (400, "InvalidArgument"),
                                          (503, "SlowDown"), (401, ""), (404, "NoSuchBucket")])
def test_store__does_not_list_unfinished_uploads__exports_and_says_so_once(pipe, gate, status, code):
    groups = [pipe.new_group(rows=2) for _ in range(10)]
    gate.rule = list_of_uploads(status, code)
    send_all(pipe, groups)
    worker = pipe.run_worker(**QUICK)
    check_all_exported(pipe, groups)
    assert len(events(worker, "uploads-stay")) == 1
    assert f"HTTP {status}" in events(worker, "uploads-stay")[0]["error"]
    assert gate.refused >= 1
