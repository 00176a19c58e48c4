# SPDX-License-Identifier: Apache-2.0
"""Misconfiguration: said before anything is touched, with the exit codes of the contract."""
import json
import os

import pytest

from support.programs import parse_log, run

PROGRAMS = ("export-worker", "export-scheduler", "exportctl")


def arguments(name, *more):
    return [*(("config", "check") if name == "exportctl" else ()), *more]


@pytest.fixture
def settings(services, tmp_path):
    return {**services.settings, "EXPORT_EXPORT_WORK_DIR": str(tmp_path), "EXPORT_STARTUP_TIMEOUT": "2s"}


BAD = [
    ("export.lanes", "many"), ("export.lanes", "0"), ("export.compression_level", "10"), ("redis.ttl", "5 parsecs"),
    ("commit.max_list", "-1MiB"), ("export.formula_guard", "on"), ("export.version_field", "row"), ("log.level", "loud"),
    ("log.format", "xml"), ("export.domain_id", "17"), ("s3.path_style", "perhaps"), ("storage.url", "ftp://x/y"),
    ("schedule.at", "24:00"), ("schedule.timezone", "Mars/Olympus"), ("profile", "staging"), ("retry.delays", "5m,,1s"),
    ("kafka.enable.auto.commit", "true"), ("kafka.isolation.level", "read_uncommitted"), ("kafka.partitioner", "random"),
    ("kafka.acks", "1"), ("kafka.transactional.id", "x"), ("kafka.group.protocol", "consumer"),
    ("kafka.auto.offset.reset", "latest"), ("kafka.enable.idempotence", "false"), ("s3.sse", "rot13"), ("s3.checksum", "crc64"),
    ("s3.tagging", "team=a b"), ("s3.storage_class", "STANDARD IA"), ("s3.acl", "private,public-read"),
    ("kafka.partition.assignment.strategy", "roundrobin"), ("kafka.enable.auto.offset.store", "true"),
    ("kafka.no.such.property", "1"), ("no.such.key", "1"), ("export.lane", "2"), ("redis.url", "memcached://x"),
    ("metrics.max_groups", "x"), ("http.listen", "nowhere"), ("shutdown.timeout", "1d"),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_setting__wrong__exit_2_naming_key_and_place(settings, key, value):
    done = run("exportctl", ["config", "check", f"--{key}={value}"], settings)
    assert done.code == 2, done
    assert key in done.said
    assert done.said.count("\n") == 1, "one mistake is one line"


@pytest.mark.parametrize("name", PROGRAMS)
def test_settings__several_wrong__all_said_at_once_with_their_places(settings, tmp_path, name):
    path = tmp_path / "export.ini"
    path.write_text("[export]\nlanes = none\nmystery = 1\n[redis]\nttl = 1y\n", encoding="utf-8")
    done = run(name, arguments(name, f"--config={path}", "--export.batch_rows=0"),
               {**settings, "EXPORT_COMMIT_INTERVAL": "soon"})
    assert done.code == 2, done
    for key in ("export.lanes", "export.mystery", "redis.ttl", "export.batch_rows", "commit.interval"):
        assert key in done.said, key
    assert str(path) in done.said and "EXPORT_COMMIT_INTERVAL" in done.said
    if name != "exportctl":
        parse_log(done.err)


@pytest.mark.parametrize("name", PROGRAMS)
def test_setting__unknown_variable__is_a_warning_only(settings, name):
    done = run(name, ["--version"], {**settings, "EXPORT_PORT_9092_TCP": "tcp://10.0.0.1:9092"})
    assert done.code == 0, done
    done = run("exportctl", ["config", "check"], {**settings, "EXPORT_PORT_9092_TCP": "tcp://10.0.0.1:9092"})
    assert done.code == 0, done
    assert "EXPORT_PORT_9092_TCP" in done.said


@pytest.mark.parametrize("name", PROGRAMS)
def test_program__help_and_version__exit_0_on_stdout(settings, name):
    for argument in ("--help", "--version"):
        done = run(name, [argument], settings)
        assert done.code == 0 and done.out and not done.err, done
    settings_help = ["help", "settings"] if name == "exportctl" else ["--help"]
    assert "export.formula_guard" in run(name, settings_help, settings).out


@pytest.mark.parametrize("name", PROGRAMS)
def test_program__unknown_argument__exit_2(settings, name):
    for wrong in (["--nonsense"], ["--export.lanes"], ["--config=/does/not/exist"]):
        done = run(name, arguments(name, *wrong), settings)
        assert done.code == 2, done


@pytest.mark.parametrize("name", ("export-worker", "export-scheduler"))
def test_program__needed_settings_missing__exit_2_naming_all(settings, name):
    bare = {"EXPORT_HTTP_LISTEN": ""}
    done = run(name, [], bare)
    assert done.code == 2, done
    for key in ("kafka.bootstrap.servers", "postgres.dsn"):
        assert key in done.err
    parse_log(done.err)


def test_order__flag_environment_file_default(settings, tmp_path):
    path = tmp_path / "x.ini"
    path.write_text("[export]\nlanes = 3\nbatch_rows = 30\ncompression_level = 3\n", encoding="utf-8")
    done = run("exportctl", ["config", "show", "--output", "json", "--export.lanes=5"],
               {**settings, "EXPORT_CONFIG": str(path), "EXPORT_EXPORT_LANES": "4", "EXPORT_EXPORT_BATCH_ROWS": "40"})
    assert done.code == 0, done
    shown = json.loads(done.out)
    text = json.dumps(shown)
    for key, value, source in (("export.lanes", "5", "flag"), ("export.batch_rows", "40", "environment"),
                               ("export.compression_level", "3", "file"), ("export.version_field", "column", "default")):
        entry = json.dumps(find(shown, key))
        assert value in entry and source in entry, (key, entry)
    assert settings["EXPORT_S3_SECRET_ACCESS_KEY"] not in text


def find(shown, key):
    """The entry of a key: by its full name, or nested by section."""
    if isinstance(shown, list):
        return next(entry for entry in shown if key in entry.values())
    if key in shown:
        return shown[key]
    for name in ("settings", *shown):
        if isinstance(shown.get(name), (dict, list)) and key in json.dumps(shown[name]):
            return find(shown[name], key)
    section, name = key.split(".", 1)
    return shown[section][name]


def test_secret__from_a_file_and_directly__is_an_error_or_the_direct_one(settings, tmp_path):
    path = tmp_path / "dsn"
    path.write_text(settings["EXPORT_POSTGRES_DSN"] + "\n", encoding="utf-8")
    only_file = {k: v for k, v in settings.items() if k != "EXPORT_POSTGRES_DSN"}
    assert run("exportctl", ["config", "check"], {**only_file, "EXPORT_POSTGRES_DSN_FILE": str(path)}).code == 0
    done = run("exportctl", ["config", "check"], {**only_file, "EXPORT_POSTGRES_DSN_FILE": str(path) + ".missing"})
    assert done.code == 2 and "EXPORT_POSTGRES_DSN_FILE" in done.said, done


def test_log__text__is_for_people(settings):
    done = run("export-scheduler", ["--log.format=text", "--kafka.bootstrap.servers=127.0.0.1:9", "--startup.timeout=1s"],
               settings)
    assert done.code == 3, done
    assert done.err and not done.err.lstrip().startswith("{")


def test_topics__create_check_and_again__settings_are_as_said(new_pipe):
    pipe = new_pipe(partitions=0)
    missing = pipe.ctl("topics", "check")
    assert missing.code == 1, missing
    assert "topics create" in missing.said
    created = pipe.ctl("topics", "create", "--partitions", "4", "--replication-factor", "1")
    assert created.code == 0, created
    for kind, name in pipe.topic.items():
        if kind == "retry":
            assert sorted(pipe.broker.topics(name)) == [f"{name}-{n}" for n in range(3)]
            assert all(pipe.broker.partition_count(f"{name}-{n}") == 4 for n in range(3))
        else:
            assert name in created.said and pipe.broker.partition_count(name) >= 1
    assert pipe.broker.partition_count(pipe.topic["state"]) == pipe.broker.partition_count(pipe.topic["command"]) == 4
    assert "compact" in pipe.broker.topic_settings(pipe.topic["state"])["cleanup.policy"]
    assert "compact" not in pipe.broker.topic_settings(pipe.topic["command"])["cleanup.policy"]
    assert pipe.ctl("topics", "check").code == 0
    assert pipe.ctl("topics", "create", "--partitions", "4", "--replication-factor", "1").code == 0
    pipe.broker.set_topic(pipe.topic["state"], cleanup_policy="delete")
    wrong = pipe.ctl("topics", "check")
    assert wrong.code == 1 and "cleanup.policy" in wrong.said, wrong


def test_worker__topics_missing__says_what_creates_them(new_pipe):
    pipe = new_pipe(partitions=0)
    worker = pipe.worker(startup__timeout="4s")
    assert worker.wait(30) in (1, 2, 3)
    assert "exportctl topics create" in worker.text()
    assert pipe.topic["command"] in worker.text()


def test_worker__state_topic_not_compacted__is_refused(pipe):
    pipe.broker.set_topic(pipe.topic["state"], cleanup_policy="delete")
    worker = pipe.worker(startup__timeout="4s")
    assert worker.wait(30) in (1, 2, 3)
    assert pipe.topic["state"] in worker.text() and "compact" in worker.text()


def test_worker__partition_counts_differ__is_refused(pipe):
    pipe.broker.delete_topics([pipe.topic["state"]])
    unequal = pipe.ctl("topics", "create", "--partitions", "5", "--replication-factor", "1")
    assert unequal.code == 2, unequal
    pipe.broker.create_topic(pipe.topic["state"], 5, cleanup_policy="compact")
    assert pipe.ctl("topics", "check").code == 1
    worker = pipe.worker(startup__timeout="4s")
    assert worker.wait(30) in (1, 2, 3)
    assert pipe.suffix in worker.text() and "partitions" in worker.text()


@pytest.mark.parametrize("setting", ["kafka__bootstrap__servers", "postgres__dsn", "s3__endpoint"])
def test_worker__dependency_unreachable__exit_3_within_the_timeout(pipe, setting):
    value = {"kafka__bootstrap__servers": "127.0.0.1:9", "postgres__dsn": "host=127.0.0.1 port=9 dbname=x user=x",
             "s3__endpoint": "http://127.0.0.1:9"}[setting]
    worker = pipe.worker(**{setting: value}, startup__timeout="3s")
    assert worker.wait(25) == 3
    assert any(line["level"] == "error" and "startup.timeout" in json.dumps(line) for line in worker.log())


def test_worker__wrong_password__is_said_clearly(pipe):
    dsn = pipe.services.worker_dsn.replace(pipe.services.secrets()[0], "wrong")
    worker = pipe.worker(postgres__dsn=dsn, startup__timeout="3s")
    try:
        assert worker.wait(25) in (2, 3)
    finally:
        assert "database-authentication" in worker.text() or "credentials" in worker.text()


@pytest.mark.parametrize("column", ["bio", "sent_to_matching_service", "username"])
def test_worker__view_without_a_column__names_it(pipe, column):
    pipe.database.execute(f"DROP VIEW {{s}}_user; ALTER TABLE {{s}}_users DROP COLUMN {column};"
                          " CREATE VIEW {s}_user AS SELECT * FROM {s}_users; GRANT SELECT ON {s}_user TO export_worker")
    worker = pipe.worker(startup__timeout="3s")
    try:
        assert worker.wait(25) in (2, 3)
    finally:
        assert column in worker.text() and pipe.database.user_view in worker.text()


def test_worker__view_missing_or_not_readable__names_it(pipe):
    pipe.database.execute("REVOKE SELECT ON {s}_user FROM export_worker")
    worker = pipe.worker(startup__timeout="3s")
    assert worker.wait(25) in (2, 3)
    assert pipe.database.user_view in worker.text()
    worker = pipe.worker(startup__timeout="3s", postgres__group_view="no_such_view")
    assert worker.wait(25) in (2, 3)
    assert "no_such_view" in worker.text()


def test_worker__mask_on_a_column_of_another_type_in_the_view__is_said(pipe):
    """The view's column is not what the contract says it is: a guard or mask would not hold."""
    pipe.database.execute("DROP VIEW {s}_user; ALTER TABLE {s}_users ALTER date_of_birth TYPE text;"
                          " CREATE VIEW {s}_user AS SELECT * FROM {s}_users; GRANT SELECT ON {s}_user TO export_worker")
    group_id = pipe.new_group()
    pipe.send(group_id)
    worker = pipe.worker(startup__timeout="3s", export__mask="dateOfBirth:year")
    try:
        assert worker.wait(25) in (2, 3)
    finally:
        assert "date_of_birth" in worker.text() or "dateOfBirth" in worker.text()


def test_worker__work_dir_cannot_be_written__exit_2(pipe):
    path = pipe.folder / "file"
    path.write_text("no folder", encoding="utf-8")
    worker = pipe.worker(export__work_dir=str(path))
    assert worker.wait(25) == 2
    assert "export.work_dir" in worker.text() or str(path) in worker.text()
    assert os.path.isfile(path)


SASL = {"kafka.security.protocol": "sasl_ssl"}


@pytest.mark.parametrize(("properties", "named"), [
    ({**SASL, "kafka.sasl.mechanisms": "SCRAM-SHA-512", "kafka.sasl.username": "u"}, "kafka.sasl.password"),
    ({**SASL, "kafka.sasl.username": "u", "kafka.sasl.password": "geheim"}, "kafka.sasl.mechanisms"),
    ({**SASL, "kafka.sasl.mechanisms": "OAUTHBEARER"}, "kafka.sasl.oauthbearer.method"),
    ({**SASL, "kafka.sasl.mechanisms": "GSSAPI", "kafka.sasl.kerberos.keytab": "/no/such/file"}, "kafka.sasl.kerberos.keytab"),
])
def test_sasl__set_that_cannot_work__is_refused_by_all_programs(settings, properties, named):
    for name in PROGRAMS:
        done = run(name, arguments(name, *(f"--{key}={value}" for key, value in properties.items())), settings)
        assert done.code == 2 and named in done.said and done.said.count("\n") == 1 and "geheim" not in done.said, done


def test_config_check__sasl_without_its_protocol__is_found_though_programs_start(settings):
    done = run("exportctl", ["config", "check", "--kafka.sasl.username=u"], settings)
    assert done.code == 2 and "kafka.sasl.username" in done.err and "kafka.security.protocol" in done.err, done
    assert run("exportctl", ["topics", "check", "--kafka.sasl.username=u"], settings).code != 2


@pytest.mark.parametrize(("program", "needed"), [
    ("worker", {"kafka.bootstrap.servers", "postgres.dsn", "storage.url"}),
    ("scheduler", {"kafka.bootstrap.servers", "postgres.dsn", "export.domain_id"}),
    ("exportctl", {"kafka.bootstrap.servers"}),
])
def test_config_check__for_a_program__names_what_that_one_needs(program, needed):
    done = run("exportctl", ["config", "check", f"--for={program}"], {})
    assert done.code == 2, done
    assert {line.split(": ")[0] for line in done.err.splitlines()} == needed
    assert run("exportctl", ["config", "check", "--for=exportctl"], {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": "k:9092"}).code == 0
    manifest = run("exportctl", ["config", "check", f"--for={program}", "--schedule.manifest=true", "--schedule.wait=1h"], {})
    assert {line.split(": ")[0] for line in manifest.err.splitlines()} == needed | ({"storage.url"} if program == "scheduler" else set())
    wrong = run("exportctl", ["config", "check", "--for=cron"], {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": "k:9092"})
    assert wrong.code == 2 and "--for: must be" in wrong.err, wrong


def test_config_show__connection_strings__are_shown_without_the_password(settings):
    shown = json.loads(run("exportctl", ["config", "show", "--output=json"],
                           {**settings, "EXPORT_REDIS_URL": "redis://u:geheim@cache:6379/1"}).out)
    password = settings["EXPORT_POSTGRES_DSN"].split("://", 1)[1].split("@")[0].split(":", 1)[1]
    assert shown["postgres.dsn"]["value"] == settings["EXPORT_POSTGRES_DSN"].replace(f":{password}@", ":***@")
    assert shown["redis.url"]["value"] == "redis://u:***@cache:6379/1"


def test_kafka__tls_to_a_plain_listener__exportctl_says_so_before_its_time_is_over(settings):
    done = run("exportctl", ["topics", "check", "--kafka.security.protocol=ssl"],
               {**settings, "EXPORT_STARTUP_TIMEOUT": "1h"}, timeout=60)
    said = done.err.splitlines()[-1]  # before it may stand for what it waits
    assert done.code == 3 and "refuse this client" in said and "SSL" in said and not done.out, done
