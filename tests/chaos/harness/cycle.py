# SPDX-License-Identifier: Apache-2.0
"""One cycle: commands, a fault among them, healing, quiet, judgement."""
import contextlib
import random
import threading
import time
from dataclasses import dataclass

import psycopg

from .commands import Maker
from .faults import Skip

COMMANDS = 26
ECHO_S = 1.0  # what a worker that was thought dead says after its return belongs to the cycle
# What a cycle has besides: kinds that cost more, or that would tell too little in greater numbers.
EXTRAS = ["doomed", "bad-data", "oversized", "phoenix", "replay", "big", "long-list"]


@dataclass
class Outcome:
    cycle: int
    fault: str
    brokers: int
    commands: int = 0
    seconds: float = 0.0
    recovery_s: float = 0.0
    lost: int = 0
    duplicated: int = 0
    false: int = 0
    skipped: str = ""      # why the fault could not be made
    middle: bool = False   # positions could be compared while commands were under way

    @property
    def clean(self):
        return not (self.lost or self.duplicated or self.false)


class Sender(threading.Thread):
    """Most commands at once, some while the fault goes on."""

    def __init__(self, world, commands, spread_s, draw):
        super().__init__(daemon=True)
        first = len(commands) * 2 // 3
        times = sorted([draw.uniform(0, spread_s) for _ in range(first)] +
                       [draw.uniform(spread_s, spread_s + 2.5) for _ in range(len(commands) - first)])
        self.world, self.planned = world, list(zip(times, commands))
        self.failure = None
        self.start()

    def run(self):
        began = time.monotonic()
        try:
            for at, command in self.planned:
                time.sleep(max(began + at - time.monotonic(), 0))
                if command.flaky_s:
                    with contextlib.suppress(psycopg.Error):  # not to be reached: then this group does not fail
                        self.world.database.weather(command.group_id, "40001", command.flaky_s)
                self.world.send(command)
            self.world.flush()
        except Exception as error:
            self.failure = error


def commands_of(world, seed, number, special):
    draw = random.Random(f"{seed}/{number}/extras")
    extras = draw.sample(EXTRAS, 2)
    if "replay" in extras and "phoenix" in [*extras, *special]:
        extras.remove("replay")
    maker = Maker(seed, number, number * 1000)
    replay = []
    if "replay" in extras:
        extras.remove("replay")
        if world.held_dead_letter:
            world.database.weather("phoenix")
            replay = [maker.replay(world.held_dead_letter)]
            world.held_dead_letter = None
    if "phoenix" in [*extras, *special]:
        world.database.weather("phoenix", "40P01", 1e6)
    return maker.draw(COMMANDS, [*special, *extras]) + replay


def hold_dead_letter(world, commands):
    """A dead letter of the group that can be mended is replayed by a later cycle."""
    for command in commands:
        if command.kind == "phoenix" and world.ledger.dead[command.serial]:
            world.held_dead_letter = world.ledger.dead[command.serial][0].record


def run_cycle(world, number, fault, options):
    """The cycle's Outcome, and the violations of it."""
    began = time.monotonic()
    seed, settle_s = options.seed, options.settle
    outcome = Outcome(number, fault.name, world.broker_count)
    before = len(world.ledger.violations)
    commands = commands_of(world, seed, number, [*fault.special, *options.extra])
    outcome.commands = len(commands)
    world.grow(number)
    if fault.name == "clock-step":
        world.ledger.exempt_from_early.add(number)
    if fault.first:
        fault.first(world, random.Random(f"{seed}/{number}/first"))
    groups = world.runs.begin(number, commands)
    sender = Sender(world, commands, fault.spread_s, random.Random(f"{seed}/{number}/times"))
    try:
        fault.run(world, random.Random(f"{seed}/{number}/fault"))
    except Skip as reason:
        outcome.skipped = str(reason)
    world.check_workers()
    world.proxy.calm()
    world.brokers.heal()
    world.heal_workers()
    healed = time.monotonic()
    outcome.middle = world.checks.positions(commands)
    sender.join(90)
    if sender.failure or sender.is_alive():
        raise RuntimeError(f"the harness could not send its commands: {sender.failure}")
    time.sleep(max(healed + ECHO_S - time.monotonic(), 0))
    if settle(world, healed + settle_s):
        outcome.recovery_s = time.monotonic() - healed
        world.ledger.judge(commands)
        world.checks.exports(commands)
        world.checks.positions_in_quiet(commands)
        world.checks.store_is_clean()
        world.checks.positions_were_in_time()
        if fault.name != "clock-step":  # a dead letter that is older than the run is no end of it
            world.runs.judge(number, groups)
        hold_dead_letter(world, commands)
    else:
        outcome.recovery_s = settle_s
        world.checks.blame("lost", f"not settled {settle_s} s after healing; (committed, end) where they differ: {world.lag()}")
        blame_open(world, commands)
    world.check_workers()
    found = world.ledger.violations[before:]
    for kind in ("lost", "duplicated", "false"):
        setattr(outcome, kind, sum(1 for what, _ in found if what == kind))
    outcome.seconds = time.monotonic() - began
    return outcome, found


def settle(world, until):
    while time.monotonic() < until:
        if world.settled():
            return True
        if world.ledger.violations and time.monotonic() > until - 20:
            return False
        time.sleep(0.1)
    return False


def blame_open(world, commands):
    """Which commands have no outcome, for whoever looks for the cause."""
    with world.ledger.lock:
        waiting = [f"#{c.serial} {c.kind} {c.group_id!r} at {place}" for c in commands if c.sent and c.repeats == 1 and c.command_id
                   for place, ended in world.ledger.ends_at(c) if not ended]
    if waiting:
        world.checks.blame("lost", f"{len(waiting)} records without an outcome: {waiting[:10]}")
