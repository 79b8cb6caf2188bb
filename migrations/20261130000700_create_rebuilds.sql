-- Rebuilds: the next version of a read model is made beside the one that is served, filled from the
-- events by a reader like any other, compared, and served in its place.
--
-- atlas_app runs them. What only the owner may do it does through the functions below, and they are
-- narrow: the next version of a model that there is can be begun, one that was built in full and
-- has come as far as the served one can be served, and one that nobody refers to can be dropped.
-- docs/adr/0016-rebuilds.md says why.

ALTER TABLE read.served
    ADD COLUMN retired integer CHECK (retired >= 1 AND retired <> version);
COMMENT ON COLUMN read.served.retired IS
    'The version that was served before and is kept: it is followed on, and can be served again.';

-- One row a rebuild, at most one a model that has not ended. Who holds the claim works on it; the
-- epoch fences, as that of a reader's lease does.
CREATE TABLE read.rebuilds (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model           text        NOT NULL REFERENCES read.served,
    -- The version that was served, and the one that is built.
    from_version    integer     NOT NULL CHECK (from_version >= 1),
    to_version      integer     NOT NULL CHECK (to_version > from_version),
    state           text        NOT NULL DEFAULT 'building'
        CHECK (state IN ('building', 'checking', 'failed', 'swapped', 'abandoned')),
    owner           text,
    epoch           bigint      NOT NULL DEFAULT 1,
    expires_at      timestamptz,
    operator        uuid        NOT NULL,
    reason          text        NOT NULL,
    -- The release whose code builds it: another one begins anew.
    code            text        NOT NULL,
    -- What is made once the rows are there.
    pending_indexes text[]      NOT NULL DEFAULT '{}',
    certificate     jsonb,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    swapped_at      timestamptz,
    ended_at        timestamptz,
    UNIQUE (model, to_version),
    CONSTRAINT rebuilds_swapped_at_by_state CHECK ((swapped_at IS NOT NULL) = (state = 'swapped')),
    CONSTRAINT rebuilds_ended_by_state CHECK (CASE state
        WHEN 'swapped' THEN true
        WHEN 'abandoned' THEN ended_at IS NOT NULL
        ELSE ended_at IS NULL END)
);
CREATE UNIQUE INDEX rebuilds_one_open ON read.rebuilds (model) WHERE ended_at IS NULL;
GRANT SELECT, UPDATE (from_version, state, owner, epoch, expires_at, certificate, ended_at)
    ON read.rebuilds TO atlas_app;
COMMENT ON TABLE read.rebuilds IS 'Rebuilds of read models, with what their checks found.';
COMMENT ON COLUMN read.rebuilds.state IS
    'building; checking: it has come as far as the served version; failed: the two differ; swapped:
     it was served, and has ended once what it replaced is dropped; abandoned: another was begun.';

