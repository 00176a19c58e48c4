# SPDX-License-Identifier: Apache-2.0
"""Each snippet of schemas/READERS.md, as it stands there, reads the demo's hard group as the database has it."""
import json
import re
import subprocess

import psycopg
import pytest

from support.csvfile import COLUMNS, SQL_COLUMNS
from support.programs import environment, program
from support.services import ROOT

GROUP = "pune / chai ☕"
README = (ROOT / "schemas/READERS.md").read_text(encoding="utf-8")


def snippet(title, language="python"):
    """The code under a heading."""
    return re.search(rf"^## {re.escape(title)}\n.*?^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]


def hard_rows():
    """The statement of the demo's data that inserts what readers get wrong."""
    text = (ROOT / "deploy/sql/demo-data.sql").read_text(encoding="utf-8")
    return re.search(r"^INSERT INTO users \(username, group_id, display_name, bio, .*?true\);$", text, re.MULTILINE | re.DOTALL)[0]


@pytest.fixture(scope="module")
def hard(services, tmp_path_factory):
    """(path of the exported file, its rows as text by username, None for NULL)"""
    path, schema = tmp_path_factory.mktemp("hard") / "hard.csv.gz", "t_read_files"
    with psycopg.connect(services.admin_dsn, autocommit=True, options=f"-csearch_path={schema}") as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        connection.execute((ROOT / "deploy/sql/schema.sql").read_text())
        connection.execute("INSERT INTO matching_groups VALUES (%s, 'COST_BASED')", (GROUP,))
        connection.execute(hard_rows())
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO export_worker; "
                           "GRANT SELECT ON export_group, export_user TO export_worker")
        done = subprocess.run(
            [program("exportctl"), "export", GROUP, "--output", path], capture_output=True, timeout=60, check=False,
            env=environment({"EXPORT_POSTGRES_DSN": services.worker_dsn, "EXPORT_POSTGRES_GROUP_VIEW": f"{schema}.export_group",
                             "EXPORT_POSTGRES_USER_VIEW": f"{schema}.export_user"}))
        assert done.returncode == 0, done.stderr
        columns = ", ".join(f"{name}::text" for name in SQL_COLUMNS)
        rows = connection.execute(f"SELECT {columns} FROM export_user WHERE group_id = %s", (GROUP,)).fetchall()
        expected = {row[0]: [*row, "1.0"] for row in rows}
        assert len(expected) == 10 and None in expected["null-all"] and "" in expected["empty-all"]
        yield path, expected
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


def check(found, names, expected):
    assert list(names) == [*COLUMNS, "exportVersion"]
    assert {row[0]: list(row) for row in found} == expected


def run(code, **names):
    exec(compile(code, str(ROOT / "schemas/READERS.md"), "exec"), names)  # what the page shows
    return names


def test_duckdb__snippet__keeps_null_and_empty_apart(hard):
    path, expected = hard
    pytest.importorskip("duckdb")
    rows = run(snippet("DuckDB"), path=str(path))["rows"]
    check(rows.fetchall(), rows.columns, expected)


def test_polars__snippet__keeps_null_and_empty_apart(hard):
    path, expected = hard
    pytest.importorskip("polars")
    rows = run(snippet("Polars"), path=path)["rows"]
    check(rows.rows(), rows.columns, expected)


def test_pyarrow_and_pandas__snippets__keep_null_and_empty_apart(hard):
    path, expected = hard
    pytest.importorskip("pyarrow")
    names = run(snippet("pyarrow"), path=str(path))
    check(zip(*names["rows"].to_pydict().values()), names["rows"].column_names, expected)
    pandas = pytest.importorskip("pandas")
    frame = run(snippet("pandas"), rows=names["rows"])["frame"]
    found = [[None if value is pandas.NA else value for value in row] for row in frame.itertuples(index=False, name=None)]
    check(found, frame.columns, expected)


@pytest.mark.parametrize("engine", ["c", "python", "pyarrow"])
@pytest.mark.parametrize("options", [{}, {"keep_default_na": False}, {"keep_default_na": False, "na_values": [""]}])
def test_pandas__read_csv__cannot_tell_them_apart(hard, engine, options):
    """Where this fails, pandas has learnt it, and the page is wrong."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(hard[0], dtype=str, engine=engine, **options).set_index("username")
    null, empty = frame.loc["null-all", "bio"], frame.loc["empty-all", "bio"]
    assert (pandas.isna(null) and pandas.isna(empty)) or null == empty


def test_postgresql__snippet__keeps_null_and_empty_apart(hard, services):
    path, expected = hard
    statement = snippet("PostgreSQL", "sql").replace("COPY exported", r"\copy exported").replace("FILE.csv.gz", str(path))
    columns = ", ".join(f'"{name}" text' for name in [*COLUMNS, "exportVersion"])
    script = f"CREATE TEMP TABLE exported ({columns});\n{statement.rstrip().rstrip(';')}\n" \
             "SELECT json_agg(row_to_json(exported)) FROM exported;"
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", services.admin_dsn], input=script,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = [list(row.values()) for row in json.loads(done.stdout)]
    check(found, [*COLUMNS, "exportVersion"], expected)
