//! Follows the account events: one batch, one load, one write.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bonus_domain::{Account, AccountEvent, Beneficiary, evolve, stored};
use event_store::{Sink, SinkError, StoredEvent, StreamId, Version};
use sqlx::PgConnection;

use super::rows::{AccountRow, Changed, load_rows, store_rows};
use crate::following::comes_next;

/// The read model `bonus`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bonus;

/// The event opens no account, though it is the first one.
#[derive(Debug, thiserror::Error)]
#[error("the first event of the account opens it not")]
struct NotOpened;

#[async_trait]
impl Sink for Bonus {
    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        let delivered = events
            .iter()
            .filter(|event| event.stream.kind() == StreamId::ACCOUNT)
            .map(|event| {
                stored::decode(&event.event_type, &event.event_version, &event.payload)
                    .map(|read| (event, read))
                    .map_err(|why| SinkError::unreadable(event, why))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let beneficiaries: BTreeSet<Beneficiary> = delivered
            .iter()
            .map(|(_, read)| read.beneficiary())
            .collect();
        if beneficiaries.is_empty() {
            return Ok(());
        }

        let mut rows = load_rows(transaction, &beneficiaries).await?;
        let before: BTreeMap<Beneficiary, Version> =
            rows.iter().map(|(who, row)| (*who, row.version)).collect();
        for (event, read) in &delivered {
            let row = rows.get(&read.beneficiary());
            if let Some(next) = advance(row, event, read)? {
                rows.insert(read.beneficiary(), next);
            }
        }

        let changed: Vec<Changed<'_>> = rows
            .values()
            .map(|row| Changed {
                from: before.get(&row.beneficiary).copied().unwrap_or_default(),
                row,
            })
            .filter(|changed| changed.row.version > changed.from)
            .collect();
        if !changed.is_empty() {
            store_rows(transaction, &changed).await?;
        }
        Ok(())
    }
}

/// The row after the event; none where it has seen the event.
pub(super) fn advance(
    row: Option<&AccountRow>,
    event: &StoredEvent,
    read: &AccountEvent,
) -> Result<Option<AccountRow>, SinkError> {
    if !comes_next(row.map_or(Version::NONE, |row| row.version), event)? {
        return Ok(None);
    }
    let before = row.map_or(Account::Unopened, |row| Account::Open(row.standing));
    match evolve(before, read).map_err(|why| SinkError::unreadable(event, why))? {
        Account::Open(standing) => Ok(Some(AccountRow {
            beneficiary: read.beneficiary(),
            version: event.version,
            standing,
            first_position: row.map_or(event.position, |row| row.first_position),
            last_position: event.position,
        })),
        Account::Unopened => Err(SinkError::unreadable(event, NotOpened)),
    }
}
