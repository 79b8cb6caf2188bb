//! A workshop takes its offer back.

use super::{negotiating, standing_offer};
use crate::order::{Order, OrderFact, Refusal, WithdrawOffer};

pub(super) fn decide(order: &Order, command: WithdrawOffer) -> Result<Vec<OrderFact>, Refusal> {
    let WithdrawOffer {
        workshop_id,
        reason,
    } = command;
    let placement = negotiating(order)?;
    standing_offer(placement, workshop_id)?;
    let withdrawn = OrderFact::OfferWithdrawn {
        workshop_id,
        reason,
    };
    let mut others = placement
        .invitations()
        .iter()
        .filter(|seat| seat.workshop_id() != workshop_id);
    let nobody_is_left = !others.any(|seat| seat.is_open());
    let closed = nobody_is_left.then_some(OrderFact::AllInvitationsClosed {});
    Ok([withdrawn].into_iter().chain(closed).collect())
}
