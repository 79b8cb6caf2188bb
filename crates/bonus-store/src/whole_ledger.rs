//! The whole ledger, read once and in order: each beneficiary's head and facts together, out of one
//! snapshot, and no more than one beneficiary's in memory.

use bonus_domain::{Beneficiary, Fact, Facts, Holdings, PointsOverflow, PolicyVersion, SourceType};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use kernel::{EventId, OrderId, Role, instant_from_micros};
use sqlx::PgConnection;
use uuid::Uuid;

/// The rows as the server sends them: length and bytes of each field. A sort, not a walk along an
/// index: nearly every row is wanted. Before the facts of each beneficiary comes their head: whether
/// there is an account, and the policy that it is of.
const COPY: &str = "\
    COPY (SELECT beneficiary_role, beneficiary_id, occurred_at, source_event_id, event_type, \
                 order_id, by_dispute, account_version IS NULL, NULL::integer \
          FROM bonus.ledger \
          UNION ALL \
          SELECT beneficiary_role, beneficiary_id, '-infinity', NULL, NULL, \
                 NULL, version > 0, deferred, policy_version \
          FROM bonus.accounts \
          ORDER BY beneficiary_role, beneficiary_id, occurred_at, source_event_id) \
    TO STDOUT (FORMAT binary)";
const FIELDS: usize = 9;
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
    /// Whom it knows, in number.
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

/// The head of one beneficiary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    opened: bool,
    policy_version: PolicyVersion,
}

/// The facts of one beneficiary, ascending.
#[derive(Debug)]
struct Ledger {
    of: Beneficiary,
    head: Head,
    /// What the account counts.
    counted: Facts,
    /// Everything, if that is more.
    all: Facts,
    deferred: bool,
}

