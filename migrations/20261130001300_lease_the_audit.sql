-- The audit is leased like the other works that one process does at a time. The row of before is
-- taken for good, so that the release before this one audits no more where both run; the table goes
-- with a later release.
INSERT INTO ops.leases (name) VALUES ('auditor');
UPDATE ops.auditor SET owner = 'ops.leases', expires_at = 'infinity';

-- A second award for one event and role would double every award of the views over it.
CREATE UNIQUE INDEX policy_rules_one_award
    ON bonus.policy_rules (version, event, beneficiary_role) WHERE rule = 'award';
