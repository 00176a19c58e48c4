# SPDX-License-Identifier: Apache-2.0
"""exportctl verify: what holds, what does not, and that it says so."""
import contextlib
import gzip
import json
import socket
import time
import uuid

import pytest

from support.checks import by_group
from support.terminal import Beside

CHECKS = {"announced", "parts", "object", "sha256", "bytes", "gzip", "rows", "header", "state"}
KEYS = {"groupId", "commandId", "runId", "kind", "filePath", "rows", "bytes", "sha256", "holds", "checks", "problems"}
LIST_CHECKS = {"announced", "parts", "rows", "state"}


def verify(pipe, *arguments, code=0, **settings):
    done = pipe.ctl("verify", *arguments, "--output=json", **settings)
    assert done.code == code, done
    found = json.loads(done.out)
    assert all(set(row) - {"notes"} == KEYS and set(row["checks"]) == CHECKS for row in found)
    return {row["groupId"]: row for row in found}


def failing(row):
    assert row["holds"] == (not row["problems"])
    return {name for name, holds in row["checks"].items() if holds is False}


def holding(row):
    return {name for name, holds in row["checks"].items() if holds}


def exported(pipe, rows=30, group_type="COST_BASED", **settings):
    """A group that was exported in run r1, and its result."""
    group_id = pipe.new_group(group_type, rows=rows)
    pipe.send(group_id, {"runId": "r1"})
    pipe.run_worker(**settings)
    return group_id, by_group(pipe.results())[group_id]


def replace_object(pipe, url, data):
    """Other bytes under the same name, with the same metadata."""
    bucket, _, key = url[len("s3://"):].partition("/")
    pipe.store.client.put_object(Bucket=bucket, Key=key, Body=data, Metadata=pipe.store.head(url)["Metadata"],
                                 ContentType="application/gzip")


def test_verify__what_was_exported__holds(pipe):
    files, names = pipe.new_group(rows=30), pipe.new_group("NON_COST_BASED", rows=12)
    empty = pipe.new_group()
    for group_id in (files, names, empty):
        pipe.send(group_id, {"runId": "r1"})
    pipe.run_worker()
    found = verify(pipe, files, names)
    assert holding(found[files]) == CHECKS and holding(found[names]) == LIST_CHECKS
    assert not failing(found[files]) and not failing(found[names])
    state = pipe.states()[files]
    assert {name: found[files][name] for name in ("commandId", "runId", "filePath", "rows", "bytes", "sha256")} == {
        name: state[name] for name in ("commandId", "runId", "filePath", "rows", "bytes", "sha256")}
    assert (found[files]["kind"], found[names]["kind"]) == ("file", "list")
    assert set(verify(pipe, "--run=r1")) == {files, names}
    table = pipe.ctl("verify", "--run=r1")
    assert table.code == 0 and not table.err
    assert table.out.splitlines()[-1] == "2 hold, 0 fail; 1 skipped: nothing to verify"


def test_verify__exported_with_another_layout__its_columns_are_open_and_all_else_holds(pipe):
    """The old objects of a deployment whose columns have changed are no failures."""
    group_id, (record,) = exported(pipe)
    others = {"EXPORT_EXPORT_COLUMNS": "username,bio"}
    found = verify(pipe, group_id, **others)[group_id]
    assert holding(found) == CHECKS - {"header"} and found["checks"]["header"] is None
    layout = record.headers["export-layout"].decode()
    assert len(found["notes"]) == 1 and f"another layout ({layout}) than today's (" in found["notes"][0]
    table = pipe.ctl("verify", group_id, **others)
    assert table.code == 0 and f"{group_id}: another layout ({layout})" in table.out
    assert verify(pipe, group_id)[group_id]["checks"]["header"] is True


def test_verify__without_the_database__columns_are_those_of_the_settings(pipe):
    group_id, _ = exported(pipe)
    assert holding(verify(pipe, group_id, EXPORT_POSTGRES_DSN="")[group_id]) == CHECKS
    other = verify(pipe, group_id, code=1, EXPORT_POSTGRES_DSN="", EXPORT_EXPORT_COLUMNS="username,bio")[group_id]
    assert failing(other) == {"header"} and "postgres.dsn" in other["problems"][0]
    away = pipe.ctl("verify", group_id, "--wait-for=1s", "--output=json", EXPORT_POSTGRES_DSN="host=127.0.0.1 port=1")
    assert away.code == 0 and "today's layout is not known" in away.err, away
    assert holding(json.loads(away.out)[0]) == CHECKS


