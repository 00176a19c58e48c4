# SPDX-License-Identifier: Apache-2.0
"""exportctl dlq: looking at dead letters, running them again exactly once, discarding them."""
import collections
import concurrent.futures
import json
import random
import signal
import subprocess
import time
import uuid

import pytest
from confluent_kafka import Producer

from support.acls import denied
from support.checks import check_file
from support.kafka import Reader
from support.murmur2 import partition_of
from support.programs import environment, program

CODE = "formula-rejected"


def letter_headers(pipe, command_id, offset=7, code=CODE, foreign=()):
    """What the worker writes, in its order."""
    return [*foreign, ("export-command-id", command_id.encode()),
            ("kafka_dlt-original-topic", pipe.topic["command"].encode()),
            ("kafka_dlt-original-partition", (1).to_bytes(4, "big")),
            ("kafka_dlt-original-offset", offset.to_bytes(8, "big")),
            ("kafka_dlt-original-timestamp", (1_700_000_000_000).to_bytes(8, "big")),
            ("kafka_dlt-exception-message", b"a sentence"), ("export-error-code", code.encode()),
            ("export-error", b"a sentence"), ("export-attempts", b"1")]


def put_letter(pipe, group_id, value=None, command_id=None, **options):
    """A dead letter as the worker would have written it; (record, command id)"""
    command_id = command_id or str(uuid.uuid4())
    options = {"headers": letter_headers(pipe, command_id), **options}
    value = json.dumps({"groupId": group_id}).encode() if value is None else value
    return pipe.broker.send(pipe.topic["dlq"], group_id.encode(), value, **options), command_id


def place(record):
    return f"{record.partition}:{record.offset}"


def rows(done):
    """The rows of a JSON answer; log lines on stderr are JSON too."""
    assert done.out, done
    found = json.loads(done.out)
    return found["letters"] if isinstance(found, dict) else found


def listed(pipe, *arguments):
    done = pipe.ctl("dlq", "list", "--output=json", *arguments)
    assert done.code == 0, done
    return rows(done)


def commands(pipe):
    return pipe.reader("command").drain()


def is_mark(record):
    return any(name == "export-dlq-of" for name, _ in record.header_list)


def marks(pipe):
    return [record for record in pipe.dead_letters() if is_mark(record)]


def reject_formulas(pipe, **settings):
    return pipe.run_worker(export__formula_guard="reject", **settings)


def test_list_and_show__three_letters__everything_is_told(pipe):
    bad = pipe.new_group()
    pipe.database.add_users(bad, {"username": "=1+1"})
    bad_id = pipe.send_id(bad, reason="nightly")
    malformed = pipe.send("some-group", b"nope", headers=[("who", b"a test"), ("blob", b"\x00\xff")])
    pipe.send(pipe.new_group(rows=1))
    reject_formulas(pipe)
    found = listed(pipe)
    assert {row["errorCode"] for row in found} == {CODE, "malformed-command"} and len(found) == 2
    row = next(row for row in found if row["errorCode"] == CODE)
    letter = next(r for r in pipe.dead_letters() if r.key.decode() == bad)
    assert row["place"] == place(letter) and (row["partition"], row["offset"]) == (letter.partition, letter.offset)
    assert (row["groupId"], row["commandId"], row["attempts"], row["state"]) == (bad, bad_id, 1, "open")
    assert row["error"] and row["at"].endswith("Z") and row["originalTopic"] == pipe.topic["command"]
    assert row["stateAt"] is row["stateBy"] is None

    assert [r["groupId"] for r in listed(pipe, "--group", bad)] == [bad]
    assert [r["groupId"] for r in listed(pipe, "--error", CODE)] == [bad]
    assert [r["groupId"] for r in listed(pipe, place(letter))] == [bad]
    assert len(listed(pipe, "--since", "10m")) == 2 and listed(pipe, "--until", "10m") == []
    assert listed(pipe, "--since", "2999-01-01T00:00:00Z") == []
    assert len(listed(pipe, "--limit", "1")) == 1
    table = pipe.ctl("dlq", "list")
    assert table.code == 0 and "2 dead letters: 2 open, 0 replayed, 0 discarded" in table.out and bad in table.out, table

    shown = rows(pipe.ctl("dlq", "show", "--group", "some-group", "--output", "json"))
    assert len(shown) == 1 and shown[0]["value"] == "nope" and shown[0]["original"]["offset"] == malformed.offset
    headers = {header["name"]: header for header in shown[0]["headers"]}
    assert headers["who"]["value"] == "a test" and headers["blob"]["valueHex"] == "00ff"
    assert headers["kafka_dlt-original-offset"]["value"] == malformed.offset
    text = pipe.ctl("dlq", "show", place(letter))
    assert text.code == 0 and bad_id in text.out and "nightly" in text.out and CODE in text.out, text

    missing = pipe.ctl("dlq", "show", "0:99999")
    assert missing.code == 1 and "no dead letter at 0:99999" in missing.err, missing


