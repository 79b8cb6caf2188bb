-- What live streams walk along: the facts of all orders by position. And whose turn it is, in the lists: whether an order waits for its commissioner, and whether it waits
-- for the workshop of a seat. For operators the state says it. Each partial index serves one list of
-- what waits for its viewer.
--
-- A version that is built from here on has the columns from the start. Those that there are get them
-- with what their other columns say; a seat then keeps the positions that it has, so that the next
-- rebuild finds them to differ where a turn alone has touched a seat.

ALTER FUNCTION read.create_orders(integer) RENAME TO create_orders_without_turns;

CREATE FUNCTION read.add_turns(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('search_path', quote_ident('orders@' || p_version), true);
    ALTER TABLE orders ADD COLUMN commissioners_turn boolean NOT NULL DEFAULT false;
    ALTER TABLE invitations ADD COLUMN workshops_turn boolean NOT NULL DEFAULT false;
    CREATE INDEX timeline_walk ON timeline (position);
    CREATE INDEX orders_commissioners_turn
        ON orders (commissioner_id, state, placed_at, order_id) WHERE commissioners_turn;
    CREATE INDEX invitations_inbox_turn
        ON invitations (workshop_id, status, invited_at, order_id) WHERE workshops_turn;
    CREATE INDEX invitations_order_turn
        ON invitations (workshop_id, order_state, placed_at, order_id) WHERE workshops_turn;
END
$$;

CREATE FUNCTION read.create_orders(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM read.create_orders_without_turns(p_version);
    PERFORM read.add_turns(p_version);
END
$$;

-- Of the versions that there are, from their own columns.
CREATE FUNCTION read.fill_turns(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM read.add_turns(p_version);
    PERFORM set_config('search_path', quote_ident('orders@' || p_version), true);
    UPDATE orders o SET commissioners_turn = true
    WHERE o.state = 'finished'
       OR (o.state = 'inProgress' AND EXISTS (
               SELECT FROM stages s
               WHERE s.order_id = o.order_id AND s.status = 'awaitingApproval'))
       OR (o.state = 'negotiating' AND (
               EXISTS (SELECT FROM invitations i
                       WHERE i.order_id = o.order_id AND i.status = 'offered'
                         AND i.offer_request_revision = o.request_revision)
            OR NOT EXISTS (SELECT FROM invitations i
                           WHERE i.order_id = o.order_id
                             AND i.status IN ('pending', 'offered'))));
    UPDATE invitations i SET workshops_turn = true
    FROM orders o
    WHERE o.order_id = i.order_id
      AND ((o.state = 'negotiating'
            AND (i.status = 'pending'
                 OR (i.status = 'offered' AND i.offer_request_revision < o.request_revision)))
        OR (o.state = 'inProgress' AND i.status = 'confirmed' AND o.current_stage IS NOT NULL
            AND NOT o.commissioners_turn));
END
$$;

SELECT read.fill_turns(split_part(nspname, '@', 2)::integer)
FROM pg_namespace WHERE nspname ~ '^orders@[0-9]+$';

DROP FUNCTION read.fill_turns(integer);
REVOKE EXECUTE ON FUNCTION read.add_turns(integer), read.create_orders(integer) FROM PUBLIC;
