# SPDX-License-Identifier: Apache-2.0
"""Each snippet of schemas/READERS.md for CSV, as it stands there, reads the demo's hard group as the database has it."""
import json
import os
import subprocess
import sys

import pandas
import psycopg
import pytest
from pyspark.sql import SparkSession

from support import page
from support.csvfile import COLUMNS, SQL_COLUMNS
from support.page import changed, run
from support.programs import environment, program
from support.services import ROOT

GROUP = "pune / chai ☕"


def snippet(title, language="python"):
    return page.snippet("CSV", title, language)


@pytest.fixture(scope="module")
def hard(services, tmp_path_factory):
    """(path of the exported file, path of one with the version in a comment, rows as text by username with None for NULL)"""
    folder, schema = tmp_path_factory.mktemp("hard"), f"t_read_files_{os.getpid()}"
    column, comment = folder / "column.csv.gz", folder / "comment.csv.gz"
    with psycopg.connect(services.admin_dsn, autocommit=True, options=f"-csearch_path={schema}") as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            for name in ("schema.sql", "demo-data.sql"):
                connection.execute((ROOT / "deploy/sql" / name).read_text(encoding="utf-8"))
            connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO export_worker; "
                               "GRANT SELECT ON export_group, export_user TO export_worker")
            settings = environment({"EXPORT_POSTGRES_DSN": services.worker_dsn,
                                    "EXPORT_POSTGRES_GROUP_VIEW": f"{schema}.export_group",
                                    "EXPORT_POSTGRES_USER_VIEW": f"{schema}.export_user"})
            for path in (column, comment):
                done = subprocess.run([program("exportctl"), "export", GROUP, "--output", path,
                                       f"--export.version_field={path.name.split('.')[0]}"],
                                      capture_output=True, timeout=60, check=False, env=settings)
                assert done.returncode == 0, done.stderr
            columns = ", ".join(f"{name}::text" for name in SQL_COLUMNS)
            rows = connection.execute(f"SELECT {columns} FROM export_user WHERE group_id = %s", (GROUP,)).fetchall()
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
    expected = {row[0]: list(row) for row in rows}
    assert len(expected) == len(rows) == 250
    assert None in expected["null-all"] and "" in expected["empty-all"] and "\r\n" in expected["lines"][5]
    return column, comment, expected


def check(found, names, expected, has_version=True):
    assert list(names) == COLUMNS + ["exportVersion"] * has_version
    assert {row[0]: list(row) for row in found} == {name: row + ["1.0"] * has_version for name, row in expected.items()}


@pytest.fixture(scope="module")
def spark():
    session = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.driver.memory", "600m")
               .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate())
    yield session
    session.stop()


def test_duckdb__snippet__keeps_null_and_empty_apart(hard):
    column, comment, expected = hard
    code = snippet("DuckDB")
    rows = run(code, path=column)["rows"]
    check(rows.fetchall(), rows.columns, expected)
    rows = run(changed(code, "header = true", "header = true, skip = 1"), path=comment)["rows"]
    check(rows.fetchall(), rows.columns, expected, has_version=False)


def test_duckdb__without_its_option__loses_the_difference(hard):
    code = changed(snippet("DuckDB"), "allow_quoted_nulls = false", "allow_quoted_nulls = true")
    (row,) = run(code, path=hard[0])["rows"].filter("username = 'empty-all'").fetchall()
    assert "" not in row


def test_polars__snippet__keeps_null_and_empty_apart(hard):
    column, comment, expected = hard
    code = snippet("Polars")
    rows = run(code, path=column)["rows"]
    check(rows.rows(), rows.columns, expected)
    rows = run(changed(code, "(path", "(path, skip_rows=1"), path=comment)["rows"]
    check(rows.rows(), rows.columns, expected, has_version=False)


def test_pyarrow__snippet__keeps_null_and_empty_apart(hard):
    column, comment, expected = hard
    code = snippet("pyarrow")
    rows = run(code, path=column)["rows"]
    check(zip(*rows.to_pydict().values()), rows.column_names, expected)
    code = changed(code, "    names =", "    file.readline()\n    names =")
    code = changed(code, "parse_options=", "read_options=csv.ReadOptions(skip_rows=1), parse_options=")
    rows = run(code, path=comment)["rows"]
    check(zip(*rows.to_pydict().values()), rows.column_names, expected, has_version=False)


def test_pandas__snippet_behind_pyarrow__keeps_null_and_empty_apart(hard):
    column, _, expected = hard
    frame = run(snippet("pandas"), rows=run(snippet("pyarrow"), path=column)["rows"])["frame"]
    found = [[None if value is pandas.NA else value for value in row] for row in frame.itertuples(index=False, name=None)]
    check(found, frame.columns, expected)


@pytest.mark.parametrize("engine", ["c", "python", "pyarrow"])
@pytest.mark.parametrize("options", [{}, {"keep_default_na": False}, {"keep_default_na": False, "na_values": [""]}])
def test_pandas__read_csv__cannot_tell_them_apart(hard, engine, options):
    """Where this fails, pandas has learnt it, and the page is wrong."""
    frame = pandas.read_csv(hard[0], dtype=str, engine=engine, **options).set_index("username")
    null, empty = frame.loc["null-all", "bio"], frame.loc["empty-all", "bio"]
    assert (pandas.isna(null) and pandas.isna(empty)) or null == empty


def test_spark__snippet__keeps_null_and_empty_apart(hard, spark):
    column, _, expected = hard
    rows = run(snippet("Spark"), path=str(column), spark=spark)["rows"]
    check(rows.collect(), rows.columns, expected)


def test_postgresql__snippet__keeps_null_and_empty_apart(hard, services):
    statement = changed(snippet("PostgreSQL", "sql").rstrip().rstrip(";"), "COPY exported", r"\copy exported")
    for path, has_version in zip(hard[:2], (True, False)):
        names = COLUMNS + ["exportVersion"] * has_version
        program_ = str(path) if has_version else f"{path} | tail -n +2"
        script = "CREATE TEMP TABLE exported ({});\n{}\nSELECT json_agg(row_to_json(exported)) FROM exported;".format(
            ", ".join(f'"{name}" text' for name in names), changed(statement, "FILE.csv.gz", program_))
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", services.admin_dsn], input=script,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        check([list(row.values()) for row in json.loads(done.stdout)], names, hard[2], has_version)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the csv module tells them apart since Python 3.13")
def test_python_csv__snippet__keeps_null_and_empty_apart(hard):
    column, comment, expected = hard
    code = snippet("Python's csv")
    found = run(code, path=column)
    check(found["rows"], found["names"], expected)
    found = run(changed(code, "    names,", "    file.readline()\n    names,"), path=comment)
    check(found["rows"], found["names"], expected, has_version=False)
