//! The whole ledger, read once and in order: each beneficiary's facts together, out of one snapshot,
//! and no more than one beneficiary's in memory.

use bonus_domain::{Beneficiary, Fact, Facts, PointsOverflow, SourceType};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use kernel::{EventId, OrderId, Role, instant_from_micros};
use sqlx::PgConnection;
use uuid::Uuid;

/// The rows as the server sends them: length and bytes of each field. A sort, not a walk along an
/// index: nearly every row is wanted.
const COPY: &str = "\
    COPY (SELECT beneficiary_role, beneficiary_id, occurred_at, source_event_id, event_type, \
                 order_id, by_dispute, account_version IS NULL \
          FROM bonus.ledger \
          ORDER BY beneficiary_role, beneficiary_id, occurred_at, source_event_id) \
    TO STDOUT (FORMAT binary)";
const FIELDS: i16 = 8;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, and the length of an extension that there is none of.
const HEADER_BYTES: usize = 19;
/// What Postgres counts instants from: 2000-01-01, in microseconds after the Unix epoch.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The state of the ledger that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerState {
    /// Its rows.
    pub facts: u64,
    /// Those that no account counts yet.
    pub deferred: u64,
    /// Whom they belong to, in number.
    pub beneficiaries: u64,
    /// The sum of the facts' ids, modulo 2^64: the same facts have the same.
    pub digest: u64,
}

/// Why a ledger was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum WholeLedgerError {
    /// The server sent something else than the rows asked for.
    #[error("the export of the ledger cannot be read: {0}")]
    Garbled(&'static str),
    /// Somebody's points are too many.
    #[error("the points of {beneficiary} cannot be counted")]
    Overflow {
        /// Whose they are.
        beneficiary: Beneficiary,
        /// Why.
        source: PointsOverflow,
    },
    /// The database failed.
    #[error("the ledger could not be read")]
    Database(#[from] sqlx::Error),
}

/// The facts of one beneficiary, ascending.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What the account counts.
    pub counted: Facts,
    /// Everything, if that is more.
    all: Facts,
    deferred: bool,
}

impl Ledger {
    /// Everything that the ledger holds of them.
    #[must_use]
    pub const fn all(&self) -> &Facts {
        if self.deferred {
            &self.all
        } else {
            &self.counted
        }
    }

    fn clear(&mut self) {
        self.counted.clear();
        self.all.clear();
        self.deferred = false;
    }

    fn push(&mut self, fact: Fact, deferred: bool) {
        if deferred && !self.deferred {
            self.all = self.counted.clone();
            self.deferred = true;
        }
        if self.deferred {
            self.all.push_next(fact);
        }
        if !deferred {
            self.counted.push_next(fact);
        }
    }
}

/// Shows `visit` the facts of each beneficiary, one after the other. Facts of a type that only
/// another release knows are worth nothing here, and are left out.
///
/// # Errors
/// See [`WholeLedgerError`]; what `visit` refuses is one of them.
pub async fn whole_ledger(
    connection: &mut PgConnection,
    mut visit: impl FnMut(Beneficiary, &Ledger) -> Result<(), PointsOverflow>,
) -> Result<LedgerState, WholeLedgerError> {
    let mut export = connection.copy_out_raw(COPY).await?;
    let mut reading = Reading {
        state: LedgerState::default(),
        ledger: Ledger::default(),
        of: None,
    };
    let mut unread: Vec<u8> = Vec::new();
    let mut begun = false;
    while let Some(chunk) = export.try_next().await? {
        // The server sends whole rows; a row in two pieces is put together all the same.
        let mut bytes: &[u8] = if unread.is_empty() {
            &chunk
        } else {
            unread.extend_from_slice(&chunk);
            &unread
        };
        if !begun && bytes.len() >= HEADER_BYTES {
            bytes = header(bytes)?;
            begun = true;
        }
        while begun && let Some((row, rest)) = Row::split(bytes)? {
            reading.take(&row, &mut visit)?;
            bytes = rest;
        }
        unread = bytes.to_vec();
    }
    if unread != (-1_i16).to_be_bytes() {
        return Err(WholeLedgerError::Garbled("it ends before its end"));
    }
    reading.visit(&mut visit)?;
    Ok(reading.state)
}

struct Reading {
    state: LedgerState,
    ledger: Ledger,
    of: Option<Beneficiary>,
}

impl Reading {
    fn take(
        &mut self,
        row: &Row<'_>,
        visit: &mut impl FnMut(Beneficiary, &Ledger) -> Result<(), PointsOverflow>,
    ) -> Result<(), WholeLedgerError> {
        let role: Role = std::str::from_utf8(row.role)
            .ok()
            .and_then(|role| role.parse().ok())
            .ok_or(WholeLedgerError::Garbled("a role is none"))?;
        let beneficiary = Beneficiary::new(role, row.id);
        if self.of != Some(beneficiary) {
            self.visit(visit)?;
            self.ledger.clear();
            self.of = Some(beneficiary);
            self.state.beneficiaries += 1;
        }
        self.state.facts += 1;
        self.state.deferred += u64::from(row.deferred);
        let (high, low) = row.source_event_id.as_u64_pair();
        self.state.digest = self.state.digest.wrapping_add(high ^ low);
        let known = std::str::from_utf8(row.event_type)
            .ok()
            .and_then(SourceType::known);
        if let Some(source_type) = known {
            let fact = Fact {
                source_event_id: EventId::from_uuid(row.source_event_id),
                source_type,
                beneficiary,
                order_id: row.order_id.map(OrderId::from_uuid),
                by_dispute: row.by_dispute,
                occurred_at: row.occurred_at,
            };
            self.ledger.push(fact, row.deferred);
        }
        Ok(())
    }

