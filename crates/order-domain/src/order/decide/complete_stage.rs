//! The confirmed workshop says that the current stage is done.

use super::{current_stage, order_finished};
use crate::order::{
    CompleteStage, MarkedStatus, Order, OrderFact, Refusal, Stage, StageStatus, Work,
};
use crate::value::StageNumber;

/// The work, and its current stage to be marked.
pub(super) fn possible(order: &Order, stage: StageNumber) -> Result<(&Work, Stage<'_>), Refusal> {
    let (work, current) = current_stage(order, stage)?;
    if current.status == StageStatus::AwaitingApproval {
        return Err(Refusal::StageAwaitingApproval {
            current: current.number,
        });
    }
    Ok((work, current))
}

pub(super) fn decide(order: &Order, command: &CompleteStage) -> Result<Vec<OrderFact>, Refusal> {
    let (work, current) = possible(order, command.stage)?;
    let (status, finished) = if current.plan.requires_approval {
        (MarkedStatus::AwaitingApproval, None)
    } else {
        (MarkedStatus::Completed, order_finished(work))
    };
    let marked = OrderFact::StageMarkedComplete {
        workshop_id: work.workshop_id(),
        stage: current.number,
        name: current.plan.name.clone(),
        status,
    };
    Ok([marked].into_iter().chain(finished).collect())
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{OrderState, Refusal, StageStatus};

    const STAGES: [&str; 2] = ["Make", "Oil"];

    #[test]
    fn a_stage_without_approval_completes_when_it_is_marked() {
        let order = given(alder_works(&STAGES))
            .when(by(ALDER), complete(1))
            .then([marked(1, &STAGES)]);
        assert_eq!(order.state(), Some(OrderState::InProgress));
        assert_eq!(order.current_stage(), Some(stage(2)));
        let statuses: Vec<_> = order.work().unwrap().stages().map(|s| s.status).collect();
        assert_eq!(
            statuses,
            [
                StageStatus::Completed { at: minute(100) },
                StageStatus::Pending
            ]
        );
    }

    #[test]
    fn a_blocking_stage_waits_for_the_commissioner() {
        let order = given(alder_works(&["Sketch!", "Make"]))
            .when(by(ALDER), complete(1))
            .then([marked(1, &["Sketch!", "Make"])]);
        assert_eq!(order.current_stage(), Some(stage(1)));
        let first = order.work().unwrap().first_open().unwrap();
        assert_eq!(first.status, StageStatus::AwaitingApproval);
    }

    #[test]
    fn the_last_stage_finishes_the_order() {
        let mut history = alder_works(&STAGES);
        history.push(marked(1, &STAGES));
        let order = given(history)
            .when(by(ALDER), complete(2))
            .then([marked(2, &STAGES), finished()]);
        assert_eq!(order.state(), Some(OrderState::Finished));
        assert_eq!(order.current_stage(), None);
    }

    #[test]
    fn a_blocking_last_stage_does_not_finish_the_order_yet() {
        let order = given(alder_works(&["Make!"]))
            .when(by(ALDER), complete(1))
            .then([marked(1, &["Make!"])]);
        assert_eq!(order.state(), Some(OrderState::InProgress));
    }

    #[test]
    fn stages_run_in_order() {
        let mut history = alder_works(&["One", "Two", "Three"]);
        history.push(marked(1, &["One", "Two", "Three"]));
        for number in [1, 3] {
            given(history.clone())
                .when(by(ALDER), complete(number))
                .refused(
                    "NOT_CURRENT_STAGE",
                    Refusal::NotCurrentStage {
                        stage: stage(number),
                        current: stage(2),
                    },
                );
        }
    }

    #[test]
    fn a_stage_is_marked_once() {
        let mut history = alder_works(&["Sketch!"]);
        history.push(marked(1, &["Sketch!"]));
        given(history).when(by(ALDER), complete(1)).refused(
            "STAGE_AWAITING_APPROVAL",
            Refusal::StageAwaitingApproval { current: stage(1) },
        );
    }

    #[test]
    fn there_is_nothing_to_complete_before_or_after_the_work() {
        for history in [alder_offered(), alder_finished()] {
            given(history)
                .when(by(ALDER), complete(1))
                .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
        }
    }
}
