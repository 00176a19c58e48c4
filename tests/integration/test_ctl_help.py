# SPDX-License-Identifier: Apache-2.0
"""exportctl: what it says of itself, and of what was mistyped; no service is asked."""
import re
import shlex
import subprocess

import pytest

from support.programs import program

# Nothing is set: help needs no configuration.
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def exportctl(*arguments, stdout=subprocess.PIPE):
    return subprocess.run([program("exportctl"), *arguments], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=20, check=False)


def subcommands():
    text = exportctl("--help").stdout.split("Subcommands:\n")[1].split("\n\n")[0]
    return [re.match(r"  ([a-z]+( [a-z]+)?)(?= |$)", line)[1] for line in text.splitlines()]


SUBCOMMANDS = ["config check", "config show", "doctor", "topics check", "topics create", "topics grow", "dlq list", "dlq show",
               "dlq replay", "dlq discard", "trigger", "run list", "run show", "run wait", "run finish", "verify", "export", "status", "completion bash"]


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
    examples = re.findall(r"^  (exportctl .*)$", done.stdout.split("\nExamples:\n")[1], re.M)
    for example in examples:
        # The part of exportctl, up to a pipe, is of this subcommand and its options.
        part = shlex.split(example)
        part = part[:part.index("|")] if "|" in part else part
        assert part[1:1 + len(words)] == words, example
        assert {word.split("=")[0] for word in part if word.startswith("--")} <= options, example
    assert examples


@pytest.mark.parametrize("words, named", [
    ([], ["exportctl --help"]),
    (["foo"], ["'foo'", "exportctl --help"]),
    (["stats"], ["'stats'", "did you mean status?", "exportctl --help"]),
    (["dlq"], ["list, show, replay or discard", "exportctl dlq --help"]),
    (["config", "shwo"], ["check or show", "exportctl config --help"]),
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


def test_option__mistyped__is_said_with_what_was_perhaps_meant():
    done = exportctl("status", "--kafka.bootstrap.server=x", "--fellow", "--kafka.acks=1")
    assert done.returncode == 2 and not done.stdout
    for said in ("did you mean kafka.bootstrap.servers?", "--fellow: ", "did you mean --follow?", "kafka.acks: "):
        assert said in done.stderr


def test_output__that_cannot_be_written__is_exit_code_1():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = exportctl("completion", "bash", stdout=full)
    assert done.returncode == 1 and re.fullmatch(r"exportctl: .*stdout.*\n", done.stderr), done.stderr
