# SPDX-License-Identifier: Apache-2.0
"""Least rights: what is shipped is enough (test_a_night.py), and each of its rights is needed."""
import json
import uuid

import pytest

from conftest import DOMAIN
from world.kafka import Kafka
from world.processes import wait_for
from world.s3 import BUCKET, S3

PATIENCE = {"EXPORT_STARTUP_TIMEOUT": "4s", "EXPORT_SHUTDOWN_TIMEOUT": "1s", "EXPORT_RETRY_DELAYS": "1s,5m,30m",
            "EXPORT_KAFKA_TRANSACTION_TIMEOUT_MS": "5000"}
REFUSED = ("uthorization failed", "denied", "AccessDenied", "may not be seen", "may not see it")


def all_kinds_of_work(world, seconds):
    """Whether a worker can do everything that it has to: a result, a dead letter, a move, progress, a retry, and what comes from one."""
    group_id, late, retried = world.new_group(300, kind="slow"), world.new_group(2), world.new_group(2, kind="retried")
    counted = ("flairbit-dlq", "export-group-progress", "export-group-state")
    before = {topic: len(world.kafka.read(topic)) for topic in counted}
    world.kafka.send("export-group", group_id.encode(), b"{}", 0)
    world.kafka.send("export-group", group_id.encode(), b"{}", 1)
    world.kafka.send("export-group", b"broken", b"no JSON")
    world.kafka.send("export-group", retried.encode(), b"{}")
    # In the first tier, as a retry would be: it has to come from there.
    world.kafka.send("export-group-retry-0", late.encode(), b"{}", world.kafka.partition_of(late))
    worker = world.worker(**PATIENCE)
    done = ('"outcome":"dead-lettered"', '"outcome":"rerouted"', f'"outcome":"exported","group":"{group_id}"',
            f'"outcome":"exported","group":"{late}"', '"outcome":"retried"')
    try:
        wait_for(lambda: all(text in worker.text() for text in done) or any(text in worker.text() for text in REFUSED)
                 or worker.process.poll() is not None, "an end", seconds)
        worker.stop()
    except AssertionError:
        worker.kill()
    world.postgres.execute("DELETE FROM users WHERE group_id IN (%s, %s)", (group_id, retried))
    after = {topic: len(world.kafka.read(topic)) for topic in before}
    missing = [text for text in done if text not in worker.text()] + [topic for topic in counted if after[topic] <= before[topic]]
    return missing + [text for text in REFUSED if text in worker.text()]


def test_worker__all_rights__everything_can_be_done(world):
    """What the tests below compare with."""
    missing = all_kinds_of_work(world, 90)
    assert not missing, missing


# For `kubectl exec … exportctl status`; the worker's own work does without.
TO_LOOK = [("topic", "literal", name, "Read") for name in ("export-group-progress", "flairbit-dlq", "export-group-run")]


def test_worker__rights_to_look__are_enough_for_the_first_line_of_the_runbook(world):
    assert set(TO_LOOK) < set(Kafka.rights("users-export-worker"))
    for arguments in (["status"], ["dlq", "list"], ["run", "list"]):
        code, said = world.run("exportctl", *arguments)
        assert code in (0, 1) and "uthoriz" not in said and "may not be seen" not in said, (arguments, said)


@pytest.mark.parametrize("right", [right for right in Kafka.rights("users-export-worker") if right not in TO_LOOK], ids=" ".join)
def test_worker__a_right_is_missing__its_work_cannot_be_done(world, right):
    world.kafka.forbid("users-export-worker", right)
    try:
        missing = all_kinds_of_work(world, 25)
        # Work that is only slow is missing too: somebody has to say that it may not be done.
        assert set(missing) & set(REFUSED), f"{right} is granted and not needed; missing: {missing}"
    finally:
        world.kafka.allow("users-export-worker", right)


def a_night_without_workers(world):
    """A scheduler that starts a run, and one that is started again and waits for it: it finds the run's groups by itself."""
    options = (f"--run={uuid.uuid4()}", "--startup.timeout=5s")
    code, said = world.run("export-scheduler", *options, timeout=120)
    return (code, said) if code != 0 else world.run("export-scheduler", *options, "--schedule.wait=2s", timeout=120)


def test_scheduler__all_rights__a_run_is_started_waited_for_and_given_up(world):
    """What the tests below compare with."""
    world.new_group(2)
    code, said = a_night_without_workers(world)
    assert code == 4, said


@pytest.mark.parametrize("right", Kafka.rights("users-export-scheduler"), ids=" ".join)
def test_scheduler__a_right_is_missing__it_says_so(world, right):
    world.kafka.forbid("users-export-scheduler", right)
    try:
        code, said = a_night_without_workers(world)
        assert code in (1, 2) and ("uthoriz" in said or "may not be seen" in said), said
    finally:
        world.kafka.allow("users-export-scheduler", right)


