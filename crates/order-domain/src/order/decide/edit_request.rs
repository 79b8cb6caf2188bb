//! The commissioner changes what is asked for.

use super::negotiating;
use crate::order::{CommandName, EditRequest, Order, OrderFact, Rejection};

pub(super) fn decide(order: &Order, command: EditRequest) -> Result<Vec<OrderFact>, Rejection> {
    let placement = negotiating(order, CommandName::EditRequest)?;
    let (request, changed) = command.edit.apply(placement.request());
    if changed.is_empty() {
        return Err(Rejection::NothingToChange {
            command: CommandName::EditRequest,
        });
    }
    Ok(vec![OrderFact::RequestEdited { request, changed }])
}
