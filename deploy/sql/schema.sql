-- SPDX-License-Identifier: Apache-2.0
-- The demo's database: two tables as a matching service might have them, and the two views that the worker reads.
-- Only the views are a contract; an owner of another schema provides them over whatever tables there are.

CREATE TABLE matching_groups (
    group_id    text PRIMARY KEY,
    group_type  text NOT NULL,
    active      boolean NOT NULL DEFAULT true,
    description text
);

CREATE TABLE users (
    id                       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username                 text NOT NULL,
    group_id                 text NOT NULL,
    display_name             text,
    gender                   text,
    date_of_birth            date,
    location                 text,
    intent                   text,
    bio                      text,
    smokes                   boolean,
    drinks                   boolean,
    wants_kids               boolean,
    education                text,
    religion                 text,
    occupation               text,
    preferred_genders        text,
    preferred_min_age        integer,
    preferred_max_age        integer,
    relationship_type        text,
    open_to_long_distance    boolean,
    ready_for_matching       boolean,
    sent_to_matching_service boolean NOT NULL DEFAULT false
);

-- An export reads the rows of one group that were not sent yet, and no others.
CREATE INDEX users_to_export ON users (group_id) WHERE NOT sent_to_matching_service;

CREATE VIEW export_group AS
SELECT group_id, group_type, active FROM matching_groups;

CREATE VIEW export_user AS
SELECT username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids,
       education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,
       open_to_long_distance, ready_for_matching, sent_to_matching_service
FROM users;
