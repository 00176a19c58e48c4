# SPDX-License-Identifier: Apache-2.0
"""What the contract says of a result, checked in one place."""
import collections
import datetime
import json
import re
import struct

from .csvfile import read_export
from .objects import read_file_url, sha256

FIELDS = {"groupId", "filePath", "fileName", "contentType", "domainId", "usernames"}
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def utc(text):
    assert _UTC.fullmatch(text), f"no RFC 3339 time in UTC: {text}"
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def recent_utc(text):
    age = datetime.datetime.now(datetime.timezone.utc) - utc(text)
    assert datetime.timedelta(seconds=-5) < age < datetime.timedelta(minutes=15), text


def int32(data):
    return struct.unpack(">i", data)[0]


def int64(data):
    return struct.unpack(">q", data)[0]


def by_group(records):
    found = collections.defaultdict(list)
    for record in records:
        found[record.key.decode()].append(record)
    return dict(found)


def result_of(pipe, group_id):
    """The group's only result."""
    found = by_group(pipe.results()).get(group_id, [])
    assert len(found) == 1, f"{len(found)} results of {group_id}"
    return found[0]


def value_of(record, group_id):
    value = json.loads(record.value)
    assert set(value) == FIELDS, f"not exactly the six fields: {sorted(value)}"
    assert value["groupId"] == group_id and record.key.decode() == group_id
    return value


def common_headers(record, command_id=None, run_id=""):
    headers = record.headers
    names = {"export-command-id", "export-run-id", "export-version", "export-layout", "export-row-count", "export-snapshot-at",
             "export-part", "export-part-count"}
    assert names <= set(headers), names - set(headers)
    headers = {name: value.decode() for name, value in headers.items()}
    if command_id:
        assert headers["export-command-id"] == command_id
    assert headers["export-run-id"] == run_id
    assert headers["export-version"] == "1.0"
    assert re.fullmatch("[0-9a-f]{16}", headers["export-layout"])
    recent_utc(headers["export-snapshot-at"])
    return headers


def sorted_rows(rows):
    return sorted(rows, key=lambda row: [(field is not None, field or "") for field in row])


def check_file(pipe, record, group_id, command_id=None, run_id="", domain_id=None, version="column"):
    """A cost-based result: message, headers, object, metadata, every row against the view. Returns (rows, headers)."""
    value = value_of(record, group_id)
    headers = common_headers(record, command_id, run_id)
    assert value["usernames"] is None
    assert value["contentType"] == "application/gzip"
    assert value["domainId"] == (domain_id or pipe.services.domain_id)
    assert value["fileName"] == value["filePath"].rsplit("/", 1)[1] == headers["export-command-id"] + ".csv.gz"
    assert (headers["export-part"], headers["export-part-count"]) == ("1", "1")
    rows, data = read_object(pipe, value["filePath"], headers, version)
    assert headers["export-sha256"] == sha256(data)
    assert int(headers["export-byte-count"]) == len(data)
    assert int(headers["export-row-count"]) == len(rows)
    return rows, headers


def read_object(pipe, url, headers, version="column"):
    if url.startswith("s3://"):
        data, answer = pipe.store.get(url)
        assert answer["ContentType"] == "application/gzip"
        assert not answer.get("ContentEncoding")
        metadata = answer["Metadata"]
        for name in ("export-version", "export-layout", "export-command-id", "export-snapshot-at"):
            assert metadata[name] == headers[name], name
        for name in ("export-row-count", "export-sha256"):
            assert metadata.get(name, headers[name]) == headers[name], name
    else:
        data = read_file_url(url)
    return read_export(data, version), data


def check_rows(pipe, rows, group_id):
    expected = pipe.database.expected(group_id)
    assert len(rows) == len(expected)
    assert sorted_rows(rows) == sorted_rows(expected)


def check_list(pipe, records, group_id, command_id=None, run_id=""):
    """A non-cost-based result: all its parts. Returns the usernames."""
    names, seen = [], []
    headers = {}
    for record in records:
        value = value_of(record, group_id)
        headers = common_headers(record, command_id, run_id)
        assert value["filePath"] is value["fileName"] is value["contentType"] is None
        assert value["domainId"] == pipe.services.domain_id
        assert not {"export-sha256", "export-byte-count"} & set(headers)
        assert int(headers["export-part-count"]) == len(records)
        seen.append(int(headers["export-part"]))
        assert value["usernames"], "an empty part"
        names += value["usernames"]
    assert seen == list(range(1, len(records) + 1)), f"parts out of order: {seen}"
    assert len({record.partition for record in records}) == 1
    assert int(headers["export-row-count"]) == len(names)
    assert sorted(names) == sorted(row[0] for row in pipe.database.expected(group_id))
    return names


def check_each_record_once(workers):
    """The audit has one outcome for each record. {(topic, partition, offset): the lines of the workers' audit for it}"""
    places = {}
    for line in (line for worker in workers for line in worker.log() if line.get("outcome")):
        places.setdefault((line["topic"], line["partition"], line["offset"]), []).append(line)
    twice = {place: said for place, said in places.items() if len(said) > 1}
    assert twice == {}
    return places
