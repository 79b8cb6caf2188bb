//! What no stream of facts may show, whoever wrote it: read off the facts alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::WorkshopId;
use order_domain::order::{MarkedStatus, OrderEvent, OrderFact};
use order_domain::value::OfferTerms;

/// What the facts so far say.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    last: Option<DateTime<Utc>>,
    /// Everybody in the running; none where they have not answered.
    running: BTreeMap<WorkshopId, Option<OfferTerms>>,
    agreed: Option<OfferTerms>,
    stages_done: u32,
    finished: bool,
    ended: bool,
}

impl Audit {
    /// Takes in the facts of one command.
    pub(crate) fn take(&mut self, events: &[OrderEvent]) {
        assert!(!events.is_empty(), "an accepted command says what it did");
        let at = events[0].occurred_at;
        assert!(events.iter().all(|event| event.occurred_at == at));
        assert!(self.last.is_none_or(|last| last <= at), "time runs back");
        self.last = Some(at);

        let was_open = self.has_pending();
        for event in events {
            assert!(!self.ended, "nothing follows the end");
            self.take_fact(&event.fact);
        }
        self.check_round(was_open, events);
    }

    fn take_fact(&mut self, fact: &OrderFact) {
        match fact {
            OrderFact::OrderPlaced { workshops, .. }
            | OrderFact::WorkshopsInvited { workshops } => {
                for workshop_id in workshops {
                    let before = self.running.insert(*workshop_id, None);
                    assert_eq!(before, None, "invited where somebody is already");
                }
            }
            OrderFact::OfferSubmitted { workshop_id, offer } => {
                let before = self.running.insert(*workshop_id, Some(offer.clone()));
                assert_eq!(before, Some(None), "answered without an open invitation");
            }
            OrderFact::OfferRevised { workshop_id, offer } => {
                let before = self.running.insert(*workshop_id, Some(offer.clone()));
                let revised = before.flatten().expect("an offer stood");
                assert!(revised.offer_revision < offer.offer_revision);
            }
            OrderFact::OfferWithdrawn { workshop_id, .. } => {
                let before = self.running.remove(workshop_id);
                assert!(before.flatten().is_some(), "withdrawn without an offer");
            }
            OrderFact::InvitationDeclined { workshop_id, .. } => {
                let before = self.running.remove(workshop_id);
                assert_eq!(before, Some(None), "declined without an open invitation");
            }
            OrderFact::OfferConfirmed {
                workshop_id,
                terms,
                not_selected,
            } => {
                let offer = self.running.remove(workshop_id).flatten();
                assert_eq!(
                    offer.as_ref(),
                    Some(terms),
                    "other terms than those that stood"
                );
                assert!(self.running.keys().eq(sorted(not_selected).iter()));
                assert_eq!(self.agreed.replace(terms.clone()), None, "confirmed twice");
                self.running.clear();
            }
            OrderFact::StageMarkedComplete { stage, status, .. } => {
                assert_eq!(stage.get(), self.stages_done + 1, "stages run in order");
                if *status == MarkedStatus::Completed {
                    self.stages_done += 1;
                }
            }
            OrderFact::StageApproved { stage, .. } => {
                assert_eq!(stage.get(), self.stages_done + 1, "stages run in order");
                self.stages_done += 1;
            }
            OrderFact::OrderFinished { .. } => {
                let plan = self.agreed.as_ref().expect("terms were agreed");
                assert_eq!(self.stages_done as usize, plan.stages.as_slice().len());
                assert!(
                    !std::mem::replace(&mut self.finished, true),
                    "finished twice"
                );
            }
            OrderFact::OrderCompleted { .. } | OrderFact::OrderCancelled { .. } => {
                self.ended = true;
            }
            OrderFact::RequestEdited { .. }
            | OrderFact::AllResponsesReceived { .. }
            | OrderFact::AllInvitationsClosed {}
            | OrderFact::StageChangesRequested { .. }
            | OrderFact::CancellationDisputed { .. }
            | OrderFact::DisputeResolved { .. } => {}
        }
    }

    fn has_pending(&self) -> bool {
        self.running.values().any(Option::is_none)
    }

    /// A round that a command leaves without anybody pending is closed by exactly one fact, of the
    /// right kind; nothing else closes one, but for the withdrawal of the last offer after it.
    fn check_round(&self, was_open: bool, events: &[OrderEvent]) {
        let facts: Vec<_> = events.iter().map(|event| &event.fact).collect();
        let closing: Vec<_> = facts
            .iter()
            .filter(|fact| {
                matches!(
                    fact,
                    OrderFact::AllResponsesReceived { .. } | OrderFact::AllInvitationsClosed {}
                )
            })
            .collect();
        let answered = matches!(
            facts[0],
            OrderFact::OfferSubmitted { .. } | OrderFact::InvitationDeclined { .. }
        );
        let withdrawn = matches!(facts[0], OrderFact::OfferWithdrawn { .. });
        let expected = if answered && was_open && !self.has_pending() {
            if self.running.is_empty() {
                vec![OrderFact::AllInvitationsClosed {}]
            } else {
                let standing = closing.first().map_or(&[][..], |fact| standing(fact));
                assert!(self.running.keys().eq(sorted(standing).iter()));
                let standing = standing.to_vec();
                vec![OrderFact::AllResponsesReceived { standing }]
            }
        } else if withdrawn && self.running.is_empty() {
            vec![OrderFact::AllInvitationsClosed {}]
        } else {
            vec![]
        };
        assert!(
            closing.into_iter().copied().eq(expected.iter()),
            "{facts:?}"
        );
    }
}

fn standing(fact: &OrderFact) -> &[WorkshopId] {
    if let OrderFact::AllResponsesReceived { standing } = fact {
        standing
    } else {
        &[]
    }
}

fn sorted(workshops: &[WorkshopId]) -> Vec<WorkshopId> {
    let mut workshops = workshops.to_vec();
    workshops.sort();
    workshops
}
