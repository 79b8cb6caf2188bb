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

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{OrderState, Refusal, RequestStageChanges, StageStatus};
    use crate::value::{Fault, FaultKind};

    const STAGES: [&str; 2] = ["Sketch!", "Make!"];

    #[test]
    fn a_stage_that_is_sent_back_is_pending_again() {
        let mut history = alder_works(&STAGES);
        history.push(marked(1, &STAGES));
        let order = given(history)
            .when(COMMISSIONER, request_changes(1))
            .then([changes_requested(1, &STAGES)]);
        assert_eq!(order.state(), Some(OrderState::InProgress));
        let current = order.work().unwrap().first_open().unwrap();
        assert_eq!(current.number, stage(1));
        assert_eq!(current.status, StageStatus::Pending);
    }

    #[test]
    fn it_can_be_marked_again_and_approved_then() {
        let mut history = alder_works(&["Make!"]);
        history.extend([marked(1, &["Make!"]), changes_requested(1, &["Make!"])]);
        let order = given(history.clone());
        order.when(COMMISSIONER, approve(1)).refused(
            "STAGE_NOT_AWAITING_APPROVAL",
            Refusal::StageNotAwaitingApproval { current: stage(1) },
        );
        order
            .when(by(ALDER), complete(1))
            .then([marked(1, &["Make!"])]);
        history.push(marked(1, &["Make!"]));
        given(history)
            .when(COMMISSIONER, approve(1))
            .then([approved(1, &["Make!"]), finished()]);
    }

    #[test]
    fn only_a_marked_stage_is_sent_back() {
        for stages in [["Sketch!", "Make"], ["Make", "Oil"]] {
            given(alder_works(&stages))
                .when(COMMISSIONER, request_changes(1))
                .refused(
                    "STAGE_NOT_AWAITING_APPROVAL",
                    Refusal::StageNotAwaitingApproval { current: stage(1) },
                );
        }
    }

    #[test]
    fn only_the_current_stage_is_sent_back() {
        let mut history = alder_works(&STAGES);
        history.extend([marked(1, &STAGES), approved(1, &STAGES), marked(2, &STAGES)]);
        given(history)
            .when(COMMISSIONER, request_changes(1))
            .refused(
                "NOT_CURRENT_STAGE",
                Refusal::NotCurrentStage {
                    stage: stage(1),
                    current: stage(2),
                },
            );
    }

    #[test]
    fn finished_work_is_not_sent_back() {
        given(alder_finished())
            .when(COMMISSIONER, request_changes(1))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    #[test]
    fn a_note_says_what_is_to_be_changed() {
        assert_eq!(
            RequestStageChanges::parse(stage(1), None),
            Err(vec![Fault::new("/note", FaultKind::Missing)])
        );
        assert!(RequestStageChanges::parse(stage(1), Some("Rounder.")).is_ok());
    }
}
