//! The commissioner changes what is asked for.

use super::negotiating;
use crate::order::{EditRequest, Order, OrderFact, Refusal};

pub(super) fn decide(order: &Order, command: EditRequest) -> Result<Vec<OrderFact>, Refusal> {
    let placement = negotiating(order)?;
    let (request, changed) = command.edit.apply(placement.request());
    if changed.is_empty() {
        return Err(Refusal::NothingToChange);
    }
    Ok(vec![OrderFact::RequestEdited { request, changed }])
}
