# SPDX-License-Identifier: Apache-2.0
"""A table of somebody else's, with every type that an export can hold, and its views."""
import subprocess

import psycopg

from .programs import environment, program

TYPES = {
    "id": "bigint", "code": "uuid", "name": "text", "tag": "varchar(20)", "fixed": "char(5)", "mood": "mood",
    "email": "mail", "active": "boolean", "small": "smallint", "whole": "integer", "share": "real", "ratio": "double precision",
    "price": "numeric(12,3)", "amount": "numeric", "day": "date", "at": "timestamptz", "local": "timestamp",
    "doc": "json", "facts": "jsonb",
}
VALUES = [
    {"id": 1, "code": "0f7c1b6e-52a4-5d0a-9a43-1d2b7c9e4f10", "name": "Zoë, \"☕\"\nline", "tag": "a", "fixed": "ab",
     "mood": "happy", "email": "a@b", "active": True, "small": -32768, "whole": 2147483647, "share": 0.1, "ratio": 1e300,
     "price": "123456789.125", "amount": "12345678901234567890.000100", "day": "2026-11-22",
     "at": "2026-11-22 23:20:00.5+05:30", "local": "2026-11-22 23:20:00", "doc": '{"b": 1,\n "a": [null, "x"]}',
     "facts": '{"b": 1, "a": [null, "x"]}'},
    {"id": 2, "name": "", "tag": "", "fixed": "", "email": "", "active": False, "small": 0, "whole": 0, "share": -0.0,
     "ratio": 0.1, "price": "-0.001", "amount": "0", "day": "0001-01-01", "at": "9999-12-31 23:59:59.999999+00",
     "local": "0001-01-01 00:00:00.000001", "doc": "null", "facts": "\"\\u00e9\""},
    {"id": 3},
]


class Table:
    """`things` in a schema of its own, with the views export_group and export_user over it."""

    def __init__(self, pipe):
        self.pipe, self.schema = pipe, f"{pipe.suffix}_table"
        with psycopg.connect(pipe.services.admin_dsn, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {self.schema}")
        self.execute("CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE DOMAIN mail AS varchar(80)")
        self.execute("CREATE TABLE groups (group_id text, group_type text, active boolean)")
        self.execute("CREATE TABLE things (group_id text NOT NULL DEFAULT 'g', " +
                     ", ".join(f"{name} {kind}" for name, kind in TYPES.items()) +
                     ", sent_to_matching_service boolean NOT NULL DEFAULT false)")
        self.execute("CREATE VIEW export_group AS SELECT * FROM groups; CREATE VIEW export_user AS SELECT * FROM things")
        self.execute(f"GRANT USAGE ON SCHEMA {self.schema} TO export_worker")
        self.execute("GRANT SELECT ON export_group, export_user TO export_worker")
        self.execute("INSERT INTO groups VALUES ('g', 'COST_BASED', true), ('l', 'NON_COST_BASED', true)")

    def connect(self):
        return psycopg.connect(self.pipe.services.admin_dsn, autocommit=True, connect_timeout=10,
                               options=f"-csearch_path={self.schema}")

    def execute(self, statement, *values):
        with self.connect() as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else None

    def add(self, *rows):
        for row in rows:
            names = ", ".join(row)
            self.execute(f"INSERT INTO things ({names}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())

    def drop(self):
        self.execute(f"DROP SCHEMA {self.schema} CASCADE")

    @property
    def settings(self):
        return {"EXPORT_POSTGRES_GROUP_VIEW": f"{self.schema}.export_group",
                "EXPORT_POSTGRES_USER_VIEW": f"{self.schema}.export_user",
                "EXPORT_EXPORT_COLUMNS": "*", "EXPORT_EXPORT_LIST_COLUMN": "id",
                "EXPORT_EXPORT_VERSION_FIELD": "none"}

    def ctl(self, *arguments, **settings):
        """exportctl with the table's settings; stdout as bytes."""
        given = environment({**self.pipe.settings, **self.settings, **settings})
        return subprocess.run([program("exportctl"), *arguments], env=given, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, check=False)
