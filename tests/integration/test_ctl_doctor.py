# SPDX-License-Identifier: Apache-2.0
"""exportctl doctor: what is well, what is wrong and how to fix it; nothing of what it tries is left behind."""
import datetime
import json

import pytest

from support.acls import denied
from support.careless_store import careless_store
from support.faketime import starting_at
from support.kafka import Reader
from support.programs import run
from support.refusing import error, refusing
from support.table import TYPES, Table


def doctor(pipe, *arguments, prefix=(), **settings):
    """(exit code, {(dependency, check): [row, …]})"""
    done = run("exportctl", ["doctor", "--output=json", *arguments],
               {**pipe.settings, "EXPORT_LOG_LEVEL": "error", **settings}, 90, prefix)
    pipe.programs.append(done)
    assert done.out, done
    found = {}
    for row in json.loads(done.out):
        assert set(row) == {"dependency", "check", "result", "detail", "mend"} and row["detail"]
        assert (row["mend"] is None) or row["result"] in ("warn", "fail"), row
        found.setdefault((row["dependency"], row["check"]), []).append(row)
    return done.code, found


def not_well(found):
    return {key: [row["result"] for row in rows if row["result"] in ("warn", "fail")]
            for key, rows in found.items() if any(row["result"] in ("warn", "fail") for row in rows)}


def ready(pipe):
    pipe.new_group(rows=1)
    pipe.store.ensure_bucket(pipe.storage_url.split("/")[2])


def test_doctor__everything_is_well__says_so_and_leaves_nothing(pipe):
    ready(pipe)
    worker = pipe.worker()
    worker.wait_log(lambda line: line["event"] == "state-restored")
    code, found = doctor(pipe)
    assert code == 0 and not_well(found) == {}, not_well(found)
    assert {("kafka", "brokers"), ("kafka", "topics"), ("kafka", "consumer group"), ("kafka", "reading"),
            ("kafka", "writing"), ("kafka", "transactions"), ("kafka", "positions"), ("kafka", "clock"),
            ("postgres", "views"), ("postgres", "role"), ("postgres", "clock"), ("store", "write"),
            ("store", "create-only"), ("store", "read"), ("store", "delete"), ("store", "uploads"),
            ("store", "clock"), ("redis", "answer")} <= set(found)
    assert "workers: 1" in found["kafka", "consumer group"][0]["detail"]
    assert len(found["store", "create-only"]) == 2
    for dependency in ("kafka", "postgres", "store"):
        assert found[dependency, "clock"][0]["result"] == "ok", found[dependency, "clock"]
    assert pipe.keys() == [] and pipe.store.uploads(pipe.storage_url) == []
    for kind in ("command", "result", "state", "dlq"):
        assert pipe.reader(kind).drain() == [], kind
    assert all("worker" in json.loads(record.value) for record in pipe.reader("progress").drain())  # the worker's own
    pipe.settle()
    assert worker.stop() == 0
    text = run("exportctl", ["doctor"], {**pipe.settings, "EXPORT_LOG_LEVEL": "error"})
    assert text.code == 0 and text.err == "", text
    assert all(line[:4].strip() in ("ok", "warn", "", "skip") for line in text.out.splitlines()[:-1]), text
    assert "warn  kafka     consumer group" in text.out and "export-worker" in text.out


def test_doctor__nothing_is_made_yet__names_what_makes_it(new_pipe):
    pipe = new_pipe(partitions=0)
    pipe.new_group(rows=1)
    code, found = doctor(pipe)
    assert code == 1
    assert {row["mend"] for row in found["kafka", "topics"]} == {"exportctl topics create"}
    assert found["kafka", "transactions"][0]["result"] == "skip"
    assert found["store", "bucket"][0]["result"] == "warn" and found["store", "write"][0]["result"] == "skip"
    assert pipe.keys() == []


