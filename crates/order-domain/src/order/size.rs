//! How large an order may grow. Whoever reads it reads all of it, so that it has a bound in bytes;
//! but nobody is left with an order that can never end.

use super::stored::encode;
use super::{Context, Intent, Order, OrderEvent, Refusal};

const MIB: usize = 1024 * 1024;

/// The most bytes of an order to which texts may be added.
const FOR_TEXTS: usize = 16 * MIB;
/// The most bytes of an order to which what brings little may be added as often as one likes.
const FOR_LITTLE: usize = 20 * MIB;
/// More than any command brings: a body has 256 KiB.
const AT_ONCE: usize = MIB;

/// Refuses facts that would make the order too large.
pub(super) fn check(
    most: Option<usize>,
    events: &[OrderEvent],
    context: &Context,
) -> Result<(), Refusal> {
    let Some(most) = most else { return Ok(()) };
    let after = match context.stored_bytes {
        bytes if bytes.saturating_add(AT_ONCE) <= most => return Ok(()),
        bytes => bytes.saturating_add(events.iter().map(bytes_of).sum()),
    };
    if after <= most {
        Ok(())
    } else {
        Err(Refusal::OrderTooLarge { most })
    }
}

fn bytes_of(event: &OrderEvent) -> usize {
    encode(event).payload.to_string().len()
}

/// Refuses what would find no room, however little it brings.
pub(super) const fn check_room(most: Option<usize>, context: &Context) -> Result<(), Refusal> {
    match most {
        Some(most) if context.stored_bytes >= most => Err(Refusal::OrderTooLarge { most }),
        Some(_) | None => Ok(()),
    }
}

/// The most bytes that the order may have with what the command brings; none for a command that can
/// only be given so often before the order has ended.
pub(super) const fn most(order: &Order, intent: Intent) -> Option<usize> {
    match intent {
        Intent::EditRequest
        | Intent::SubmitOffer(_)
        | Intent::ReviseOffer(_)
        | Intent::RequestStageChanges(_) => Some(FOR_TEXTS),
        // Each may be answered by a refusal, and given again.
        Intent::InviteWorkshops => Some(FOR_LITTLE),
        // A dispute may be resumed, and opened again.
        Intent::CancelOrder => match order {
            Order::InProgress { .. } | Order::Finished { .. } => Some(FOR_LITTLE),
            Order::NotPlaced
            | Order::Negotiating { .. }
            | Order::Disputed { .. }
            | Order::Completed { .. }
            | Order::Cancelled { .. } => None,
        },
        Intent::WithdrawOffer(_)
        | Intent::DeclineInvitation(_)
        | Intent::ConfirmOffer(_)
        | Intent::CompleteStage(_)
        | Intent::ApproveStage(_)
        | Intent::AcceptWork
        | Intent::ResolveDispute => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::scenario::*;
    use crate::order::scenes::{Scene, commands, label};

    /// The commands that are refused only because the order has so many bytes.
    fn refused(bytes: usize) -> Vec<String> {
        let mut refused = Vec::new();
        for command in commands() {
            let name = label(&command);
            for scene in Scene::ALL {
                let given = scene.given();
                let then = |given: &Given| given.when(OPERATOR, command.clone()).outcome;
                let large = then(&given.clone().of_bytes(bytes));
                if large != then(&given) {
                    let why = large.unwrap_err().why;
                    assert!(matches!(why, Refusal::OrderTooLarge { .. }), "{why:?}");
                    refused.push(format!("{name} {:?}", given.order.state().unwrap()));
                }
            }
        }
        refused.dedup();
        refused
    }

    #[test]
    fn texts_are_refused_first_and_what_ends_an_order_never() {
        assert!(refused(15 * MIB).is_empty());
        let texts = [
            "EditRequest Negotiating",
            "SubmitOffer Negotiating",
            "ReviseOffer Negotiating",
            "RequestStageChanges InProgress",
        ];
        assert_eq!(refused(FOR_TEXTS), texts);
        assert_eq!(refused(19 * MIB), texts);
        let all = [
            "EditRequest Negotiating",
            "InviteWorkshops Negotiating",
            "SubmitOffer Negotiating",
            "ReviseOffer Negotiating",
            "RequestStageChanges InProgress",
            "CancelOrder InProgress",
            "CancelOrder Finished",
        ];
        assert_eq!(refused(FOR_LITTLE), all);
        assert_eq!(refused(usize::MAX), all);
    }

    #[test]
    fn the_bound_is_met_to_the_byte() {
        let given = Scene::Pending.given();
        let edit = || retitle("Elm table");
        let events = given.when(COMMISSIONER, edit()).outcome.unwrap();
        let room = FOR_TEXTS - bytes_of(&events[0]);
        let when = |bytes| given.clone().of_bytes(bytes).when(COMMISSIONER, edit());
        assert!(when(room).outcome.is_ok());
        when(room + 1).refused(
            "ORDER_TOO_LARGE",
            Refusal::OrderTooLarge { most: FOR_TEXTS },
        );
    }
}
