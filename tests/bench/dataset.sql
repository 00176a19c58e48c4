-- SPDX-License-Identifier: Apache-2.0
-- The users that are measured with: group `big` of :big rows, `mid` of 100,000, groups `s0001`… of 1,000 each, :small of
-- them. A bio has 10 to 19 words over a vocabulary of a few hundred with endings and handles, so gzip -6 leaves a third
-- or less. Deterministic for one major version of PostgreSQL: one session, no parallel workers, setseed.
-- Needs the tables of deploy/sql/schema.sql. psql -v big=2000000 -v small=2000 -f dataset.sql
SET max_parallel_workers_per_gather = 0;
SET synchronous_commit = off;
SET work_mem = '256MB';
SET maintenance_work_mem = '512MB';
BEGIN;
TRUNCATE users, matching_groups RESTART IDENTITY;
DROP INDEX IF EXISTS users_to_export, users_to_export_in_parts;
SELECT setseed(0.42) \g (format=unaligned tuples_only=on) /dev/null
CREATE TEMP TABLE w AS SELECT
  string_to_array('Aarav Aditi Ananya Arjun Bhavna Chetan Deepa Dev Divya Farhan Gaurav Gita Harsh Isha Ishaan Jaya Kabir Kavya Kiran Kunal Lakshmi Leela Manish Meera Mohan Naina Neha Nikhil Nisha Omar Pallavi Pooja Pranav Priya Rahul Rajesh Ravi Rhea Riya Rohan Sana Sanjay Sara Shreya Simran Sneha Sunil Tanvi Tara Uma Varun Vidya Vikram Yash Zara Zoya Emma Liam Olivia Noah', ' ') AS first,
  string_to_array('Agarwal Ahuja Bajaj Banerjee Bhat Bose Chandra Chatterjee Chopra Das Desai Deshpande Dutta Fernandes Gandhi Ghosh Gill Goel Gupta Iyer Jain Jha Joshi Kamath Kapoor Kaur Khan Khanna Krishnan Kulkarni Kumar Mahajan Malhotra Mehta Menon Mishra Mukherjee Nair Naidu Pandey Patel Patil Pillai Prasad Rao Reddy Roy Saxena Sen Sethi Shah Sharma Shetty Singh Sinha Srinivasan Thakur Tiwari Varma Verma Yadav', ' ') AS last,
  string_to_array('Mumbai|Delhi|Bengaluru|Hyderabad|Ahmedabad|Chennai|Kolkata|Surat|Pune|Jaipur|Lucknow|Kanpur|Nagpur|Indore|Thane|Bhopal|Visakhapatnam|Patna|Vadodara|Ghaziabad|Ludhiana|Agra|Nashik|Faridabad|Meerut|Rajkot|Varanasi|Srinagar|Aurangabad|Dhanbad|Amritsar|Ranchi|Coimbatore|Jabalpur|Gwalior|Vijayawada|Jodhpur|Madurai|Raipur|Kota|Guwahati|Chandigarh|Mysuru|Kochi|Thiruvananthapuram|New York, NY|London, UK|Dubai, UAE|Singapore|Toronto, ON', '|') AS city,
  string_to_array('coffee travel books mountains music cooking yoga running cricket movies photography painting dogs cats weekend hiking beach sunset dancing startup engineer doctor teacher writer designer looking someone kind honest funny genuine curious mind adventure family friends laughter food street biryani chai monsoon drives long walks quiet evenings board games poetry guitar piano singing theatre museum history science politics space stars gardening cycling swimming tennis football chess anime gaming podcasts documentaries volunteering meditation fitness gym vegan baking wine whisky festival lights colours language learning french spanish tamil hindi bengali love life balance work dreams ambitious easygoing introvert extrovert ambivert sarcasm puns conversation deep talk about everything nothing believe simple things matter always never sometimes usually often morning night owl early bird city village home away together partner crime share stories create memories explore world small planet big heart open minded respectful patient passionate creative spontaneous planner organised messy minimal vintage modern classic old school new born raised moved living near sea hills river forest enjoy hate cannot stand without my the a and with for in of to is not just also very really still maybe because when where how what who until after before between against through every other best worst favourite perfect imperfect broken whole half full time place people person human being student consultant analyst lawyer nurse architect chef pilot founder marketing sales finance product manager data research phd mba graduate dropout traveller backpacker foodie bookworm cinephile audiophile techie nerd geek sunshine rain winter summer spring autumn', ' ') AS word,
  string_to_array('||||||||||s|s|ing|ing|ed|er|y|ly|ish|,|.|!| &| and|s,|ing.| -|?', '|') AS tail;
