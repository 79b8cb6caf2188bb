-- An account's facts of the types $4, newest first, as of version $3, after the key ($5, $6).
SELECT source_event_id, event_type, beneficiary_role, beneficiary_id, order_id, by_dispute,
       occurred_at, recorded_at
FROM bonus.ledger
WHERE beneficiary_role = $1 AND beneficiary_id = $2
  AND account_version <= $3
  AND event_type = ANY ($4)
  AND (occurred_at, source_event_id)
    < (coalesce($5, 'infinity'::timestamptz),
       coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
ORDER BY occurred_at DESC, source_event_id DESC
LIMIT $7
