//! The commissioner accepts the finished work.

use super::illegal;
use crate::order::{CommandName, Order, OrderFact, Rejection};

pub(super) fn decide(order: &Order) -> Result<Vec<OrderFact>, Rejection> {
    let Order::Finished { work, .. } = order else {
        return Err(illegal(order, CommandName::AcceptWork));
    };
    Ok(vec![OrderFact::OrderCompleted {
        workshop_id: work.workshop_id(),
    }])
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{CommandName, OrderCommand, OrderState, Rejection};

    #[test]
    fn accepted_work_completes_the_order() {
        let order = given(alder_finished())
            .when(COMMISSIONER, OrderCommand::AcceptWork)
            .then([completed()]);
        assert_eq!(order.state(), Some(OrderState::Completed));
        assert_eq!(order.terms(), Some(&terms(&["Make"])));
    }

    #[test]
    fn unfinished_work_cannot_be_accepted() {
        given(alder_works(&["Make"]))
            .when(COMMISSIONER, OrderCommand::AcceptWork)
            .refused(
                "ILLEGAL_TRANSITION",
                Rejection::IllegalTransition {
                    state: OrderState::InProgress,
                    command: CommandName::AcceptWork,
                },
            );
    }

    #[test]
    fn work_is_accepted_once() {
        let mut history = alder_finished();
        history.push(completed());
        given(history)
            .when(COMMISSIONER, OrderCommand::AcceptWork)
            .refused(
                "ILLEGAL_TRANSITION",
                Rejection::IllegalTransition {
                    state: OrderState::Completed,
                    command: CommandName::AcceptWork,
                },
            );
    }
}
