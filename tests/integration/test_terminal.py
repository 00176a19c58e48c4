# SPDX-License-Identifier: Apache-2.0
"""exportctl on terminals and in pipes: width, colours, times, waits that speak, and readers that go away."""
import concurrent.futures
import json
import os
import re
import socket
import subprocess
import threading

import pyte
import pytest
from wcwidth import wcswidth

from support.pipe import Pipe
from support.programs import environment, program, run
from support.terminal import on_terminal, read_one_line
from test_ctl_status import only_brokers, put_progress, put_state, state_record

LONG = "begin-" + "x" * 246 + "end"
WIDE = "漢" * 85
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
AT = "2026-11-22T17:50:00.500Z"

# For each subcommand, words with which it gets as far as it can. One that is not here is run without any.
WORDS = {
    "config check": [], "config show": [], "doctor": [], "topics check": [], "topics create": [], "topics grow": [],
    "dlq list": [], "dlq show": ["--all"], "dlq replay": ["--all", "--dry-run"],
    "dlq discard": ["--all", "--dry-run", "--reason=test"], "trigger": ["g-closed", "--wait"], "verify": ["g-1"],
    "export": ["g-1", "--output=-"], "status": ["--follow"], "help": [], "version": [], "completion": ["bash"],
    "run list": [], "run show": ["last"], "run wait": ["last"], "run finish": ["last"],
}


def subcommands():
    text = run("exportctl", ["--help"], {}).out.split("Subcommands:\n")[1].split("\n\n")[0]
    found = []
    for line in text.splitlines():
        first, seconds = re.match(r"  ([a-z]+)(?: ([a-z|]+))?(?= |$)", line).groups()
        found += [first] if seconds is None or first == "completion" else [f"{first} {word}" for word in seconds.split("|")]
    return found


def lines_of(shown):
    """What was written to a terminal, line by line, without colours."""
    return ESCAPES.sub("", shown).replace("\r", "").split("\n")


@pytest.fixture(scope="module")
def night(services, broker, store, tmp_path_factory):
    """Two long names and two short ones, one of them failed."""
    pipe = Pipe(services, broker, store, tmp_path_factory.mktemp("night"), 3)
    for name in (LONG, WIDE, "g-1"):
        put_state(pipe, name, state_record(name, AT))
    put_state(pipe, "g-17", {**state_record("g-17", AT, "dead-lettered"), "reason": "database-unavailable", "rows": 7})
    yield pipe
    pipe.close()


@pytest.mark.parametrize("columns", [80, 200])
def test_table__names_of_255_bytes__fits_the_terminal(night, columns):
    code, shown = on_terminal({**night.settings, "TZ": "Asia/Kolkata"}, "status", size=(40, columns))
    lines = lines_of(shown)
    assert code == 0 and all(wcswidth(line) <= columns for line in lines), shown
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("GROUP ")):]
    assert "AT (IST)" in table[0] and "2026-11-22 23:20:00" in table[1] and "17:50:00" not in shown
    assert "NEXT ATTEMPT" not in shown, "a column without a cell"
    cut = [line for line in table if "…" in line.split("  ")[0]]
    assert len(cut) == 2 and any(line.startswith("begin-x") and "xend " in line for line in cut), table
    # The same rows as a terminal shows them: nothing was wrapped.
    screen = pyte.Screen(columns, 40)
    pyte.Stream(screen).feed(shown)
    assert [line.rstrip() for line in screen.display if line.strip()] == [line.rstrip() for line in lines if line.strip()]
    if columns == 80:
        assert any(line.startswith("not shown: ") and "COMMAND" in line and "--wide" in line for line in lines)
    else:
        end = table[0].index("ROWS") + len("ROWS")
        rows = [line for line in table[1:] if line.startswith("g-1")]
        assert sorted(line[:end].split()[-1] for line in rows) == ["1234", "7"], "right-aligned below ROWS"


def test_table__wide_or_in_a_pipe__is_whole(night):
    code, shown = on_terminal(night.settings, "status", "--wide", size=(40, 80))
    assert code == 0 and LONG in shown and "NEXT ATTEMPT" in shown and "not shown" not in shown
    piped = night.ctl("status")
    assert LONG in piped.out and AT in piped.out and "\x1b" not in piped.out and "NEXT ATTEMPT" in piped.out
    # As 1.0 wrote it: left-aligned.
    assert re.search(r"^GROUP +OUTCOME +REASON +RUN +AT +ROWS +MS +ATTEMPTS +NEXT ATTEMPT +COMMAND$", piped.out, re.M)
    assert re.search(r"  1234  +250 ", piped.out)
    document = json.loads(night.ctl("status", "-o", "json", TZ="Asia/Kolkata").out)
    assert {row["at"] for row in document["groups"]} == {AT}


