-- How far the kept facts have come is asked with every answer that is dated: the newest one is found
-- by an index, and not by reading all of them. And the histories of accounts are read from the events
-- of all streams, of which they are few.

CREATE INDEX ledger_recorded ON bonus.ledger (recorded_at);

CREATE INDEX events_standings ON store.events (position)
    WHERE aggregate_type = 'account' AND event_type IN ('GradeChanged', 'VipAcquired', 'VipLost');

COMMENT ON COLUMN analytics.freshness.as_of IS
    'What was recorded by then is in the view, but for what is parked: now() where nothing waits, else when the last event that it has taken in was recorded; null before the first. Facts of orders come to the ledger by Kafka, and what is on its way there is in no view of the bonus yet: for bonus_facts it is when the newest fact was taken in. A view that follows no events is always as of now().';
