# SPDX-License-Identifier: Apache-2.0
"""One gzip member, however it was made: by one thread, by several, by several readers. Read as gzip, Java, Go and Python do."""
import hashlib
import json
import os
import subprocess
import zlib
from pathlib import Path

import pytest

from support.checks import by_group

READERS = Path(__file__).resolve().parent / "readers"
ROWS = 120_000
ONE_CPU = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
# Command prefix, and settings.
WAYS = {"by one thread": (ONE_CPU, {}), "by several": ((), {}), "by one reader for want of a key": ((), {"export__readers": "3"}),
        "by several readers": ((), {"export__readers": "3", "export__key_column": "username"})}


def said_of(text):
    return f"{len(text)} {hashlib.sha256(text).hexdigest()}"


def by_python(paths):
    said = []
    for path in paths:
        member = zlib.decompressobj(wbits=31)
        text = member.decompress(path.read_bytes()) + member.flush()
        assert member.eof and member.unused_data == b"", "not one member"
        said.append(said_of(text))
    return said


def by_gzip(paths):
    subprocess.run(["gzip", "-t", *paths], check=True)
    return [said_of(subprocess.run(["gzip", "-dc", path], check=True, capture_output=True).stdout) for path in paths]


def lines_of(command, folder):
    done = subprocess.run(command, env={"PATH": os.environ["PATH"], "HOME": str(folder), "GOCACHE": str(folder / "go"),
                                        "GO111MODULE": "off", "GOTOOLCHAIN": "local"},
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def export(pipe, group_id, prefix, settings):
    """The object of one more command."""
    command_id = pipe.send_id(group_id)
    worker = pipe.worker(prefix=prefix, **settings)
    pipe.settle(120)
    assert worker.stop() == 0
    alone = [line for line in worker.log() if line["event"] == "one-reader"]
    assert len(alone) == ("export__readers" in settings and "export__key_column" not in settings), alone
    record = by_group(pipe.results())[group_id][-1]
    assert record.headers["export-command-id"].decode() == command_id
    assert int(record.headers["export-row-count"]) == ROWS
    data = pipe.store.get(json.loads(record.value)["filePath"])[0]
    assert hashlib.sha256(data).hexdigest() == record.headers["export-sha256"].decode()
    return data


@pytest.mark.timeout(600)
def test_object__made_each_way__is_read_by_gzip_java_go_and_python(pipe, tmp_path):
    # For several readers: without the gate in its condition the planner expects as many rows as there are.
    pipe.database.execute("CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_users")
    group_id = pipe.new_group(rows=ROWS, bio_words=3)
    pipe.database.execute("ANALYZE {s}_users")
    paths = []
    for prefix, settings in WAYS.values():
        for level in ("1", "6"):
            paths.append(tmp_path / f"{len(paths)}.csv.gz")
            paths[-1].write_bytes(export(pipe, group_id, prefix, {"export__compression_level": level, **settings}))
    expected = by_python(paths)
    assert len({line.split()[0] for line in expected}) == 1, "the sizes differ"
    assert by_gzip(paths) == expected
    assert lines_of(["java", READERS / "Gunzip.java", *paths], tmp_path) == expected
    assert lines_of(["go", "run", READERS / "gunzip.go", *paths], tmp_path) == expected
