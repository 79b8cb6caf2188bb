-- What operators do is told by events on streams of their own (aggregate_type `operator`, one an
-- operator, never published). These indexes find them among all others, newest first, and the end
-- of each; events of other kinds are in neither.

CREATE INDEX events_acts ON store.events (position) WHERE event_type = 'OperatorActed';
CREATE INDEX events_acts_ended ON store.events ((payload->>'actId'))
    WHERE event_type = 'OperatorActEnded';
