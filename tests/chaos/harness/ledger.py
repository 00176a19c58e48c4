# SPDX-License-Identifier: Apache-2.0
"""All that the independent reader has seen, and the judgement of it."""
import collections
import json
import threading

from support.checks import FIELDS, int32, int64
from support.deadletters import OWN
from support.murmur2 import partition_of

from .commands import DEAD, EXPORTED, SKIPPED

RETRY_OWN = {"retry_topic-attempts", "retry_topic-original-timestamp", "retry_topic-backoff-timestamp",
             "kafka_original-topic", "kafka_original-partition", "kafka_original-offset", "kafka_original-timestamp",
             "export-error-code", "export-error", "export-attempts", "export-command-id"}
TERMINAL = (EXPORTED, SKIPPED, DEAD)


class Seen(collections.namedtuple("Seen", "record at")):
    """A record and the time of its arrival, by the harness' clock."""

    @property
    def place(self):
        return self.record.topic, self.record.partition, self.record.offset


def foreign(header_list):
    return [header for header in header_list if header[0] not in OWN | RETRY_OWN]


def serial_of(record):
    for name, value in record.header_list:
        if name == "chaos-serial":
            return int(value)
    return None


class Ledger:
    def __init__(self, topics, tiers, partitions):
        self.topics, self.tiers, self.partitions = topics, tiers, partitions
        self.lock = threading.Lock()
        self.commands = {}                                # serial: Command
        self.in_command = collections.defaultdict(list)   # serial: [Seen] of the command topic
        self.retries = collections.defaultdict(list)      # serial: [(tier, Seen)]
        self.dead = collections.defaultdict(list)         # serial: [Seen]
        self.results = collections.defaultdict(list)      # command id: [Seen]
        self.states = collections.defaultdict(list)       # command id: [(JSON, Seen)]
        self.positions = {}                               # (topic, partition): the last Position
        self.violations = []                              # (lost|duplicated|false, text)
        self.exempt_from_early = set()                    # cycles in which a worker's clock was wrong
        self.deleted = set()                              # topics that were deleted and created again
        self.era = 0                                      # how often a topic was created again: its offsets begin anew
        self.era_of = {}                                  # serial: the era in which it was sent

    # -- the reader's thread ------------------------------------------------------------------------------------------
    def record(self, record, at):
        seen = Seen(record, at)
        with self.lock:
            serial = serial_of(record)
            if record.topic == self.topics["result"]:
                self.results[dict(record.header_list).get("export-command-id", b"?").decode()].append(seen)
            elif record.topic == self.topics["state"]:
                value = json.loads(record.value)
                self.states[value["commandId"]].append((value, seen))
            elif serial is None:
                self.blame("false", f"a record without its command's headers: {record}")
            elif record.topic == self.topics["dlq"]:
                self.dead[serial].append(seen)
            elif record.topic == self.topics["command"]:
                self.in_command[serial].append(seen)
            else:
                self.retries[serial].append((self.tiers.index(record.topic), seen))

    def position(self, topic, partition, position, at):
        """Committed positions only ever finish more."""
        with self.lock:
            before = self.positions.get((topic, partition))
            if before and not position.includes(before):
                self.blame("false", f"the committed position of {topic}/{partition} went back at {at:.3f}: "
                                    f"{before} became {position}")
            self.positions[topic, partition] = position

    def blame(self, kind, text):
        if (kind, text) not in self.violations:
            self.violations.append((kind, text))

    # -- what is known -------------------------------------------------------------------------------------------------
    def expect(self, command):
        with self.lock:
            self.commands[command.serial] = command
            self.era_of[command.serial] = self.era

    def begin_anew(self, topic):
        """The topic is going to be deleted, with its positions, and created again."""
        with self.lock:
            self.era += 1
            self.deleted.add(topic)

    def position_gone(self, topic, partition):
        with self.lock:
            if topic not in self.deleted:
                self.blame("lost", f"the committed position of {topic}/{partition} was deleted")
            self.positions.pop((topic, partition), None)

    def in_command_at(self, command, partition):
        """The command's records on a partition of the command topic."""
        with self.lock:
            return [s for s in self.in_command[command.serial] if s.place[1] == partition]

    def own(self, command):
        """(the record as sent, its moves)"""
        place = (command.sent.topic, command.sent.partition, command.sent.offset)
        seen = self.in_command[command.serial]
        return [s for s in seen if s.place == place], [s for s in seen if s.place != place]

    def ends_at(self, command):
        """[(place, has its outcome been seen?)] for each record that was read for the command."""
        own, moves = self.own(command)
        found, here = [], own
        must_move = command.moves and (command.key is None or self.home_of(command) != command.sent.partition)
        if must_move:
            found += [(s.place, bool(moves)) for s in own]
            here = moves
        states = self.lives(command)
        retries = sorted(self.retries[command.serial], key=lambda r: self.attempt_of(r[1].record))
        for attempt, seen in enumerate([here[0]] if here else [], 1):
            found.append((seen.place, self._ended(command, states, retries, attempt)))
        for _, seen in retries:
            found.append((seen.place, self._ended(command, states, retries, self.attempt_of(seen.record))))
        return found

    def _ended(self, command, states, retries, attempt):
        if any(self.attempt_of(seen.record) == attempt + 1 for _, seen in retries) or self.dead[command.serial]:
            return True
        return any(value["attempts"] == attempt and value["outcome"] in TERMINAL for value, _ in states)

    @staticmethod
    def attempt_of(record):
        return int32(dict(record.header_list)["retry_topic-attempts"])

    def home_of(self, command):
        return partition_of(command.group_id.encode(), self.partitions)

    def lives(self, command):
        """The command's own states: a replay has the same id, so the states of both stand one behind the other."""
        states = sorted(self.states[command.command_id], key=lambda s: s[1].record.offset)
        if not (command.replays or any(c.replays == command.serial for c in self.commands.values())):
            return states
        parts, part = [], []
        for state in states:
            part.append(state)
            if state[0]["outcome"] in TERMINAL:
                parts.append(part)
                part = []
        parts.append(part)
        number = 1 if command.replays else 0
        return parts[number] if number < len(parts) else []

    def announcements(self, command_id):
        """Lists of the records of each announcement; parts that do not follow each other are blamed."""
        found = []
        for seen in sorted(self.results[command_id], key=lambda s: (s.record.partition, s.record.offset)):
            headers = dict(seen.record.header_list)
            part, count = int(headers["export-part"]), int(headers["export-part-count"])
            if part == 1:
                found.append([])
            if not found or len(found[-1]) != part - 1:
                self.blame("false", f"parts out of order: {command_id} part {part} of {count}")
                return found
            found[-1].append(seen)
        for parts in found:
            if len(parts) != int(dict(parts[0].record.header_list)["export-part-count"]):
                self.blame("false", f"an announcement is not whole: {command_id}: {len(parts)} parts")
        return found

    # -- judgement, when everything has settled ------------------------------------------------------------------------
    def judge(self, commands):
        """Blame what is wrong with these commands; all of them have their outcome by now."""
        with self.lock:
            for command in commands:
                self._judge_record(command)
            replayed = {c.replays for c in self.commands.values()}
            for command in {c.command_id: c for c in commands if c.command_id and c.serial not in replayed}.values():
                self._judge_id(command)
            self._judge_order(commands)
            self._judge_strangers()

    def _judge_record(self, command):
        name = describe(command)
        own, moves = self.own(command)
        if len(own) != 1:
            self.blame("false", f"{name}: its own record was read {len(own)} times")
            return
        home = own[0]
        must_move = command.moves and (command.key is None or self.home_of(command) != command.sent.partition)
        if len(moves) > must_move:
            self.blame("duplicated", f"{name}: moved {len(moves)} times: {[s.place for s in moves]}")
        if len(moves) < must_move:
            self.blame("lost", f"{name}: was not moved to its partition")
            return
        if must_move:
            home = moves[0]
            self._judge_move(command, own[0].record, home.record)
        self._judge_retries(command, home)
        self._judge_dead(command, home)

    def _judge_move(self, command, own, moved):
        name = describe(command)
        same = (moved.key == command.group_id.encode() and moved.value == own.value and
                moved.timestamp_ms == own.timestamp_ms and moved.partition == self.home_of(command))
        if not same or foreign(moved.header_list) != foreign(own.header_list):
            self.blame("false", f"{name}: changed by its move: {own} became {moved}")
        if dict(moved.header_list).get("export-command-id", b"").decode() != command.command_id:
            self.blame("false", f"{name}: the moved record has another id: {moved.header_list}")

    def _judge_retries(self, command, home):
        name = describe(command)
        retries = sorted(self.retries[command.serial], key=lambda r: (self.attempt_of(r[1].record), r[1].record.offset))
        for index, (tier, seen) in enumerate(retries):
            record, headers = seen.record, dict(seen.record.header_list)
            attempt = self.attempt_of(record)
            if attempt < index + 2:
                self.blame("duplicated", f"{name}: attempt {attempt} stands twice in the retry tiers: "
                                         f"{[s.place for _, s in retries]}")
                return
            wrong = [text for text, good in (
                ("attempt", attempt == index + 2), ("tier", tier == attempt - 2),
                ("partition", record.partition == home.record.partition), ("key", record.key == home.record.key),
                ("value", record.value == home.record.value),
                ("headers", foreign(record.header_list) == foreign(home.record.header_list)),
                ("header twice", len([n for n, _ in record.header_list if n in RETRY_OWN]) == len(RETRY_OWN)),
                ("origin", origin_of(headers, "kafka_original-") == origin(home.record)),
                ("attempts made", headers["export-attempts"] == str(attempt - 1).encode()),
                ("id", headers["export-command-id"].decode() == command.command_id)) if not good]
            if wrong:
                self.blame("false", f"{name}: wrong in the retry tier: {wrong}: {record}")
            self._judge_time(command, attempt, int64(headers["retry_topic-backoff-timestamp"]), retries)

    def _judge_time(self, command, attempt, due_ms, retries):
        """Nothing that an attempt leaves may be seen before the attempt was due."""
        if command.cycle in self.exempt_from_early:
            return
        left = [seen for _, seen in retries if self.attempt_of(seen.record) == attempt + 1]
        left += [seen for value, seen in self.lives(command) if value["attempts"] == attempt]
        for seen in left:
            if seen.at * 1000 < due_ms - 2:
                self.blame("false", f"{describe(command)}: attempt {attempt} was due at {due_ms} ms, its outcome was there "
                                    f"{due_ms - seen.at * 1000:.0f} ms before")

    def _judge_dead(self, command, home):
        name, dead = describe(command), self.dead[command.serial]
        if len(dead) > 1:
            self.blame("duplicated", f"{name}: {len(dead)} dead letters: {[s.place for s in dead]}")
        if not dead:
            if command.expect == DEAD:
                self.blame("lost", f"{name}: no dead letter")
            return
        record, headers = dead[0].record, dict(dead[0].record.header_list)
        if command.expect != DEAD:
            self.blame("false", f"{name}: dead-lettered though nothing is wrong with it: "
                                f"{headers.get('export-error-code')} {headers.get('export-error')} after "
                                f"{headers.get('export-attempts')} attempts")
            return
        refused = command.kind == "oversized"
        code = "result-refused" if refused else command.reason
        made = int(headers["export-attempts"])
        wrong = [text for text, good in (
            ("code", not code or headers["export-error-code"].decode() in (code, command.reason)),
            ("attempts", made == (command.attempts or made)), ("key", record.key == home.record.key),
            ("value", record.value == (None if refused else home.record.value)),
            ("headers", foreign(record.header_list) == foreign(home.record.header_list)),
            ("origin", origin_of(headers, "kafka_dlt-original-") == origin(home.record)),
            ("header twice", len({n for n, _ in record.header_list if n in OWN}) ==
             len([n for n, _ in record.header_list if n in OWN]))) if not good]
        if wrong:
            self.blame("false", f"{name}: wrong in the dead letter: {wrong}: {str(record)[:1500]}")

    def _judge_id(self, command):
        """States and results of one id."""
        name = describe(command)
        announcements = self.announcements(command.command_id)
        states = self.lives(command)
        exported = [value for value, _ in states if value["outcome"] == EXPORTED]
        expected = 1 if command.expect == EXPORTED else 0
        if len(announcements) > expected:
            self.blame("duplicated" if expected else "false",
                       f"{name}: announced {len(announcements)} times: {[[s.place for s in a] for a in announcements]}")
        if len(announcements) < expected:
            self.blame("lost", f"{name}: never announced; its states: {brief(states)}; "
                               f"retries: {[s.place for _, s in self.retries[command.serial]]}")
        if len(exported) > 1:
            self.blame("duplicated", f"{name}: {len(exported)} states say that it was exported")
        if command.repeats == 1:
            self._judge_states(command, states)
        if announcements and exported:
            self._judge_result(command, announcements[0], exported[0])

    def _judge_states(self, command, states):
        """One state for each attempt, one after the other, the last one what it has to be."""
        retried = len(self.retries[command.serial])
        want = [("retried", number) for number in range(1, retried + 1)] + [(command.expect, retried + 1)]
        have = [(value["outcome"], value["attempts"]) for value, _ in states]
        if have != want:
            kind = "duplicated" if len(have) > len(want) else "lost" if len(have) < len(want) else "false"
            self.blame(kind, f"{describe(command)}: its states are {brief(states)}, expected {want}")
        elif command.expect == SKIPPED and states[-1][0]["reason"] != command.reason:
            self.blame("false", f"{describe(command)}: skipped as {states[-1][0]['reason']}")

    def _judge_result(self, command, parts, state):
        first = dict(parts[0].record.header_list)
        for seen in parts:
            value, headers = json.loads(seen.record.value), dict(seen.record.header_list)
            wrong = [text for text, good in (
                ("six fields", set(value) == FIELDS), ("group", value["groupId"] == command.group_id),
                ("key", seen.record.key == command.group_id.encode()),
                ("trace", headers.get("traceparent") == dict(command.headers).get("traceparent")),
                ("rows", int(first["export-row-count"]) == state["rows"]),
                ("file", value["filePath"] == state["filePath"]),
                ("digest", headers.get("export-sha256", b"").decode() == (state["sha256"] or ""))) if not good]
            if wrong:
                self.blame("false", f"{describe(command)}: wrong in the result: {wrong}: {str(seen.record)[:1500]}; {state}")

    def _judge_order(self, commands):
        """First attempts of a group in the order of their places in the command topic."""
        homes = collections.defaultdict(list)
        for command in commands:
            own, moves = self.own(command)
            if command.repeats > 1 or command.replays or not command.command_id or not own:
                continue
            home = (moves or own)[0]
            for value, seen in self.lives(command):
                if value["attempts"] == 1:
                    homes[command.group_id, self.era_of[command.serial]].append((seen.record.offset, home.record.offset, command.serial))
        for (group_id, _), ended in homes.items():
            ended.sort()
            offsets = [offset for _, offset, _ in ended]
            if offsets != sorted(offsets):
                self.blame("false", f"first attempts of {group_id} out of order (state offset, command offset, serial): {ended}")

    def _judge_strangers(self):
        known = {command.command_id for command in self.commands.values()}
        for name, records in (("results", self.results), ("states", self.states)):
            for command_id in records.keys() - known:
                self.blame("false", f"{name} of a command that nobody sent: {command_id}")
        for name, records in (("command", self.in_command), ("retry", self.retries), ("dlq", self.dead)):
            for serial in records.keys() - self.commands.keys():
                self.blame("false", f"a record of the {name} topic whose serial nobody sent: {serial}")


def origin_of(headers, prefix):
    return (headers[prefix + "topic"].decode(), int32(headers[prefix + "partition"]), int64(headers[prefix + "offset"]),
            int64(headers[prefix + "timestamp"]))


def origin(record):
    return record.topic, record.partition, record.offset, record.timestamp_ms


def brief(states):
    return [(value["outcome"], value["reason"], value["attempts"], seen.place[1:]) for value, seen in states]


def describe(command):
    sent = command.sent
    place = f"{sent.partition}/{sent.offset}" if sent else "not sent"
    return f"#{command.serial} {command.kind} of {command.group_id!r}, id {command.command_id or '-'}, sent to {place}"
