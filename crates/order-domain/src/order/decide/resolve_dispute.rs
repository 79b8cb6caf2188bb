//! An operator decides a dispute.

use crate::order::{
    DisputedFrom, Order, OrderFact, Refusal, Resolution, ResolveDispute, ResolvedState,
};

pub(super) fn decide(order: &Order, command: ResolveDispute) -> Result<Vec<OrderFact>, Refusal> {
    let Order::Disputed { work, dispute, .. } = order else {
        return Err(Refusal::IllegalTransition);
    };
    let ResolveDispute { resolution, note } = command;
    let workshop_id = work.workshop_id();
    let (state, ending) = match resolution {
        Resolution::Resume => {
            let state = match dispute.from {
                DisputedFrom::InProgress => ResolvedState::InProgress,
                DisputedFrom::Finished => ResolvedState::Finished,
            };
            (state, None)
        }
        Resolution::Cancel => {
            let cancelled = OrderFact::OrderCancelled {
                workshop_id: Some(workshop_id),
                reason: dispute.reason.clone(),
                cancelled_from: dispute.from.into(),
                by_dispute: true,
            };
            (ResolvedState::Cancelled, Some(cancelled))
        }
        Resolution::Complete => {
            let completed = OrderFact::OrderCompleted { workshop_id };
            (ResolvedState::Completed, Some(completed))
        }
    };
    let resolved = OrderFact::DisputeResolved {
        workshop_id,
        resolution,
        note,
        state,
    };
    Ok([resolved].into_iter().chain(ending).collect())
}
