//! The commissioner lets the work pass a blocking stage.

use super::{awaiting_stage, order_finished};
use crate::order::{ApproveStage, Order, OrderFact, Refusal};

pub(super) fn decide(order: &Order, command: &ApproveStage) -> Result<Vec<OrderFact>, Refusal> {
    let (work, current) = awaiting_stage(order, command.stage)?;
    let approved = OrderFact::StageApproved {
        workshop_id: work.workshop_id(),
        stage: current.number,
        name: current.plan.name.clone(),
    };
    Ok([approved].into_iter().chain(order_finished(work)).collect())
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{OrderState, Refusal, StageStatus};

    #[test]
    fn an_approved_stage_is_completed_then_and_lets_the_work_go_on() {
        let stages = ["Sketch!", "Make"];
        let mut history = alder_works(&stages);
        history.push(marked(1, &stages));
        let order = given(history)
            .when(COMMISSIONER, approve(1))
            .then([approved(1, &stages)]);
        let first = order.work().unwrap().stages().next().unwrap();
        assert_eq!(first.status, StageStatus::Completed { at: minute(100) });
        let current = order.work().unwrap().first_open().unwrap();
        assert_eq!(current.number, stage(2));
        assert_eq!(current.status, StageStatus::Pending);
    }

    #[test]
    fn approving_the_last_stage_finishes_the_order() {
        let mut history = alder_works(&["Make!"]);
        history.push(marked(1, &["Make!"]));
        let order = given(history)
            .when(COMMISSIONER, approve(1))
            .then([approved(1, &["Make!"]), finished()]);
        assert_eq!(order.state(), Some(OrderState::Finished));
    }

    #[test]
    fn only_a_marked_stage_can_be_approved() {
        for stages in [["Sketch!", "Make"], ["Make", "Oil"]] {
            given(alder_works(&stages))
                .when(COMMISSIONER, approve(1))
                .refused(
                    "STAGE_NOT_AWAITING_APPROVAL",
                    Refusal::StageNotAwaitingApproval { current: stage(1) },
                );
        }
    }

    #[test]
    fn only_the_current_stage_can_be_approved() {
        let stages = ["One!", "Two!"];
        let mut history = alder_works(&stages);
        history.push(marked(1, &stages));
        given(history).when(COMMISSIONER, approve(2)).refused(
            "NOT_CURRENT_STAGE",
            Refusal::NotCurrentStage {
                stage: stage(2),
                current: stage(1),
            },
        );
    }

    #[test]
    fn nothing_awaits_approval_once_the_order_is_finished() {
        given(alder_finished())
            .when(COMMISSIONER, approve(1))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }
}
