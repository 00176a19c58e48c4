# SPDX-License-Identifier: Apache-2.0
"""What was measured, as Markdown with pictures."""
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

from .chart import draw
from .world import ROOT, say

# As it is when the run begins.
REVISION = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def machine(before):
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) / 1024 / 1024
    return (f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, revision {REVISION or 'unknown'}; {len(os.sched_getaffinity(0))} CPUs ({model}), "
            f"{memory:.0f} GiB; everything on this machine, brokers and database too; its load before: {before:.1f}")


def parts_table(meter, took, scheduler=None):
    lines = ["| part | CPU seconds | CPUs on average | memory, peak MiB |", "|---|---|---|---|"]
    for name, part in meter.parts.items():
        if name == "scheduler":
            continue
        cpu = part.cpu()
        lines.append(f"| {name} | {cpu:.1f} | {cpu / took:.2f} | {part.peak_mib():.1f} |")
    if scheduler:
        lines.append(f"| scheduler ({scheduler[0]:.1f} s) | {scheduler[1]:.1f} | {scheduler[1] / scheduler[0]:.2f} | {scheduler[2]:.1f} |")
    return lines


def workers(meter, index):
    return {name: [(sample[0], sample[index]) for sample in part.samples] for name, part in meter.parts.items() if name.startswith("worker")}


def judgement(wrong):
    return ["Right: each group was announced once, with all its users; no failure, no retry." if not wrong else "**Wrong:**",
            *(f"- {line}" for line in wrong[:20])]


def write(folder, name, lines):
    path = Path(folder, f"{name}.md")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    say("\n".join(lines))
    say(f"\nthe report: {path}")


def night(folder, scale, groups, meter, took, scheduler, before, wrong):
    Path(folder).mkdir(parents=True, exist_ok=True)
    rows = sum(size for _, _, size in groups)
    files = [group for group in groups if group[1] == "COST_BASED"]
    durations = sorted(meter.outcomes.durations)
    draw(Path(folder, f"{scale}-lag.svg"), "what is left of the night's commands",
         {"lag of the consumer group": [(when, lag) for when, _, _, lag in meter.points],
          "commands without outcome": [(when, len(groups) - total) for when, total, _, _ in meter.points]})
    draw(Path(folder, f"{scale}-memory.svg"), "resident memory of the workers, MiB", workers(meter, 2))
    lines = [f"### `tests/load/run --{scale}`", "", machine(before) + ".", "",
             f"{len(groups):,} groups, {rows:,} users: the {sum(1 for g in groups if g[2] == groups[0][2])} largest have {groups[0][2]:,} each, the median is "
             f"{statistics.median(size for _, _, size in groups):,.0f}; {len(groups) - len(files):,} groups without a file. 3 workers, 12 partitions, default settings.", "",
             "| | |", "|---|---|",
             f"| from the scheduler's start to the last outcome | **{took:.1f} s** |",
             f"| groups per second | **{len(groups) / took:,.0f}** |",
             f"| rows per second | **{rows / took:,.0f}** |",
             f"| compressed files | {meter.outcomes.bytes / 1024 / 1024:,.0f} MiB, {meter.outcomes.bytes / max(1, sum(g[2] for g in files)):.0f} bytes a user |",
             f"| one attempt: median, 99 %, longest | {statistics.median(durations):,.0f} ms, {durations[int(len(durations) * 0.99)]:,.0f} ms, {durations[-1]:,.0f} ms |",
             "", *parts_table(meter, took, scheduler), "", *judgement(wrong), "",
             f"![lag]({scale}-lag.svg)", "", f"![memory]({scale}-memory.svg)"]
    write(folder, scale, lines)


def soak(folder, minutes, groups, meter, took, judged, before, wrong):
    Path(folder).mkdir(parents=True, exist_ok=True)
    draw(Path(folder, "soak-memory.svg"), "resident memory of the workers, MiB", workers(meter, 2))
    draw(Path(folder, "soak-handles.svg"), "open handles and threads",
         {**{f"{name} handles": points for name, points in workers(meter, 3).items()}, **{f"{name} threads": points for name, points in workers(meter, 4).items()}})
    draw(Path(folder, "soak-lag.svg"), "lag of the consumer group", {"lag": [(when, lag) for when, _, _, lag in meter.points]})
    lines = ["### `tests/load/run --soak`", "", machine(before) + ".", "",
             f"{minutes:g} minutes: 3 workers, {len(groups)} groups, {meter.outcomes.total:,} exports, {meter.outcomes.rows:,} rows. Medians of the first and of the last "
             "fifth of the time after the first third:", "", "| worker | | then | at the end | flat |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {what} | {then:.1f} | {now:.1f} | {'yes' if flat else '**no**'} |" for name, what, then, now, flat in judged]
    lines += ["", *parts_table(meter, took), "", *(["Right: each command had its outcome, all were exported; memory, handles and threads are flat."] if not wrong
                                                 else judgement(wrong)), "", "![memory](soak-memory.svg)", "", "![handles](soak-handles.svg)", "", "![lag](soak-lag.svg)"]
    write(folder, "soak", lines)
