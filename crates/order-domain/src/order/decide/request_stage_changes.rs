//! The commissioner sends a marked stage back.

use super::awaiting_stage;
use crate::order::{Order, OrderFact, Refusal, RequestStageChanges};

pub(super) fn decide(
    order: &Order,
    command: RequestStageChanges,
) -> Result<Vec<OrderFact>, Refusal> {
    let (work, current) = awaiting_stage(order, command.stage)?;
    Ok(vec![OrderFact::StageChangesRequested {
        workshop_id: work.workshop_id(),
        stage: current.number,
        name: current.plan.name.clone(),
        note: command.note,
    }])
}
