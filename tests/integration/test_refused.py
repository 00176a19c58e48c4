# SPDX-License-Identifier: Apache-2.0
"""Records that Kafka refuses, data that cannot be read: they stop their own command only."""
import json

from support.checks import by_group, check_file, check_list, result_of
from support.deadletters import check_dead_letter


def test_result_refused__topic_with_small_messages__stops_its_command_only(pipe):
    """The topic takes less than the worker believes; small results of others fit."""
    long, short, file = (pipe.new_group("NON_COST_BASED", rows=3000), pipe.new_group("NON_COST_BASED", rows=5),
                         pipe.new_group(rows=3))
    pipe.broker.set_topic(pipe.topic["result"], max_message_bytes=10_000)
    sent = {group_id: pipe.send(group_id) for group_id in (short, long, file)}
    again = pipe.send_id(short)
    worker = pipe.run_worker()
    letters = pipe.dead_letters()
    if letters:
        assert long not in by_group(pipe.results())
        (letter,) = letters
        headers = check_dead_letter(letter, sent[long], "result-refused")
        assert len(headers["export-error"]) > 5
        state = pipe.states()[long]
        assert (state["outcome"], state["reason"]) == ("dead-lettered", "result-refused")
    else:  # a worker that asks the topic for its limit makes smaller parts
        check_list(pipe, by_group(pipe.results())[long], long)
    assert len(by_group(pipe.results())[short]) == 2
    check_file(pipe, result_of(pipe, file), file)
    assert again
    assert worker.process.returncode == 0


def test_result_refused__limit_lowered_below_any_result__dead_letters_and_goes_on(pipe):
    groups = [pipe.new_group("NON_COST_BASED", rows=400) for _ in range(3)]
    fits = pipe.new_group(rows=2)
    worker = pipe.worker()
    first = pipe.send_id(fits)
    pipe.settle()
    pipe.broker.set_topic(pipe.topic["result"], max_message_bytes=2000)
    for group_id in groups:
        pipe.send(group_id)
    second = pipe.send_id(fits)
    pipe.settle()
    assert worker.stop() == 0
    assert [r.headers["export-command-id"].decode() for r in by_group(pipe.results())[fits]] == [first, second]
    done = by_group(pipe.results())
    letters = by_group(pipe.dead_letters())
    for group_id in groups:
        if group_id in letters:
            assert letters[group_id][0].headers["export-error-code"] == b"result-refused"
            assert group_id not in done
        else:
            check_list(pipe, done[group_id], group_id)


def test_result_refused__even_by_the_dlq__value_is_null_and_headers_say_where(pipe):
    group_id, other = pipe.new_group("NON_COST_BASED", rows=2000), pipe.new_group(rows=1)
    pipe.broker.set_topic(pipe.topic["dlq"], max_message_bytes=2000)
    sent = pipe.send(group_id, {"groupId": "differs", "reason": "r" * 200, "padding": "p" * 5000})
    pipe.send(other)
    pipe.run_worker()
    (letter,) = pipe.dead_letters()
    assert letter.value is None and letter.key == sent.key
    headers = letter.headers
    assert headers["kafka_dlt-original-topic"] == sent.topic.encode()
    assert headers["kafka_dlt-original-offset"] == sent.offset.to_bytes(8, "big")
    assert headers["kafka_dlt-original-partition"] == sent.partition.to_bytes(4, "big")
    check_file(pipe, result_of(pipe, other), other)


def test_data_error__a_cast_in_the_view_fails__dead_letter_and_state(pipe):
    bad, good = pipe.new_group(rows=20), pipe.new_group(rows=20)
    pipe.database.execute("CREATE OR REPLACE VIEW {s}_user AS SELECT username, group_id, display_name, gender, date_of_birth,"
                          " location, intent, bio, smokes, drinks, wants_kids, education, religion, occupation,"
                          " preferred_genders, (CASE WHEN username = 'bad' THEN bio ELSE '18' END)::integer"
                          " AS preferred_min_age, preferred_max_age, relationship_type, open_to_long_distance,"
                          " ready_for_matching, sent_to_matching_service FROM {s}_users")
    pipe.database.add_users(bad, {"username": "bad", "bio": "no number"})
    sent = pipe.send(bad)
    pipe.send(good)
    pipe.run_worker()
    (letter,) = pipe.dead_letters()
    check_dead_letter(letter, sent, "database-data")
    assert "22" in letter.headers["export-error"].decode(), "the SQLSTATE is not said"
    state = pipe.states()[bad]
    assert (state["outcome"], state["reason"], state["attempts"]) == ("dead-lettered", "database-data", 1)
    check_file(pipe, result_of(pipe, good), good)
    assert [key for key in pipe.keys() if bad in key] == [], "half an object stayed"


def test_data_error__late_in_a_multipart_upload__nothing_stays(pipe):
    bad = pipe.new_group(rows=40_000, bio_words=32)
    pipe.database.execute("ALTER TABLE {s}_users ADD COLUMN id bigserial")
    pipe.database.execute("CREATE OR REPLACE VIEW {s}_user AS SELECT username, group_id, display_name, gender, date_of_birth,"
                          " location, intent, bio, smokes, drinks, wants_kids, education, religion, occupation,"
                          " preferred_genders, 18 / (id - 39990)::integer AS preferred_min_age, preferred_max_age,"
                          " relationship_type, open_to_long_distance, ready_for_matching, sent_to_matching_service"
                          " FROM {s}_users")
    pipe.send(bad)
    pipe.run_worker(timeout=120)
    (letter,) = pipe.dead_letters()
    assert letter.headers["export-error-code"] == b"database-data"
    assert pipe.keys() == [] and pipe.store.uploads(pipe.storage_url) == []
    assert pipe.results() == []


def test_dead_letter__sent_again_with_the_same_id__is_done(pipe):
    """A dead-lettered command is no duplicate."""
    group_id = pipe.new_group(rows=3)
    pipe.database.execute("ALTER VIEW {s}_user RENAME TO {s}_good; CREATE VIEW {s}_user AS SELECT * FROM {s}_good WHERE"
                          " (CASE WHEN username = 'user2' THEN 'x' ELSE '1' END)::integer = 1;"
                          " GRANT SELECT ON {s}_user TO export_worker")
    command_id = pipe.send_id(group_id)
    pipe.run_worker()
    assert len(pipe.dead_letters()) == 1
    pipe.database.execute("CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_good")
    letter = pipe.dead_letters()[0]
    pipe.send(group_id, letter.value)
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)
    recent = pipe.states()[group_id]["recent"]
    assert [(entry["commandId"], entry["outcome"]) for entry in recent] == [(command_id, "exported")]
    assert json.loads(letter.value)["commandId"] == command_id
