# SPDX-License-Identifier: Apache-2.0
"""Objects are immutable: what a redelivered command finds, and file:/// storage."""
import json
import os
import urllib.parse
import uuid

from support.checks import by_group, check_file, check_rows, read_object, result_of
from support.csvfile import read_export
from support.objects import segment, sha256


def forget_everything(pipe):
    """The consumer group's position and the groups' states are gone; the objects are not."""
    pipe.broker.forget_group(pipe.group_id)
    pipe.broker.delete_topics([pipe.topic["state"]])
    pipe.create_topics()


def test_redelivery__object_is_there__same_facts_are_announced_and_nothing_is_written(pipe):
    small, large = pipe.new_group(rows=20), pipe.new_group(rows=30_000, bio_words=16)
    for group_id in (small, large):
        pipe.send_id(group_id, runId="r")
    pipe.run_worker(timeout=120)
    before = {group_id: result_of(pipe, group_id) for group_id in (small, large)}
    heads = {g: pipe.store.head(json.loads(r.value)["filePath"]) for g, r in before.items()}
    forget_everything(pipe)
    pipe.database.execute("DELETE FROM {s}_users WHERE username <> 'user1'")
    pipe.run_worker(timeout=120)
    after = by_group(pipe.results())
    for group_id, record in before.items():
        assert len(after[group_id]) == 2
        assert after[group_id][1].value == record.value
        assert after[group_id][1].headers == record.headers
        now = pipe.store.head(json.loads(record.value)["filePath"])
        assert (now["ETag"], now["LastModified"]) == (heads[group_id]["ETag"], heads[group_id]["LastModified"])
        assert pipe.states()[group_id]["rows"] == int(record.headers["export-row-count"])


def test_redelivery__state_says_done__is_a_duplicate(pipe):
    group_id = pipe.new_group(rows=5)
    pipe.send_id(group_id)
    pipe.run_worker()
    pipe.broker.forget_group(pipe.group_id)
    pipe.run_worker()
    assert len(pipe.results()) == 1


def test_redelivery__smallest_command_without_an_id__has_the_same_id_again(pipe):
    group_id, moved = pipe.new_group(rows=5), pipe.new_group(rows=5)
    pipe.send(group_id)
    pipe.send(moved, b"{}", partition=pipe.wrong_partition(moved))
    pipe.run_worker()
    pipe.broker.forget_group(pipe.group_id)
    pipe.run_worker()
    assert len(by_group(pipe.results())[group_id]) == 1
    assert len(by_group(pipe.results())[moved]) == 1
    assert len(pipe.keys()) == 2


def test_redelivery__group_became_inactive__the_object_is_announced(pipe):
    """An object of this very command is looked for before the group is."""
    group_id = pipe.new_group(rows=5)
    command_id = pipe.send_id(group_id)
    pipe.run_worker()
    forget_everything(pipe)
    pipe.database.execute("UPDATE {s}_groups SET active = false")
    pipe.run_worker(redis__url="")
    assert len(by_group(pipe.results())[group_id]) == 2
    assert pipe.states()[group_id]["outcome"] == "exported"
    assert pipe.states()[group_id]["commandId"] == command_id


def put_object(pipe, group_id, command_id, metadata, data=b"something else"):
    url = pipe.object_url(segment(group_id), command_id)
    pipe.store.put(url, data, metadata)
    return url, data


def conflict(pipe, metadata):
    group_id, other = pipe.new_group(rows=3), pipe.new_group(rows=3)
    command_id = str(uuid.uuid4())
    url, data = put_object(pipe, group_id, command_id, metadata)
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.send(other)
    pipe.run_worker()
    (letter,) = pipe.dead_letters()
    assert letter.key.decode() == group_id
    assert pipe.store.get(url)[0] == data, "the object was overwritten"
    assert group_id not in by_group(pipe.results())
    check_file(pipe, result_of(pipe, other), other)
    return letter.headers["export-error-code"].decode()


def test_object__of_another_command_under_the_name__is_a_conflict(pipe):
    assert conflict(pipe, {"export-command-id": str(uuid.uuid4()), "export-version": "1.0"}) == "object-conflict"


def test_object__without_metadata_under_the_name__is_a_conflict(pipe):
    assert conflict(pipe, {}) == "object-conflict"