@pytest.mark.parametrize("settings, key, word", [
    ({"EXPORT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}, ("kafka", "brokers"), "no broker"),
    ({"EXPORT_S3_ENDPOINT": "http://127.0.0.1:9"}, ("store", "bucket"), "store-unavailable"),
    ({"EXPORT_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:9/x"}, ("postgres", "connection"), "database-unavailable"),
])
def test_doctor__unreachable__goes_on_with_the_others_and_exits_3(pipe, settings, key, word):
    ready(pipe)
    code, found = doctor(pipe, EXPORT_STARTUP_TIMEOUT="2s", EXPORT_RETRY_ATTEMPTS="1", **settings)
    assert code == 3
    assert found[key][0]["result"] == "fail" and word in found[key][0]["detail"] and found[key][0]["mend"]
    assert {dependency for dependency, _ in found} == {"kafka", "postgres", "store", "redis"}
    assert {dependency for (dependency, _), rows in found.items() for row in rows if row["result"] == "fail"} == {key[0]}


def test_doctor__wrong_credentials_and_no_cache__are_told_apart(pipe):
    ready(pipe)
    dsn = pipe.settings["EXPORT_POSTGRES_DSN"].replace("://export_worker:", "://export_worker:not")
    code, found = doctor(pipe, EXPORT_POSTGRES_DSN=dsn, EXPORT_S3_SECRET_ACCESS_KEY="wrong-secret",
                         EXPORT_REDIS_URL="redis://127.0.0.1:9")
    assert code == 1
    assert "database-authentication" in found["postgres", "connection"][0]["detail"]
    assert "store-authentication" in found["store", "bucket"][0]["detail"]
    assert found["redis", "answer"][0]["result"] == "warn"
    assert "wrong-secret" not in pipe.all_logs() and "notexport" not in pipe.all_logs()


def test_doctor__views_and_role__are_looked_at(pipe, services):
    ready(pipe)
    pipe.database.execute("INSERT INTO {s}_groups VALUES ('odd', 'FREE', true)")
    code, found = doctor(pipe, EXPORT_POSTGRES_DSN=services.admin_dsn)
    assert code == 0
    assert found["postgres", "role"][0]["result"] == "warn" and "superuser" in found["postgres", "role"][0]["detail"]
    assert found["postgres", "groups"][0]["result"] == "warn" and "1 of 2" in found["postgres", "groups"][0]["detail"]
    pipe.database.execute("GRANT INSERT ON {s}_user TO export_worker")
    assert doctor(pipe)[1]["postgres", "role"][0]["result"] == "warn"
    pipe.database.execute("ALTER VIEW {s}_user RENAME COLUMN bio TO biography")
    code, found = doctor(pipe)
    assert code == 1 and "bio" in found["postgres", "views"][0]["detail"]
    pipe.database.execute("REVOKE ALL ON {s}_group FROM export_worker")
    code, found = doctor(pipe)
    assert code == 1 and "GRANT SELECT" in found["postgres", "views"][0]["mend"]


def test_doctor__the_layout__is_named_with_its_columns(new_pipe):
    pipe = new_pipe()
    ready(pipe)
    _, found = doctor(pipe)
    assert found["postgres", "views"][0]["detail"].endswith(" has 20 columns")
    table = Table(pipe)
    try:
        _, found = doctor(pipe, **table.settings)
        layout = json.loads(table.ctl("schema", "--output=json").stdout)["exportLayout"]
        assert found["postgres", "views"][0]["detail"].endswith(f"; layout {layout} has {len(TYPES)} columns")
        table.execute("DROP VIEW export_user; ALTER TABLE things ADD COLUMN odd integer[];"
                      "CREATE VIEW export_user AS SELECT * FROM things; GRANT SELECT ON export_user TO export_worker")
        code, found = doctor(pipe, **table.settings)
        (row,) = found["postgres", "views"]
        assert code == 1 and "column odd of view" in row["detail"] and "integer[]" in row["detail"]
        assert "cast in the view" in row["mend"] and "deploy/sql" not in row["mend"]
    finally:
        table.drop()


def test_doctor__something_waits__is_counted(pipe):
    ready(pipe)
    code, found = doctor(pipe)
    assert found["kafka", "lag"][0]["detail"] == "0 commands wait, 0 in the retry topics"
    assert found["kafka", "dead letters"][0] == {"dependency": "kafka", "check": "dead letters", "result": "ok", "mend": None,
                                                 "detail": "0 open dead letters"}
    pipe.send("g-1", b"nope")
    pipe.run_worker()
    pipe.send("g-2")
    code, found = doctor(pipe)
    assert code == 0 and found["kafka", "lag"][0]["detail"].startswith("1 command waits")
    (row,) = found["kafka", "dead letters"]
    assert (row["result"], row["detail"], row["mend"]) == ("warn", "1 open dead letter", "exportctl dlq list --open")


@pytest.mark.parametrize("missing", [True, False])
def test_doctor__runs_cannot_be_recorded__is_a_warning(pipe, missing):
    ready(pipe)
    topic = f"{pipe.suffix}-run"
    if missing:
        pipe.broker.delete_topics([topic])
        code, found = doctor(pipe, EXPORT_TOPICS_RUN=topic)
        assert {row["mend"] for row in found["kafka", "topics"]} == {"exportctl topics create"}
    else:
        with denied(pipe.broker, "TOPIC", topic, "WRITE"):
            code, found = doctor(pipe, EXPORT_TOPICS_RUN=topic)
        assert found["kafka", "runs"][0]["result"] == "warn" and topic in found["kafka", "runs"][0]["detail"]
    assert code == 0 and found["kafka", "transactions"][0]["result"] == "ok", found


def test_doctor__groups_of_an_odd_type__are_named_five_at_most(pipe):
    ready(pipe)
    pipe.database.execute("INSERT INTO {s}_groups SELECT 'odd-' || n, 'FREE', true FROM generate_series(1, 7) n")
    code, found = doctor(pipe)
    (row,) = found["postgres", "groups"]
    assert code == 0 and row["detail"].endswith(": odd-1, odd-2, odd-3, odd-4, odd-5 and 2 more"), row


def test_doctor__servers__are_named_and_passwords_are_not(pipe):
    ready(pipe)
    code, found = doctor(pipe, EXPORT_POSTGRES_DSN="postgresql://u:geheim@127.0.0.1:9/some_base", EXPORT_RETRY_ATTEMPTS="0",
                         EXPORT_S3_ENDPOINT="http://127.0.0.1:9")
    assert code == 3
    assert "127.0.0.1:9/some_base" in found["postgres", "connection"][0]["detail"]
    assert f"{pipe.storage_url} at http://127.0.0.1:9" in found["store", "bucket"][0]["detail"]
    assert pipe.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"] in found["kafka", "brokers"][0]["detail"]
    assert pipe.settings["EXPORT_REDIS_URL"].rsplit("@", 1)[1] in found["redis", "answer"][0]["detail"]
    assert "geheim" not in str(found)
    host = doctor(pipe)[1]["postgres", "server"][0]["detail"]
    assert "database " in host and " port " in host, host


def test_doctor__deleting_is_not_allowed__writes_no_object(pipe):
    ready(pipe)
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"],
                  lambda method, path, *_: error(403, "AccessDenied") if method == "DELETE" and "uploadId" not in path else None) as gate:
        code, found = doctor(pipe, EXPORT_S3_ENDPOINT=gate.url)
        assert code == 0 and not_well(found).keys() <= {("kafka", "consumer group")}, found
        assert pipe.keys() == [] and pipe.store.uploads(pipe.storage_url) == []
        assert "no object is written" in found["store", "delete"][0]["detail"]
        (row,) = found["store", "create-only"]
        assert row["result"] == "skip", row
        # Where somebody has put the object that it names, overwriting is tried on that one.
        url = next(word for word in row["detail"].replace(",", " ").split() if word.startswith("s3://"))
        bucket, key = url.removeprefix("s3://").split("/", 1)
        pipe.store.client.put_object(Bucket=bucket, Key=key, Body=b"x")
        code, found = doctor(pipe, EXPORT_S3_ENDPOINT=gate.url)
        assert code == 0 and [row["result"] for row in found["store", "create-only"]] == ["ok", "ok"], found
        assert pipe.store.client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x" and len(pipe.keys()) == 1


@pytest.mark.parametrize("kind, name, operation, key, word", [
    ("TOPIC", "result", "WRITE", ("kafka", "writing"), "-result"),
    ("TOPIC", "dlq", "WRITE", ("kafka", "writing"), "-dlq"),
    ("TOPIC", "state", "READ", ("kafka", "reading"), "-state"),
    ("GROUP", "", "READ", ("kafka", "positions"), "Group authorization"),
    ("TRANSACTIONAL_ID", "", "WRITE", ("kafka", "transactions"), "Transactional Id authorization"),
])
def test_doctor__a_right_is_missing__is_named(pipe, kind, name, operation, key, word):
    ready(pipe)
    with denied(pipe.broker, kind, pipe.topic[name] if name else pipe.suffix, operation):
        code, found = doctor(pipe)
    assert code == 1
    assert found[key][0]["result"] == "fail" and word in found[key][0]["detail"], found
    assert "allow" in found[key][0]["mend"]
    if kind == "TOPIC":
        assert [k for k, results in not_well(found).items() if "fail" in results] == [key]


def test_doctor__a_store_that_overwrites__is_found_out(pipe):
    ready(pipe)
    now = datetime.datetime.now(datetime.timezone.utc)
    uploads = [(now - datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z") for hours in (1, 30, 70)]
    with careless_store(ahead_s=40, uploads=uploads) as server:
        code, found = doctor(pipe, EXPORT_S3_ENDPOINT=server.url)
        assert code == 1
        assert [row["result"] for row in found["store", "create-only"]] == ["fail", "fail"]
        assert "If-None-Match" in found["store", "create-only"][0]["mend"]
        assert found["store", "read"][0]["result"] == "fail"
        assert found["store", "uploads"][0]["result"] == "warn" and found["store", "uploads"][0]["detail"].startswith("2 ")
        assert found["store", "clock"][0]["result"] == "warn" and "ahead" in found["store", "clock"][0]["detail"]
        assert server.objects == {}


REGION = {"x-amz-bucket-region": "eu-central-1"}


@pytest.mark.parametrize("method", ["HEAD", "every"])
def test_doctor__bucket_in_another_region__is_a_failure_and_names_it(pipe, method):
    """As AWS answers: 301 without a body to HEAD. The worker cannot make such a bucket, and waits."""
    ready(pipe)
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"],
                  lambda verb, *_: (*error(301, "PermanentRedirect"), REGION) if method in (verb, "every") else None) as gate:
        code, found = doctor(pipe, EXPORT_S3_ENDPOINT=gate.url)
        worker = pipe.worker(startup__timeout="2s", s3__endpoint=gate.url)
        assert worker.wait(30) == 3 and '"code":"store-bucket"' in worker.text()
    assert code == 1
    (row,) = found["store", "bucket"]
    assert row["result"] == "fail" and "eu-central-1" in row["detail"] and "s3.region" in row["mend"], row


def test_doctor__writes_are_refused__says_so_and_what_is_not(pipe):
    ready(pipe)
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"],
                  lambda method, *_: error(403, "AccessDenied") if method in ("PUT", "POST") else None) as gate:
        code, found = doctor(pipe, EXPORT_S3_ENDPOINT=gate.url)
    assert code == 1
    (row,) = found["store", "requests"]
    assert row["result"] == "fail" and "store-refused" in row["detail"] and "s3:PutObject" in row["mend"], row
    assert found["store", "bucket"][0]["result"] == "ok" and found["store", "write"][0]["result"] == "fail"
    assert found["store", "uploads"][0]["result"] == "ok"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_doctor__uploads_are_not_listed__says_what_follows(pipe, status):
    ready(pipe)
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"],
                  lambda method, path, _: error(status) if method == "GET" and "uploads=" in path else None) as gate:
        code, found = doctor(pipe, EXPORT_S3_ENDPOINT=gate.url)
    (row,) = found["store", "uploads"]
    assert code == 0 and row["result"] == "warn" and "lifecycle rule" in row["detail"], row


