# SPDX-License-Identifier: Apache-2.0
"""The tables and views of one test, and the rows of its view as another client reads them."""
import contextlib
import datetime

import psycopg
from psycopg import sql

from .csvfile import SQL_COLUMNS

_TABLES = """
CREATE TABLE {s}_groups (group_id text PRIMARY KEY, group_type text NOT NULL, active boolean NOT NULL);
CREATE TABLE {s}_users (
    username text, group_id text, display_name text, gender text, date_of_birth date, location text, intent text,
    bio text, smokes boolean, drinks boolean, wants_kids boolean, education text, religion text, occupation text,
    preferred_genders text, preferred_min_age integer, preferred_max_age integer, relationship_type text,
    open_to_long_distance boolean, ready_for_matching boolean, sent_to_matching_service boolean NOT NULL DEFAULT false);
CREATE INDEX ON {s}_users (group_id);
-- Whoever reads a user named 'gate' waits until the test opens the gate.
CREATE FUNCTION {s}_gate(name text, id text) RETURNS boolean LANGUAGE plpgsql VOLATILE COST 100000 AS $$
BEGIN
    IF name = 'gate' THEN PERFORM pg_advisory_xact_lock_shared(hashtextextended('{s}' || id, 0)); END IF;
    RETURN true;
END $$;
CREATE VIEW {s}_group AS SELECT group_id, group_type, active FROM {s}_groups;
CREATE VIEW {s}_user AS SELECT * FROM {s}_users WHERE {s}_gate(username, group_id);
GRANT SELECT ON {s}_group, {s}_user TO export_worker;
"""

_MANY = """
INSERT INTO {s}_users (username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks,
    wants_kids, education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age,
    relationship_type, open_to_long_distance, ready_for_matching, sent_to_matching_service)
SELECT %(prefix)s || n, %(group)s, 'User, ' || n, CASE n %% 3 WHEN 0 THEN 'FEMALE' WHEN 1 THEN 'MALE' END,
    date '1960-01-01' + (n %% 15000)::int, 'City "' || n %% 50 || '"', 'DATING',
    CASE WHEN n %% 7 = 0 THEN NULL WHEN n %% 11 = 0 THEN '' ELSE
        (SELECT string_agg(md5(n || '-' || i), '') FROM generate_series(1, %(bio)s) i) END,
    n %% 2 = 0, n %% 3 = 0, CASE WHEN n %% 5 > 0 THEN n %% 4 = 0 END, 'MASTERS', '', NULL, 'FEMALE,MALE', 18 + (n %% 10)::int,
    40, E'LONG\nTERM', n %% 2 = 1, true, false
FROM generate_series(1, %(count)s) n
"""


class Database:
    def __init__(self, admin_dsn, worker_dsn, suffix):
        self.s = suffix
        self.group_view, self.user_view = f"{suffix}_group", f"{suffix}_user"
        self._admin_dsn = admin_dsn
        self._worker_dsn = worker_dsn
        self.execute(_TABLES.replace("{s}", suffix))

    def connect(self):
        return psycopg.connect(self._admin_dsn, autocommit=True, connect_timeout=10)

    def execute(self, statement, parameters=None):
        with self.connect() as connection:
            connection.execute(statement.replace("{s}", self.s), parameters)

    def add_group(self, group_id, group_type="COST_BASED", active=True):
        self.execute("INSERT INTO {s}_groups VALUES (%s, %s, %s)", (group_id, group_type, active))

    def add_many(self, group_id, count, bio_words=1, prefix="user"):
        """`count` users with all sorts of values; a bio has `bio_words` × 32 characters that do not compress well."""
        with self.connect() as connection:
            connection.execute(_MANY.replace("{s}", self.s),
                               {"group": group_id, "count": count, "bio": bio_words, "prefix": prefix})

    def add_users(self, group_id, *users):
        """Users as dictionaries of SQL column names."""
        with self.connect() as connection:
            for user in users:
                names = ["group_id", *user]
                statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(self.s + "_users"), sql.SQL(", ").join(map(sql.Identifier, names)),
                    sql.SQL(", ").join([sql.Placeholder()] * len(names)))
                connection.execute(statement, [group_id, *user.values()])

    def expected(self, group_id):
        """What a file holds for the group: rows of text (None for NULL), in any order."""
        columns = sql.SQL(", ").join(map(sql.Identifier, SQL_COLUMNS))
        query = sql.SQL("SELECT {} FROM {} WHERE group_id = %s AND NOT sent_to_matching_service").format(
            columns, sql.Identifier(self.user_view))
        with psycopg.connect(self._worker_dsn, connect_timeout=10) as connection:
            return [[_as_text(value) for value in row] for row in connection.execute(query, (group_id,))]

    @contextlib.contextmanager
    def gate(self, group_id):
        """Exports of the group stop at its user 'gate' for the time of the block, or until the event is called."""
        with self.connect() as connection:
            key = "hashtextextended(%s, 0)"
            connection.execute(f"SELECT pg_advisory_lock({key})", (self.s + group_id,))
            yield lambda: connection.execute(f"SELECT pg_advisory_unlock({key})", (self.s + group_id,))

    def waiting_at_gate(self):
        with self.connect() as connection:
            return connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                                      "AND pid IN (SELECT pid FROM pg_stat_activity WHERE query ILIKE %s)",
                                      (f"%{self.user_view}%",)).fetchone()[0]

    def drop(self):
        with contextlib.suppress(psycopg.Error):
            self.execute("DROP TABLE {s}_groups, {s}_users CASCADE; DROP FUNCTION {s}_gate CASCADE")


def _as_text(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)