@pytest.mark.parametrize("arguments, word", [
    (["show"], "PARTITION:OFFSET"), (["replay"], "PARTITION:OFFSET"), (["discard", "--all"], "--reason"),
    (["replay", "7"], "PARTITION:OFFSET"), (["replay", "--all", "--group", "g"], "--group"),
    (["list", "--error", "no-such-code"], "no-such-code"), (["list", "--since", "yesterday"], "--since"),
    (["list", "--limit", "0"], "--limit"), (["discard", "--all", "--reason", ""], "--reason"),
    (["list", "--again"], "--again"),
])
def test_wrong_usage__is_said_before_anything_is_reached(pipe, arguments, word):
    done = pipe.ctl("dlq", *arguments, EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert done.code == 2 and word in done.err and len(done.err.splitlines()) == 1, done


def test_replay__fixed_data__is_exported_once_and_marked(pipe):
    group_id = pipe.new_group()
    pipe.database.add_users(group_id, {"username": "=1+1"})
    command_id = str(uuid.uuid4())
    foreign = [("who", b"a test"), ("blob", b"\x00\xff"), ("empty", b""), ("traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")]
    sent = pipe.send(group_id, {"groupId": group_id, "commandId": command_id, "extra": [1.50, 2]}, headers=foreign)
    reject_formulas(pipe)
    (letter,) = pipe.dead_letters()
    pipe.database.execute("UPDATE {s}_users SET username = 'fixed'")

    dry = pipe.ctl("dlq", "replay", "--all", "--dry-run", "--output=json")
    assert dry.code == 0 and [row["result"] for row in rows(dry)] == ["would-replay"] and json.loads(dry.out)["dryRun"], dry
    assert len(commands(pipe)) == 1 and len(pipe.dead_letters()) == 1 and listed(pipe)[0]["state"] == "open"

    done = pipe.ctl("dlq", "replay", place(letter), "--reason", "data fixed", "--by", "asha", "--output=json")
    assert done.code == 0, done
    answer = json.loads(done.out)
    assert (answer["done"], answer["left"], answer["failed"]) == (1, 0, 0)
    assert answer["letters"][0]["result"] == "replayed" and answer["letters"][0]["commandId"] == command_id
    (audit,) = [line for line in done.log if line.get("event") == "dlq"]
    assert (audit["action"], audit["by"], audit["reason"], audit["command"], audit["group"]) == (
        "replayed", "asha", "data fixed", command_id, group_id)

    again = [record for record in commands(pipe) if record.offset != sent.offset or record.partition != sent.partition]
    assert len(again) == 1 and (again[0].key, again[0].value) == (sent.key, sent.value)
    assert list(again[0].header_list) == [*foreign, ("export-command-id", command_id.encode())]
    assert again[0].partition == partition_of(sent.key, 3)
    (mark,) = marks(pipe)
    assert (mark.key, mark.value, mark.partition) == (letter.key, None, letter.partition)
    headers = mark.text_headers
    assert headers["export-dlq-of"] == place(letter) and headers["export-dlq-action"] == "replayed"
    assert headers["export-dlq-by"] == "asha" and headers["export-dlq-reason"] == "data fixed"
    assert headers["export-command-id"] == command_id and headers["export-dlq-at"].endswith("Z")

    pipe.run_worker(export__formula_guard="reject")
    (result,) = pipe.results()
    exported, _ = check_file(pipe, result, group_id, command_id)
    assert len(exported) == 1
    (row,) = listed(pipe)
    assert (row["state"], row["stateBy"]) == ("replayed", "asha") and row["stateAt"]
    assert listed(pipe, "--open") == []
    left = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert left.code == 0 and [row["result"] for row in rows(left)] == ["left-replayed"], left
    assert len(commands(pipe)) == 2


def test_replay__retried_to_the_end__starts_afresh(pipe):
    group_id = pipe.new_group(rows=2)
    headers = [*letter_headers(pipe, command_id := str(uuid.uuid4()), code="database-query"),
               ("retry_topic-attempts", (4).to_bytes(4, "big")), ("retry_topic-backoff-timestamp", (1).to_bytes(8, "big")),
               ("kafka_original-topic", b"x"), ("kafka_dlt-exception-stacktrace", b"of Spring's tools")]
    letter, _ = put_letter(pipe, group_id, headers=headers)
    assert pipe.ctl("dlq", "replay", place(letter)).code == 0
    (command,) = commands(pipe)
    assert list(command.header_list) == [("export-command-id", command_id.encode())]
    worker = pipe.run_worker()
    (outcome,) = [line for line in worker.log() if line.get("event") == "outcome"]
    assert (outcome["outcome"], outcome["attempt"], outcome["command"]) == ("exported", 1, command_id)


def test_replay__its_command_ended_meanwhile__stays_and_again_gives_a_new_id(pipe):
    group_id, other, avro_group = (pipe.new_group(rows=1) for _ in range(3))
    own, by_header, in_avro = (str(uuid.uuid4()) for _ in range(3))
    value = ('{ "note": "%s", "groupId":"%s","commandId" : "%s", "big": 12345678901234567890 }' % (own, group_id, own.upper())).encode()
    pipe.send(group_id, value)
    pipe.send(other, headers=[("export-command-id", by_header.encode())])
    put_letter(pipe, group_id, value, own)
    put_letter(pipe, other, command_id=by_header)
    put_letter(pipe, avro_group, avro_command(avro_group, in_avro), in_avro)
    pipe.send(avro_group, avro_command(avro_group, in_avro))
    pipe.run_worker()
    assert len(pipe.results()) == 3

    left = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert left.code == 0 and {row["result"] for row in rows(left)} == {"left-ended"}, left
    assert len(commands(pipe)) == 3 and marks(pipe) == []
    done = pipe.ctl("dlq", "replay", "--all", "--again", "--output=json")
    assert done.code == 0, done
    new = {row["groupId"]: row["newCommandId"] for row in rows(done)}
    assert len(set(new.values())) == 3 and not set(new.values()) & {own, by_header, in_avro, None}
    by_group = collections.defaultdict(list)
    for record in commands(pipe):
        by_group[record.key.decode()].append(record)
    replayed = {group: sorted(found, key=lambda r: r.offset)[-1] for group, found in by_group.items()}
    assert replayed[group_id].value == value.replace(own.upper().encode(), new[group_id].encode())
    assert replayed[other].value == json.dumps({"groupId": other}).encode()
    assert replayed[avro_group].value == avro_command(avro_group, new[avro_group])
    for group, record in replayed.items():
        assert record.text_headers["export-command-id"] == new[group]
    assert {m.text_headers["export-command-id"] for m in marks(pipe)} == set(new.values())
    pipe.run_worker()
    assert collections.Counter(r.headers["export-command-id"].decode() for r in pipe.results()) == collections.Counter(
        [own, by_header, in_avro, *new.values()])


def avro_command(group_id, command_id):
    """Single-object encoding by hand: seven unions with null, of which groupId and commandId are set."""
    def text(value):
        data = value.encode()
        return b"\x02" + bytes([len(data) * 2]) + data if len(data) < 64 else None

    return bytes.fromhex("c301") + bytes.fromhex("c4a41d0d144a0cc0") + text(group_id) + text(command_id) + b"\x00" * 5


def test_replay__letter_without_a_value__cannot_be_and_is_said(pipe):
    letter = pipe.broker.send(pipe.topic["dlq"], b"g-1", None, headers=letter_headers(pipe, str(uuid.uuid4()), code="result-refused"))
    done = pipe.ctl("dlq", "replay", place(letter), "--output=json")
    assert done.code == 1 and [row["result"] for row in rows(done)] == ["no-value"], done
    assert commands(pipe) == [] and marks(pipe) == []
    assert pipe.ctl("dlq", "discard", place(letter), "--reason", "sent again by hand").code == 0
    assert [row["state"] for row in listed(pipe)] == ["discarded"]


def test_replay__a_record_that_kafka_refuses__is_said_and_the_others_go(pipe):
    pipe.broker.set_topic(pipe.topic["command"], max_message_bytes=20_000)
    big, _ = put_letter(pipe, "big", json.dumps({"groupId": "big", "note": "x" * 50_000}).encode())
    put_letter(pipe, "small")
    done = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert done.code == 1 and {row["groupId"]: row["result"] for row in rows(done)} == {
        "big": "refused", "small": "replayed"}, done
    assert [record.key for record in commands(pipe)] == [b"small"]
    assert [m.text_headers["export-dlq-of"] for m in marks(pipe)] != [place(big)] and len(marks(pipe)) == 1


def test_replay__a_letter_that_the_topic_takes__is_replayed_however_large(pipe):
    for topic in ("dlq", "command"):
        pipe.broker.set_topic(pipe.topic[topic], max_message_bytes=4_000_000)
    value = json.dumps({"groupId": "big", "note": "x" * 2_000_000}).encode()
    put_letter(pipe, "big", value)
    done = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert done.code == 0 and [row["result"] for row in rows(done)] == ["replayed"], done
    assert [record.value for record in commands(pipe)] == [value] and len(marks(pipe)) == 1


def test_discard__with_a_reason__is_marked_and_left_by_replay(pipe):
    letters = [put_letter(pipe, f"g-{n}")[0] for n in range(4)]
    put_letter(pipe, "other", headers=letter_headers(pipe, str(uuid.uuid4()), code="database-data"))
    dry = pipe.ctl("dlq", "discard", "--error", CODE, "--reason", "closed", "--dry-run")
    assert dry.code == 0 and "4 would be discarded" in dry.out and marks(pipe) == [], dry
    done = pipe.ctl("dlq", "discard", "--error", CODE, "--reason", "groups were closed", "--by", "ravi")
    assert done.code == 0 and "4 discarded, 0 left" in done.out, done
    audit = [line for line in done.log if line.get("event") == "dlq"]
    assert len(audit) == 4 and {(line["action"], line["by"], line["reason"]) for line in audit} == {
        ("discarded", "ravi", "groups were closed")}
    assert {m.text_headers["export-dlq-of"] for m in marks(pipe)} == {place(letter) for letter in letters}
    assert commands(pipe) == []
    replay = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert collections.Counter(row["result"] for row in rows(replay)) == {"left-discarded": 4, "replayed": 1}
    shown = rows(pipe.ctl("dlq", "show", place(letters[0]), "--output=json"))[0]
    assert [(e["action"], e["by"], e["reason"]) for e in shown["history"]] == [("discarded", "ravi", "groups were closed")]
    again = pipe.ctl("dlq", "replay", place(letters[0]), "--again", "--output=json")
    assert [(row["result"], row["newCommandId"]) for row in rows(again)] == [("replayed", None)]
    assert len(commands(pipe)) == 2 and [row["state"] for row in listed(pipe, place(letters[0]))] == ["replayed"]


def test_marks__copied_back_by_a_careless_tool__export_nothing_and_hide_nothing(pipe):
    letter, _ = put_letter(pipe, pipe.new_group(rows=1))
    assert pipe.ctl("dlq", "discard", "--all", "--reason", "no").code == 0
    (mark,) = marks(pipe)
    pipe.broker.send(pipe.topic["command"], mark.key, mark.value, headers=list(mark.header_list))
    pipe.run_worker()
    assert pipe.results() == []
    states = {row["place"]: (row["state"], row["errorCode"]) for row in listed(pipe)}
    assert states.pop(place(letter)) == ("discarded", CODE)
    # What the copy became is a letter of its own, open, though it still carries the mark's headers.
    assert list(states.values()) == [("open", "malformed-command")]


# ---- interrupted, and at the same time

def fill(pipe, count):
    """Dead letters of many groups; {command id: group id}"""
    made = {}
    producer = Producer({"log_level": 0, "bootstrap.servers": pipe.broker.bootstrap, "linger.ms": 50,
                         "partitioner": "murmur2_random"})
    for n in range(count):
        command_id, group_id = str(uuid.uuid4()), f"g-{n % 97}"
        made[command_id] = group_id
        producer.produce(pipe.topic["dlq"], key=group_id.encode(), value=json.dumps({"groupId": group_id, "n": n}).encode(),
                         headers=letter_headers(pipe, command_id, n))
    assert producer.flush(60) == 0
    return made


def start(pipe, *arguments):
    return subprocess.Popen([program("exportctl"), "dlq", *arguments], env=environment(pipe.settings),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_each_once(pipe, made):
    found = collections.Counter(record.text_headers["export-command-id"] for record in commands(pipe))
    assert {command_id: count for command_id, count in found.items() if count != 1} == {}
    assert set(found) == set(made)
    marked = collections.Counter(record.text_headers["export-dlq-of"] for record in marks(pipe))
    assert len(marked) == len(made) and set(marked.values()) == {1}
    assert {record.key.decode() for record in commands(pipe)} == set(made.values())


@pytest.mark.timeout(240)
def test_replay__killed_in_the_middle_and_run_again__each_letter_once(pipe):
    made = {}
    chance = random.Random(5)
    kills, whole_s = 0, 0.8  # how long one that nobody kills takes on this machine
    for _ in range(40):
        if kills == 8:
            break
        made.update(fill(pipe, 1500))
        began = time.monotonic()
        running = start(pipe, "replay", "--all", "--output=json")
        try:
            _, err = running.communicate(timeout=chance.uniform(0.2, 0.95) * whole_s)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
            kills += 1
            continue
        assert running.returncode == 0, err
        whole_s = time.monotonic() - began
    done = pipe.ctl("dlq", "replay", "--all", "--output=json", timeout=100)
    assert done.code == 0, done
    check_each_once(pipe, made)
    assert kills >= 4, kills
    again = json.loads(pipe.ctl("dlq", "replay", "--all", "--output=json").out)
    assert (again["done"], again["left"]) == (0, len(made))


@pytest.mark.timeout(240)
def test_replay__two_people_at_the_same_time__each_letter_once(pipe):
    made = {}
    fenced = 0
    for round_number in range(10):
        made.update(fill(pipe, 1500))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            both = [start(pipe, "replay", "--all", "--output=json")]
            time.sleep(0.04 * round_number)
            both.append(start(pipe, "replay", "--all", "--output=json"))
            said = list(pool.map(lambda process: process.communicate(timeout=100), both))
        for process, (_, err) in zip(both, said):
            if process.returncode != 0:
                assert process.returncode == 1 and "only one can run" in err.splitlines()[-1], err[-2000:]
                fenced += 1
        assert any(process.returncode == 0 for process in both)
    assert pipe.ctl("dlq", "replay", "--all").code == 0
    check_each_once(pipe, made)
    assert fenced > 0, "they never met"


@pytest.mark.timeout(120)
def test_replay__stopped_by_the_operator__says_what_was_done(pipe):
    made = fill(pipe, 6000)
    running = start(pipe, "replay", "--all")
    deadline = time.monotonic() + 30
    while not commands(pipe):
        assert time.monotonic() < deadline and running.poll() is None
    running.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = running.communicate(timeout=30)
    assert time.monotonic() - began < 3
    count = len(commands(pipe))
    if running.returncode == 0:
        pytest.skip("it was done before the signal came")
    assert running.returncode == 1 and 0 < count < len(made)
    last = err.splitlines()[-1]
    assert last.startswith("exportctl: stopped") and f"{count} were replayed" in last, last
    assert pipe.ctl("dlq", "replay", "--all").code == 0
    check_each_once(pipe, made)


@pytest.mark.timeout(120)
def test_replay__a_mark_stands_behind_an_open_transaction__is_waited_for(new_pipe):
    pipe = new_pipe(partitions=1)
    letter, command_id = put_letter(pipe, "g-1")
    open_one = Producer({"log_level": 0, "bootstrap.servers": pipe.broker.bootstrap, "transactional.id": pipe.suffix + "-other",
                         "transaction.timeout.ms": 6000})
    open_one.init_transactions(20)
    first = start(pipe, "replay", place(letter))
    assert first.wait(60) == 0
    open_one.begin_transaction()
    second, _ = put_letter(pipe, "g-2")
    open_one.produce(pipe.topic["dlq"], key=b"x", value=b"never committed")
    open_one.flush(20)
    # Its own mark will be behind the open record; the one after it must wait until that has ended by its timeout.
    begin = time.monotonic()
    done = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert done.code == 0 and [row["result"] for row in rows(done)] == ["left-replayed", "replayed"], done
    assert time.monotonic() - begin > 2, "it did not wait"
    last = pipe.ctl("dlq", "replay", "--all", "--output=json")
    assert [row["result"] for row in rows(last)] == ["left-replayed"] * 2
    reader = Reader(pipe.broker.bootstrap, pipe.topic["command"])
    assert len(reader.drain()) == 2
    reader.close()


@pytest.mark.parametrize("kind, name, operation, word", [
    ("TOPIC", "command", "WRITE", "Topic authorization failed"),
    ("TOPIC", "dlq", "WRITE", "Topic authorization failed"),
    ("TOPIC", "dlq", "READ", "needs READ"),
    ("TRANSACTIONAL_ID", "", "WRITE", "Transactional Id authorization failed"),
])
def test_replay__a_right_is_missing__is_said_in_one_line_and_nothing_is_done(pipe, kind, name, operation, word):
    put_letter(pipe, "g-1")
    with denied(pipe.broker, kind, pipe.topic[name] if name else pipe.suffix, operation):
        done = pipe.ctl("dlq", "replay", "--all")
    assert done.code == 1 and word in done.err and len(done.err.splitlines()) == 1, done
    assert commands(pipe) == [] and marks(pipe) == []
    assert pipe.ctl("dlq", "replay", "--all").code == 0 and len(commands(pipe)) == 1


def test_dlq__no_broker__exits_3_with_one_line(new_pipe):
    pipe = new_pipe(partitions=0)
    for arguments in (["list"], ["replay", "--all"], ["discard", "--all", "--reason", "x"]):
        done = pipe.ctl("dlq", *arguments, EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9", EXPORT_STARTUP_TIMEOUT="1s",
                        EXPORT_LOG_LEVEL="error")
        assert done.code == 3 and len(done.err.splitlines()) == 1, done
    done = pipe.ctl("dlq", "list")
    assert done.code == 1 and "topics create" in done.err and len(done.err.splitlines()) == 1, done


def test_replay_wait__fixed_and_broken_data__prints_each_outcome(pipe):
    good, bad = pipe.new_group(rows=3), pipe.new_group()
    pipe.database.add_users(bad, {"username": "=1+1"})
    _, good_id = put_letter(pipe, good)
    _, bad_id = put_letter(pipe, bad)
    broken = put_letter(pipe, "some-group", b"nope")[0]  # has no state: nothing to wait for
    pipe.worker(export__formula_guard="reject")
    done = pipe.ctl("dlq", "replay", "--all", "--wait", "--timeout=50s", "--output=json")
    assert done.code == 1, done
    found = {row["groupId"]: row for row in rows(done)}
    assert {group_id: (row["result"], row["outcome"], row["reason"]) for group_id, row in found.items()} == {
        good: ("replayed", "exported", None), bad: ("replayed", "dead-lettered", CODE), "some-group": ("replayed", None, None)}
    states = pipe.states()
    assert found[good]["filePath"] == states[good]["filePath"] and found[good]["at"] == states[good]["at"]
    assert (found[good]["commandId"], found[bad]["commandId"]) == (good_id, bad_id)
    said = [line for line in done.err.splitlines() if line.startswith("exportctl: ")]
    assert any(line.startswith(f"exportctl: {bad} failed: ") for line in said), done
    assert any("1 replayed commands are not waited for" in line for line in said), done
    # As lines for people; and the time runs out where nobody works.
    again = pipe.ctl("dlq", "replay", "--group", good, "--again", "--wait", "--timeout=50s")
    assert again.code == 0 and f"{good}  exported  3 rows" in again.out, again
    pipe.end_workers()
    late = pipe.ctl("dlq", "replay", "--group", good, "--again", "--wait", "--timeout=1s", "--output=json")
    assert late.code == 4 and [row["outcome"] for row in rows(late)] == [None], late
    assert place(broken) in {row["place"] for row in listed(pipe)}


def test_replay_wait__two_letters_of_a_group__old_outcomes_do_not_count(pipe):
    """Each replayed command writes a state that still has the other's earlier dead letter."""
    group_id = pipe.new_group()
    pipe.database.add_users(group_id, {"username": "=1+1"})
    ids = {pipe.send_id(group_id), pipe.send_id(group_id)}
    reject_formulas(pipe)
    assert len(pipe.dead_letters()) == 2
    pipe.database.execute("UPDATE {s}_users SET username = 'fixed' WHERE username = '=1+1'")
    pipe.worker(export__formula_guard="reject")
    done = pipe.ctl("dlq", "replay", "--all", "--wait", "--timeout=50s", "--output=json")
    assert done.code == 0, done
    assert {(row["commandId"], row["outcome"]) for row in rows(done)} == {(name, "exported") for name in ids}


def test_replay_wait__fails_once_more__is_the_new_outcome(pipe):
    group_id = pipe.new_group()
    pipe.database.add_users(group_id, {"username": "=1+1"})
    pipe.send_id(group_id)
    reject_formulas(pipe)
    before = pipe.states()[group_id]["at"]
    pipe.worker(export__formula_guard="reject")
    done = pipe.ctl("dlq", "replay", "--all", "--wait", "--timeout=50s", "--output=json")
    assert done.code == 1 and [(row["outcome"], row["at"] > before) for row in rows(done)] == [("dead-lettered", True)], done


@pytest.mark.parametrize("arguments, word", [(["--wait", "--dry-run"], "--dry-run"), (["--timeout=5s"], "--wait")])
def test_replay__options_that_do_not_fit__are_refused(pipe, arguments, word):
    done = pipe.ctl("dlq", "replay", "--all", *arguments, EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert done.code == 2 and word in done.err and len(done.err.splitlines()) == 1, done