def test_doctor__this_machines_clock_is_wrong__every_server_says_so(pipe):
    ready(pipe)
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=8)
    code, found = doctor(pipe, prefix=starting_at(later))
    assert code == 1
    for dependency in ("kafka", "postgres", "store"):
        (row,) = found[dependency, "clock"]
        assert row["result"] == "fail" and " behind this machine's clock" in row["detail"], row
        assert 460 < float(row["detail"].split(" is ")[1].split(" s ")[0]) < 500, row


def test_doctor__a_directory_as_store__is_tried_too(pipe, tmp_path):
    pipe.new_group(rows=1)
    (tmp_path / "exports").mkdir()
    code, found = doctor(pipe, EXPORT_STORAGE_URL=f"file://{tmp_path}/exports")
    assert code == 0 and found["store", "create-only"][0]["result"] == "ok"
    assert [path for path in (tmp_path / "exports").rglob("*") if path.is_file()] == []


def test_doctor__run_beside_a_reader_that_commits__aborted_records_are_not_seen(pipe):
    ready(pipe)
    reader = Reader(pipe.broker.bootstrap, pipe.topic["result"])
    uncommitted = Reader(pipe.broker.bootstrap, pipe.topic["result"], "read_uncommitted")
    assert doctor(pipe)[0] == 0
    assert reader.drain() == []
    assert [(record.key, record.value) for record in uncommitted.drain()] == [(b"export-doctor", None)]
    reader.close()
    uncommitted.close()


@pytest.mark.parametrize(("setting", "check"), [("transaction.timeout.ms", "transactions"), ("session.timeout.ms", "joining")])
def test_timeout_that_the_brokers_refuse__worker_exits_2_with_the_reason_and_doctor_finds_it(pipe, setting, check):
    """It could never commit, or never join; a wait changes nothing."""
    ready(pipe)
    variable = "EXPORT_KAFKA_" + setting.upper().replace(".", "_")
    settings = {variable: "3600000", "EXPORT_KAFKA_MAX_POLL_INTERVAL_MS": "3600000"}
    worker = pipe.worker(environ=settings)
    assert worker.wait(60) == 2, worker.text()
    (line,) = [line for line in worker.log() if line.get("event") == "configuration-refused"]
    assert line["level"] == "error" and setting in line["mend"] and line["error"], line
    pipe.workers.remove(worker)
    code, found = doctor(pipe, **settings)
    assert code != 0
    (row,) = [row for row in found["kafka", check] if row["result"] == "fail"]
    assert setting in row["mend"], row
