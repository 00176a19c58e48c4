# SPDX-License-Identifier: Apache-2.0
"""The Parquet writer against readers that are not ours: random tables of all types, sent by a real PostgreSQL in COPY's
binary form, written by copy_to_parquet, read by pyarrow, DuckDB and polars, and compared value for value with what psycopg selects;
and a table of every type read by Spark. The seed of a round stands in its failure; USERS_EXPORT_ROUNDS sets their number (default 40)."""
import datetime
import decimal
import json
import os
import random
import struct
import subprocess
import uuid

import duckdb
import polars
import psycopg
import pyarrow
import pyarrow.parquet
import pytest
from pyspark.sql import SparkSession
from support.page import run, snippet
from support.services import BIN, ROOT

TOOL = BIN.parent / "tests/unit/copy_to_parquet"
ROUNDS = int(os.environ.get("USERS_EXPORT_ROUNDS", "40"))
FIRST_SEED = int(os.environ.get("USERS_EXPORT_SEED", "1"))
UTC = datetime.timezone.utc
needs_tool = pytest.mark.skipif(not TOOL.exists(), reason="copy_to_parquet is not built here")


def pick_text(chance):
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(["", "NULL", "a,b", 'say "hi"', "two\nlines", "\t", "ä", "日本語", "😀" * 20, "=1+1", "\x7f", "x" * 63, "x" * 65])
    if kind < 0.35:
        return chance.choice(["\U0010ffff", "\uffff", "\ud7ff", "\ue000", "\x7f"]) * chance.randrange(1, 90)
    if kind < 0.37:
        return "".join(chance.choice("abcdefgh \n") for _ in range(chance.randrange(70000)))
    return "".join(chance.choice("abcdefghijklmnopqrstuvwxyzéß0123456789 ") for _ in range(chance.randrange(30)))


def pick_json(chance):
    return json.dumps(chance.choice([None, 1, -1.5, "ä\n", [1, [2, {}]], {"a": {"b": [None, True]}}, {"k" * chance.randrange(1, 200): chance.random()}]),
                      ensure_ascii=chance.random() < 0.5)


def pick_integer(bits):
    def pick(chance):
        limit = 1 << (bits - 1)
        if chance.random() < 0.2:
            return chance.choice([0, -1, 1, limit - 1, -limit])
        return chance.randrange(-limit, limit) >> chance.randrange(bits)
    return pick


def pick_float4(chance):
    if chance.random() < 0.3:
        return chance.choice([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e-45, 3.4028234663852886e38, 0.5])
    return struct.unpack("<f", struct.pack("<f", chance.uniform(-1e6, 1e6)))[0]


def pick_float8(chance):
    if chance.random() < 0.3:
        return chance.choice([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, 0.1])
    return chance.uniform(-1e18, 1e18)


def pick_date(chance):
    if chance.random() < 0.2:
        return chance.choice([datetime.date.min, datetime.date.max, datetime.date(1970, 1, 1), datetime.date(1999, 12, 31)])
    return datetime.date.fromordinal(chance.randrange(1, datetime.date.max.toordinal() + 1))


def pick_timestamp(chance):
    if chance.random() < 0.2:
        return chance.choice([datetime.datetime.min, datetime.datetime.max, datetime.datetime(1970, 1, 1),
                              datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)])
    return datetime.datetime.combine(pick_date(chance), datetime.time.min) + datetime.timedelta(microseconds=chance.randrange(86400 * 10**6))


def pick_decimal(precision, scale):
    def pick(chance):
        digits = precision if chance.random() < 0.2 else chance.randrange(1, precision + 1)
        number = 10**digits - 1 if chance.random() < 0.2 else chance.randrange(10**digits)
        return decimal.Decimal(chance.choice([number, -number])).scaleb(-scale, EXACT)
    return pick


def pick_numeric(chance):
    """Text, because Python's Decimal and PostgreSQL do not print all of them alike."""
    kind = chance.random()
    if kind < 0.2:
        return chance.choice(["NaN", "Infinity", "-Infinity", "0", "0.000", "-0.00001", "1e300", "1e-300", "10000", "0.0001", "99999999.00010000"])
    whole, part = chance.randrange(10 ** chance.randrange(1, 60)), chance.randrange(1, 40)
    return f"{chance.choice(['', '-'])}{whole}.{chance.randrange(10**part):0{part}}"


EXACT = decimal.Context(prec=60)