    fn visit(
        &self,
        visit: &mut impl FnMut(Beneficiary, &Ledger) -> Result<(), PointsOverflow>,
    ) -> Result<(), WholeLedgerError> {
        let Some(beneficiary) = self.of else {
            return Ok(());
        };
        visit(beneficiary, &self.ledger).map_err(|source| WholeLedgerError::Overflow {
            beneficiary,
            source,
        })
    }
}

/// What follows the header.
fn header(bytes: &[u8]) -> Result<&[u8], WholeLedgerError> {
    bytes
        .strip_prefix(SIGNATURE)
        .and_then(|rest| rest.get(HEADER_BYTES - SIGNATURE.len()..))
        .ok_or(WholeLedgerError::Garbled("it begins with something else"))
}

/// A row as it was sent.
struct Row<'a> {
    role: &'a [u8],
    id: Uuid,
    occurred_at: DateTime<Utc>,
    source_event_id: Uuid,
    event_type: &'a [u8],
    order_id: Option<Uuid>,
    by_dispute: bool,
    deferred: bool,
}

impl<'a> Row<'a> {
    /// The first row, and what follows it; none where it is not there as a whole, or the export
    /// ends.
    fn split(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, WholeLedgerError> {
        const SHAPE: WholeLedgerError = WholeLedgerError::Garbled("a row has another shape");
        let Some((count, mut rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        match i16::from_be_bytes(*count) {
            -1 => return Ok(None),
            FIELDS => {}
            _ => return Err(SHAPE),
        }
        let mut fields = [None; 8];
        for place in &mut fields {
            let Some((length, after)) = rest.split_first_chunk::<4>() else {
                return Ok(None);
            };
            rest = after;
            // A negative length is a null.
            if let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) {
                let Some((field, after)) = rest.split_at_checked(length) else {
                    return Ok(None);
                };
                *place = Some(field);
                rest = after;
            }
        }
        let [role, id, at, event, event_type, order, by_dispute, deferred] = fields;
        let row = || {
            Some(Self {
                role: role?,
                id: uuid(id?)?,
                occurred_at: instant(at?)?,
                source_event_id: uuid(event?)?,
                event_type: event_type?,
                order_id: match order {
                    Some(order) => Some(uuid(order)?),
                    None => None,
                },
                by_dispute: by_dispute? == [1],
                deferred: deferred? == [1],
            })
        };
        Ok(Some((row().ok_or(SHAPE)?, rest)))
    }
}

fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

fn instant(bytes: &[u8]) -> Option<DateTime<Utc>> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    instant_from_micros(micros.checked_add(EPOCH_MICROS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(order: Option<&[u8]>) -> Vec<u8> {
        let at = 1_000_000_i64.to_be_bytes();
        let id = [7; 16];
        let fields: [Option<&[u8]>; 8] = [
            Some(b"commissioner"),
            Some(&id),
            Some(&at),
            Some(&id),
            Some(b"OrderPlaced"),
            order,
            Some(&[1]),
            Some(&[0]),
        ];
        let mut bytes = FIELDS.to_be_bytes().to_vec();
        for field in fields {
            match field {
                Some(field) => {
                    bytes.extend(i32::try_from(field.len()).unwrap().to_be_bytes());
                    bytes.extend(field);
                }
                None => bytes.extend((-1_i32).to_be_bytes()),
            }
        }
        bytes
    }

    #[test]
    fn a_row_is_read_once_it_is_there_as_a_whole() {
        let bytes = [row(None), vec![9]].concat();
        for end in 0..bytes.len() - 1 {
            assert!(Row::split(&bytes[..end]).unwrap().is_none(), "{end}");
        }
        let (row, rest) = Row::split(&bytes).unwrap().unwrap();
        assert_eq!(rest, [9]);
        assert_eq!(row.role, b"commissioner");
        assert_eq!(row.occurred_at.to_rfc3339(), "2000-01-01T00:00:01+00:00");
        assert!(row.by_dispute && !row.deferred && row.order_id.is_none());
    }

    #[test]
    fn what_is_no_row_is_refused() {
        assert!(Row::split(&row(Some(&[1]))).is_err(), "half an id");
        assert!(Row::split(&3_i16.to_be_bytes()).is_err(), "other columns");
        assert!(header(b"PGCOPY\n\xff\r\n\x01 and no more than that").is_err());
    }
}
