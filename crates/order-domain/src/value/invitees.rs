//! The workshops that a command invites.

use std::collections::BTreeSet;

use kernel::{CommissionerId, WorkshopId};

use super::{Fault, FaultKind, Faults};

/// The most seats that an order may have over its life.
pub const MAX_SEATS: usize = 20;

/// Different workshops, in the order given; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitees(Vec<WorkshopId>);

impl Invitees {
    /// The workshops, in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[WorkshopId] {
        &self.0
    }

    /// Reads the list that stands at `pointer`, for an order that has no seat yet: up to 20, and
    /// never the commissioner.
    pub(crate) fn read_first(
        pointer: &str,
        input: Option<Vec<String>>,
        commissioner_id: CommissionerId,
        faults: &mut Faults,
    ) -> Option<Self> {
        Self::read_bounded(pointer, input, MAX_SEATS, Some(commissioner_id), faults)
    }

    /// Reads the list that stands at `pointer`, for an order that is not known yet: whose it is,
    /// and for how many more seats it has room, is judged with the order.
    pub(crate) fn read(
        pointer: &str,
        input: Option<Vec<String>>,
        faults: &mut Faults,
    ) -> Option<Self> {
        Self::read_bounded(pointer, input, usize::MAX, None, faults)
    }

    fn read_bounded(
        pointer: &str,
        input: Option<Vec<String>>,
        most: usize,
        commissioner_id: Option<CommissionerId>,
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
            } else if commissioner_id.is_some_and(|id| is_oneself(workshop_id, id)) {
                faults.note(format!("{pointer}/{index}"), FaultKind::OwnId);
            }
            workshops.push(workshop_id);
        }
        let actual = seen.len() + malformed;
        if !(1..=most).contains(&actual) {
            faults.note(pointer, FaultKind::SeatCount { actual });
        }
        (faults.count() == before).then_some(Self(workshops))
    }

    /// One fault for each workshop to which `object` has something to say, where it stands.
    pub(crate) fn objections(
        &self,
        pointer: &str,
        object: impl Fn(WorkshopId) -> Option<FaultKind>,
    ) -> Vec<Fault> {
        let workshops = self.0.iter().enumerate();
        workshops
            .filter_map(|(index, workshop_id)| {
                let kind = object(*workshop_id)?;
                Some(Fault::new(format!("{pointer}/{index}"), kind))
            })
            .collect()
    }
}

/// Whether a commissioner would invite themselves.
pub(crate) fn is_oneself(workshop_id: WorkshopId, commissioner_id: CommissionerId) -> bool {
    workshop_id.as_uuid() == commissioner_id.as_uuid()
}