COLOURS = [
    ({"TERM": "xterm"}, [], True), ({}, [], True), ({"TERM": "dumb"}, [], False), ({"NO_COLOR": "1"}, [], False),
    ({"NO_COLOR": ""}, [], True), ({"TERM": "xterm"}, ["--color=never"], False),
    ({"NO_COLOR": "1", "TERM": "dumb"}, ["--color=always"], True)]


def test_colour__on_a_terminal_and_in_a_pipe__only_where_it_is_wanted(night):
    for more, words, coloured in COLOURS:
        code, shown = on_terminal({**night.settings, **more}, "status", *words)
        assert code == 0 and ("\x1b[31mdead-lettered\x1b[0m" in shown) == coloured, (more, words, shown)
        assert coloured or "\x1b" not in shown, (more, words, shown)
    assert "\x1b[31mdead-lettered\x1b[0m" in night.ctl("status", "--color=always").out
    assert "\x1b" not in night.ctl("status", "--color=auto", TERM="xterm").out


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_follow__without_movement__prints_lines(night, more):
    stop = threading.Event()

    def report():
        rows = 0
        while not stop.wait(0.3):
            rows += 1000
            put_progress(night, "g-1", "5a0b8f0e-3c55-4f0e-9d0c-0f6d1c2b3a4d", rows)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        code, shown = on_terminal({**only_brokers(night), **more}, "status", "--follow", stop_after="3 exported")
    finally:
        stop.set()
        reporter.join(10)
    assert code == 0 and "\x1b" not in shown, shown


# ---- waits

def waits(subcommand):
    """Whether it needs Kafka, and asks for it before anything else."""
    return subcommand.split()[0] not in ("config", "export", "help", "version", "completion")


@pytest.fixture
def silent():
    """A server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_wait__for_a_kafka_that_is_silent__ends_and_says_for_what(silent, tmp_path):
    settings = {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": silent, "EXPORT_POSTGRES_DSN": "host=127.0.0.1 port=1",
                "EXPORT_STORAGE_URL": f"file://{tmp_path}", "EXPORT_STARTUP_TIMEOUT": "10m"}
    words = {**WORDS, "status": [], "trigger": ["g-1"]}
    # Doctor asks every dependency by its own rules; what is not in the list above has operands of its own.
    asked = [name for name in subcommands() if waits(name) and name in words and name != "doctor"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda name: run("exportctl", [*name.split(), *words[name], "--wait-for=1500ms"], settings), asked))
    for name, done in zip(asked, ended):
        assert done.code == 3 and not done.out, (name, done)
        assert f"waiting for Kafka ({silent}), at most 1.5 s" in done.err, (name, done)
    assert {"status", "trigger", "verify", "dlq list", "topics check"} <= set(asked)


def test_wait__for_a_database_that_is_away__ends_and_says_for_what(tmp_path):
    settings = {"EXPORT_POSTGRES_DSN": "host=127.0.0.1 port=1", "EXPORT_STARTUP_TIMEOUT": "10m"}
    done = run("exportctl", ["export", "g-1", "--output", str(tmp_path / "x"), "--wait-for=1500ms"], settings)
    assert done.code == 3 and "waiting for the database" in done.err, done


def test_wait__on_a_terminal__is_5_s_whatever_startup_timeout_is(silent):
    settings = {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": silent, "EXPORT_STARTUP_TIMEOUT": "10m"}
    code, shown = on_terminal(settings, "status", timeout=120)
    assert code == 3 and f"waiting for Kafka ({silent}), at most 5.0 s" in shown and "within 5000 ms" in shown, shown


def test_wait__that_is_short__says_nothing(night):
    done = night.ctl("topics", "check")
    assert "waiting" not in done.err, done


# ---- readers that go away

def end_with_closed_stdout(settings, *words, timeout=60):
    """Run it with a pipe that nobody reads: (exit code, stderr)"""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([program("exportctl"), *words], env=environment(settings), stdin=subprocess.DEVNULL,
                              stdout=writer, stderr=subprocess.PIPE, timeout=timeout, check=False)
    finally:
        os.close(writer)
    return done.returncode, done.stderr.decode()


def test_closed_pipe__ends_every_subcommand(pipe):
    put_state(pipe, "g-1", state_record("g-1", AT))
    names = subcommands()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda name: end_with_closed_stdout(pipe.settings, *name.split(), *WORDS.get(name, [])), names))
    for name, (code, err) in zip(names, ended):
        assert code >= 0, f"{name} was ended by a signal: {err}"
        assert "cannot write" not in err and "cannot print" not in err, (name, err)
    assert dict(zip(names, ended))["status"][0] == 0


def test_closed_pipe__of_a_follow_that_waits__ends_it(pipe):
    for words in (["--follow"], ["--follow", "--output=json"]):
        code, line, err = read_one_line(pipe.settings, "status", *words)
        assert (code, err) == (0, "") and line, (words, line, err)
