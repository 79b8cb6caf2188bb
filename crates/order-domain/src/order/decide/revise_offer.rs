//! A workshop puts other terms in the place of those that stand, or affirms outdated ones.

use chrono::{DateTime, Utc};

use super::{check_answer, negotiating, standing_offer};
use crate::order::{Order, OrderFact, Refusal, ReviseOffer};

pub(super) fn decide(
    order: &Order,
    command: ReviseOffer,
    at: DateTime<Utc>,
) -> Result<Vec<OrderFact>, Refusal> {
    let ReviseOffer { workshop_id, offer } = command;
    let placement = negotiating(order)?;
    let (seat, standing) = standing_offer(placement, workshop_id)?;
    let request = placement.request();
    check_answer(request, workshop_id, &offer)?;
    if standing.are_those_of(&offer) && standing.outdated(request.revision, at).is_none() {
        return Err(Refusal::NothingToChange);
    }
    Ok(vec![OrderFact::OfferRevised {
        workshop_id,
        offer: offer.at_revisions(request.revision, seat.next_revision()),
    }])
}