CREATE FUNCTION pg_temp.pick(a text[]) RETURNS text LANGUAGE sql VOLATILE AS
  'SELECT a[1 + floor(random() * array_length(a, 1))::int]';
-- 200,000 different bios; users draw from them at random, far beyond gzip's window.
CREATE TEMP TABLE pool AS
  SELECT i, string_agg(pg_temp.pick(word) || pg_temp.pick(tail), ' ') || (ARRAY['.', '!', '', ' :)', ', say hi'])[1 + i % 5] AS bio
  FROM w, generate_series(0, 199999) i, LATERAL generate_series(1, 10 + (i * 7 % 10)) GROUP BY i ORDER BY i;
CREATE UNIQUE INDEX ON pool (i);
INSERT INTO users (username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids,
    education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,
    open_to_long_distance, ready_for_matching)
SELECT lower(f || '.' || l) || (1000 + n::bigint * 7919 % 9999991), 'big', f || ' ' || l,
  (ARRAY['FEMALE','MALE','MALE','FEMALE','NON_BINARY'])[1 + floor(random() * 5)::int],
  date '1965-01-01' + floor(random() * 14800)::int,
  city[1 + floor(random() * random() * array_length(city, 1))::int],
  (ARRAY['MARRIAGE','DATING','FRIENDSHIP','CASUAL'])[1 + floor(random() * 4)::int],
  CASE WHEN r1 > 0.04 THEN bio || CASE WHEN r2 > 0.6
    THEN ' insta @' || lower(left(f, 3) || left(l, 4)) || floor(random() * 1000000)::int ELSE '' END END,
  r1 < 0.2, r2 < 0.5, r1 + r2 < 1.1,
  (ARRAY['HIGH_SCHOOL','BACHELORS','BACHELORS','MASTERS','DOCTORATE',NULL])[1 + floor(random() * 6)::int],
  (ARRAY['HINDU','MUSLIM','CHRISTIAN','SIKH','JAIN','BUDDHIST','ATHEIST',NULL])[1 + floor(random() * 8)::int],
  (ARRAY['Software Engineer','Doctor','Teacher','Designer','Lawyer, corporate','Civil Servant','Chartered Accountant','Student',
    'Nurse','Sales Manager','Product Manager','Architect','Artist','Entrepreneur','Data Analyst'])[1 + floor(random() * 15)::int],
  (ARRAY['FEMALE','MALE','FEMALE,MALE','MALE,NON_BINARY'])[1 + floor(random() * 4)::int],
  18 + floor(r2 * 15)::int, 33 + floor(random() * 30)::int,
  (ARRAY['LONG_TERM','SHORT_TERM','OPEN','MONOGAMOUS'])[1 + floor(random() * 4)::int], r2 < 0.3, r1 < 0.9
FROM (SELECT n, first[1 + floor(random() * array_length(first, 1))::int] f,
             last[1 + floor(random() * array_length(last, 1))::int] l,
             city, random() r1, random() r2, floor(random() * 200000)::int b
      FROM w, generate_series(0, :big - 1) n OFFSET 0) s JOIN pool ON pool.i = s.b ORDER BY n;
-- The other groups are the same people in other groups.
INSERT INTO users (username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids,
    education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,
    open_to_long_distance, ready_for_matching)
SELECT username, CASE WHEN n < 100000 THEN 'mid' ELSE 's' || lpad(((n - 100000) / 1000 + 1)::text, 4, '0') END,
    display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids, education, religion, occupation,
    preferred_genders, preferred_min_age, preferred_max_age, relationship_type, open_to_long_distance, ready_for_matching
FROM generate_series(0, 100000 + :small * 1000 - 1) n JOIN users ON id = 1 + n % :big ORDER BY n;
INSERT INTO matching_groups SELECT DISTINCT group_id, 'COST_BASED', true FROM users;
CREATE INDEX users_to_export ON users (group_id) WHERE NOT sent_to_matching_service;
CREATE INDEX users_to_export_in_parts ON users (group_id, id);
-- The key by which readers share a big group.
CREATE OR REPLACE VIEW export_user AS
SELECT username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids, education,
       religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type, open_to_long_distance,
       ready_for_matching, sent_to_matching_service, id
FROM users;
COMMIT;
VACUUM (FREEZE, ANALYZE) users, matching_groups;
CHECKPOINT;