class Kind:
    """A type: in SQL, for copy_to_parquet, how values are made, how psycopg's SELECT gets what is expected."""

    def __init__(self, sql, tool, pick, select="{}", arrow=None):
        self.sql, self.tool, self.pick, self.select, self.arrow = sql, tool, pick, select, arrow


def decimal_kind(precision, scale):
    return Kind(f"numeric({precision},{scale})", f"decimal:{precision}:{scale}", pick_decimal(precision, scale), arrow=pyarrow.decimal128(precision, scale))


KINDS = [
    Kind("text", "text", pick_text, arrow=pyarrow.string()),
    Kind("varchar", "text", pick_text, arrow=pyarrow.string()),
    Kind("uuid", "uuid", lambda chance: str(uuid.UUID(int=chance.getrandbits(128))), "{}::text", pyarrow.string()),
    Kind("json", "json", pick_json, "{}::text"),
    Kind("jsonb", "jsonb", pick_json, "{}::text"),
    Kind("boolean", "boolean", lambda chance: chance.random() < 0.5, arrow=pyarrow.bool_()),
    Kind("smallint", "int2", pick_integer(16), arrow=pyarrow.int32()),
    Kind("integer", "int4", pick_integer(32), arrow=pyarrow.int32()),
    Kind("bigint", "int8", pick_integer(64), arrow=pyarrow.int64()),
    Kind("real", "float4", pick_float4, "{}::float8", pyarrow.float32()),
    Kind("double precision", "float8", pick_float8, arrow=pyarrow.float64()),
    Kind("date", "date", pick_date, arrow=pyarrow.date32()),
    Kind("timestamp", "timestamp", pick_timestamp, arrow=pyarrow.timestamp("us")),
    Kind("timestamptz", "timestamptz", lambda chance: pick_timestamp(chance).replace(tzinfo=UTC), arrow=pyarrow.timestamp("us", "UTC")),
    Kind("numeric", "numeric", pick_numeric, "{}::text", pyarrow.string()),
] + [decimal_kind(p, s) for p, s in ((1, 0), (4, 4), (9, 2), (10, 3), (18, 18), (19, 0), (19, 5), (25, 10), (38, 0), (38, 38), (38, 7))]


