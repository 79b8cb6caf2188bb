//! What moved an account between two positions: what a live stream of its ledger is read from, page
//! by page.

use bonus_domain::{AccountEvent, AccountFact, Beneficiary, Points, Policy, stored};
use event_store::{Position, StoredEvent, StreamId, Version, load_page, parked, version_at};
use kernel::EventId;
use sqlx::PgConnection;

use super::rows::AccountRow;
use crate::version::reader_here;

/// How many events one page looks at.
const EVENTS_OF_A_PAGE: usize = 200;

/// The part of an account's stream that is to be read: after the one position, up to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSpan {
    /// The last position that was passed.
    pub after: Position,
    /// The version that was passed with it, as far as that is known.
    pub passed: Version,
    /// The last position that may be passed.
    pub up_to: Position,
}

/// What an event did to what the ledger shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The ledger shows one award more: that of this rewarded event.
    Awarded(EventId),
    /// Awards that the ledger showed have changed, or are gone.
    Otherwise,
}

/// A page of what moved an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMoves {
    /// What its events did, each with its position, ascending.
    pub moves: Vec<(Position, Moved)>,
    /// The position up to which there is nothing else.
    pub reached: Position,
    /// The version up to there.
    pub version: Version,
}

/// What moved the account of this row, which is of the caller's snapshot and of that policy. What is parked waits, and so
/// does everything of the account after it.
///
/// # Errors
/// What the database said, and of an event that this release cannot read.
pub async fn walk_account(
    connection: &mut PgConnection,
    row: &AccountRow,
    policy: &Policy,
    span: AccountSpan,
) -> Result<AccountMoves, sqlx::Error> {
    let Beneficiary { role, id } = row.beneficiary;
    let stream = StreamId::account(role, id);
    let reader = reader_here(connection).await?;
    let waits = parked(connection, &reader, &stream).await?;
    let end = waits.map_or(span.up_to, |waits| {
        span.up_to.min(Position::new(waits.position.get() - 1))
    });
    let mut moves = AccountMoves {
        moves: Vec::new(),
        reached: end,
        version: span.passed,
    };
    if moves.version == Version::NONE {
        moves.version = version_at(connection, &stream, span.after).await?;
    }
    let page = load_page(connection, &stream, moves.version).await?;
    let mut events = page
        .events
        .iter()
        .filter(|event| event.version <= row.version);
    for event in events.by_ref().take(EVENTS_OF_A_PAGE) {
        if event.position > end {
            moves.reached = end;
            return Ok(moves);
        }
        moves.version = event.version;
        moves.reached = event.position;
        moves
            .moves
            .extend(told(event, policy)?.map(|moved| (event.position, moved)));
    }
    if events.next().is_none() && !page.more {
        moves.reached = end;
    }
    Ok(moves)
}

/// What the event did to what is shown; none where that is nothing.
fn told(event: &StoredEvent, policy: &Policy) -> Result<Option<Moved>, sqlx::Error> {
    let read = stored::decode(&event.event_type, &event.event_version, &event.payload);
    let AccountEvent {
        fact,
        beneficiary_role,
        ..
    } = read.map_err(decode)?;
    Ok(match fact {
        AccountFact::PointsAwarded {
            source_event_id,
            source_type,
            points,
            ..
        } => {
            let takes = policy
                .reversals()
                .any(|rule| rule.role == beneficiary_role && rule.event == source_type);
            Some(match points > Points::ZERO && !takes {
                true => Moved::Awarded(source_event_id),
                false => Moved::Otherwise,
            })
        }
        AccountFact::PolicyRecomputed { .. } => Some(Moved::Otherwise),
        AccountFact::GradeChanged { .. }
        | AccountFact::VipAcquired { .. }
        | AccountFact::VipLost
        | AccountFact::AwardDeferred { .. } => None,
    })
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
