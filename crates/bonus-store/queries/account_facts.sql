-- Everything that the ledger holds of an account, as of version $3, with what is deferred still.
SELECT source_event_id, event_type, beneficiary_role, beneficiary_id, order_id, by_dispute,
       occurred_at, account_version IS NULL AS "is_deferred!"
FROM bonus.ledger
WHERE beneficiary_role = $1 AND beneficiary_id = $2
  AND (account_version <= $3 OR account_version IS NULL)
ORDER BY occurred_at DESC, source_event_id DESC
LIMIT $4
