-- SPDX-License-Identifier: Apache-2.0
-- The worker's and the scheduler's role: reads the two views, nothing else, and writes nothing.
-- psql -v worker_password=… -f roles.sql

SELECT format('CREATE ROLE export_worker LOGIN PASSWORD %L', :'worker_password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'export_worker') \gexec

ALTER ROLE export_worker SET default_transaction_read_only = on;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM export_worker;
GRANT USAGE ON SCHEMA public TO export_worker;
GRANT SELECT ON export_group, export_user TO export_worker;
