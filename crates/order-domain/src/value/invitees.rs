//! The workshops that a command invites.

use std::collections::BTreeSet;

use kernel::{CommissionerId, WorkshopId};

use super::{FaultKind, Faults};

/// The most seats that an order may have over its life.
pub const MAX_SEATS: usize = 20;

/// 1 to 20 different workshops, in the order given; never the commissioner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitees(Vec<WorkshopId>);

impl Invitees {
    /// The workshops, in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[WorkshopId] {
        &self.0
    }

    /// Reads the list that stands at `pointer`.
    pub(crate) fn read(
        pointer: &str,
        input: Option<Vec<String>>,
        commissioner_id: CommissionerId,
        faults: &mut Faults,
    ) -> Option<Self> {
        let named = faults.required(pointer, input, Ok)?;
        let before = faults.count();
        let mut seen = BTreeSet::new();
        let mut workshops = Vec::new();
        let mut malformed: usize = 0;
        for (index, text) in named.iter().enumerate() {
            let Ok(workshop_id) = text.parse::<WorkshopId>() else {
                malformed += 1;
                faults.note(format!("{pointer}/{index}"), FaultKind::MalformedId);
                continue;
            };
            if !seen.insert(workshop_id) {
                faults.note(format!("{pointer}/{index}"), FaultKind::NamedTwice);
            } else if workshop_id.as_uuid() == commissioner_id.as_uuid() {
                faults.note(format!("{pointer}/{index}"), FaultKind::OwnId);
            }
            workshops.push(workshop_id);
        }
        let actual = seen.len() + malformed;
        if !(1..=MAX_SEATS).contains(&actual) {
            faults.note(pointer, FaultKind::SeatCount { actual });
        }
        (faults.count() == before).then_some(Self(workshops))
    }
}
