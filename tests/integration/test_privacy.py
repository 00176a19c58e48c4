# SPDX-License-Identifier: Apache-2.0
"""Personal data and secrets leave the process in the exported files and lists, and nowhere else."""
import json

from support.kafka import Reader

MARKER = "Zebra-Quokka-4711"
SECRET = "Okapi-Secret-0815"
COLUMNS = ("username, group_id, display_name, gender, date_of_birth, location, intent, {bio} AS bio, smokes, drinks,"
           " wants_kids, education, religion, occupation, preferred_genders, {age} AS preferred_min_age, preferred_max_age,"
           " relationship_type, open_to_long_distance, ready_for_matching, sent_to_matching_service")


def view(pipe, bio="bio", age="preferred_min_age", where="true"):
    pipe.database.execute(f"DROP VIEW {{s}}_user; CREATE VIEW {{s}}_user AS SELECT {COLUMNS.format(bio=bio, age=age)}"
                          f" FROM {{s}}_users WHERE {where}; GRANT SELECT ON {{s}}_user TO export_worker")


def everything_but_results(pipe):
    """All that the programs wrote: logs, and keys, values and headers of every topic but commands and results."""
    parts = [pipe.all_logs().encode()]
    for kind in ("state", "progress", "dlq"):
        parts += bytes_of(pipe, pipe.topic[kind])
    for topic in pipe.broker.topics(pipe.topic["retry"]):
        parts += bytes_of(pipe, topic)
    return b"\n".join(parts)


def bytes_of(pipe, topic):
    reader = Reader(pipe.broker.bootstrap, topic, "read_uncommitted")
    try:
        return [b"\n".join([record.key or b"", record.value or b""] + [n.encode() + b"=" + (v or b"")
                                                                       for n, v in record.header_list])
                for record in reader.drain()]
    finally:
        reader.close()


def check_nothing_leaks(pipe):
    for worker in pipe.workers:
        for line in worker.log():
            assert MARKER not in json.dumps(line, ensure_ascii=False), line
    assert MARKER.encode() not in everything_but_results(pipe)


def test_privacy__a_cast_fails_on_the_marker__it_appears_nowhere(pipe):
    bad = pipe.new_group(rows=3)
    pipe.database.add_users(bad, {"username": MARKER, "display_name": MARKER, "bio": MARKER})
    view(pipe, age="(CASE WHEN bio LIKE 'Zebra%' THEN bio ELSE '18' END)::integer")
    pipe.send(bad)
    pipe.run_worker(log__level="debug")
    assert len(pipe.dead_letters()) == 1
    check_nothing_leaks(pipe)


def test_privacy__functions_raise_and_warn_with_the_marker__it_appears_nowhere(pipe):
    """RAISE of the database's owner in every form: error with detail and hint, warning, notice."""
    bad, noisy = pipe.new_group(rows=2), pipe.new_group(rows=2)
    for group_id in (bad, noisy):
        pipe.database.add_users(group_id, {"username": "u", "bio": MARKER})
    pipe.database.execute("""
        CREATE FUNCTION {s}_talk(id text, bio text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            RAISE WARNING 'warned of %', bio;
            RAISE NOTICE 'noticed %', bio;
            IF id = '""" + bad + """' THEN
                RAISE EXCEPTION 'refused %', bio USING DETAIL = bio, HINT = bio, ERRCODE = '22P02', COLUMN = bio;
            END IF;
            RETURN bio;
        END $$""")
    view(pipe, bio="{s}_talk(group_id, bio)".replace("{s}", pipe.database.s))
    for group_id in (bad, noisy):
        pipe.send(group_id)
    worker = pipe.worker(log__level="debug", environ={"PGOPTIONS": "-c client_min_messages=debug1"})
    pipe.settle()
    assert worker.stop() == 0
    assert [letter.key.decode() for letter in pipe.dead_letters()] == [bad]
    check_nothing_leaks(pipe)
    pipe.database.execute("DROP VIEW {s}_user; DROP FUNCTION {s}_talk; CREATE VIEW {s}_user AS SELECT * FROM {s}_users")


def test_privacy__ordinary_exports__no_personal_value_outside_the_files(pipe):
    cost, names = pipe.new_group(rows=20), pipe.new_group("NON_COST_BASED", rows=20)
    for group_id in (cost, names):
        pipe.database.add_users(group_id, {"username": MARKER, "display_name": MARKER, "bio": MARKER, "location": MARKER})
        pipe.send(group_id)
    pipe.run_worker(log__level="debug")
    assert len(pipe.results()) == 2
    check_nothing_leaks(pipe)
    for record in pipe.results():
        assert MARKER.encode() not in b"".join(value for _, value in record.header_list)


def test_privacy__malformed_command__its_values_are_not_in_the_error(pipe):
    group_id = pipe.new_group(rows=1)
    for value in (b'{"groupId":5,"x":"%s"}', b'{"commandId":"%s"}', b'{"domainId":"%s"}', b'%s', b'{"requestedAt":"%s"}'):
        pipe.send(group_id, value.replace(b"%s", MARKER.encode()))
    pipe.run_worker(log__level="debug")
    letters = pipe.dead_letters()
    assert len(letters) == 5
    for letter in letters:
        assert MARKER.encode() not in b"".join(value for _, value in letter.header_list)
    assert MARKER not in pipe.all_logs()


def test_secrets__in_every_place_where_they_are_given__are_never_said(pipe):
    group_id = pipe.new_group(rows=2)
    pipe.send(group_id)
    worker = pipe.worker(log__level="debug", export__mask="bio:hash", environ={"EXPORT_EXPORT_MASK_KEY": SECRET})
    pipe.settle()
    assert worker.stop() == 0
    for form in ([], ["--output", "json"]):
        done = pipe.ctl("config", "show", *form, EXPORT_EXPORT_MASK_KEY=SECRET, EXPORT_S3_SESSION_TOKEN=SECRET,
                        EXPORT_KAFKA_SASL_PASSWORD=SECRET, EXPORT_KAFKA_SSL_KEY_PASSWORD=SECRET,
                        EXPORT_REDIS_URL=f"redis://:{SECRET}@127.0.0.1:1/0")
        assert done.code == 0, done
        assert "export.mask_key" in done.out
    for wrong in ({"EXPORT_POSTGRES_DSN": f"postgresql://u:{SECRET}@127.0.0.1:9/x"},
                  {"EXPORT_POSTGRES_DSN": f"postgresql://u:{SECRET}@[bad"},
                  {"EXPORT_REDIS_URL": f"ftp://:{SECRET}@x"},
                  {"EXPORT_S3_SECRET_ACCESS_KEY": SECRET}):
        worker = pipe.worker(startup__timeout="2s", log__level="debug", environ=wrong)
        try:
            worker.wait(8)
        except Exception:  # some of them may well start: that is not what is looked at here
            worker.stop()
    assert SECRET not in pipe.all_logs()
    for secret in pipe.services.secrets():
        assert secret.encode() not in everything_but_results(pipe)
        assert all(secret.encode() not in b"".join(v for _, v in r.header_list) + r.value for r in pipe.results())
