# SPDX-License-Identifier: Apache-2.0
"""exportctl: what it says of itself, and of what was mistyped; no service is asked."""
import json
import re
import shlex
import shutil
import subprocess

import pytest

from support.programs import program
from support.services import BIN

# Nothing is set: help needs no configuration.
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def exportctl(*arguments, stdout=subprocess.PIPE):
    return subprocess.run([program("exportctl"), *arguments], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=20, check=False)


def subcommands():
    """The overview has a line for each first word: "topics check|create|grow"."""
    found = []
    for line in exportctl("--help").stdout.split("Subcommands:\n")[1].split("\n\n")[0].splitlines():
        first, seconds = re.match(r"  ([a-z]+)(?: ([a-z|]+))?(?= |$)", line).groups()
        found += [first] if seconds is None else [f"{first} {second}" for second in seconds.split("|")]
    return found


SUBCOMMANDS = ["config check", "config show", "doctor", "topics check", "topics create", "topics grow", "dlq list", "dlq show",
               "dlq replay", "dlq discard", "retry list", "trigger", "run list", "run show", "run wait", "run finish", "verify",
               "export", "schema", "status", "report", "forget", "help", "version", "completion bash", "completion zsh", "completion fish"]


def test_help__of_all__lists_every_subcommand():
    assert subcommands() == SUBCOMMANDS


@pytest.mark.parametrize("subcommand", SUBCOMMANDS)
def test_help__of_a_subcommand__has_options_examples_and_exit_codes(subcommand):
    words = subcommand.split()[:1] if subcommand.startswith("completion") else subcommand.split()
    done = exportctl(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: exportctl {' '.join(words)}")
    assert "\nOptions:\n" in done.stdout and "\nExit codes: 0 done; 1 " in done.stdout
    options = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.M))
    assert {"--wait-for", "--color", "--wide", "--config"} <= options
    assert exportctl("help", *words).stdout == done.stdout
    examples = re.findall(r"^  (exportctl .*)$", done.stdout.split("\nExamples:\n")[1], re.M)
    for example in examples:
        # The part of exportctl, up to a pipe, is of this subcommand and its options.
        part = shlex.split(example)
        part = part[:part.index("|")] if "|" in part else part
        assert part[1:1 + len(words)] == words, example
        assert {word.split("=")[0] for word in part if word.startswith("--")} - {"--help"} <= options, example
    assert examples


@pytest.mark.parametrize("words, named", [
    ([], ["exportctl --help"]),
    (["foo"], ["'foo'", "exportctl --help"]),
    (["stats"], ["'stats'", "did you mean status?", "exportctl --help"]),
    (["dlq"], ["list, show, replay or discard", "exportctl dlq --help"]),
    (["config", "shwo"], ["check or show", "did you mean config show?", "exportctl config --help"]),
    (["dqls", "list"], ["'dqls'", "did you mean dlq list?"]),
    (["replay", "3:4711"], ["'replay'", "did you mean dlq replay?"]),
    (["help", "stauts"], ["'stauts'", "did you mean status?"]),
    (["help", "dlq", "relpay"], ["list, show, replay or discard", "did you mean dlq replay?"]),
])
def test_subcommand__that_is_none__is_one_line_and_exit_code_2(words, named):
    done = exportctl(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"exportctl: .*\n", done.stderr) and all(text in done.stderr for text in named), done.stderr


def test_help__of_a_first_word__shows_its_subcommands_alone():
    done = exportctl("topics", "--help")
    assert done.returncode == 0 and [subcommand for subcommand in SUBCOMMANDS if f"  {subcommand} " in done.stdout] == [
        "topics check", "topics create", "topics grow"]
    assert "--kafka." not in done.stdout


def test_overview__fits_a_terminal_of_24_lines_and_80_columns():
    lines = exportctl("--help").stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80, lines
    assert exportctl("help").stdout.splitlines() == lines
    assert "--export." not in "\n".join(lines)


def test_help_settings__has_every_setting():
    text = exportctl("help", "settings").stdout
    for key in ("kafka.<property>", "postgres.dsn", "export.lanes", "startup.timeout"):
        assert f"--{key}" in text


@pytest.mark.parametrize("words", [["help"], ["help", "status"], ["version"], ["completion", "bash"]])
def test_help__works_with_a_broken_configuration(words):
    done = exportctl(*words, "--export.lanes=many")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout


def test_version__is_that_of_the_option():
    assert exportctl("version").stdout == exportctl("--version").stdout
    assert re.fullmatch(r"exportctl [0-9]+\.[0-9]+\.[0-9]+\n", exportctl("version").stdout)


@pytest.mark.parametrize("words", [["-o", "json"], ["-ojson"], ["-o=json"], ["--output", "json"]])
def test_output__has_a_short_name(words):
    assert json.loads(exportctl("config", "show", *words).stdout)["export.lanes"]


