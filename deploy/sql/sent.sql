-- SPDX-License-Identifier: Apache-2.0
-- How the owner of the database marks rows as sent, and loses none that changed after an export's snapshot.
-- The service itself writes nothing. Load it after eligible.sql, in one transaction (psql -1 -f sent.sql).
--
-- `UPDATE users SET sent_to_matching_service = true WHERE group_id = …` after an export loses rows: those that changed
-- while the export ran, also in transactions that began before it and ended after it. So a row says which transaction
-- changed it last, and only rows are marked whose last change had ended before the snapshot was taken:
--
--   SELECT note_horizon();                                      -- every minute, from cron or pg_cron
--   SELECT mark_sent('g-17', '2026-11-22T17:50:00.123Z');       -- for a result in flairbit-users: groupId and header
--                                                               -- export-snapshot-at; how many rows were marked
--
-- What changed after the last horizon before the snapshot is not marked and is exported again, at most a few minutes of
-- changes: repeated, never lost. A row that changes after it was marked is to be sent again by itself.

-- NULL: not changed since this file was loaded. So the table is not rewritten.
ALTER TABLE users ADD COLUMN changed_in xid8;
ALTER TABLE users ALTER COLUMN changed_in SET DEFAULT pg_current_xact_id();

-- Every change makes a row one that is to be sent, and so does somebody who sets sent_to_matching_service to false. Only
-- the mark alone is no change. The rows are compared byte by byte (*<>), so a column of any type will do.
CREATE FUNCTION users_note_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before users%ROWTYPE := OLD;
BEGIN
    NEW.changed_in := OLD.changed_in;
    before.sent_to_matching_service := NEW.sent_to_matching_service;
    IF before *<> NEW OR (OLD.sent_to_matching_service AND NOT NEW.sent_to_matching_service) THEN
        NEW.changed_in := pg_current_xact_id();
        NEW.sent_to_matching_service := false;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER users_note_change BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_note_change();

-- Every transaction before `horizon` had ended when it was noted.
CREATE TABLE export_horizon (
    noted_at timestamptz PRIMARY KEY,
    horizon  xid8 NOT NULL
);

-- The clock is read after the snapshot of the statement, from which the horizon is.
CREATE FUNCTION note_horizon() RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM export_horizon WHERE noted_at < clock_timestamp() - interval '30 days';
    INSERT INTO export_horizon (noted_at, horizon)
    SELECT clock_timestamp(), pg_snapshot_xmin(pg_current_snapshot());
$$;

-- `clocks_differ`: by how much the clock of the server that was exported from may be ahead of this one's, where that is a
-- replica. The condition is that of the view: what it leaves out was not sent. An update that meets a row which another
-- transaction is changing waits for that transaction and then looks at the row again.
CREATE FUNCTION mark_sent(of_group text, snapshot_at timestamptz, clocks_differ interval DEFAULT '1 minute')
    RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    safe   xid8;
    marked bigint := 0;
BEGIN
    SELECT horizon INTO safe FROM export_horizon
    WHERE noted_at <= snapshot_at - clocks_differ ORDER BY noted_at DESC LIMIT 1;
    IF safe IS NOT NULL THEN
        UPDATE users SET sent_to_matching_service = true
        WHERE group_id = of_group AND ready_for_matching AND NOT sent_to_matching_service
            AND (changed_in IS NULL OR changed_in < safe);
        GET DIAGNOSTICS marked = ROW_COUNT;
    END IF;
    RETURN marked;
END $$;

REVOKE ALL ON FUNCTION note_horizon(), mark_sent(text, timestamptz, interval) FROM PUBLIC;
