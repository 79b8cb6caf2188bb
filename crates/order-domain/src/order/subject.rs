//! What a command acts on. Whoever gave it saw that, and meant that: a command that stood in line or
//! lost a race is decided (again) only on the same thing.

use super::{
    ApproveStage, CancelOrder, ConfirmOffer, Order, OrderCommand, RequestStageChanges,
    ResolveDispute, StageStatus,
};
use crate::value::{OfferRevision, OfferTerms, RequestRevision, StageNumber};

/// What a command acts on in an order, as far as another thing may take its place under the same
/// words. None in a variant: nothing that the command could act on is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The order: what the command says, it says of whatever the order has come to.
    Order,
    /// The terms of a standing offer, whatever their revisions.
    Terms(Option<OfferTerms>),
    /// A marking of a stage, counted over the whole work.
    Marking(Option<u32>),
    /// What there is to be cancelled.
    Ending(Option<Cancellable>),
    /// A dispute, counted over the whole life of the order.
    Dispute(Option<u32>),
}

/// What there is to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellable {
    /// The negotiation, which ends at once.
    Negotiation,
    /// Agreed work, about which there will be a dispute.
    Work,
}

/// What `command` acts on in `order`.
#[must_use]
pub fn subject_of(order: &Order, command: &OrderCommand) -> Subject {
    match command {
        OrderCommand::ConfirmOffer(ConfirmOffer {
            workshop_id,
            offer_revision: None,
        }) => Subject::Terms(order.standing_offer(*workshop_id).map(revised_or_not)),
        OrderCommand::ApproveStage(ApproveStage { stage })
        | OrderCommand::RequestStageChanges(RequestStageChanges { stage, .. }) => {
            Subject::Marking(marking(order, *stage))
        }
        OrderCommand::CancelOrder(CancelOrder { .. }) => Subject::Ending(cancellable(order)),
        OrderCommand::ResolveDispute(ResolveDispute { .. }) => Subject::Dispute(dispute(order)),
        OrderCommand::PlaceOrder(_)
        | OrderCommand::EditRequest(_)
        | OrderCommand::InviteWorkshops(_)
        | OrderCommand::SubmitOffer(_)
        | OrderCommand::ReviseOffer(_)
        | OrderCommand::WithdrawOffer(_)
        | OrderCommand::DeclineInvitation(_)
        // Who names the revision is told of another one by the rules.
        | OrderCommand::ConfirmOffer(_)
        | OrderCommand::CompleteStage(_)
        | OrderCommand::AcceptWork => Subject::Order,
    }
}

/// The terms, but for how often they were put.
fn revised_or_not(offer: &OfferTerms) -> OfferTerms {
    OfferTerms {
        request_revision: RequestRevision::FIRST,
        offer_revision: OfferRevision::FIRST,
        ..offer.clone()
    }
}

fn marking(order: &Order, stage: StageNumber) -> Option<u32> {
    let Order::InProgress { work, .. } = order else {
        return None;
    };
    let current = work.first_open()?;
    let awaits = current.number == stage && current.status == StageStatus::AwaitingApproval;
    awaits.then_some(work.markings())
}

const fn cancellable(order: &Order) -> Option<Cancellable> {
    match order {
        Order::Negotiating { .. } => Some(Cancellable::Negotiation),
        Order::InProgress { .. } | Order::Finished { .. } => Some(Cancellable::Work),
        Order::NotPlaced
        | Order::Disputed { .. }
        | Order::Completed { .. }
        | Order::Cancelled { .. } => None,
    }
}

fn dispute(order: &Order) -> Option<u32> {
    order.dispute()?;
    Some(order.placement()?.disputes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::scenario::*;
    use crate::order::{DisputedFrom, OrderFact, Resolution, ResolvedState};

    /// Whether the command acts on the same thing when these facts have followed on those.
    fn acts_on_the_same(
        command: &OrderCommand,
        before: &[OrderFact],
        more: impl IntoIterator<Item = OrderFact>,
    ) -> bool {
        let first = subject_of(&given(before.to_vec()).order, command);
        let after = before.iter().cloned().chain(more);
        first == subject_of(&given(after).order, command)
    }

    #[test]
    fn a_confirmation_without_a_revision_means_the_terms() {
        let offered = alder_offered();
        let same = |more: Vec<_>| acts_on_the_same(&confirm(ALDER), &offered, more);
        assert!(same(vec![declined(BIRCH)]));
        assert!(same(vec![revised(ALDER, &["Make"], 2)]));
        assert!(!same(vec![revised(ALDER, &["Make", "Oil"], 2)]));
        assert!(!same(vec![withdrawn(ALDER)]));
        let named = OrderCommand::ConfirmOffer(ConfirmOffer {
            workshop_id: ALDER,
            offer_revision: Some(OfferRevision::FIRST),
        });
        assert_eq!(subject_of(&given(offered).order, &named), Subject::Order);
    }

    #[test]
    fn an_approval_and_a_wish_for_changes_mean_one_marking() {
        let stages = ["Sketch!", "Make!"];
        let mut marked_once = alder_works(&stages);
        let unmarked = marked_once.clone();
        marked_once.push(marked(1, &stages));
        for command in [approve(1), request_changes(1)] {
            let dispute = [
                disputed(DisputedFrom::InProgress, COMMISSIONER),
                resolved(Resolution::Resume, ResolvedState::InProgress),
            ];
            assert!(acts_on_the_same(&command, &marked_once, dispute));
            let sent_back = changes_requested(1, &stages);
            assert!(!acts_on_the_same(
                &command,
                &marked_once,
                [sent_back.clone()]
            ));
            let again = [sent_back, marked(1, &stages)];
            assert!(!acts_on_the_same(&command, &marked_once, again));
            assert!(!acts_on_the_same(&command, &unmarked, [marked(1, &stages)]));
        }
        // Another stage than the one that waits has no marking.
        assert_eq!(
            subject_of(&given(marked_once).order, &approve(2)),
            Subject::Marking(None)
        );
    }

    #[test]
    fn a_wish_to_cancel_means_the_negotiation_or_the_work() {
        let offered = alder_offered();
        let edited = retitled("Elm table", 2);
        assert!(acts_on_the_same(&cancel(), &offered, [edited]));
        let confirmed = confirmed(ALDER, &["Make"]);
        assert!(!acts_on_the_same(&cancel(), &offered, [confirmed]));
        let works = alder_works(&["Make"]);
        let done = [marked(1, &["Make"]), finished()];
        assert!(acts_on_the_same(&cancel(), &works, done));
        let dispute = disputed(DisputedFrom::InProgress, COMMISSIONER);
        assert!(!acts_on_the_same(&cancel(), &works, [dispute]));
    }

    #[test]
    fn a_resolution_means_one_dispute() {
        let dispute = || disputed(DisputedFrom::InProgress, COMMISSIONER);
        let mut in_dispute = alder_works(&["Make"]);
        let before = in_dispute.clone();
        in_dispute.push(dispute());
        let command = resolve(Resolution::Cancel);
        let resumed = resolved(Resolution::Resume, ResolvedState::InProgress);
        assert!(acts_on_the_same(&command, &in_dispute, []));
        assert!(!acts_on_the_same(&command, &in_dispute, [resumed.clone()]));
        assert!(!acts_on_the_same(
            &command,
            &in_dispute,
            [resumed, dispute()]
        ));
        assert!(!acts_on_the_same(&command, &before, [dispute()]));
    }
}
