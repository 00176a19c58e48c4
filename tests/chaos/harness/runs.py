# SPDX-License-Identifier: Apache-2.0
"""The commands of a cycle as a run: its end and its manifest against what the independent reader has seen."""
import gzip
import hashlib
import json
import time

from support.programs import run

from .ledger import TERMINAL

FIELDS = ["groupId", "outcome", "reason", "commandId", "filePath", "sha256", "rows", "bytes", "snapshotAt"]
COUNTS = {"exported": "exported", "skipped": "skipped", "deadLettered": "dead-lettered"}


def run_of(command):
    """The run that a command names; empty: none, or the command cannot be read."""
    try:
        value = json.loads(command.value)
        return value.get("runId", "") if isinstance(value, dict) else ""
    except ValueError:
        return ""


class Runs:
    def __init__(self, world):
        self.world = world

    def begin(self, number, commands):
        """The record that a scheduler would have written with these commands."""
        groups = {command.group_id for command in commands if run_of(command) == name_of(number)}
        record = {"version": 1, "runId": name_of(number), "status": "started", "groups": len(groups), "exported": None,
                  "skipped": None, "deadLettered": None, "unfinished": None, "rows": None, "bytes": None,
                  "startedAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "endedAt": None,
                  "requestedBy": "chaos", "manifestPath": None, "manifestSha256": None}
        self.world.announce(self.world.topics["run"], record["runId"].encode(), json.dumps(record).encode(),
                            [("export-command-topic", self.world.topics["command"].encode())])
        return groups

    def judge(self, number, groups):
        """In quiet: `exportctl run finish` writes the end with a manifest."""
        name = name_of(number)
        settings = {**self.world.settings(1, direct=True), "EXPORT_STORAGE_URL": self.world.storage_url,
                    "EXPORT_SCHEDULE_MANIFEST": "true"}
        done = run("exportctl", ["run", "finish", name, "--output", "json"], settings, 90)
        ends = self.ends_of(name)
        failed = any(end["outcome"] == "dead-lettered" for end in ends.values())
        if done.code != int(failed):
            self.blame(f"run finish {name}: {done}")
            return
        record = json.loads(done.out)["run"]
        if set(ends) != groups:
            self.blame(f"{name}: no end is seen of {sorted(groups - set(ends))}; not of this run: {sorted(set(ends) - groups)}")
        self.judge_record(record, ends)
        self.judge_manifest(record, ends)

    def ends_of(self, name):
        """{group: the last state that ended it for this run}, in the order of the state topic."""
        ledger, ends = self.world.ledger, {}
        with ledger.lock:
            states = [(seen.record.offset, value) for found in ledger.states.values() for value, seen in found
                      if value["runId"] == name and value["outcome"] in TERMINAL]
        for _, value in sorted(states, key=lambda state: state[0]):  # a group is on one partition
            ends[value["groupId"]] = value
        return ends

    def judge_record(self, record, ends):
        wrong = {field: record[field] for field, outcome in COUNTS.items()
                 if record[field] != sum(end["outcome"] == outcome for end in ends.values())}
        if record["status"] != "completed" or record["unfinished"] != 0 or record["groups"] != len(ends) or wrong:
            self.blame(f"the end of a run is not what is seen: {record}; wrong: {wrong}")

    def judge_manifest(self, record, ends):
        data, _ = self.world.store.get(record["manifestPath"])
        if hashlib.sha256(data).hexdigest() != record["manifestSha256"]:
            self.blame(f"the manifest is not the announced one: {record}")
        lines = [json.loads(line) for line in gzip.decompress(data).decode().splitlines()]
        if sorted(line["groupId"] for line in lines) != sorted(ends):
            self.blame(f"{record['manifestPath']}: its groups are not those of the run")
            return
        for line in lines:
            end = ends[line["groupId"]]
            known = {field: end[field] for field in ("outcome", "reason", "commandId")}
            # What a later command has pushed out of the state is null; what is told is true.
            known |= {field: end[field] for field in FIELDS[4:] if line[field] is not None}
            if list(line) != FIELDS or any(line[field] != value for field, value in known.items()):
                self.blame(f"a line of the manifest is not what is seen: {line}; {end}")

    def blame(self, text):
        self.world.checks.blame("false", text)


def name_of(number):
    return f"cycle-{number}"
