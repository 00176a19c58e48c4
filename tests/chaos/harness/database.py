# SPDX-License-Identifier: Apache-2.0
"""Groups, users, and what their rows do to who reads them: fail with a SQLSTATE for a while, or be slow."""
import contextlib

import psycopg
from support.csvfile import SQL_COLUMNS
from support.database import _as_text

_TABLES = """
CREATE TABLE chaos_groups (group_id text PRIMARY KEY, group_type text NOT NULL, active boolean NOT NULL);
CREATE TABLE chaos_users (
    username text, group_id text, display_name text, gender text, date_of_birth date, location text, intent text,
    bio text, smokes boolean, drinks boolean, wants_kids boolean, education text, religion text, occupation text,
    preferred_genders text, preferred_min_age integer, preferred_max_age integer, relationship_type text,
    open_to_long_distance boolean, ready_for_matching boolean, sent_to_matching_service boolean NOT NULL DEFAULT false);
CREATE INDEX ON chaos_users (group_id);
CREATE TABLE chaos_weather (group_id text PRIMARY KEY, code text, until timestamptz, sleep_s double precision);
CREATE FUNCTION chaos_pass(id text, username text) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER COST 1000 AS $$
DECLARE w chaos_weather;
BEGIN
    SELECT * INTO w FROM chaos_weather WHERE group_id = id;
    IF w.sleep_s > 0 AND username LIKE 'u%' THEN PERFORM pg_sleep(w.sleep_s); END IF;
    IF w.code <> '' AND clock_timestamp() < w.until THEN
        RAISE EXCEPTION 'this group fails' USING ERRCODE = w.code;
    END IF;
    RETURN true;
END $$;
CREATE VIEW chaos_group AS SELECT group_id, group_type, active FROM chaos_groups;
CREATE VIEW chaos_user AS SELECT * FROM chaos_users WHERE chaos_pass(group_id, username);
GRANT SELECT ON chaos_group, chaos_user TO export_worker;
"""

_USERS = """
INSERT INTO chaos_users (username, group_id, display_name, gender, date_of_birth, location, bio, smokes, drinks, wants_kids,
    preferred_min_age, preferred_max_age, relationship_type, ready_for_matching)
SELECT %(prefix)s::text || n || repeat('x', %(name)s::int), %(group)s, 'User, "' || n || '"', CASE n %% 3 WHEN 0 THEN 'F' WHEN 1 THEN '' END,
    date '1960-01-01' + (n %% 15000)::int, E'City\n' || n,
    (SELECT coalesce(string_agg(md5(n || '-' || w), ''), '') FROM generate_series(1, %(bio)s::int) w),
    n %% 2 = 0, NULL, true, 18, 40, 'LONG', true
FROM generate_series(%(first)s::int, %(last)s::int) n
"""


class Database:
    def __init__(self, admin_dsn):
        self._dsn = admin_dsn
        self.execute(_TABLES)

    def connect(self):
        return psycopg.connect(self._dsn, autocommit=True, connect_timeout=10)

    def execute(self, statement, parameters=None):
        with self.connect() as connection:
            connection.execute(statement, parameters)

    def add_group(self, group_id, group_type, active=True):
        self.execute("INSERT INTO chaos_groups VALUES (%s, %s, %s)", (group_id, group_type, active))

    def add_users(self, group_id, first, last, bio_words=1, name_length=0, prefix="u"):
        self.execute(_USERS, {"group": group_id, "first": first, "last": last, "bio": bio_words, "name": name_length,
                              "prefix": prefix})

    def weather(self, group_id, code="", seconds=0.0, sleep_s=0.0):
        self.execute("INSERT INTO chaos_weather VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s), %s) "
                     "ON CONFLICT (group_id) DO UPDATE SET code = excluded.code, until = excluded.until, "
                     "sleep_s = excluded.sleep_s", (group_id, code, seconds, sleep_s))

    def rows(self, group_id):
        """The rows of a group as a file holds them."""
        columns = ", ".join(SQL_COLUMNS)
        with self.connect() as connection:
            return [tuple(_as_text(value) for value in row) for row in connection.execute(
                f"SELECT {columns} FROM chaos_users WHERE group_id = %s", (group_id,))]

    @contextlib.contextmanager
    def connection_limit(self, count):
        """The workers' role may have so many connections for the time of the block; those that are open stay."""
        with self.connect() as connection:
            connection.execute(f"ALTER ROLE export_worker CONNECTION LIMIT {int(count)}")
            try:
                yield
            finally:
                connection.execute("ALTER ROLE export_worker CONNECTION LIMIT -1")

    def terminate_workers(self):
        """Every back-end of the workers ends, whatever it does."""
        with self.connect() as connection:
            return connection.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                      "WHERE usename = 'export_worker'").fetchone()[0]
