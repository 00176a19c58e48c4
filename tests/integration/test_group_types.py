# SPDX-License-Identifier: Apache-2.0
"""export.file_types and export.list_types: groups of somebody else's types, with Redis and without."""
import json
import urllib.parse

import pytest
import redis

from support.checks import by_group
from support.metrics import LISTEN, Metrics, address_of, ask

TYPES = {"EXPORT_EXPORT_FILE_TYPES": "PREMIUM, gold plus", "EXPORT_EXPORT_LIST_TYPES": "BASIC"}


def exported_as(record):
    value = json.loads(record.value)
    return "list" if value["usernames"] is not None else "file" if value["filePath"] is not None else None


@pytest.mark.parametrize("cache", ["with redis", "without redis"])
def test_types_of_the_settings__become_files_and_lists__and_no_others(pipe, services, cache):
    settings = {**TYPES, **({} if cache == "with redis" else {"EXPORT_REDIS_URL": ""})}
    groups = {kind: pipe.new_group(kind, rows=5) for kind in ("PREMIUM", "gold plus", "BASIC", "COST_BASED", "premium")}
    worker = pipe.worker(environ=settings, **LISTEN)
    for _ in range(2):  # the second time Redis knows them
        for group_id in groups.values():
            pipe.send(group_id)
        pipe.settle()
    metrics = Metrics(ask(address_of(worker), "/metrics")[1])
    assert worker.stop() == 0
    results = by_group(pipe.results())
    assert {kind: [exported_as(record) for record in results.get(group_id, [])] for kind, group_id in groups.items()} == {
        "PREMIUM": ["file"] * 2, "gold plus": ["file"] * 2, "BASIC": ["list"] * 2, "COST_BASED": [], "premium": []}
    states = pipe.states()
    assert states[groups["COST_BASED"]]["reason"] == states[groups["premium"]]["reason"] == "invalid-group-type"
    lines = {line["group"]: line["type"] for line in worker.log() if line["event"] == "outcome"}
    assert lines == {group_id: kind for kind, group_id in groups.items()}
    assert metrics.value("users_export_group_duration_seconds_count", groupId=groups["gold plus"], groupType="gold plus") == 2
    with redis.Redis.from_url(services.redis_url) as client:
        cached = {kind: client.get("users-export:group:" + urllib.parse.quote(group_id, safe="-._~"))
                  for kind, group_id in groups.items()}
    known = ("PREMIUM", "gold plus", "BASIC") if cache == "with redis" else ()
    assert cached == {kind: f'{{"v":1,"type":"{kind}","active":true}}'.encode() if kind in known else None for kind in groups}


def test_doctor__groups_of_other_types__are_named_with_the_types_that_are_set(pipe):
    odd, _ = pipe.new_group("COST_BASED"), pipe.new_group("PREMIUM")
    done = pipe.ctl("doctor", "--output=json", **TYPES)
    (row,) = [row for row in json.loads(done.out) if (row["dependency"], row["check"]) == ("postgres", "groups")]
    assert row["result"] == "warn" and row["detail"] == f"1 of 2 active groups have another type: {odd}"
    assert row["mend"].startswith("set group_type to PREMIUM or gold plus or BASIC;")


def test_type_in_both_settings__is_found_by_config_check(pipe):
    done = pipe.ctl("config", "check", EXPORT_EXPORT_FILE_TYPES="PREMIUM,NON_COST_BASED")
    assert done.code == 2 and "export.list_types: NON_COST_BASED is in export.file_types too" in done.out + done.err
