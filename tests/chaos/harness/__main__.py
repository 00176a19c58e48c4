# SPDX-License-Identifier: Apache-2.0
"""tests/chaos/run"""
import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from . import report
from .cycle import run_cycle
from .faults import FAULTS
from .world import World

BLOCK, BLOCK_OF_ONE = 20, 14  # of 20 cycles 14 run on one broker, the others on three
SHORT_S = 270
STARTS = 3


def brokers_of(number):
    return 1 if (number - 1) % BLOCK < BLOCK_OF_ONE else 3


def fault_of(seed, number):
    """Faults are dealt from a shuffled deck, so that each comes up equally often."""
    count = brokers_of(number)
    block, place = divmod(number - 1, BLOCK)
    index = block * BLOCK_OF_ONE + place if count == 1 else block * (BLOCK - BLOCK_OF_ONE) + place - BLOCK_OF_ONE
    names = [name for name, fault in sorted(FAULTS.items()) if count in fault.brokers and name != "none"]
    if count == 3:  # there they are worth more
        names += [name for name in names if name.startswith("broker")] * 3
    deck, card = divmod(index, len(names))
    random.Random(f"{seed}/{count}/{deck}").shuffle(names)
    return names[card]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/chaos/run", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="faults:\n" + "\n".join(f"  {f.name:19s} {f.note}" for f in FAULTS.values()))
    parser.add_argument("--cycles", type=int, default=200, metavar="N", help="the last cycle (default 200)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the schedule (default 1)")
    parser.add_argument("--from", type=int, default=1, metavar="K", dest="first", help="the first cycle (default 1): go on there")
    parser.add_argument("--fault", choices=sorted(FAULTS), action="append", metavar="NAME", help="only this fault; may be repeated")
    parser.add_argument("--brokers", type=int, choices=(1, 3), help="instead of what the schedule wants")
    parser.add_argument("--short", action="store_true", help=f"stop after about {SHORT_S} s")
    parser.add_argument("--keep-going", action="store_true", help="after a violation go on with a new cluster")
    parser.add_argument("--settle", type=float, default=60, metavar="SECONDS", help="time from healing to quiet (default 60)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append each cycle's figures; the table is of all that are in it")
    parser.add_argument("--folder", type=Path, help="where logs go (default: a new one in /tmp)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a setting of the workers, as COMMIT_INTERVAL=200ms")
    parser.add_argument("--extra", action="append", default=[], metavar="KIND", help="one more command of this kind in each cycle")
    parser.add_argument("--keep", action="store_true", help="keep the logs though all went well")
    options = parser.parse_args(arguments)
    if options.first < 1 or options.cycles < options.first:
        parser.error("--from must be 1 or more and not beyond --cycles")
    return options


def plan(options, number):
    """(fault, number of brokers) of a cycle"""
    if not options.fault:
        count = options.brokers or brokers_of(number)
        return FAULTS[fault_of(options.seed, number)], count
    fault = FAULTS[options.fault[(number - 1) % len(options.fault)]]
    return fault, options.brokers or (3 if fault.name.startswith("broker") else fault.brokers[0])


class Runner:
    def __init__(self, options):
        self.options = options
        self.folder = options.folder or Path(tempfile.mkdtemp(prefix="users-export-chaos."))
        self.outcomes = []
        self.world = None
        self.failed = False

    def change_world(self, count, number):
        if self.world and self.world.broker_count == count:
            return
        self.end_world()
        began = time.monotonic()
        overrides = dict(text.partition("=")[::2] for text in self.options.set)
        for attempt in range(1, STARTS + 1):
            try:
                self.world = World(self.folder / f"from-cycle-{number}{f'-{attempt}' * (attempt > 1)}", count, overrides)
                break
            except Exception as error:  # somebody else took a port meanwhile, or the machine is too busy
                if attempt == STARTS:
                    raise
                print(f"the cluster did not start, once more: {error}", flush=True)
        print(f"cluster of {count} broker{'s' * (count > 1)} and {len(self.world.workers)} workers: "
              f"{time.monotonic() - began:.1f} s", flush=True)

    def end_world(self, quick=False):
        """Gently, and what only shows at the end is looked at."""
        world, self.world = self.world, None
        if world is None:
            return
        try:
            if not quick:
                before = len(world.ledger.violations)
                world.ledger.judge([c for c in world.ledger.commands.values() if c.sent])  # what came late
                world.checks.digests_hold()
                for number in list(world.workers):
                    world.end_worker(number)
                for kind, text in world.ledger.violations[before:]:
                    self.say(kind, text)
        finally:
            world.close()

    def say(self, kind, text):
        self.failed = True
        print(f"  {kind.upper()}: {text}", flush=True)

    def run(self):
        began = time.monotonic()
        for number in range(self.options.first, self.options.cycles + 1):
            if self.options.short and time.monotonic() - began > SHORT_S:
                break
            fault, count = plan(self.options, number)
            self.change_world(count, number)
            outcome, found = run_cycle(self.world, number, fault, self.options)
            self.outcomes.append(outcome)
            if self.options.results:
                report.save(self.options.results, outcome)
            print(report.line(outcome), flush=True)
            for kind, text in found:
                self.say(kind, text)
            if found:
                print(f"  again: tests/chaos/run --seed {self.options.seed} --from {number} --cycles {number}"
                      f"{''.join(f' --fault {name}' for name in self.options.fault or ())}; logs: {self.world.folder}")
                self.end_world(quick=True)
                if not self.options.keep_going:
                    return
        self.end_world()


def main(arguments):
    options = parse(arguments)
    runner = Runner(options)
    code = 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        runner.run()
        code = 1 if runner.failed else 0
    except KeyboardInterrupt:
        code = 130
    except Exception:
        traceback.print_exc()
        print("the harness itself failed", flush=True)
    finally:
        runner.end_world(quick=True)
        outcomes = report.load(options.results) if options.results and options.results.exists() else runner.outcomes
        if outcomes:
            total = sum(o.seconds for o in runner.outcomes)
            print(f"\n{report.table(outcomes)}\n\n{len(runner.outcomes)} cycles, {total / max(len(runner.outcomes), 1):.1f} s each, "
                  f"seed {options.seed}", flush=True)
        if code == 0 and not options.keep:
            if runner.outcomes and not options.folder:
                import shutil
                shutil.rmtree(runner.folder, ignore_errors=True)
        else:
            print(f"logs: {runner.folder}", flush=True)
    return code


if __name__ == "__main__":
    os.chdir("/")
    sys.exit(main(sys.argv[1:]))