-- Begins the next version of a model: its tables, without the indexes that filling them does not
-- need. Numbers are never used again.
CREATE FUNCTION read.begin_rebuild(
    p_model text, p_owner text, p_lease double precision, p_operator uuid, p_reason text,
    p_code text
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_served  read.served%ROWTYPE;
    v_version integer;
    v_schema  regnamespace;
    v_index   record;
    v_pending text[] := '{}';
    v_id      bigint;
BEGIN
    SELECT * INTO STRICT v_served FROM read.served s WHERE s.model = p_model FOR UPDATE;
    SELECT greatest(v_served.version, v_served.retired, max(r.to_version)) + 1 INTO v_version
    FROM read.rebuilds r WHERE r.model = p_model;
    -- What a reader may have left that was stalled while its version was dropped.
    DELETE FROM store.checkpoints c
    WHERE c.name ~ ('^' || p_model || '@[0-9]+$') AND to_regnamespace(quote_ident(c.name)) IS NULL;

    EXECUTE format('SELECT read.%I($1)', 'create_' || p_model) USING v_version;
    v_schema := quote_ident(p_model || '@' || v_version)::regnamespace;
    FOR v_index IN
        SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = v_schema AND NOT i.indisunique
        ORDER BY c.relname
    LOOP
        v_pending := v_pending || v_index.definition;
        EXECUTE format('DROP INDEX %s.%I', v_schema, v_index.name);
    END LOOP;

    INSERT INTO read.rebuilds (model, from_version, to_version, owner, expires_at, operator,
                               reason, code, pending_indexes)
    VALUES (p_model, v_served.version, v_version, p_owner,
            clock_timestamp() + make_interval(secs => p_lease), p_operator, p_reason, p_code,
            v_pending)
    RETURNING id INTO v_id;
    RETURN v_id;
END
$$;

-- Makes the next of the indexes that were left out, and says which; once none is left the tables
-- are analyzed, and the answer is null.
CREATE FUNCTION read.make_index(p_id bigint) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET maintenance_work_mem = '256MB'
AS $$
DECLARE
    v_rebuild read.rebuilds%ROWTYPE;
    v_table   record;
BEGIN
    -- The row is not locked while an index is made: its claim is renewed beside that.
    SELECT * INTO STRICT v_rebuild FROM read.rebuilds r WHERE r.id = p_id AND r.ended_at IS NULL;
    IF v_rebuild.pending_indexes = '{}' THEN
        FOR v_table IN
            SELECT format('%I.%I', n.nspname, c.relname) AS name
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = v_rebuild.model || '@' || v_rebuild.to_version AND c.relkind = 'r'
        LOOP
            EXECUTE 'ANALYZE ' || v_table.name;
        END LOOP;
        RETURN NULL;
    END IF;
    EXECUTE v_rebuild.pending_indexes[1];
    UPDATE read.rebuilds SET pending_indexes = pending_indexes[2:] WHERE id = p_id;
    RETURN split_part(v_rebuild.pending_indexes[1], ' ', 3);
END
$$;

-- Serves another version in the place of `p_from`: the one that a rebuild has built, or the one
-- that is kept. The caller holds both checkpoints from its comparison on; here they are looked at
-- once more. Without `p_keep` the version that was served is kept by nobody.
CREATE FUNCTION read.serve(p_model text, p_from integer, p_version integer, p_keep boolean)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_served  read.served%ROWTYPE;
    v_old     store.checkpoints%ROWTYPE;
    v_new     store.checkpoints%ROWTYPE;
    v_rebuild bigint;
BEGIN
    SELECT * INTO STRICT v_served FROM read.served s WHERE s.model = p_model FOR UPDATE;
    SELECT * INTO v_old FROM store.checkpoints c WHERE c.name = v_served.name FOR UPDATE;
    SELECT * INTO v_new FROM store.checkpoints c WHERE c.name = p_model || '@' || p_version
    FOR UPDATE;
    SELECT r.id INTO v_rebuild FROM read.rebuilds r
    WHERE r.model = p_model AND r.to_version = p_version AND r.state = 'checking'
      AND r.pending_indexes = '{}';
    IF v_served.version <> p_from
       OR v_rebuild IS NULL AND v_served.retired IS DISTINCT FROM p_version THEN
        RAISE EXCEPTION '%@% is not ready to be served in the place of version %', p_model,
            p_version, p_from
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF v_new.name IS NULL OR v_new.generation < coalesce(v_old.generation, 0)
       OR v_new.position < coalesce(v_old.position, 0) THEN
        RAISE EXCEPTION '% has not come as far as %', p_model || '@' || p_version, v_served.name
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE read.served
    SET version = p_version, retired = CASE WHEN p_keep THEN v_served.version END,
        since = clock_timestamp()
    WHERE model = p_model;
    UPDATE read.rebuilds SET state = 'swapped', swapped_at = clock_timestamp()
    WHERE id = v_rebuild;
END
$$;

-- The versions of a model that are neither served nor kept nor built.
CREATE FUNCTION read.left_over(p_model text) RETURNS TABLE (version integer)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.number
    FROM read.served s
    CROSS JOIN pg_namespace n
    CROSS JOIN LATERAL (SELECT substr(n.nspname, length(s.model) + 2)::integer AS number) v
    WHERE s.model = p_model AND n.nspname ~ ('^' || s.model || '@[1-9][0-9]*$')
      AND v.number <> s.version AND v.number IS DISTINCT FROM s.retired
      AND NOT EXISTS (
          SELECT FROM read.rebuilds r
          WHERE r.model = s.model AND r.to_version = v.number AND r.ended_at IS NULL)
    ORDER BY v.number
$$;

-- Drops a version that is left over, with its checkpoint and what its reader has parked.
CREATE FUNCTION read.drop_version(p_model text, p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '200ms'
AS $$
BEGIN
    PERFORM FROM read.served s WHERE s.model = p_model FOR UPDATE;
    IF p_version NOT IN (SELECT l.version FROM read.left_over(p_model) l) THEN
        RAISE EXCEPTION '%@% is no version that is left over', p_model, p_version
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('DROP SCHEMA %I CASCADE', p_model || '@' || p_version);
    DELETE FROM store.checkpoints WHERE name = p_model || '@' || p_version;
END
$$;

-- Compares two versions of a model table by table: the rows of `p_streams`, or else those of the
-- next `p_keys` streams after `p_after`, in the order of their keys. `until` is the last of these,
-- null at the end. A row is hashed as a whole, its key with it, and a table's digest is the XOR of
-- its rows' hashes: what has moved since can be taken out and put in again. Where the digests
-- differ, rows are compared one by one, and the first `p_named` that differ are told, each with its
-- fields.
--
-- A fold that another release has stored has another shape, and will be folded anew when its order
-- moves: of two shapes the versions are compared alone.
CREATE FUNCTION read.compare(
    p_model text, p_from integer, p_to integer,
    p_after text[], p_keys integer, p_streams text[], p_named integer
) RETURNS TABLE (
    until text[], name text, old_rows bigint, old_digest bigint, new_rows bigint,
    new_digest bigint, differing bigint, differences jsonb
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
DECLARE
    c_old    CONSTANT text := p_model || '@' || p_from;
    c_new    CONSTANT text := p_model || '@' || p_to;
    c_side   CONSTANT text :=
        'SELECT count(*), coalesce(bit_xor(hash_record_extended(t, 0)), 0)
         FROM %I.%I t WHERE %s';
    c_first  CONSTANT text := CASE p_model WHEN 'bonus' THEN 'bonus_accounts' ELSE p_model END;
    v_stream text[];
    v_type   text[];
    v_tuple  text;
    v_which  text;
    v_key    text[];
    v_pair   text;
    v_old    text;
    v_new    text;
BEGIN
    SELECT k.columns, k.types INTO STRICT v_stream, v_type FROM read.primary_key(c_old, c_first) k;
    SELECT string_agg(quote_ident(k), ', ') INTO v_tuple FROM unnest(v_stream) k;
    IF p_streams IS NOT NULL THEN
        SELECT format('(%s) IN (SELECT %s FROM unnest($1) s)', v_tuple,
                      string_agg(format('split_part(s, '':'', %s)::%s', t.n, t.type), ', '
                                 ORDER BY t.n))
        INTO v_which FROM unnest(v_type) WITH ORDINALITY t (type, n);
    ELSE
        v_which := 'true';
        IF p_after IS NOT NULL THEN
            SELECT format('(%s) > (%s)', v_tuple, string_agg(quote_literal(k), ', '))
            INTO v_which FROM unnest(p_after) k;
        END IF;
        EXECUTE format('SELECT ARRAY[%s] FROM %I.%I WHERE %s ORDER BY %s OFFSET %s LIMIT 1',
                       (SELECT string_agg(format('%I::text', k), ', ') FROM unnest(v_stream) k),
                       c_old, c_first, v_which, v_tuple, p_keys - 1)
        INTO until;
        IF until IS NOT NULL THEN
            SELECT format('%s AND (%s) <= (%s)', v_which, v_tuple,
                          string_agg(quote_literal(k), ', '))
            INTO v_which FROM unnest(until) k;
        END IF;
    END IF;

    FOR name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = quote_ident(c_new)::regnamespace AND c.relkind = 'r'
        ORDER BY c.relname
    LOOP
        SELECT k.columns INTO STRICT v_key FROM read.primary_key(c_new, name) k;
        differing := 0;
        differences := '[]';
        IF name <> 'folds' THEN
            EXECUTE format(c_side, c_old, name, v_which) INTO old_rows, old_digest USING p_streams;
            EXECUTE format(c_side, c_new, name, v_which) INTO new_rows, new_digest USING p_streams;
            IF (old_rows, old_digest) = (new_rows, new_digest) THEN
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        v_pair := format(
            '(SELECT t.*, t AS whole FROM %I.%I t WHERE %s) o
             FULL JOIN (SELECT t.*, t AS whole FROM %I.%I t WHERE %s) n ON %s',
            c_old, name, v_which, c_new, name, v_which,
            (SELECT string_agg(format('o.%1$I = n.%1$I', k), ' AND ') FROM unnest(v_key) k));
        v_old := 'hash_record_extended(o.whole, 0)';
        v_new := 'hash_record_extended(n.whole, 0)';
        IF name = 'folds' THEN
            v_old := format('CASE WHEN o.shape <> n.shape
                             THEN hash_record_extended((o.order_id, o.version), 0)
                             ELSE %s END', v_old);
            v_new := format('CASE WHEN o.shape <> n.shape
                             THEN hash_record_extended((n.order_id, n.version), 0)
                             ELSE %s END', v_new);
        END IF;
        EXECUTE format(
            'SELECT count(o.%3$I), coalesce(bit_xor(%1$s), 0), count(n.%3$I),
                    coalesce(bit_xor(%2$s), 0), count(*) FILTER (WHERE %1$s IS DISTINCT FROM %2$s)
             FROM %4$s', v_old, v_new, v_key[1], v_pair)
        INTO old_rows, old_digest, new_rows, new_digest, differing USING p_streams;
        IF differing > 0 AND p_named > 0 THEN
            EXECUTE format(
                'SELECT jsonb_agg(d.told) FROM (
                     SELECT jsonb_build_object(
                         ''table'', %5$L, ''stream'', concat_ws('':'', %6$s),
                         ''key'', jsonb_build_object(%7$s),
                         ''missing'', CASE WHEN o.%9$I IS NULL THEN ''old''
                                           WHEN n.%9$I IS NULL THEN ''new'' END,
                         ''fields'', CASE WHEN o.%9$I IS NULL OR n.%9$I IS NULL THEN ''[]''
                             ELSE (SELECT jsonb_agg(jsonb_build_object(
                                       ''field'', f.key, ''old'', to_jsonb(o.whole) -> f.key,
                                       ''new'', f.value) ORDER BY f.key)
                                   FROM jsonb_each(to_jsonb(n.whole)) f
                                   WHERE f.value IS DISTINCT FROM
                                         to_jsonb(o.whole) -> f.key) END) AS told
                     FROM %3$s WHERE %1$s IS DISTINCT FROM %2$s
                     ORDER BY %4$s LIMIT %8$s
                 ) d',
                v_old, v_new, v_pair,
                (SELECT string_agg(format('coalesce(o.%1$I, n.%1$I)', k), ', ')
                 FROM unnest(v_key) k),
                name,
                (SELECT string_agg(format('coalesce(o.%1$I, n.%1$I)', k), ', ')
                 FROM unnest(v_stream) k),
                (SELECT string_agg(format('%1$L, coalesce(o.%1$I, n.%1$I)', k), ', ')
                 FROM unnest(v_key) k),
                p_named, v_key[1])
            INTO differences USING p_streams;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

-- The columns of a table's primary key, and their types.
CREATE FUNCTION read.primary_key(p_schema text, p_table text)
    RETURNS TABLE (columns text[], types text[])
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(a.attname::text ORDER BY k.n),
           array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY k.n)
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (attnum, n)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = format('%I.%I', p_schema, p_table)::regclass AND i.indisprimary
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA read FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    read.begin_rebuild(text, text, double precision, uuid, text, text),
    read.make_index(bigint),
    read.serve(text, integer, integer, boolean),
    read.left_over(text),
    read.drop_version(text, integer),
    read.compare(text, integer, integer, text[], integer, text[], integer),
    read.primary_key(text, text)
    TO atlas_app;
