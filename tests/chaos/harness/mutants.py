# SPDX-License-Identifier: Apache-2.0
"""tests/chaos/mutants: each file of mutants.d/ is a broken variant of the sources and the cycles that have to find it.

    # What is broken, in a sentence or two.
    run: --fault worker-kill --cycles 12        arguments of tests/chaos/run; several lines are added up
    file: src/engine/batch.c
    <<<<
    text that stands in that file exactly once
    ====
    what stands there instead
    >>>>

Several files and several places may be given. A place that is gone is an error: the mutant has to be written anew.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import CHAOS, ROOT

FOLDER = CHAOS / "mutants.d"
_PLACE = re.compile(r"<<<<\n(.*?)\n====\n(.*?)\n?>>>>\n", re.S)
SOURCES = ("CMakeLists.txt", "CMakePresets.json", "cmake", "schemas", "src", "include", "tests/CMakeLists.txt", "tests/bench/bench_job.c", "tests/fuzz", "tests/unit")


class Unfit(Exception):
    """The description does not fit the sources."""


@dataclass
class Mutant:
    name: str
    sentence: str
    arguments: list
    changes: list = field(default_factory=list)  # (file, old, new)


def read(path):
    text = path.read_text(encoding="utf-8")
    arguments, changes, sentence = [], [], []
    head, *parts = re.split(r"^file: *(.+)\n", text, flags=re.M)
    for line in head.splitlines():
        if line.startswith("#"):
            sentence.append(line[1:].strip())
        elif line.startswith("run:"):
            arguments += shlex.split(line[4:])
        elif line.strip():
            raise Unfit(f"{path}: what is this line? {line}")
    for name, body in zip(parts[::2], parts[1::2]):
        found = _PLACE.findall(body)
        if not found or _PLACE.sub("", body).strip():
            raise Unfit(f"{path}: the places in {name} are not written as they should be")
        changes += [(name.strip(), old, new) for old, new in found]
    if not changes or not arguments:
        raise Unfit(f"{path}: without a change or without run:")
    return Mutant(path.stem, " ".join(sentence), arguments, changes)


def copy_sources(target, committed):
    target.mkdir(parents=True)
    if committed:
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(target)], input=archive, check=True)
        return
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        elif source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def apply(mutant, tree):
    """What stood in the files that were changed."""
    before = {}
    for name, old, new in mutant.changes:
        path = tree / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        before.setdefault(name, text)
        if text.count(old) != 1:
            raise Unfit(f"mutants.d/{mutant.name}.mutant: this text stands {text.count(old)} times in {name}, not once; "
                        f"the mutant has to be written anew:\n{old}")
        path.write_text(text.replace(old, new), encoding="utf-8")
    return before


def restore(before, tree):
    for name, text in before.items():
        (tree / name).write_text(text, encoding="utf-8")


def build(tree):
    folder = tree.parent / "build"
    log = tree.parent / "build.log"
    with open(log, "ab") as output:
        for command in (["cmake", "--preset", "release", "-B", str(folder)],
                        ["ninja", "-C", str(folder), "export-worker", "exportctl"]):
            done = subprocess.run(command, cwd=tree, stdout=output, stderr=output, check=False)
            if done.returncode != 0:
                raise Unfit(f"it does not build: {log}:\n{log.read_text()[-3000:]}")
    return folder / "bin"


def hunt(mutant, programs, seed, folder):
    """(found?, what was said, cycles, seconds)"""
    began = time.monotonic()
    logs = folder / f"run-{mutant.name}"
    command = [sys.executable, "-m", "harness", "--seed", str(seed), "--folder", str(logs), "--settle", "40", "--keep", *mutant.arguments]
    done = subprocess.run(command, env={**os.environ, "USERS_EXPORT_BIN": str(programs)}, cwd=CHAOS, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    (folder / f"{mutant.name}.log").write_text(done.stdout + done.stderr)
    said = [line.strip() for line in done.stdout.splitlines() if re.match(r" +(LOST|DUPLICATED|FALSE):", line)]
    if done.returncode not in (0, 1):
        raise Unfit(f"the harness itself failed: {folder}/{mutant.name}.log:\n{(done.stdout + done.stderr)[-2000:]}")
    if said:
        shutil.rmtree(logs, ignore_errors=True)
    cycles = len(re.findall(r"^cycle ", done.stdout, re.M))
    return done.returncode == 1 and bool(said), said, cycles, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(prog="tests/chaos/mutants", description="Each broken build must be found.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="names and sentences, nothing else")
    parser.add_argument("--committed", action="store_true", help="of the sources as committed, not as they stand here")
    parser.add_argument("--check", action="store_true", help="only whether every mutant still fits the sources")
    options = parser.parse_args()
    mutants = [read(path) for path in sorted(FOLDER.glob("*.mutant"))]
    unknown = set(options.names) - {m.name for m in mutants}
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    mutants = [m for m in mutants if not options.names or m.name in options.names]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name:22s} {mutant.sentence}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="users-export-mutants."))
    tree = folder / "tree"
    copy_sources(tree, options.committed)
    missed = 0
    for mutant in mutants:
        before = apply(mutant, tree)
        if not options.check:
            found, said, cycles, seconds = hunt(mutant, build(tree), options.seed, folder)
            missed += not found
            print(f"{mutant.name:22s} {'found' if found else 'NOT FOUND'} in cycle {cycles}, {seconds:.0f} s: "
                  f"{said[0][:300] if said else 'nothing was wrong'}", flush=True)
        restore(before, tree)
    print(f"{len(mutants) - missed} of {len(mutants)} mutants {'fit' if options.check else 'found'}", flush=True)
    if missed:
        print(f"what was said: {folder}/*.log")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unfit as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
