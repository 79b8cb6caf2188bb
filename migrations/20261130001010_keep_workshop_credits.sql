-- From this release on the relay sends WorkshopCredited, and the ledger keeps it. Where orders have
-- happened before, those of completed ones were never sent: `projector policy backfill` reads them.
INSERT INTO bonus.kept_types (event_type, beneficiary_role, whole_since)
SELECT 'WorkshopCredited', 'workshop',
       CASE WHEN NOT EXISTS (SELECT FROM store.events WHERE aggregate_type = 'order')
            THEN clock_timestamp() END;
