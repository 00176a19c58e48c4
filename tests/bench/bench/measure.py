# SPDX-License-Identifier: Apache-2.0
"""Running a side, and comparing sides: interleaved, as ratios."""
import json
import os
import pathlib
import statistics
import subprocess
import sys

LAUNCH = pathlib.Path(__file__).resolve().parent / "launch.py"
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A side did not do its work: there is no figure then."""


def run_process(world, command, log_name):
    """One command with all that it starts. CPU is that of the tree's processes; memory is the largest's."""
    report = world.out_dir / "took.json"
    with open(world.log(log_name), "ab") as log:
        done = subprocess.run([sys.executable, "-S", "-E", str(LAUNCH), str(report), *command], stdout=log, stderr=log,
                              stdin=subprocess.DEVNULL, env=world.environment, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}, see {world.log(log_name)}")
    return json.loads(report.read_text())


def process_cpu_s(pid):
    """User and system time of a process with all its threads."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def process_kib(pid, name):
    """VmHWM: the peak of the resident memory; VmRSS: now."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name + ":"))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [int(child) for child in children.read().split()]


def tree_cpu_s(pid):
    """CPU of a server: its own, its children's that have ended, and theirs that run."""
    total = 0
    for process in [pid, *children_of(pid)]:
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
                total += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:15 if process == pid else 13]))
        except OSError:
            pass  # it has ended since; it will be its parent's
    return total / TICKS


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


class Comparison:
    """Sides run in turn, `rounds` times: each round begins with another side, so that none has the best place."""

    def __init__(self, world, rounds, sides):
        self.runs = {name: [] for name in sides}
        names = list(sides)
        for number in range(rounds):
            for at in range(len(names)):
                name = names[(number + at) % len(names)]
                before = world.servers_cpu_s()
                run = sides[name]()
                run.update({f"{server}_cpu_s": cpu - before[server] for server, cpu in world.servers_cpu_s().items()})
                self.runs[name].append(run)
                world.say(f"    round {number + 1}/{rounds}  {name:32} {run['seconds']:9.3f} s")

    def ratio(self, side, reference):
        """Time of a side over that of the reference, round by round."""
        return spread([a["seconds"] / b["seconds"] for a, b in zip(self.runs[side], self.runs[reference])])

    def summary(self):
        """What each side took; for the JSON beside the table."""
        out = {}
        for name, runs in self.runs.items():
            keys = [key for key, value in runs[0].items() if isinstance(value, (int, float))]
            out[name] = {key: spread([run[key] for run in runs]) for key in keys}
            out[name]["runs"] = runs
        return out


def finding(case, ratio, target, at_most=True):
    """A line of the table: what was measured beside what it should be."""
    met = ratio["median"] <= target if at_most else ratio["median"] >= target
    return {"case": case, "ratio": ratio, "target": f"{'≤' if at_most else '≥'} {target}", "met": met}