def test_verify__metadata_or_state_with_another_layout__fails(pipe):
    group_id, (record,) = exported(pipe)
    url = json.loads(record.value)["filePath"]
    data, answer = pipe.store.get(url)
    bucket, _, key = url[len("s3://"):].partition("/")
    pipe.store.client.put_object(Bucket=bucket, Key=key, Body=data, ContentType="application/gzip",
                                 Metadata={**answer["Metadata"], "export-layout": "0123456789abcdef"})
    found = verify(pipe, group_id, code=1)[group_id]
    assert failing(found) == {"object"} and "0123456789abcdef" in found["problems"][0]
    pipe.store.client.put_object(Bucket=bucket, Key=key, Body=data, ContentType="application/gzip", Metadata=answer["Metadata"])
    state = pipe.states()[group_id]
    state["lastExported"]["layout"] = "0123456789abcdef"
    pipe.broker.send(pipe.topic["state"], group_id.encode(), json.dumps(state).encode())
    found = verify(pipe, group_id, code=1)[group_id]
    assert failing(found) == {"state"} and "0123456789abcdef" in found["problems"][0]


@pytest.mark.parametrize("version", ["column", "comment", "none"])
def test_verify__each_version_field__holds_whatever_the_setting_is_now(pipe, version):
    group_id, _ = exported(pipe, export__version_field=version)
    assert holding(verify(pipe, group_id)[group_id]) == CHECKS


def test_verify__object_with_other_bytes__fails_where_it_differs(pipe):
    group_id, (record,) = exported(pipe)
    url = json.loads(record.value)["filePath"]
    data, _ = pipe.store.get(url)
    text = gzip.decompress(data)
    header = text.split(b"\n", 1)[0] + b"\n"
    cases = {
        "a byte of the gzip header differs": (data[:4] + bytes([data[4] ^ 1]) + data[5:], {"sha256"}),
        "cut": (data[:-20], {"sha256", "bytes", "gzip"}),
        "a second member": (data + gzip.compress(b"x\n"), {"sha256", "bytes", "gzip"}),
        "no gzip": (b"x" * len(data), {"sha256", "gzip"}),
        "empty": (b"", {"sha256", "bytes", "gzip"}),
        "no rows": (gzip.compress(header), {"sha256", "bytes", "rows"}),
        "another header": (gzip.compress(b"username\n" + text.split(b"\n", 1)[1]), {"sha256", "bytes", "header"}),
    }
    for name, (changed, expected) in cases.items():
        replace_object(pipe, url, changed)
        assert failing(verify(pipe, group_id, code=1)[group_id]) == expected, name
    replace_object(pipe, url, data)
    assert holding(verify(pipe, group_id)[group_id]) == CHECKS
    bucket, _, key = url[len("s3://"):].partition("/")
    pipe.store.client.delete_object(Bucket=bucket, Key=key)
    gone = verify(pipe, group_id, code=1)[group_id]
    assert failing(gone) == {"object"} and len(gone["problems"]) == 1
    elsewhere = verify(pipe, group_id, "--storage.url=s3://another-bucket-of-nobody", code=1)[group_id]
    assert failing(elsewhere) == {"object"}


def put_result(pipe, group_id, command_id, usernames, part, parts, rows, run_id="r1"):
    value = {"groupId": group_id, "filePath": None, "fileName": None, "contentType": None,
             "domainId": pipe.services.domain_id, "usernames": usernames}
    headers = {"export-command-id": command_id, "export-run-id": run_id, "export-version": "1.0",
               "export-row-count": str(rows), "export-snapshot-at": "2026-11-22T17:50:00.123Z", "export-part": str(part),
               "export-part-count": str(parts)}
    pipe.broker.send(pipe.topic["result"], group_id.encode(), json.dumps(value).encode(),
                     headers=[(name, text.encode()) for name, text in headers.items()])


