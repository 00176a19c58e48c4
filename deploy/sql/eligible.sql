-- SPDX-License-Identifier: Apache-2.0
-- Who is exported is the business of the view. This one, over the demo's tables, leaves out who is not ready for matching:
-- a worker needs no setting for it, and sees a user on the night after he or she has become ready.
-- Load it after schema.sql; it replaces the view and keeps its rights.

CREATE OR REPLACE VIEW export_user AS
SELECT username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids,
       education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,
       open_to_long_distance, ready_for_matching, sent_to_matching_service
FROM users
WHERE ready_for_matching; -- NULL is not ready

-- An index with the condition of the view: an export reads the rows that it takes, and no others.
CREATE INDEX users_ready_to_export ON users (group_id) WHERE ready_for_matching AND NOT sent_to_matching_service;
