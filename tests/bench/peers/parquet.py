# SPDX-License-Identifier: Apache-2.0
"""What a data engineer would write for a Parquet file with zstd: parquet.py adbc|connectorx|duckdb GROUP KEY

adbc, connectorx: the rows become Arrow, pyarrow writes them. duckdb: its postgres extension and COPY … (FORMAT parquet).
Each writes a file, uploads it, and announces it in Kafka. `duckdb --check`: is the extension there?
"""
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOPIC, BUCKET = os.environ["KAFKA_TOPIC"], os.environ["S3_BUCKET"]
CODEC = "zstd"


def dsn():
    return "postgresql://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)


def by_adbc(select, path):
    import adbc_driver_postgresql.dbapi
    import pyarrow.parquet
    with adbc_driver_postgresql.dbapi.connect(dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(select)
        batches = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(path, batches.schema, compression=CODEC) as writer:
            for batch in batches:
                writer.write_batch(batch)


def by_connectorx(select, path):
    import connectorx
    import pyarrow.parquet
    pyarrow.parquet.write_table(connectorx.read_sql(dsn(), select, return_type="arrow"), path, compression=CODEC)


def load_extension(connection):
    """From its package; it is not on the machine otherwise."""
    files = importlib.metadata.files("duckdb-ext-postgres")
    connection.execute("LOAD '{}'".format(next(file.locate() for file in files if file.name.endswith(".duckdb_extension"))))


def by_duckdb(select, path):
    import duckdb
    with duckdb.connect() as connection:
        load_extension(connection)
        connection.execute(f"ATTACH '{dsn()}' AS pg (TYPE postgres, READ_ONLY)")
        connection.execute(f"COPY (SELECT * FROM postgres_query('pg', $${select}$$)) TO '{path}' (FORMAT parquet, COMPRESSION {CODEC})")


def upload(path, group, key):
    import boto3
    from botocore.config import Config
    from confluent_kafka import Producer
    s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=Config(s3={"addressing_style": "path"}))
    media_type = "application/vnd.apache.parquet"
    s3.upload_file(path, BUCKET, key, ExtraArgs={"ContentType": media_type})
    kafka = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"], "enable.idempotence": True, "acks": "all", "linger.ms": 0})
    kafka.produce(TOPIC, json.dumps({"groupId": group, "filePath": f"s3://{BUCKET}/{key}", "contentType": media_type}), group)
    if kafka.flush(60):
        sys.exit("the message was not delivered")


def main():
    if sys.argv[1:] == ["duckdb", "--check"]:
        import duckdb
        load_extension(duckdb.connect())
        return
    tool, group, key = sys.argv[1:]
    select = subprocess.check_output(["bash", "-c", '. "$0"; select_sql "$1"', os.path.join(HERE, "copy.sh"), group], text=True)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "group.parquet")
        {"adbc": by_adbc, "connectorx": by_connectorx, "duckdb": by_duckdb}[tool](select, path)
        upload(path, group, key)


main()
