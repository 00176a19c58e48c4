# SPDX-License-Identifier: Apache-2.0
"""The commands of a cycle: what is sent, and what has to become of it."""
import json
import random
import uuid
from dataclasses import dataclass, field

NAMESPACE = uuid.UUID("10731def-ce10-4a86-a579-f4438f52a638")
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

# name: (type, users, options). Options: sleep_s for each row, code with which it always fails, active, bio, name (length).
GROUPS = {
    "file/1 ü%": ("COST_BASED", 3, {}),
    "file-2": ("COST_BASED", 7, {}),
    "file-3": ("COST_BASED", 20, {}),
    "file-4": ("COST_BASED", 60, {}),
    "list-1": ("NON_COST_BASED", 2, {}),
    "list-2": ("NON_COST_BASED", 30, {}),
    "list-3": ("NON_COST_BASED", 90, {}),
    "slow-file-1": ("COST_BASED", 20, {"sleep_s": 0.03}),
    "slow-file-2": ("COST_BASED", 20, {"sleep_s": 0.05}),
    "slow-list-1": ("NON_COST_BASED", 15, {"sleep_s": 0.03}),
    "slow-list-2": ("NON_COST_BASED", 15, {"sleep_s": 0.04}),
    "big-file": ("COST_BASED", 20000, {"bio": 40}),
    "long-list": ("NON_COST_BASED", 20000, {"name": 250}),
    "empty-file": ("COST_BASED", 0, {}),
    "inactive": ("COST_BASED", 5, {"active": False}),
    "other-type": ("LOTTERY", 5, {}),
    "doomed-1": ("COST_BASED", 2, {"code": "57014"}),
    "doomed-2": ("NON_COST_BASED", 2, {"code": "40001"}),
    "phoenix": ("COST_BASED", 4, {"code": "40P01"}),
    "bad-data": ("COST_BASED", 2, {"code": "22P02"}),
    "flaky-1": ("COST_BASED", 5, {}),
    "flaky-2": ("NON_COST_BASED", 5, {}),
}
FILES = ["file/1 ü%", "file-2", "file-3", "file-4"]
LISTS = ["list-1", "list-2", "list-3"]
SLOW = ["slow-file-1", "slow-file-2", "slow-list-1", "slow-list-2"]
GROWING = FILES + LISTS + SLOW + ["flaky-1", "flaky-2", "phoenix"]

EXPORTED = "exported"
DEAD = "dead-lettered"
SKIPPED = "skipped"


@dataclass
class Command:
    serial: int
    cycle: int
    kind: str
    group_id: str
    expect: str                   # the outcome in the end
    reason: str = ""              # of SKIPPED; of DEAD the code, empty: any
    attempts: int = 0             # made in the end; 0: any number
    key: bytes = None
    value: bytes = None
    headers: list = field(default_factory=list)
    wrong_partition: bool = False
    command_id: str = ""          # empty until the record's place is known
    repeats: int = 1              # records with the same id that are sent side by side
    replays: int = 0              # serial of the command whose dead letter this is
    flaky_s: float = 0.0
    sent: object = None           # the record as it was stored

    @property
    def moves(self):
        return self.expect != DEAD or self.reason != "malformed-command"