def put_state(pipe, group_id, command_id, rows, run_id="r1"):
    at = "2026-11-22T17:50:00.500Z"
    entry = {"commandId": command_id, "runId": run_id, "outcome": "exported", "reason": None, "at": at}
    last = {"commandId": command_id, "runId": run_id, "at": at, "filePath": None, "sha256": None, "rows": rows}
    value = {"version": 1, "groupId": group_id, "outcome": "exported", "reason": None, "commandId": command_id,
             "runId": run_id, "at": at, "rows": rows, "bytes": None, "filePath": None, "sha256": None, "snapshotAt": at,
             "durationMs": 5, "attempts": 1, "nextAttemptAt": None, "recent": [entry], "lastExported": last}
    pipe.broker.send(pipe.topic["state"], group_id.encode(), json.dumps(value).encode())


def test_verify__lists_that_are_not_complete__fail(pipe):
    cases = {  # parts as (number, of how many, names), rows in the headers, rows in the state: what fails
        "whole": ([(1, 2, 3), (2, 2, 2)], 5, 5, set()),
        "announced again": ([(1, 2, 3), (2, 2, 2), (1, 2, 4), (2, 2, 1)], 5, 5, set()),  # an old duplicate
        "a part is missing": ([(1, 2, 3)], 5, 5, {"parts", "rows"}),
        "a part is there twice": ([(1, 2, 2), (1, 2, 2), (2, 2, 1)], 5, 5, {"parts"}),
        "names are missing": ([(1, 1, 4)], 5, 5, {"rows"}),
        "the state says other": ([(1, 1, 5)], 5, 6, {"state"}),
        "never announced": ([], 5, 5, {"announced"}),
    }
    for name, (parts, rows, state_rows, _) in cases.items():
        command_id = str(uuid.uuid4())
        for number, count, names in parts:
            put_result(pipe, name, command_id, [f"user-{number}-{i}" for i in range(names)], number, count, rows)
        put_state(pipe, name, command_id, state_rows)
    found = verify(pipe, "--run=r1", code=1)
    assert {name: failing(row) for name, row in found.items()} == {name: case[3] for name, case in cases.items()}


def test_verify__nothing_exported__is_said_in_one_place(pipe):
    empty = pipe.new_group()
    pipe.send(empty, {"runId": "r1"})
    pipe.run_worker()
    found = verify(pipe, empty, "no-such-group", code=1)
    assert failing(found[empty]) == failing(found["no-such-group"]) == {"state"}
    assert "exportctl status" in found[empty]["problems"][0] and "exportctl trigger" in found["no-such-group"]["problems"][0]
    other = pipe.ctl("verify", "--run=other")
    assert other.code == 1 and len(other.err.splitlines()) == 1, other


def test_verify__bad_input_and_bad_weather__are_one_line(pipe):
    group_id, _ = exported(pipe, rows=3)
    for arguments, code, word in (([], 2, "--run"), (["a\nb"], 2, "GROUP"), ([group_id, "--output=csv"], 2, "--output"),
                                  ([group_id, "--storage.url="], 2, "storage.url"),
                                  ([group_id, "--kafka.bootstrap.servers=127.0.0.1:1", "--startup.timeout=1s"], 3, "refused"),
                                  ([group_id, "--s3.endpoint=http://127.0.0.1:1", "--retry.attempts=0", "--wait-for=1s"], 3, "store")):
        done = pipe.ctl("verify", *arguments)
        assert done.code == code and not done.out, (arguments, done)
        assert word in done.err and len(done.err.splitlines()) == 1, (arguments, done)


@contextlib.contextmanager
def silent_server():
    """Its address: connections are taken and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_verify__interrupted__stops_at_once_and_says_how_far_it_came(pipe):
    group_id, _ = exported(pipe, rows=3)
    with silent_server() as endpoint:
        verifying = Beside(pipe.settings, "verify", group_id, f"--s3.endpoint={endpoint}")
        try:
            time.sleep(2)
            assert verifying.process.poll() is None, verifying
            code, seconds = verifying.interrupt()
            assert code == 1 and seconds < 2, (code, seconds, verifying)
            assert verifying.err[0].startswith("exportctl: waiting for the object store"), verifying
            assert verifying.err[1:] == ["exportctl: stopped: 0 of 1 were verified"]
        finally:
            verifying.kill()
