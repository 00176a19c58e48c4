# SPDX-License-Identifier: Apache-2.0
"""exportctl export: one group to a file, with the database alone."""
import hashlib
import os
import subprocess
import time

import pytest

from support.checks import check_rows
from support.csvfile import read_export
from support.programs import environment, program
from support.terminal import Beside, on_terminal, read_one_line


@pytest.fixture
def folder(tmp_path):
    """An empty one: the pipe has its own things in the test's."""
    made = tmp_path / "files"
    made.mkdir()
    return made


def only_database(pipe):
    """The settings of somebody who can reach the database and nothing else; the rest of the configuration is of no use."""
    return {name: value for name, value in pipe.settings.items() if name.startswith("EXPORT_POSTGRES_")}


def export(pipe, *arguments, timeout=60):
    done = subprocess.run([program("exportctl"), "export", *map(str, arguments)], env=environment(only_database(pipe)),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def test_export__to_a_file__is_what_the_database_has(pipe, folder):
    for group_id in (pipe.new_group(rows=300), pipe.new_group("NON_COST_BASED", rows=7)):
        file = folder / f"{group_id}.csv.gz"
        code, out, err = export(pipe, group_id, "--output", file)
        assert (code, err) == (0, ""), (code, err)
        data = file.read_bytes()
        check_rows(pipe, read_export(data), group_id)
        assert f"{group_id}: " in out.decode() and f"sha256 {hashlib.sha256(data).hexdigest()}" in out.decode()
        assert file.stat().st_mode & 0o777 == 0o600
    assert len(list(folder.glob("*.csv.gz*"))) == 2


def test_export__to_stdout__is_the_same(pipe):
    group_id = pipe.new_group(rows=50)
    code, out, err = export(pipe, group_id, "--output=-")
    assert code == 0 and len(err.splitlines()) == 1, err
    check_rows(pipe, read_export(out), group_id)


def test_export__masks_and_version_field__are_those_of_the_configuration(pipe):
    group_id = pipe.new_group(rows=5)
    code, out, _ = export(pipe, group_id, "--output=-", "--export.mask=username:redact", "--export.version_field=comment")
    assert code == 0
    assert {row[0] for row in read_export(out, "comment")} == {"***"}


def test_export__store_cache_and_kafka_that_are_away__do_not_matter(pipe, folder):
    group_id = pipe.new_group(rows=5)
    done = pipe.ctl("export", group_id, "--output", str(folder / "x"), EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
                    EXPORT_S3_ENDPOINT="http://127.0.0.1:1", EXPORT_REDIS_URL="redis://127.0.0.1:1/0", EXPORT_S3_ACCESS_KEY_ID="",
                    EXPORT_S3_SECRET_ACCESS_KEY="")
    assert done.code == 0, done
    check_rows(pipe, read_export((folder / "x").read_bytes()), group_id)


def test_export__file_that_is_there__is_kept_without_force(pipe, folder):
    group_id = pipe.new_group(rows=5)
    file = folder / "x.gz"
    file.write_bytes(b"precious")
    code, _, err = export(pipe, group_id, "--output", file)
    assert code == 2 and "--force" in err and len(err.splitlines()) == 1, err
    assert file.read_bytes() == b"precious"
    assert export(pipe, "no-such-group", "--output", file, "--force")[0] == 1
    assert file.read_bytes() == b"precious"
    assert export(pipe, group_id, "--output", file, "--force")[0] == 0
    check_rows(pipe, read_export(file.read_bytes()), group_id)


def test_export__what_cannot_be_exported__is_one_line_and_no_file(pipe, folder):
    bad = pipe.new_group(rows=2)
    pipe.database.add_users(bad, {"username": "=cmd()"})
    groups = {"no-such-group": "no-such-group", pipe.new_group(): "no rows", pipe.new_group(rows=3, active=False): "inactive",
              pipe.new_group("LOTTERY", rows=3): "invalid-group-type", bad: "formula"}
    for group_id, word in groups.items():
        code, out, err = export(pipe, group_id, "--output", folder / "x", "--export.formula_guard=reject")
        assert code == 1 and not out and word in err and len(err.splitlines()) == 1, (group_id, code, err)
    assert not list(folder.iterdir())


def test_export__bad_input_and_bad_weather__are_one_line(pipe, folder):
    file = folder / "x"
    for arguments, code, word in ((["--output", file], 2, "GROUP"), (["a", "b", "--output", file], 2, "GROUP"), (["a"], 2, "--output"),
                                  (["a\nb", "--output", file], 2, "GROUP"), (["a", "--output", folder], 2, "directory"),
                                  (["a", "--output", folder / "no" / "x"], 2, "No such file"),
                                  (["a", "--output", file, "--export.mask=what:null"], 2, "export.mask"),
                                  (["a", "--output", file, "--postgres.dsn="], 2, "postgres.dsn"),
                                  (["a", "--output", file, "--postgres.dsn=postgresql://x@127.0.0.1:1/x",
                                    "--startup.timeout=1s"], 3, "refused")):
        found, out, err = export(pipe, *arguments)
        assert found == code and not out and word in err and len(err.splitlines()) == 1, (arguments, found, err)
    assert not list(folder.iterdir())


def test_export__disk_that_is_full__is_said(pipe):
    code, _, err = export(pipe, pipe.new_group(rows=5), "--output=/dev/full")
    assert code == 1 and "No space left" in err and len(err.splitlines()) == 1, err


def test_export__reader_that_goes_away__ends_quietly(pipe):
    group_id = pipe.new_group(rows=20_000)
    code, _, err = read_one_line(only_database(pipe), "export", group_id, "--output=-")
    assert (code, err) == (1, ""), (code, err)


def test_export__interrupted__leaves_nothing(pipe, folder):
    group_id = pipe.new_group(rows=5)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        exporting = Beside(only_database(pipe), "export", group_id, "--output", str(folder / "x"))
        try:
            deadline = time.monotonic() + 20
            while not pipe.database.waiting_at_gate():
                assert time.monotonic() < deadline and exporting.process.poll() is None, exporting
                time.sleep(0.05)
            assert [name.startswith("x.part-") for name in os.listdir(folder)] == [True]
            code, seconds = exporting.interrupt()
            assert code == 1 and seconds < 3, (code, seconds, exporting)
            assert len(exporting.err) == 1 and exporting.err[0].startswith("exportctl: stopped"), exporting.err
        finally:
            exporting.kill()
    assert not list(folder.iterdir())


def test_export__on_a_terminal__has_a_bar_that_ends_with_the_figures(pipe, folder):
    group_id = pipe.new_group(rows=60_000, bio_words=8)
    code, shown = on_terminal(only_database(pipe), "export", group_id, "--output", str(folder / "x"))
    assert code == 0 and f"{group_id}: 60,000 rows" in shown, shown
    assert "rows/s" in shown
    refused, words = on_terminal(only_database(pipe), "export", group_id, "--output=-")
    assert refused == 2 and "terminal" in words, words