impl Ledger {
    const fn holdings(&self) -> Holdings<'_> {
        Holdings {
            policy_version: self.head.policy_version,
            opened: self.head.opened,
            counted: &self.counted,
            all: if self.deferred {
                &self.all
            } else {
                &self.counted
            },
        }
    }

    /// Goes on to the next one, in the room of this one's facts.
    fn turn_to(&mut self, of: Beneficiary, head: Head) {
        (self.of, self.head, self.deferred) = (of, head, false);
        self.counted.clear();
        self.all.clear();
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

/// Shows `visit` what is held of each beneficiary, one after the other. Facts of a type that only
/// another release knows are worth nothing here, and are left out.
///
/// # Errors
/// See [`WholeLedgerError`]; what `visit` refuses is one of them.
pub async fn whole_ledger(
    connection: &mut PgConnection,
    mut visit: impl FnMut(Beneficiary, Holdings<'_>) -> Result<(), PointsOverflow>,
) -> Result<LedgerState, WholeLedgerError> {
    let mut export = connection.copy_out_raw(COPY).await?;
    let mut reading = Reading {
        state: LedgerState::default(),
        ledger: None,
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
            reading.take(row, &mut visit)?;
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
    ledger: Option<Ledger>,
}

impl Reading {
    fn take(
        &mut self,
        row: Row<'_>,
        visit: &mut impl FnMut(Beneficiary, Holdings<'_>) -> Result<(), PointsOverflow>,
    ) -> Result<(), WholeLedgerError> {
        let role: Role = std::str::from_utf8(row.role)
            .ok()
            .and_then(|role| role.parse().ok())
            .ok_or(WholeLedgerError::Garbled("a role is none"))?;
        let of = Beneficiary::new(role, row.id);
        match row.held {
            Held::Head(head) => {
                self.visit(visit)?;
                self.state.beneficiaries += 1;
                match &mut self.ledger {
                    Some(ledger) => ledger.turn_to(of, head),
                    None => {
                        self.ledger = Some(Ledger {
                            of,
                            head,
                            counted: Facts::default(),
                            all: Facts::default(),
                            deferred: false,
                        });
                    }
                }
                Ok(())
            }
            Held::Fact(fact) => self.fact(of, &fact),
        }
    }

    fn fact(&mut self, of: Beneficiary, row: &FactRow<'_>) -> Result<(), WholeLedgerError> {
        let ledger = self.ledger.as_mut().filter(|ledger| ledger.of == of);
        let ledger = ledger.ok_or(WholeLedgerError::Garbled("a fact is of nobody"))?;
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
                beneficiary: of,
                order_id: row.order_id.map(OrderId::from_uuid),
                by_dispute: row.by_dispute,
                occurred_at: row.occurred_at,
            };
            ledger.push(fact, row.deferred);
        }
        Ok(())
    }

    fn visit(
        &self,
        visit: &mut impl FnMut(Beneficiary, Holdings<'_>) -> Result<(), PointsOverflow>,
    ) -> Result<(), WholeLedgerError> {
        let Some(ledger) = &self.ledger else {
            return Ok(());
        };
        let visited = visit(ledger.of, ledger.holdings());
        visited.map_err(|source| WholeLedgerError::Overflow {
            beneficiary: ledger.of,
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
#[derive(Debug)]
struct Row<'a> {
    role: &'a [u8],
    id: Uuid,
    held: Held<'a>,
}

/// What it says of its beneficiary.
#[derive(Debug)]
enum Held<'a> {
    Head(Head),
    Fact(FactRow<'a>),
}

#[derive(Debug)]
struct FactRow<'a> {
    occurred_at: DateTime<Utc>,
    source_event_id: Uuid,
    event_type: &'a [u8],
    order_id: Option<Uuid>,
    by_dispute: bool,
    deferred: bool,
}

type Fields<'a> = [Option<&'a [u8]>; FIELDS];

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
            count if usize::try_from(count) == Ok(FIELDS) => {}
            _ => return Err(SHAPE),
        }
        let mut fields: Fields<'a> = [None; FIELDS];
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
        Ok(Some((Self::read(fields).ok_or(SHAPE)?, rest)))
    }

    fn read(fields: Fields<'a>) -> Option<Self> {
        let [
            role,
            id,
            at,
            event,
            event_type,
            order,
            flag,
            deferred,
            policy,
        ] = fields;
        let flag = flag? == [1];
        let held = if let Some(version) = policy {
            let version = i32::from_be_bytes(version.try_into().ok()?);
            Held::Head(Head {
                opened: flag,
                policy_version: PolicyVersion::try_from(version).ok()?,
            })
        } else {
            Held::Fact(FactRow {
                occurred_at: instant(at?)?,
                source_event_id: uuid(event?)?,
                event_type: event_type?,
                order_id: match order {
                    Some(order) => Some(uuid(order)?),
                    None => None,
                },
                by_dispute: flag,
                deferred: deferred? == [1],
            })
        };
        Some(Self {
            role: role?,
            id: uuid(id?)?,
            held,
        })
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

    fn row(fields: [Option<&[u8]>; FIELDS]) -> Vec<u8> {
        let mut bytes = i16::try_from(FIELDS).unwrap().to_be_bytes().to_vec();
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

    fn fact(order: Option<&[u8]>) -> Vec<u8> {
        let (at, id) = (1_000_000_i64.to_be_bytes(), [7; 16]);
        row([
            Some(b"commissioner"),
            Some(&id),
            Some(&at),
            Some(&id),
            Some(b"OrderPlaced"),
            order,
            Some(&[1]),
            Some(&[0]),
            None,
        ])
    }

    #[test]
    fn a_row_is_read_once_it_is_there_as_a_whole() {
        let bytes = [fact(None), vec![9]].concat();
        for end in 0..bytes.len() - 1 {
            assert!(Row::split(&bytes[..end]).unwrap().is_none(), "{end}");
        }
        let (row, rest) = Row::split(&bytes).unwrap().unwrap();
        assert_eq!(rest, [9]);
        assert_eq!(row.role, b"commissioner");
        let Held::Fact(fact) = row.held else {
            panic!("{row:?}");
        };
        assert_eq!(fact.occurred_at.to_rfc3339(), "2000-01-01T00:00:01+00:00");
        assert!(fact.by_dispute && !fact.deferred && fact.order_id.is_none());
    }

    #[test]
    fn a_head_says_whether_there_is_an_account_and_of_which_policy() {
        let (id, at) = ([7; 16], i64::MIN.to_be_bytes());
        let head = |policy: [u8; 4]| {
            row([
                Some(b"workshop"),
                Some(&id),
                Some(&at),
                None,
                None,
                None,
                Some(&[1]),
                Some(&[0]),
                Some(&policy),
            ])
        };
        let bytes = head(2_i32.to_be_bytes());
        let (row, _) = Row::split(&bytes).unwrap().unwrap();
        let Held::Head(found) = row.held else {
            panic!("{row:?}");
        };
        assert!(found.opened && found.policy_version.get() == 2);
        assert!(Row::split(&head([0; 4])).is_err(), "no policy is 0");
    }

    #[test]
    fn what_is_no_row_is_refused() {
        assert!(Row::split(&fact(Some(&[1]))).is_err(), "half an id");
        assert!(Row::split(&3_i16.to_be_bytes()).is_err(), "other columns");
        assert!(header(b"PGCOPY\n\xff\r\n\x01 and no more than that").is_err());
    }
}
