-- The audit is leased like the other works that one process does at a time. `ops.auditor`, where the
-- release before this one has its lease, goes with a later release: while both run, two may audit, of
-- which each is right.
INSERT INTO ops.leases (name) VALUES ('auditor');
