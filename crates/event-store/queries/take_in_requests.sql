-- The requests after the last that was noted, up to a watermark.
INSERT INTO ops.requested_acts (act_id, position)
SELECT event_id, position
FROM store.events
WHERE event_type = 'OperatorActRequested' AND position <= $1
  AND position > coalesce(
      (SELECT position FROM ops.requested_acts ORDER BY position DESC LIMIT 1), 0)
ORDER BY position
LIMIT 1000
ON CONFLICT (act_id) DO NOTHING
