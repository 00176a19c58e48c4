# SPDX-License-Identifier: Apache-2.0
"""What is printed."""
import dataclasses
import json

from .cycle import Outcome


def line(outcome):
    verdict = "ok" if outcome.clean else f"LOST {outcome.lost} DUPLICATED {outcome.duplicated} FALSE {outcome.false}"
    if outcome.skipped:
        verdict = f"skipped: {outcome.skipped}"
    return (f"cycle {outcome.cycle:4d}  {outcome.fault:19s} {outcome.brokers} broker{'s' if outcome.brokers > 1 else ' '}  "
            f"{outcome.commands:3d} commands  quiet {outcome.recovery_s:5.1f} s after healing  {outcome.seconds:5.1f} s  {verdict}")


def table(outcomes):
    """Markdown; one row for each fault."""
    rows = [("fault", "times", "commands", "lost", "duplicated", "false", "slowest recovery")]
    for name in [*sorted({o.fault for o in outcomes}), "all"]:
        some = [o for o in outcomes if o.fault == name or name == "all"]
        done = [o for o in some if not o.skipped]
        rows.append((f"**{name}**" if name == "all" else name, str(len(done)), str(sum(o.commands for o in done)),
                     *(str(sum(getattr(o, kind) for o in some)) for kind in ("lost", "duplicated", "false")),
                     f"{max((o.recovery_s for o in done), default=0):.1f} s"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    skipped = sorted({f"{o.fault}: not done: {o.skipped}" for o in outcomes if o.skipped})
    return "\n".join(lines + skipped)


def save(path, outcome):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")


def load(path):
    """Outcomes of earlier parts of the run, the newest of each cycle."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for text in file:
            outcome = Outcome(**json.loads(text))
            found[outcome.cycle] = outcome
    return [found[number] for number in sorted(found)]