def test_object__ours_but_no_complete_export__is_not_announced(pipe):
    group_id = pipe.new_group(rows=3)
    command_id = str(uuid.uuid4())
    metadata = {"export-command-id": command_id, "export-version": "1.0", "export-snapshot-at": "2026-11-22T00:00:00Z"}
    put_object(pipe, group_id, command_id, metadata, b"\x1f\x8b\x08 cut")
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.run_worker()
    assert pipe.results() == []
    assert len(pipe.dead_letters()) == 1


def test_upload__left_unfinished_by_an_earlier_attempt__is_aborted(pipe):
    group_id, other = pipe.new_group(rows=3), pipe.new_group(rows=3)
    command_id = str(uuid.uuid4())
    bucket, _, prefix = pipe.storage_url[len("s3://"):].partition("/")
    pipe.store.ensure_bucket(bucket)
    key = f"{prefix}/{pipe.services.domain_id}/{group_id}/{command_id}.csv.gz"
    foreign = f"{prefix}/{pipe.services.domain_id}/{other}/{uuid.uuid4()}.csv.gz"
    for name in (key, foreign):
        pipe.store.client.create_multipart_upload(Bucket=bucket, Key=name)
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)
    assert pipe.store.uploads(pipe.storage_url) == [foreign]


# -- file:/// -----------------------------------------------------------------------------------------------------------

def test_file_storage__several_names__objects_metadata_and_urls(pipe):
    folder = pipe.folder / "objects with % and ☕"
    names = ["plain", "a b/c", "100%", "%41", ".", "..", "पुणे ☕"]
    sent = {}
    for name in names:
        pipe.new_group(rows=4, group_id=name)
        sent[name] = pipe.send_id(name)
    folder.mkdir()
    pipe.run_worker(storage__url="file://" + str(folder).replace("%", "%25"))
    results = by_group(pipe.results())
    for name, command_id in sent.items():
        (record,) = results[name]
        value = json.loads(record.value)
        path = f"{folder}/{pipe.services.domain_id}/{segment(name)}/{command_id}.csv.gz"
        assert value["filePath"] == "file://" + path.replace("%", "%25")
        assert value["fileName"] == command_id + ".csv.gz"
        with open(path, "rb") as file:
            data = file.read()
        headers = record.text_headers
        assert headers["export-sha256"] == sha256(data) and headers["export-byte-count"] == str(len(data))
        check_rows(pipe, read_export(data), name)
        with open(path + ".meta.json", encoding="utf-8") as file:
            metadata = json.load(file)
        for key in ("export-version", "export-command-id", "export-snapshot-at"):
            assert metadata[key] == headers[key]
    left = [name for _, _, files in os.walk(folder) for name in files]
    assert len(left) == 2 * len(names), "temporary files stayed"


def test_file_storage__large_and_redelivered__announced_again(pipe):
    folder = pipe.folder / "objects"
    folder.mkdir()
    group_id = pipe.new_group(rows=30_000, bio_words=16)
    command_id = pipe.send_id(group_id)
    pipe.run_worker(storage__url=f"file://{folder}")
    first = result_of(pipe, group_id)
    rows, _ = read_object(pipe, json.loads(first.value)["filePath"], first.text_headers)
    check_rows(pipe, rows, group_id)
    path = urllib.parse.unquote(json.loads(first.value)["filePath"][len("file://"):])
    before = os.stat(path)
    forget_everything(pipe)
    pipe.run_worker(storage__url=f"file://{folder}")
    again = by_group(pipe.results())[group_id]
    assert len(again) == 2 and (again[1].value, again[1].headers) == (first.value, first.headers)
    assert command_id in path
    assert (os.stat(path).st_ino, os.stat(path).st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_file_storage__other_file_under_the_name__is_a_conflict(pipe):
    folder = pipe.folder / "objects"
    group_id = pipe.new_group(rows=3)
    command_id = str(uuid.uuid4())
    taken = folder / pipe.services.domain_id / group_id / f"{command_id}.csv.gz"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"mine")
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.run_worker(storage__url=f"file://{folder}")
    assert [letter.headers["export-error-code"] for letter in pipe.dead_letters()] == [b"object-conflict"]
    assert taken.read_bytes() == b"mine" and pipe.results() == []
