# SPDX-License-Identifier: Apache-2.0
"""What the ledger cannot know by itself: objects behind the announcements, the store's leftovers, positions against records."""
import collections
import csv
import datetime
import io
import json
import time
import urllib.parse

import botocore.exceptions
from support.csvfile import gunzip_one_member, read_export
from support.objects import sha256

from .commands import EXPORTED, GROUPS
from .ledger import describe
from .reader import NotNow

ROWS_READ_MAX = 2000  # bigger files are counted, not compared
GAVE_UP = '"event":"transaction-unfinished"'
GAVE_UP_HOLDS_S = 60


def times_of(log, message):
    lines = [json.loads(line) for line in log.splitlines() if message in line]
    return [datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp() for line in lines]


class Checks:
    def __init__(self, world):
        self.world = world
        self.digests = {}       # url: (digest, what announced it)
        self.written_twice = set()

    def blame(self, kind, text):
        with self.world.ledger.lock:
            self.world.ledger.blame(kind, text)

    # -- announcements -------------------------------------------------------------------------------------------------
    def exports(self, commands):
        """Each announcement of these commands against the store and the database."""
        rows = {}
        for command in {c.command_id: c for c in commands if c.expect == EXPORTED}.values():
            with self.world.ledger.lock:
                announcements = self.world.ledger.announcements(command.command_id)
            if announcements and command.group_id not in rows:
                rows[command.group_id] = collections.Counter(self.world.database.rows(command.group_id))
            for parts in announcements:
                records = [seen.record for seen in parts]
                wrong = (self._file(command, records, rows) if json.loads(records[0].value)["filePath"]
                         else self._list(command, records, rows))
                if wrong:
                    self.blame("false", f"{describe(command)}: {wrong}")

    def _list(self, command, records, rows):
        names = [name for record in records for name in json.loads(record.value)["usernames"]]
        headers = dict(records[0].header_list)
        if int(headers["export-row-count"]) != len(names):
            return f"{len(names)} usernames, announced {headers['export-row-count']}"
        return self._compare(command, collections.Counter(names),
                             collections.Counter(row[0] for row in rows[command.group_id].elements()))

    def _file(self, command, records, rows):
        headers = {name: value.decode("utf-8", "replace") for name, value in records[0].header_list}
        url = json.loads(records[0].value)["filePath"]
        if GROUPS[command.group_id][0] != "COST_BASED":
            return f"a file of a list: {url}"
        try:
            data, answer = self.world.store.get(url)
        except botocore.exceptions.ClientError as error:
            return f"the announced object is not there: {url}: {error}"
        self.digests[url] = (headers["export-sha256"], describe(command))
        if sha256(data) != headers["export-sha256"] or len(data) != int(headers["export-byte-count"]):
            return (f"the object is not the announced one: {url}: {len(data)} bytes {sha256(data)}, announced "
                    f"{headers['export-byte-count']} {headers['export-sha256']}")
        for name in ("export-version", "export-command-id", "export-snapshot-at"):
            if answer["Metadata"][name] != headers[name]:
                return f"metadata of the object: {name} is {answer['Metadata'][name]}, announced {headers[name]}"
        count = int(headers["export-row-count"])
        if count > ROWS_READ_MAX:
            lines = sum(1 for _ in csv.reader(io.StringIO(gunzip_one_member(data).decode()))) - 1
            total = sum(rows[command.group_id].values())
            return "" if count == lines == total else f"{count} rows announced, {lines} in the object, {total} in the group"
        found = read_export(data)
        if len(found) != count:
            return f"{len(found)} rows in the object, announced {count}"
        return self._compare(command, collections.Counter(tuple(row) for row in found), rows[command.group_id])

    def _compare(self, command, found, have):
        """All rows are the group's, and none is missing that was there when the command was sent."""
        foreign, missing = found - have, have - found
        if foreign:
            return f"rows that the group does not have: {list(foreign)[:3]}"
        late = self.world.grown_since(command)
        if sum(missing.values()) > late:
            return f"{sum(missing.values())} rows are missing, {late} can be younger than the command"
        return ""

    def digests_hold(self):
        """At the end: no announced object has changed since."""
        for url, (digest, name) in self.digests.items():
            try:
                data, _ = self.world.store.get(url)
            except botocore.exceptions.ClientError as error:
                self.blame("false", f"an announced object has gone: {url}: {error}; {name}")
                continue
            if sha256(data) != digest:
                self.blame("false", f"an announced object was overwritten: {url}: {sha256(data)}, announced {digest}; {name}")

    def store_is_clean(self, timeout=10):
        """No object was made twice, and no upload is left over."""
        for path, count in self.world.proxy.writes().items():
            if count > 1 and path not in self.written_twice:
                self.written_twice.add(path)
                self.blame("false", f"an object was written {count} times: {urllib.parse.unquote(path)}")
        deadline = time.monotonic() + timeout
        while uploads := self.world.store.uploads(self.world.storage_url):
            if time.monotonic() > deadline:
                self.blame("false", f"multipart uploads are left over: {uploads}")
                return
            time.sleep(0.3)

    def positions_were_in_time(self):
        """No worker sends positions after a revoke, but of a transaction for which it has waited as long as it may."""
        for name, at in self.world.proxy.late_positions():
            given_up = [when for worker in self.world.started if name == f"w{worker.number}"
                        for when in times_of(worker.text(), GAVE_UP)]
            if not any(abs(at - when) < GAVE_UP_HOLDS_S for when in given_up):
                self.blame("false", f"{name} sent positions at {at:.3f}, after it had given up its partitions")

    # -- positions against records -------------------------------------------------------------------------------------
    def positions_in_quiet(self, commands, timeout=20.0):
        """The comparison has to be made. A question that meets the move of a partition's leader is asked again."""
        deadline = time.monotonic() + timeout
        while not self.positions(commands, timeout):
            if time.monotonic() > deadline:
                self.blame("false", "in quiet the positions could not be compared with what can be seen")
                return
            time.sleep(0.5)

    def positions(self, commands, timeout=4.0):
        """What is finished by the committed positions can be seen, and what was seen is finished. False: not now."""
        reader, ledger = self.world.reader, self.world.ledger
        singles = [c for c in commands if c.sent and c.repeats == 1 and c.kind != "malformed" and c.command_id]
        try:
            before = reader.positions(timeout)
            reader.drain(timeout)
            with ledger.lock:
                seen = [(command, place, ended) for command in singles for place, ended in ledger.ends_at(command)]
            after = reader.positions(timeout)
        except NotNow:
            return False
        for command, place, ended in seen:
            position = before.get(place[:2])
            if position and position.finished(place[2]) and not ended:
                self.blame("lost", f"{describe(command)}: {place} is finished by the committed position, and no outcome "
                                   f"can be seen: {position}")
            position = after.get(place[:2])
            if ended and not (position and position.finished(place[2])):
                self.blame("duplicated", f"{describe(command)}: the outcome of {place} can be seen, and the committed "
                                         f"position calls it unfinished: {position}")
        return True
