# SPDX-License-Identifier: Apache-2.0
"""The Java sample reads what the worker announced, with other libraries and another parser."""
import pytest

from support.checks import by_group
from support.java import build, read_results


@pytest.fixture(scope="module", autouse=True)
def built():
    build()


@pytest.mark.timeout(600)
def test_java_reader__results_of_every_kind__are_read_and_agree_with_the_database(pipe):
    odd = "पुणे / 100% ☕"
    pipe.new_group(group_id=odd, rows=40)
    large, names, parts = (pipe.new_group(rows=30_000, bio_words=16), pipe.new_group("NON_COST_BASED", rows=30),
                           pipe.new_group("NON_COST_BASED", rows=6000))
    pipe.database.add_users(odd, {"username": 'quotes " and\nlines', "bio": "", "location": None})
    commands = {group_id: pipe.send_id(group_id, runId="night") for group_id in (odd, large, names, parts)}
    pipe.run_worker(kafka__message__max__bytes="30000", timeout=120)
    lines, done = read_results(pipe.settings)
    assert done.returncode == 0, done.stderr
    assert len(lines) == 4
    seen = {line["groupId"]: line for line in lines}
    for group_id, command_id in commands.items():
        line = seen[group_id]
        expected = pipe.database.expected(group_id)
        assert (line["commandId"], line["runId"], line["rows"]) == (command_id, "night", len(expected))
        if "usernames" in line:
            assert line["usernames"] == len(expected)
            assert line["parts"] == len(by_group(pipe.results())[group_id])
        else:
            assert line["nulls"] == sum(field is None for row in expected for field in row)
            assert line["empties"] == sum(field == "" for row in expected for field in row)
    assert seen[parts]["parts"] > 1 and seen[large]["sha256"]


@pytest.mark.timeout(600)
def test_java_reader__object_changed_behind_its_back__is_noticed(pipe):
    group_id = pipe.new_group(rows=3)
    pipe.send(group_id)
    pipe.run_worker()
    bucket = pipe.storage_url[len("s3://"):].partition("/")[0]
    (key,) = pipe.keys()
    pipe.store.client.put_object(Bucket=bucket, Key=key, Body=pipe.store.client.get_object(
        Bucket=bucket, Key=key)["Body"].read() + b" ")
    lines, done = read_results(pipe.settings)
    assert done.returncode == 1 and lines == []
    assert "not the one announced" in done.stderr
