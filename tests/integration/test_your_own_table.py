# SPDX-License-Identifier: Apache-2.0
"""docs/your-own-table.md, followed from its top to its end: its SQL, its settings and its commands as they stand there."""
import gzip
import json
import os
import re
import subprocess

import psycopg
import pyarrow.parquet
import pytest

from support.kafka import Broker
from support.programs import Worker, environment
from support.services import BIN, ROOT

PAGE = (ROOT / "docs/your-own-table.md").read_text(encoding="utf-8")
WRONG = PAGE[PAGE.index("## What wrong input gets"):]


def blocks():
    """(language, code) of each block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def script():
    """The page as one script: SQL to the owner's psql, the settings into their file."""
    parts = {"sql": "psql -X -q -v ON_ERROR_STOP=1 \"$USERS_EXPORT_ADMIN_DSN\" <<'END'\n{}END\n", "ini": "cat >pagila.ini <<'END'\n{}END\n",
             "sh": "{}"}
    return "set -eu\n" + "".join(parts[language].format(code) for language, code in blocks() if language in parts)


def shown():
    """The lines of output that the page shows."""
    return [line for language, code in blocks() if language == "text" for line in code.splitlines() if "restart reads" not in line]


class Reader:
    """Who follows the page, in a folder and with the environment that its first block makes."""

    def __init__(self, services, folder):
        self.services, self.folder = services, folder
        self.env = {**environment(services.settings), "USERS_EXPORT_ADMIN_DSN": services.admin_dsn, "EXPORT_STARTUP_TIMEOUT": "20s"}
        self.env["PATH"] = f"{BIN}:{os.environ['PATH']}"

    def follow(self):
        self.done = subprocess.run(["bash", "-c", script()], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                                   text=True, timeout=240, check=False)
        return self.done

    @property
    def settings(self):
        dsn = self.services.admin_dsn.split("@", 1)[1]
        return {**self.services.settings, "EXPORT_CONFIG": str(self.folder / "pagila.ini"),
                "EXPORT_POSTGRES_DSN": f"postgresql://pagila_export:try-me@{dsn}"}

    def owner(self, *statements):
        with psycopg.connect(self.services.admin_dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def export(self, *arguments):
        """What exportctl says, and its exit code."""
        done = subprocess.run([BIN / "exportctl", "export", "store-1", "--output=-", *arguments], env=environment(self.settings),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stderr.decode()


def clean(services):
    with psycopg.connect(services.admin_dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS pagila CASCADE")
        connection.execute("DROP ROLE IF EXISTS pagila_export")


@pytest.fixture(scope="module")
def reader(services, tmp_path_factory):
    clean(services)
    followed = Reader(services, tmp_path_factory.mktemp("pagila"))
    followed.follow()
    yield followed
    clean(services)


def test_page__followed_to_its_end__every_command_works(reader):
    assert reader.done.returncode == 0, reader.done.stdout[-3000:] + reader.done.stderr[-3000:] + script()
    said = reader.done.stdout + reader.done.stderr
    for line in shown():
        assert line in said, line
    assert " 0 failed" in said
    assert "groups=4 exported=4 skipped=0 dead_lettered=0" in said


def test_page__files_of_its_commands__are_the_table(reader):
    rows = [json.loads(line) for line in gzip.open(reader.folder / "store-1.jsonl.gz", "rt", encoding="utf-8")]
    names = ["rentalId", "customer", "email", "title", "rating", "rate", "features", "rentedAt", "returnedAt"]
    assert list(rows[0]) == names + ["exportVersion"] and len(rows) == 300
    with psycopg.connect(reader.services.admin_dsn) as connection:
        expected = connection.execute(
            "SELECT rental_id, first_name || ' ' || last_name, title, rating::text, rental_rate::float8, special_features FROM pagila.rental "
            "JOIN pagila.customer USING (customer_id) JOIN pagila.film USING (film_id) WHERE store_id = 1 ORDER BY 1").fetchall()
    found = sorted((row["rentalId"], row["customer"], row["title"], row["rating"], row["rate"], row["features"]) for row in rows)
    assert [tuple(row) for row in expected] == found
    assert {row["email"] for row in rows} == {"***"}
    table = pyarrow.parquet.read_table(reader.folder / "store-1.parquet")
    assert table.num_rows == 300 and table.column_names == names + ["exportVersion"]


def test_page__announcements__are_as_it_says(reader):
    values = [json.loads(line) for line in reader.done.stdout.splitlines() if line.startswith('{"groupId"')]
    values = {value["groupId"]: value for value in values}
    assert values["store-1"]["filePath"].endswith(".jsonl.gz") and values["store-1"]["usernames"] is None
    assert values["overdue-2"]["filePath"] is None and len(values["overdue-2"]["usernames"]) == 42


COLUMNS = "--export.columns=rentalId=rental_id,"
ARRAY = ("CREATE VIEW pagila.with_array AS SELECT 'store-1' AS group_id, film_id AS rental_id, special_features AS features FROM pagila.film",
         "GRANT SELECT ON pagila.with_array TO pagila_export")
MISTAKES = {  # what the page's table has: statements before, arguments, exit code
    "has no column rental_nr": ((), [COLUMNS + "email,x=rental_nr"], 1),
    "is text[], which no export can hold": (ARRAY, ["--postgres.user_view=pagila.with_array", "--export.columns=*", "--export.list_column=rental_id",
                                                    "--export.mask="], 1),
    "is there twice": ((), [COLUMNS + "email,title,title"], 2),
    "is no name of export.columns": ((), ["--export.list_column=username"], 2),
    "has no column sent_to_matching_service": ((), ["--export.pending_column=sent_to_matching_service"], 1),
    "is numeric, not text": ((), ["--export.mask=rate:redact"], 1),
    "has no right to read view": (("REVOKE SELECT ON pagila.export_user FROM pagila_export",), [], 1),
    "holds infinity or a date": (("UPDATE pagila.rental SET return_date = 'infinity' WHERE rental_id = 1",), [], 1),
}


@pytest.mark.parametrize("part", MISTAKES)
def test_page__wrong_input__gets_what_the_table_says(reader, part):
    (row,) = [line for line in WRONG.splitlines() if line.startswith("| ") and part in line]
    texts = re.findall(r"`([^`]+)`", row.split(" | ")[1])
    statements, arguments, code = MISTAKES[part]
    try:
        reader.owner(*statements)
        found, said = reader.export(*arguments)
    finally:
        reader.owner("GRANT SELECT ON pagila.export_user TO pagila_export", "DROP VIEW IF EXISTS pagila.with_array",
                     "UPDATE pagila.rental SET return_date = NULL WHERE return_date = 'infinity'")
    assert found == code, said
    for text in texts:
        wanted = text.replace("pagila.export_user is text[]", "pagila.with_array is text[]")
        assert wanted in said, (wanted, said)


def test_page__type_that_changes_while_a_worker_runs__is_what_it_says(reader, tmp_path):
    (text,) = [line for line in WRONG.splitlines() if "restart reads it again" in line]
    (view,) = re.findall(r"CREATE VIEW pagila\.export_user.*?;\n", PAGE, re.DOTALL)
    grant = "GRANT SELECT ON pagila.export_user TO pagila_export"
    worker = Worker([], {**reader.settings, "EXPORT_STARTUP_TIMEOUT": "20s"}, tmp_path / "worker.log")
    try:
        worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
        reader.owner("DROP VIEW pagila.export_user", view.replace("f.rental_rate,", "f.rental_rate::text AS rental_rate,"), grant)
        Broker(reader.services.bootstrap).send("pagila-command", b"store-1", b"{}")
        opened = worker.wait_log(lambda line: line["event"] == "breaker-open", 30, "the breaker")
        assert opened[0]["code"] == "database-schema" and text in opened[0]["error"]
        reader.owner("DROP VIEW pagila.export_user", view, grant)
        worker.wait_log(lambda line: line["event"] == "outcome" and line["outcome"] == "exported", 60, "the waiting command")
    finally:
        worker.stop()