@pytest.mark.parametrize("given, meant", [
    ("--fellow", "--follow"), ("--outptu", "--output"), ("--colour", "--color"), ("--wait-fro", "--wait-for"),
    ("--hepl", "--help"), ("--lanes", "--export.lanes"), ("--export.lane", "export.lanes"),
    ("--kafka.bootstrap.server", "kafka.bootstrap.servers")])
def test_option__mistyped__has_what_was_perhaps_meant(given, meant):
    done = exportctl("status", given + "=1")
    assert done.returncode == 2 and f"did you mean {meant}?" in done.stderr, done.stderr


@pytest.mark.parametrize("words, named", [
    (["--color=blue"], "--color"), (["--wait-for=5"], "--wait-for"), (["--wide=yes"], "--wide")])
def test_common_option__with_a_wrong_value__is_exit_code_2(words, named):
    done = exportctl("config", "show", *words)
    assert done.returncode == 2 and not done.stdout and named in done.stderr, done.stderr


# What zsh would offer, told by stand-ins for the functions of its completion system.
ZSH = """
compdef() { }; _files() { print files }; compset() { }
compadd() { [[ $1 == -a ]] && { print -l -- ${(P)2}; return }; shift; print -l -- "$@" }
_describe() { [[ $1 == -o ]] && shift; print -l -- ${${(P)2}%%:*} }
source "$1"; shift
words=("$@"); CURRENT=$#
_exportctl
"""


def offered_by_zsh(script, *words):
    answer = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", script, *words], capture_output=True, text=True, timeout=20,
                            check=True)
    assert not answer.stderr, answer.stderr
    return set(answer.stdout.split("\n")) - {""}


def offered_by_fish(script, *words):
    line = " ".join(words)
    answer = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True,
                            text=True, timeout=20, check=True,
                            env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(script.parent)})
    assert not answer.stderr, answer.stderr
    return {offer.split("\t")[0] for offer in answer.stdout.splitlines()}


@pytest.mark.parametrize("shell, offered", [("zsh", offered_by_zsh), ("fish", offered_by_fish)])
def test_completion__in_other_shells__knows_subcommands_options_and_values(shell, offered, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / f"completion.{shell}"
    script.write_text(exportctl("completion", shell).stdout)
    assert {"trigger", "status", "dlq", "topics", "help"} <= offered(script, "exportctl", "")
    assert {"check", "create", "grow"} <= offered(script, "exportctl", "topics", "")
    assert {"--wait", "--wait-for"} <= offered(script, "exportctl", "trigger", "g-1", "--wa")
    assert "--follow" not in offered(script, "exportctl", "trigger", "g-1", "--f")  # only of status
    assert {"table", "json"} <= offered(script, "exportctl", "status", "--output", "")
    assert {"database-data", "database-denied"} <= offered(script, "exportctl", "dlq", "list", "--error", "")
    assert {"bash", "zsh", "fish"} <= offered(script, "exportctl", "completion", "")
    assert {"settings", "status"} <= offered(script, "exportctl", "help", "")
    assert any(offer.startswith("--export.lanes") for offer in offered(script, "exportctl", "status", "--export.l"))
    assert "last" in offered(script, "exportctl", "status", "--run", "")


PAGES = sorted((BIN.parent / "manual").glob("man*/*"))


@pytest.mark.skipif(not PAGES, reason="this build has no manual pages")
@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_manual__of_programs_and_file__has_no_warning():
    names = {page.name for page in PAGES}
    assert {"exportctl.1", "export-worker.8", "export-scheduler.8", "users-export.ini.5", "exportctl-dlq-replay.1"} <= names
    for page in PAGES:
        done = subprocess.run(["groff", "-k", "-man", "-Tutf8", "-ww", "-z", str(page)], capture_output=True, text=True,
                              timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), page
    shown = subprocess.run(["groff", "-k", "-man", "-Tutf8", "-P-c", str(next(p for p in PAGES if p.suffix == ".5"))],
                           capture_output=True, text=True, timeout=60, check=True).stdout
    assert "EXPORT_EXPORT_LANES" in shown and "_FILE" in shown


def test_option__mistyped__is_said_with_what_was_perhaps_meant():
    done = exportctl("status", "--kafka.bootstrap.server=x", "--fellow", "--kafka.acks=1")
    assert done.returncode == 2 and not done.stdout
    for said in ("did you mean kafka.bootstrap.servers?", "--fellow: ", "did you mean --follow?", "kafka.acks: "):
        assert said in done.stderr


def test_output__that_cannot_be_written__is_exit_code_1():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = exportctl("completion", "bash", stdout=full)
    assert done.returncode == 1 and re.fullmatch(r"exportctl: .*stdout.*\n", done.stderr), done.stderr
