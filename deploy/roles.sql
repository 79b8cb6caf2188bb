-- Roles and the template database. Run once per server, by a superuser, with psql:
--   psql -v ON_ERROR_STOP=1 -f deploy/roles.sql postgres://superuser@host/postgres
-- Databases for Artisan Atlas are then made as copies:
--   CREATE DATABASE atlas TEMPLATE atlas_template OWNER atlas_owner;
-- and their schema by `projector migrate`, as atlas_owner. Running it again changes nothing.
\set ON_ERROR_STOP on

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['atlas_owner', 'atlas_app', 'atlas_analyst']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- The applications watch the watermark's stalls and end the analysts' longest queries.
GRANT pg_read_all_stats, pg_signal_backend TO atlas_app;
-- A stray session that holds the append's advisory lock would hold back every reader.
ALTER ROLE atlas_app SET idle_in_transaction_session_timeout = '5s';

-- What an analyst's session is allowed. It may set the first four otherwise; the janitor of the
-- projector then ends what runs or idles in a transaction for longer than twice as long.
ALTER ROLE atlas_analyst SET statement_timeout = '60s';
ALTER ROLE atlas_analyst SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE atlas_analyst SET work_mem = '64MB';
ALTER ROLE atlas_analyst SET default_transaction_read_only = on;
-- Only a superuser may set this one.
ALTER ROLE atlas_analyst SET temp_file_limit = '4GB';
-- Compiling a query of one of these views takes longer than running it.
ALTER ROLE atlas_analyst SET jit = off;
ALTER ROLE atlas_analyst SET search_path = analytics;
ALTER ROLE atlas_analyst CONNECTION LIMIT 20;

SELECT 'CREATE DATABASE atlas_template OWNER atlas_owner TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'atlas_template')
\gexec
-- Nobody else has business there; whoever sits in it keeps copies from being made.
REVOKE CONNECT, TEMPORARY ON DATABASE atlas_template FROM PUBLIC;
\connect atlas_template

-- Whoever may take advisory locks can hold back every reader of the feed. Only the append does,
-- which runs as the owner. This is per database and needs a superuser, hence the template.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC; GRANT EXECUTE ON FUNCTION %s TO atlas_owner', f, f)
FROM (
    SELECT p.oid::regprocedure AS f
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname LIKE 'pg\_%advisory\_%'
) functions
\gexec

-- Nobody needs large objects, and whoever may make them may fill the disk; nor messages in the log
-- of writes.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure)
FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace
  AND (p.proname ~ '^lo_' OR p.proname IN ('loread', 'lowrite', 'pg_logical_emit_message'))
\gexec

REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO atlas_owner;
