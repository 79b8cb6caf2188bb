//! The commissioner invites more workshops, or gives some a second chance.

use kernel::WorkshopId;

use super::{check_directory, negotiating};
use crate::order::{Context, InviteWorkshops, Order, OrderFact, Placement, Refusal};
use crate::value::{Fault, FaultKind, Invitees, MAX_SEATS, is_oneself};

pub(super) fn decide(
    order: &Order,
    command: InviteWorkshops,
    context: &Context,
) -> Result<Vec<OrderFact>, Refusal> {
    let placement = negotiating(order)?;
    let invitees = command.workshops;
    let faults = misplaced(placement, &invitees);
    if !faults.is_empty() {
        return Err(Refusal::Invalid { faults });
    }
    check_directory(&invitees, context)?;
    let faults = invitees.objections("/workshops", |id| already_invited(placement, id));
    if !faults.is_empty() {
        return Err(Refusal::AlreadyInvited { faults });
    }
    Ok(vec![OrderFact::WorkshopsInvited {
        workshops: invitees.as_slice().to_vec(),
    }])
}

/// What is wrong with the list itself, once it is known whose order it is and which seats there
/// are: the commissioner is in it, or it is too long.
fn misplaced(placement: &Placement, invitees: &Invitees) -> Vec<Fault> {
    let mut faults = invitees.objections("/workshops", |id| {
        is_oneself(id, placement.commissioner_id()).then_some(FaultKind::OwnId)
    });
    let named = invitees.as_slice().iter();
    let new = named.filter(|id| placement.invitation(**id).is_none());
    let actual = placement.invitations().len() + new.count();
    if actual > MAX_SEATS {
        faults.push(Fault::new("/workshops", FaultKind::TooManySeats { actual }));
    }
    faults
}

fn already_invited(placement: &Placement, workshop_id: WorkshopId) -> Option<FaultKind> {
    let seat = placement.invitation(workshop_id)?;
    seat.is_open().then(|| FaultKind::AlreadyInvited {
        workshop_id,
        status: seat.status(),
    })
}
