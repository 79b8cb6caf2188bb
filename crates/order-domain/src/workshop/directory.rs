//! What a command that invites workshops knows of them.

use std::collections::BTreeMap;

use kernel::WorkshopId;

use super::Workshop;
use crate::value::FaultKind;

/// The entries of the workshops that a command names; the rest of the directory is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory(BTreeMap<WorkshopId, bool>);

impl Directory {
    /// Why a workshop cannot be invited; none if it can.
    #[must_use]
    pub(crate) fn objection(&self, workshop_id: WorkshopId) -> Option<FaultKind> {
        match self.0.get(&workshop_id) {
            None => Some(FaultKind::NotInDirectory { workshop_id }),
            Some(false) => Some(FaultKind::TakesNoCommissions { workshop_id }),
            Some(true) => None,
        }
    }
}

impl FromIterator<Workshop> for Directory {
    /// The directory of these workshops; one that is not registered has no entry.
    fn from_iter<I: IntoIterator<Item = Workshop>>(workshops: I) -> Self {
        let entries = workshops.into_iter().filter_map(|workshop| {
            let entry = workshop.entry()?;
            Some((entry.workshop_id, entry.accepts_commissions))
        });
        Self(entries.collect())
    }
}
