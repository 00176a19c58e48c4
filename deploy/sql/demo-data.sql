-- SPDX-License-Identifier: Apache-2.0
-- Seven groups and some 102,000 users, the same ones on every machine: each value follows from the row's number.
-- Loading again replaces what is there.

BEGIN;
TRUNCATE users, matching_groups RESTART IDENTITY;

INSERT INTO matching_groups (group_id, group_type, active, description) VALUES
    ('bengaluru-pro',    'COST_BASED',     true,  'the big one: 100,000 users'),
    ('pune / chai ☕',   'COST_BASED',     true,  'small, with values that are hard to write and a name that is hard to put into a key'),
    ('campus-delhi',     'NON_COST_BASED', true,  'usernames only'),
    ('book-club',        'NON_COST_BASED', true,  'a few usernames'),
    ('kochi-new',        'COST_BASED',     true,  'empty: all of its users were sent already'),
    ('lottery-2026',     'LOTTERY',        true,  'of a type that nobody knows'),
    ('goa-closed',       'COST_BASED',     false, 'inactive');

-- The value that row n has in a list of values: spread well, repeated exactly, the same in every version.
CREATE FUNCTION pg_temp.pick(list text[], n bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE
RETURN list[1 + ((n * 2654435761 + salt * 40503 + n % 97 * salt) >> 9) % cardinality(list)];

CREATE TEMP TABLE words ON COMMIT DROP AS SELECT
    string_to_array('Aarav Aditi Ananya Arjun Bhavna Chetan Deepa Dev Divya Farhan Gita Harsh Isha Jaya Kabir Kavya Kiran Lakshmi Leela Meera Mohan Naina Neha Nikhil Omar Pooja Priya Rahul Ravi Rhea Rohan Sana Shreya Sunil Tanvi Tara Uma Varun Vikram Zoya Zoë José', ' ') AS first,
    string_to_array('Agarwal Bajaj Banerjee Bhat Bose Chopra Das Desai D''Souza Fernandes Gandhi Ghosh Gupta Iyer Jain Joshi Kapoor Kaur Khan Kumar Mehta Menon Mishra Nair O''Brien Patel Pillai Rao Reddy Roy Sen Shah Sharma Singh Sinha Thakur Varma Verma Yadav', ' ') AS last,
    string_to_array('Mumbai|Delhi|Bengaluru|Hyderabad|Chennai|Kolkata|Pune|Jaipur|Lucknow|Kochi|Mysuru|Goa|Indore|New York, NY|London, UK|Zürich', '|') AS city,
    string_to_array('mountains before breakfast|filter coffee, strong|long drives and old songs|a good book and rain|street food over fine dining|cricket on Sundays|two cats and a piano|looking for someone kind|monsoon walks|terrible puns, sorry|learning to bake bread|films with subtitles|early mornings, quiet evenings|dancing badly in the kitchen|chess, cycling, chai|gardens on small balconies|museums and night trains|honest talk|big family, bigger dinners|stargazing away from town|guitar since school|volunteering at the shelter|spreadsheets for holidays|poems nobody has read', '|') AS phrase;

INSERT INTO users (username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids,
    education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,
    open_to_long_distance, ready_for_matching, sent_to_matching_service)
SELECT
    translate(lower(f.first || '.' || f.last), 'ëé''', 'ee') || n,
    part.group_id,
    f.first || ' ' || f.last,
    pg_temp.pick('{FEMALE,MALE,FEMALE,MALE,NON_BINARY}', n, 3),
    date '1966-02-01' + (n * 7919 % 14000)::int,
    pg_temp.pick(city, n, 5),
    pg_temp.pick('{MARRIAGE,DATING,FRIENDSHIP,CASUAL}', n, 7),
    CASE WHEN n % 23 = 0 THEN NULL WHEN n % 29 = 0 THEN ''
         ELSE pg_temp.pick(phrase, n, 11) || '. ' || pg_temp.pick(phrase, n, 13) || ', ' || pg_temp.pick(phrase, n, 17)
              || CASE WHEN n % 5 = 0 THEN '. insta @' || lower(left(f.first, 3)) || n * 31 % 99991 ELSE '.' END END,
    n % 6 = 0, n % 3 = 0, CASE WHEN n % 11 != 0 THEN n % 2 = 0 END,
    pg_temp.pick('{HIGH_SCHOOL,BACHELORS,BACHELORS,MASTERS,DOCTORATE,NULL}', n, 19),
    pg_temp.pick('{HINDU,MUSLIM,CHRISTIAN,SIKH,JAIN,BUDDHIST,ATHEIST,NULL}', n, 23),
    pg_temp.pick('{Software Engineer,Doctor,Teacher,"Lawyer, corporate",Nurse,Architect,Student,"Founder \"stealth\""}', n, 29),
    pg_temp.pick('{FEMALE,MALE,"FEMALE,MALE","MALE,NON_BINARY"}', n, 31),
    18 + (n % 15)::int, 33 + (n % 31)::int,
    pg_temp.pick('{LONG_TERM,SHORT_TERM,OPEN,MONOGAMOUS}', n, 37),
    n % 4 = 0, n % 10 != 0,
    part.sent OR (part.group_id = 'campus-delhi' AND n % 50 = 0)
FROM (VALUES
        ('bengaluru-pro', 1, 100000, false), ('pune / chai ☕', 200001, 200240, false), ('campus-delhi', 300001, 301200, false),
        ('book-club', 400001, 400012, false), ('kochi-new', 500001, 500040, true), ('lottery-2026', 600001, 600015, false),
        ('goa-closed', 700001, 700300, false)
    ) AS part (group_id, from_n, to_n, sent),
    words,
    generate_series(part.from_n, part.to_n) AS series (number),
    LATERAL (SELECT number::bigint) AS line (n),
    LATERAL (SELECT pg_temp.pick(first, n, 1) AS first, pg_temp.pick(last, n, 2) AS last) AS f;

-- What CSV, gzip and readers get wrong: quotes, line ends, separators, NULL beside the empty string, formulas, the end mark
-- of COPY, other scripts.
INSERT INTO users (username, group_id, display_name, bio, location, occupation, education, ready_for_matching) VALUES
    ('quotes',       'pune / chai ☕', 'Anita "Nita" Rao',       '"', 'Pune, "old city"', '""', 'BACHELORS', true),
    ('lines',        'pune / chai ☕', 'Bina',                   E'first line\nsecond line\n', E'carriage\r\nreturn', E'tab\there', NULL, true),
    ('null-all',     'pune / chai ☕', NULL,                     NULL, NULL, NULL, NULL, NULL),
    ('empty-all',    'pune / chai ☕', '',                       '', '', '', '', false),
    ('commas',       'pune / chai ☕', ',',                      ',,,', 'a,b', ' leading and trailing ', NULL, true),
    ('formula',      'pune / chai ☕', '=1+1',                   '@SUM(A1:A9)', '+91 98 7654 3210', '-2', '=HYPERLINK("http://example.invalid","x")', true),
    ('copy-end',     'pune / chai ☕', '\.',                     E'\\.\n\\.', '\N', '\\', 'null', true),
    ('emoji',        'pune / chai ☕', '👩🏽‍🚀 Meera',              '☕🌧️ chai & rain 💛', 'पुणे', 'μηχανικός', '博士', true),
    ('direction',    'pune / chai ☕', 'مريم',                   'مرحبا "بكم", أهلا', E'zero\u200Bwidth', E'\u00E9 and e\u0301', NULL, true),
    ('json',         'pune / chai ☕', '{"a":[1,2]}',            '<b>bold</b> &amp; ''single'' `back`', '%41 %% %s', '; DROP TABLE users; --', '#', true),
    ('naïve "user"', 'book-club',     'Quote in the username',  NULL, NULL, NULL, NULL, true),
    ('zoë🎈',        'book-club',     'Emoji in the username',  NULL, NULL, NULL, NULL, true);
COMMIT;
ANALYZE users, matching_groups;