def test_operator__its_rights__are_enough_for_its_subcommands(world):
    operator = {"EXPORT_KAFKA_SASL_USERNAME": "users-export-operator"}
    group_id, reason = world.new_group(3), "--reason=tried"
    world.kafka.send("export-group", b"broken", b"no JSON")
    worker = world.worker(**PATIENCE)
    try:
        worker.wait_text('"outcome":"dead-lettered"')
        for arguments in (["trigger", group_id, "--wait", "--timeout=60s"], ["status", group_id], ["verify", group_id], ["dlq", "list"],
                          ["dlq", "replay", "--group=broken", reason], ["dlq", "discard", "--all", reason]):
            code, said = world.run("exportctl", *arguments, **operator)
            assert code == 0, (arguments, said)
    finally:
        worker.stop()


def upload_in_parts(world):
    """A command for a group that goes up in parts, and of which an earlier attempt left an upload."""
    group_id, command_id = world.new_group(300_000), str(uuid.uuid4())
    key = f"exports/{DOMAIN}/{group_id}/{command_id}.csv.gz"
    world.s3.client().create_multipart_upload(Bucket=BUCKET, Key=key)
    world.kafka.send("export-group", group_id.encode(), json.dumps({"groupId": group_id, "commandId": command_id}).encode())
    return f'"group":"{group_id}"'


def outcome(worker, mark):
    def there():
        return [line for line in worker.text().splitlines() if '"event":"outcome"' in line and mark in line]

    return wait_for(there, f"an outcome: {worker.text()[-3000:]}", 60)[0]


def test_store__all_actions__upload_in_parts_and_leftovers_aborted(world):
    mark = upload_in_parts(world)
    worker = world.worker(**PATIENCE)
    assert '"outcome":"exported"' in outcome(worker, mark)
    assert not world.s3.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    worker.stop()


TIDYING = ("s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads")


@pytest.mark.parametrize("action", TIDYING)
def test_store__uploads_may_not_be_tidied__is_said_and_exports_go_on(world, action):
    assert action in S3.actions()
    worker = world.worker(**PATIENCE)
    worker.wait_text('"event":"worker-ready"')
    world.s3.allow("export-worker", without=action)
    try:
        assert '"outcome":"exported"' in outcome(worker, upload_in_parts(world))
        assert worker.text().count('"event":"uploads-stay"') == 1 and "AccessDenied" in worker.text()
    finally:
        world.s3.allow("export-worker")
        worker.stop()


@pytest.mark.parametrize("action", [action for action in S3.actions() if action not in ("s3:ListBucket", *TIDYING)])
def test_store__an_action_is_missing__is_an_outage_until_it_is_back(world, action):
    worker = world.worker(**PATIENCE)
    worker.wait_text('"event":"worker-ready"')
    world.s3.allow("export-worker", without=action)
    try:
        mark = upload_in_parts(world)
        worker.wait_text('"code":"store-refused"')
        assert "AccessDenied" in worker.text(), f"{action} is granted and not needed"
        world.s3.allow("export-worker")
        assert '"outcome":"exported"' in outcome(worker, mark)
    finally:
        world.s3.allow("export-worker")
        worker.stop()


def test_store__bucket_may_not_be_listed__enough_where_the_server_tells_what_is_absent(world):
    """AWS says 404 of an absent object only to who may list the bucket; this server says it to all, so here nothing fails for lack of it."""
    world.s3.allow("export-worker", without="s3:ListBucket")
    worker = world.worker(**PATIENCE)
    try:
        worker.wait_text('"event":"worker-ready"')
        assert '"outcome":"exported"' in outcome(worker, upload_in_parts(world))
    finally:
        world.s3.allow("export-worker")
        worker.stop()


def test_store__all_rights_are_taken_away__is_an_outage_until_they_are_back(world):
    worker = world.worker(**PATIENCE)
    worker.wait_text('"event":"worker-ready"')
    world.s3.allow("nobody")
    try:
        group_id = world.new_group(2)
        world.command(group_id)
        worker.wait_text('"event":"breaker-open"')
        world.s3.allow("export-worker")
        worker.wait_text(f'"outcome":"exported","group":"{group_id}"')
    finally:
        world.s3.allow("export-worker")
        worker.stop()


@pytest.mark.parametrize("view", ["export_group", "export_user"])
def test_database__a_view_may_not_be_read__says_so(world, view):
    world.postgres.execute(f"REVOKE SELECT ON {view} FROM export_worker")
    worker = world.worker("--startup.timeout=3s")
    try:
        assert worker.stop_itself(30) == 3
        assert view in worker.text() and "denied" in worker.text(), worker.text()
    finally:
        world.postgres.execute(f"GRANT SELECT ON {view} TO export_worker")


def test_database__role__reads_two_views_and_writes_nothing(world):
    import psycopg
    with psycopg.connect(world.postgres.dsn([world.postgres.primary], target_session_attrs=None)) as connection:
        for statement in ("SELECT * FROM users", "SELECT * FROM matching_groups", "CREATE TABLE mine (a int)",
                          "UPDATE export_user SET bio = 'x'"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
            connection.rollback()
        connection.execute("SELECT count(*) FROM export_user")
