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

SELECT 'CREATE DATABASE atlas_template OWNER atlas_owner TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'atlas_template')
\gexec
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

REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO atlas_owner;
