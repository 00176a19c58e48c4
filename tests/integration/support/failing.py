# SPDX-License-Identifier: Apache-2.0
"""Groups whose rows cannot be read: the view raises an error of the database for them, until they are mended."""

_FAILING = """
CREATE TABLE {s}_faults (group_id text PRIMARY KEY, code text NOT NULL);
-- Runs for the rows of one group only, after the index has found them.
CREATE FUNCTION {s}_fail(id text) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER COST 100000 AS $$
DECLARE found text;
BEGIN
    SELECT code INTO found FROM {s}_faults WHERE group_id = id;
    IF found IS NOT NULL THEN RAISE EXCEPTION 'this group fails' USING ERRCODE = found; END IF;
    RETURN true;
END $$;
CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_users WHERE {s}_fail(group_id) AND {s}_gate(username, group_id);
"""


class Failing:
    def __init__(self, database):
        self._database = database
        database.execute(_FAILING)

    def fail(self, group_id, code):
        self._database.execute("INSERT INTO {s}_faults VALUES (%s, %s)", (group_id, code))

    def mend(self, group_id):
        self._database.execute("DELETE FROM {s}_faults WHERE group_id = %s", (group_id,))