def same_bits(value):
    """-0.0 differs from 0.0, and NaN is NaN."""
    if isinstance(value, float):
        return ("nan",) if value != value else struct.pack("<d", value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def table_of(chance):
    """Columns, and rows of values: few distinct ones or many, some NULL, now all."""
    columns = [chance.choice(KINDS) for _ in range(chance.randrange(1, 12))]
    row_count = chance.choice([0, 1, 7, 8, 9, chance.randrange(100), chance.randrange(3000), chance.randrange(12000)])
    makers = []
    for kind in columns:
        pool = [kind.pick(chance) for _ in range(chance.choice([1, 2, 40, 300]))] if chance.random() < 0.5 else None
        makers.append((kind, pool, chance.choice([0, 0, 0.01, 0.5, 1]), chance.random() < 0.2))
    rows = []
    for number in range(row_count):
        row = []
        for kind, pool, null_ratio, runs in makers:
            if runs and rows and chance.random() < 0.98:
                row.append(rows[-1][len(row)])
            elif chance.random() < null_ratio:
                row.append(None)
            else:
                row.append(chance.choice(pool) if pool else kind.pick(chance))
        rows.append(row)
    return columns, rows


def write_table(connection, columns, rows):
    names = [f"c{i}" for i in range(len(columns))]
    connection.execute("DROP TABLE IF EXISTS parquet_round")
    connection.execute("CREATE TEMP TABLE parquet_round (n integer, %s)" % ", ".join(f"{n} {k.sql}" for n, k in zip(names, columns)))
    with connection.cursor() as cursor, cursor.copy("COPY parquet_round FROM STDIN") as copy:
        for number, row in enumerate(rows):
            copy.write_row([number, *row])
    return names


def sent(connection, names, query="parquet_round ORDER BY n"):
    with connection.cursor() as cursor, cursor.copy(f"COPY (SELECT {', '.join(names)} FROM {query}) TO STDOUT (FORMAT binary)") as copy:
        return b"".join(bytes(block) for block in copy)


def convert(data, names, kinds, path, codec="zstd", group_bytes=0):
    columns = [f"{name}:{kind}" for name, kind in zip(names, kinds)]
    with open(path, "wb") as out:
        return subprocess.run([TOOL, codec, str(group_bytes), *columns], input=data, stdout=out, stderr=subprocess.PIPE, timeout=60, check=False)


def by_pyarrow(path):
    table = pyarrow.parquet.read_table(path)
    return table.to_pylist()


def by_duckdb(path):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table().to_pylist()


def by_polars(path):
    """Polars knows no JSON in Parquet and gives its bytes."""
    frame = polars.read_parquet(path)
    return frame.with_columns(polars.col(polars.Binary).cast(polars.String)).to_arrow().to_pylist()


def check_values(expected, path, names, what, readers=(by_pyarrow, by_duckdb, by_polars)):
    for read in readers:
        found = read(path)
        assert len(found) == len(expected), f"{what}: {read.__name__}: rows"
        for number, (row, record) in enumerate(zip(expected, found)):
            for name, value in zip(names, row):
                assert same_bits(record[name]) == same_bits(value), f"{what}: {read.__name__}: row {number}, column {name}"


def comparable(value):
    return value.encode() if isinstance(value, str) else value


def check_statistics(expected, path, names, kinds, what):
    """Bounds are bounds, and exact where they say so; NULLs are counted."""
    metadata = pyarrow.parquet.read_metadata(path)
    first = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows = expected[first : first + group.num_rows]
        first += group.num_rows
        for at, name in enumerate(names):
            found = group.column(at).statistics
            values = [row[at] for row in rows if row[at] is not None and row[at] == row[at]]
            assert found.null_count == sum(row[at] is None for row in rows), f"{what}: {name}"
            if not values:
                assert not found.has_min_max, f"{what}: {name}"
            elif found.has_min_max:
                low, high = (comparable(v.decode() if isinstance(v, bytes) else v) for v in (found.min, found.max))
                assert low <= min(map(comparable, values)) and max(map(comparable, values)) <= high, f"{what}: {name}"
            else:
                assert "json" in kinds[at].sql or any(len(v) > 16 for v in values), f"{what}: {name} has no bounds"
    assert first == len(expected)


def selected(connection, columns, names):
    select = ", ".join(kind.select.format(name) for name, kind in zip(names, columns))
    return connection.execute(f"SELECT {select} FROM parquet_round ORDER BY n").fetchall()


def check_round(connection, seed, path):
    chance = random.Random(seed)
    columns, rows = table_of(chance)
    names = write_table(connection, columns, rows)
    codec, group_bytes = chance.choice(["zstd", "gzip", "none"]), chance.choice([0, 1, 3000, 100_000])
    what = f"seed {seed}: {codec}, groups of {group_bytes}, {len(rows)} rows of {[k.sql for k in columns]}"
    expected = selected(connection, columns, names)
    done = convert(sent(connection, names), names, [k.tool for k in columns], path, codec, group_bytes)
    assert done.returncode == 0, f"{what}: {done.stderr.decode()}"
    schema = pyarrow.parquet.read_schema(path)
    for name, kind in zip(names, columns):
        assert kind.arrow is None or schema.field(name).type == kind.arrow, what
        assert schema.field(name).nullable, what
    check_values(expected, path, names, what)
    check_statistics(expected, path, names, columns, what)


@needs_tool
@pytest.mark.timeout(240 + ROUNDS * 10)
def test_random_tables__read_by_others__have_the_values_that_select_gives(services, tmp_path):
    # No prepared statements: the same query text has another result in each round.
    with psycopg.connect(services.admin_dsn, autocommit=True, connect_timeout=10, prepare_threshold=None) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for seed in range(FIRST_SEED, FIRST_SEED + ROUNDS):
            check_round(connection, seed, tmp_path / "round.parquet")


@pytest.fixture(scope="module")
def spark():
    session = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.driver.memory", "600m")
               .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate())
    session.conf.set("spark.sql.session.timeZone", "UTC")
    yield session
    session.stop()


@needs_tool
@pytest.mark.parametrize("vectorized", ["true", "false"])
@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_every_type__read_by_parquet_java__has_the_values_that_select_gives(services, spark, tmp_path, codec, vectorized):
    """The snippet of schemas/READERS.md, with both of Spark's readers: its own, for which parquet-java unpacks pages, and parquet-java's."""
    code = snippet("Parquet", "Spark")
    chance = random.Random(17)
    rows = [[None if chance.random() < 0.1 else kind.pick(chance) for kind in KINDS] for _ in range(500)]
    with psycopg.connect(services.admin_dsn, autocommit=True, connect_timeout=10) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = write_table(connection, KINDS, rows)
        expected = selected(connection, KINDS, names)
        data = sent(connection, names)
    path = tmp_path / "spark.parquet"
    assert convert(data, names, [kind.tool for kind in KINDS], path, codec, 60_000).returncode == 0
    spark.conf.set("spark.sql.parquet.enableVectorizedReader", vectorized)
    check_values(expected, path, names, "Spark", (lambda path: run(code, path=str(path), spark=spark)["rows"].toArrow().to_pylist(),))