class Maker:
    """Draws the commands of a cycle; the same seed and cycle give the same ones."""

    def __init__(self, seed, cycle, first_serial):
        self.random = random.Random(f"{seed}/{cycle}/commands")
        self.cycle = cycle
        self.serial = first_serial

    def command(self, kind, group_id, expect=EXPORTED, **fields):
        number, self.serial = self.serial, self.serial + 1
        command_id = fields.pop("command_id", str(uuid.UUID(int=self.random.getrandbits(128), version=4)))
        value = fields.pop("value", None)
        if value is None:
            value = {"groupId": group_id, "commandId": command_id, "requestedBy": "chaos", "runId": f"cycle-{self.cycle}",
                     "notOurs": [1, {"x": None}]}
        if isinstance(value, dict):
            value = json.dumps(value).encode()
        headers = [("chaos-serial", str(number).encode()), ("x-bytes", bytes(self.random.randrange(256) for _ in range(8))),
                   ("x-twice", b"1"), ("traceparent", TRACE), ("x-twice", b"2"), ("x-empty", b"")]
        return Command(number, self.cycle, kind, group_id, expect, key=fields.pop("key", group_id.encode()), value=value,
                       headers=headers, command_id=command_id, **fields)

    def draw(self, count, special):
        """`count` commands of all sorts and one each of the `special` kinds, in random order."""
        kinds = self.random.choices(["file", "list", "slow", "bare", "misrouted", "keyless", "duplicate", "malformed", "skip",
                                     "flaky"], [8, 5, 5, 2, 2, 2, 2, 2, 2, 1], k=count) + list(special)
        self.random.shuffle(kinds)
        made = []
        for kind in kinds:
            made += getattr(self, kind.replace("-", "_"))()
        return made

    def file(self):
        return [self.command("file", self.random.choice(FILES))]

    def list(self):
        return [self.command("list", self.random.choice(LISTS))]

    def slow(self):
        return [self.command("slow", self.random.choice(SLOW))]

    def big(self):
        return [self.command("big", "big-file")]

    def long_list(self):
        return [self.command("long-list", "long-list")]

    def bare(self):
        """No id: it follows from the record's place."""
        group_id = self.random.choice(FILES + LISTS)
        value = self.random.choice([b"{}", json.dumps({"groupId": group_id}).encode()])
        return [self.command("bare", group_id, value=value, command_id="")]

    def misrouted(self):
        group_id = self.random.choice(FILES + LISTS + SLOW)
        value = None if self.random.random() < 0.5 else b"{}"
        return [self.command("misrouted", group_id, wrong_partition=True, value=value, **({"command_id": ""} if value else {}))]

    def keyless(self):
        return [self.command("keyless", self.random.choice(FILES + LISTS), key=None)]

    def duplicate(self):
        group_id = self.random.choice(FILES + LISTS + SLOW)
        count = self.random.choice([2, 2, 3])
        first = self.command("duplicate", group_id, repeats=count)
        return [first] + [self.command("duplicate", group_id, repeats=count, command_id=first.command_id, value=first.value)
                          for _ in range(count - 1)]

    def malformed(self):
        group_id = self.random.choice(FILES)
        value = self.random.choice([b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"groupId":7}', b'{"groupId":"another"}',
                                    b'{"commandId":"no-uuid"}', b'{"requestedAt":"yesterday"}', b"null"])
        return [self.command("malformed", group_id, DEAD, reason="malformed-command", attempts=1, value=value, command_id="")]

    def oversized(self):
        """Its dead letter is larger than the topic takes, which the broker refuses: it goes without the value."""
        return [self.command("oversized", "file-2", DEAD, reason="malformed-command", attempts=1, value=b"x" * 1_010_000,
                             command_id="")]

    def skip(self):
        group_id, reason = self.random.choice([("nobody", "unknown-group"), ("inactive", "inactive"),
                                               ("other-type", "invalid-group-type"), ("empty-file", "empty")])
        return [self.command("skip", group_id, SKIPPED, reason=reason)]

    def flaky(self):
        return [self.command("flaky", self.random.choice(["flaky-1", "flaky-2"]), flaky_s=self.random.uniform(0.3, 2.5))]

    def doomed(self):
        return [self.command("doomed", self.random.choice(["doomed-1", "doomed-2"]), DEAD, attempts=4)]

    def bad_data(self):
        return [self.command("bad-data", "bad-data", DEAD, reason="database-data", attempts=1)]

    def phoenix(self):
        return [self.command("phoenix", "phoenix", DEAD, attempts=4)]

    def replay(self, dead):
        """The dead letter of a command, sent again as a tool would, after its group was mended."""
        headers = [h for h in dead.header_list if h[0] != "chaos-serial"]
        again = self.command("replay", "phoenix", value=dead.value, key=dead.key,
                             command_id=json.loads(dead.value)["commandId"])
        again.headers = headers + again.headers[:1]
        again.replays = int(dict(dead.header_list)["chaos-serial"])
        return again


def id_of_record(cluster_id, record):
    """The id of a command that carries none, by the place where it was read first."""
    return str(uuid.uuid5(NAMESPACE, f"record/{cluster_id}/{record.topic}/{record.partition}/{record.offset}/"
                                     f"{record.timestamp_ms}"))
