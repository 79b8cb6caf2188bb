//! The commissioner accepts the finished work.

use crate::order::{Order, OrderFact, Refusal, Work};

/// What is to be accepted.
pub(super) const fn possible(order: &Order) -> Result<&Work, Refusal> {
    if let Order::Finished { work, .. } = order {
        Ok(work)
    } else {
        Err(Refusal::IllegalTransition)
    }
}

pub(super) fn decide(order: &Order) -> Result<Vec<OrderFact>, Refusal> {
    let work = possible(order)?;
    Ok(vec![OrderFact::OrderCompleted {
        workshop_id: work.workshop_id(),
    }])
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{OrderCommand, OrderState, Refusal};

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
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    #[test]
    fn work_is_accepted_once() {
        let mut history = alder_finished();
        history.push(completed());
        given(history)
            .when(COMMISSIONER, OrderCommand::AcceptWork)
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }
}