def test_golden_file__read_by_others__is_the_table_of_the_unit_test():
    golden = ROOT / "tests/unit/parquet/golden/every_kind.parquet"
    rows = by_pyarrow(golden)
    assert [row["text"] for row in rows] == [f"row {n}" for n in range(12)]
    assert rows[1] == {"text": "row 1", "uuid": "01010203-0405-0607-0809-0a0b0c0d0e0f", "json": None, "jsonb": "[1]", "boolean": True, "int2": None,
                       "int4": -100000, "int8": 1 << 40, "float4": None, "float8": -0.125, "date": datetime.date(1997, 4, 6), "timestamp": None,
                       "timestamptz": datetime.datetime(1999, 12, 31, tzinfo=UTC), "decimal_9_2": decimal.Decimal("2.25"), "decimal_18_0": None,
                       "decimal_38_10": decimal.Decimal("-2.0042000000"), "numeric": "0.0002", "same": "1.0"}
    check_values([list(row.values()) for row in rows], golden, list(rows[0]), "golden")


REFUSED = [
    ("date", "date", "infinity"), ("date", "date", "-infinity"), ("date", "date", "10000-01-01"), ("date", "date", "0001-12-31 BC"),
    ("timestamp", "timestamp", "infinity"), ("timestamp", "timestamp", "-infinity"), ("timestamp", "timestamp", "10000-01-01"),
    ("timestamptz", "timestamptz", "infinity"), ("timestamptz", "timestamptz", "0001-12-31 23:59:59 BC"),
    ("numeric", "decimal:5:2", "NaN"), ("numeric", "decimal:5:2", "Infinity"), ("numeric", "decimal:5:2", "1000"), ("numeric", "decimal:5:2", "0.001"),
    ("bigint", "int4", "1"), ("text", "boolean", "yes"), ("bytea", "uuid", "abc"), ("text", "jsonb", "{}"), ("text", "numeric", "12"),
]


@needs_tool
@pytest.mark.parametrize("sql,kind,value", REFUSED)
def test_value_that_parquet_cannot_say__is_database_data_with_the_column(services, tmp_path, sql, kind, value):
    with psycopg.connect(services.admin_dsn, autocommit=True, connect_timeout=10) as connection:
        data = sent(connection, ["1 AS n", "v AS bad"], f"(VALUES (CAST('{value}' AS {sql}))) AS t (v)")
    done = convert(data, ["n", "bad"], ["int4", kind], tmp_path / "refused.parquet")
    assert done.returncode == 1
    assert done.stderr.startswith(b"database-data: ") and b"column bad " in done.stderr


@needs_tool
def test_text_of_100_mb__is_read_back(services, tmp_path):
    with psycopg.connect(services.admin_dsn, autocommit=True, connect_timeout=10) as connection:
        data = sent(connection, ["n", "t"], "(VALUES (1, 'before'), (2, repeat(md5('x'), 3276800)), (3, 'behind')) AS v (n, t)")
    done = convert(data, ["n", "t"], ["int4", "text"], tmp_path / "long.parquet")
    assert done.returncode == 0, done.stderr
    file = pyarrow.parquet.ParquetFile(tmp_path / "long.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)] == [1, 1, 1]
    assert [len(text) for text in file.read(["t"]).column("t").to_pylist()] == [6, 104857600, 6]


@needs_tool
def test_key_value_metadata__is_read_by_others(services, tmp_path):
    with psycopg.connect(services.admin_dsn, autocommit=True, connect_timeout=10) as connection:
        data = sent(connection, ["v"], "(VALUES (1)) AS t (v)")
    path = tmp_path / "pairs.parquet"
    assert convert(data, ["v"], ["int4"], path).returncode == 0
    metadata = pyarrow.parquet.read_metadata(path)
    assert metadata.metadata == {b"export-version": b"1.0", b"empty": b""}
    assert metadata.created_by.startswith("users-export version ")
    with duckdb.connect() as connection:
        pairs = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()
    assert dict(pairs) == {b"export-version": b"1.0", b"empty": b""}
