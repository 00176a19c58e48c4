# SPDX-License-Identifier: Apache-2.0
"""python -m bench --out DIR --rounds N --small N QUESTION…: asks, and prints one table."""
import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import traceback

from .measure import Failed
from .world import World


def row(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(findings):
    lines = [row(["case", "target", "median", "min – max", "met"]), row(["---"] * 5)]
    for item in findings:
        ratio = item["ratio"]
        lines.append(row([item["case"], item["target"], f"{ratio['median']:.3g}", f"{ratio['min']:.3g} – {ratio['max']:.3g}",
                          "yes" if item["met"] else "NO"]))
    return "\n".join(lines)


def sides_table(question, summary):
    """Medians of each side; the CPU of the client's processes, then of the services that they used."""
    lines = [row([question, "s", "rows", "MB", "peak RSS MiB", "CPU s", "PostgreSQL", "S3", "Kafka"]), row(["---"] * 9)]
    for name, side in summary.items():
        def cell(key, scale=1.0, digits=1):
            return f"{side[key]['median'] / scale:.{digits}f}" if key in side else ""
        own = f"{side['user_s']['median'] + side['system_s']['median']:.1f}" if "user_s" in side else ""
        lines.append(row([name, cell("seconds", digits=2), cell("rows", digits=0), cell("bytes", 1e6), cell("peak_rss_kib", 1024), own,
                          cell("postgres_cpu_s"), cell("s3_cpu_s"), cell("kafka_cpu_s")]))
    return "\n".join(lines)


def machine(world):
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    version = subprocess.run([world.bin / "export-worker", "--version"], capture_output=True, text=True, check=False).stdout
    return {"cpus": len(os.sched_getaffinity(0)), "model": model, "kernel": platform.release(), "load": os.getloadavg(),
            "postgresql": world.sql("SHOW server_version")[0][0], "worker": version.strip(), "python": platform.python_version()}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--out", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--small", type=int, required=True)
    parser.add_argument("questions", nargs="+")
    options = parser.parse_args()
    world = World(options.out)
    world.small_groups = options.small
    findings, sides, failed = [], [], False
    for name in options.questions:
        world.say(f"==> {name}")
        begun = machine(world)
        try:
            comparison, found = importlib.import_module(f"questions.{name}").run(world, options.rounds)
        except Failed as failure:
            world.say(f"    no figure: {failure}")
            failed = True
            continue
        except Exception:  # the other questions still have answers
            traceback.print_exc()
            failed = True
            continue
        findings += found
        summary = comparison.summary()
        sides.append(sides_table(name, summary))
        with open(world.out_dir / f"{name}.json", "w", encoding="utf-8") as out:
            json.dump({"question": name, "machine": begun, "load_after": os.getloadavg(), "findings": found,
                       "sides": summary}, out, indent=1)
    if findings:
        print(table(findings))
        print("\nWhat each side took (medians):\n\n" + "\n\n".join(sides))
        told = machine(world)
        print(f"\n{told['cpus']} CPUs ({told['model']}), Linux {told['kernel']}, PostgreSQL {told['postgresql']}, {told['worker']}, "
              f"Python {told['python']}; {options.rounds} rounds, load average at the end {told['load'][0]:.1f}.")
    sys.exit(1 if failed else 0)


main()
