# SPDX-License-Identifier: Apache-2.0
"""Checksums, tags, storage class and ACL of objects, as a real store checks and keeps them."""
import base64
import hashlib
import json
import struct
import zlib

import botocore.exceptions
import pytest

from support.checks import check_file, result_of
from support.objects import Store
from support.refusing import refusing
from test_ctl_doctor import doctor, not_well, ready

PART_BYTES = 8 << 20
DEMAND = (b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object "
          b"requests with Object Lock parameters</Message></Error>")
KEPT = {"crc32": ("ChecksumCRC32", lambda data: struct.pack(">I", zlib.crc32(data))),
        "sha256": ("ChecksumSHA256", lambda data: hashlib.sha256(data).digest())}


def text(digest):
    return base64.b64encode(digest).decode()


def export(pipe, rows, **settings):
    """Export one group; its bytes and what HEAD says of the object with its checksum."""
    group_id = pipe.new_group(rows=rows, bio_words=16)
    command_id = pipe.send_id(group_id)
    pipe.run_worker(timeout=120, **settings)
    record = result_of(pipe, group_id)
    check_file(pipe, record, group_id, command_id)
    url = json.loads(record.value)["filePath"]
    bucket, _, key = url[len("s3://"):].partition("/")
    return pipe.store.get(url)[0], pipe.store.client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")


def test_store__checksum_that_is_wrong__is_refused_by_this_server(pipe):
    """So the tests below mean something."""
    bucket = pipe.storage_url.split("/")[2]
    pipe.store.ensure_bucket(bucket)
    for wrong in ({"ChecksumCRC32": text(b"\0\0\0\1")}, {"ChecksumSHA256": text(b"\0" * 32)}, {"ContentMD5": text(b"\0" * 16)}):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            pipe.store.client.put_object(Bucket=bucket, Key="wrong", Body=b"x", **wrong)
        assert refused.value.response["Error"]["Code"] == "BadDigest", wrong


@pytest.mark.parametrize("checksum", ["crc32", "sha256"])
def test_checksum__object_in_one_put__is_kept_beside_it(pipe, checksum):
    data, head = export(pipe, 100, s3__checksum=checksum)
    name, digest_of = KEPT[checksum]
    assert head[name] == text(digest_of(data))


@pytest.mark.parametrize("checksum", ["crc32", "sha256"])
def test_checksum__object_in_parts__is_that_of_the_parts_checksums(pipe, checksum):
    data, head = export(pipe, 50_000, s3__checksum=checksum)
    name, digest_of = KEPT[checksum]
    parts = [data[at:at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]
    assert len(parts) > 1
    assert head[name] == f"{text(digest_of(b''.join(digest_of(part) for part in parts)))}-{len(parts)}"
    assert head["ChecksumType"] == "COMPOSITE"
    assert pipe.store.uploads(pipe.storage_url) == []


@pytest.mark.parametrize("rows", [100, 50_000], ids=["put", "parts"])
def test_checksum__md5__is_checked_and_not_kept(pipe, rows):
    _, head = export(pipe, rows, s3__checksum="md5")
    assert "ChecksumSHA256" not in head and "ChecksumCRC32" not in head


@pytest.fixture
def locked(pipe):
    """The store behind a proxy that demands a checksum, as AWS does of a bucket with Object Lock."""
    def rule(method, path, headers):
        named = any(name.lower() == "content-md5" or name.lower() in ("x-amz-checksum-crc32", "x-amz-checksum-sha256")
                    for name in headers)
        is_object = path.split("?")[0].strip("/").count("/") > 0
        return (400, DEMAND) if method == "PUT" and is_object and not named else None

    pipe.store = Store(dict(pipe.settings))
    ready(pipe)
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"], rule) as server:
        pipe.settings["EXPORT_S3_ENDPOINT"] = server.url
        yield server


@pytest.mark.parametrize("checksum", ["crc32", "sha256", "md5"])
def test_object_lock__with_a_checksum__exports_and_doctor_pass(pipe, locked, checksum):
    found = doctor(pipe, EXPORT_S3_CHECKSUM=checksum)[1]
    assert not [key for key in not_well(found) if key[0] == "store"], not_well(found)
    assert ("store", "create-only") in found
    export(pipe, 50_000, s3__checksum=checksum)
    assert locked.refused == 0


def test_object_lock__without_a_checksum__doctor_names_the_setting(pipe, locked):
    code, found = doctor(pipe)
    assert code == 1
    said = [row["detail"] for rows in found.values() for row in rows if row["result"] == "fail"]
    assert said and all("s3.checksum" in detail for detail in said), said


def test_object_lock__without_a_checksum__worker_does_not_start_and_says_why(pipe, locked):
    group_id = pipe.new_group(rows=2)
    pipe.send(group_id)
    worker = pipe.worker(startup__timeout="3s")
    assert worker.wait(30) == 3
    waits = [line for line in worker.log() if line["event"] in ("dependency-wait", "start-failed")]
    assert waits and all(line["code"] == "store-refused" for line in waits)
    assert any("set s3.checksum" in line["error"] for line in waits if "error" in line), waits
    assert pipe.dead_letters() == []
    pipe.run_worker(s3__checksum="sha256")
    assert pipe.states()[group_id]["outcome"] == "exported"


@pytest.mark.parametrize("rows", [100, 50_000], ids=["put", "parts"])
def test_tagging__is_on_the_object(pipe, rows):
    group_id = pipe.new_group(rows=rows, bio_words=16)
    pipe.send(group_id)
    pipe.run_worker(timeout=120, s3__tagging="team=matching&cost%20centre=47%2F11")
    bucket, _, key = json.loads(result_of(pipe, group_id).value)["filePath"][len("s3://"):].partition("/")
    tags = pipe.store.client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "matching", "cost centre": "47/11"}


def test_storage_class_and_acl__are_sent_with_what_creates_the_object(pipe):
    """This server keeps neither, so the requests are looked at, and the two headers are signed like all others."""
    asked = []

    def rule(method, path, headers):
        asked.append((method, path, headers.get("x-amz-storage-class"), headers.get("x-amz-acl")))

    ready(pipe)
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"], rule) as server:
        pipe.settings["EXPORT_S3_ENDPOINT"] = server.url
        export(pipe, 50_000, s3__storage_class="STANDARD_IA", s3__acl="private")
        export(pipe, 10, s3__storage_class="STANDARD_IA", s3__acl="private")
    for method, path, storage_class, acl in asked:
        creates = (method == "PUT" and "?" not in path) or (method == "POST" and "uploads=" in path)
        assert (storage_class, acl) == (("STANDARD_IA", "private") if creates else (None, None)), (method, path)
    assert {method for method, _, storage_class, _ in asked if storage_class} == {"PUT", "POST"}
