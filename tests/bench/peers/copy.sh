# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: copy_sql GROUP prints the COPY statement that the floor and every peer run, the worker's own columns;
# select_sql GROUP the same rows with their types, for peers that write another format.
select_sql() {
    cat <<SQL
SELECT username, group_id AS "groupId", display_name AS "displayName", gender, date_of_birth AS "dateOfBirth", location, intent,
 bio, smokes, drinks, wants_kids AS "wantsKids", education, religion, occupation,
 preferred_genders AS "preferredGenders", preferred_min_age AS "preferredMinAge", preferred_max_age AS "preferredMaxAge",
 relationship_type AS "relationshipType", open_to_long_distance AS "openToLongDistance", ready_for_matching AS "readyForMatching"
 FROM export_user WHERE group_id = '$1' AND NOT sent_to_matching_service
SQL
}
copy_sql() {
    cat <<SQL
COPY (SELECT username, group_id AS "groupId", display_name AS "displayName", gender, date_of_birth AS "dateOfBirth", location, intent,
 bio, smokes::text, drinks::text, wants_kids::text AS "wantsKids", education, religion, occupation,
 preferred_genders AS "preferredGenders", preferred_min_age AS "preferredMinAge", preferred_max_age AS "preferredMaxAge",
 relationship_type AS "relationshipType", open_to_long_distance::text AS "openToLongDistance", ready_for_matching::text AS "readyForMatching"
 FROM export_user WHERE group_id = '$1' AND NOT sent_to_matching_service) TO STDOUT (FORMAT csv, HEADER)
SQL
}
