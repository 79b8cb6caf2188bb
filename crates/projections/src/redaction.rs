//! Who may see what of an order. Whatever leaves this crate about an order passes through here.
//!
//! Commissioners see their own orders, operators and analysts all, whole. A workshop sees an order
//! that it was ever invited to as if it were the only one invited: of seats, its own; of the work,
//! everything if it is the confirmed one, nothing if not.

use kernel::{Actor, CommissionerId, Role, WorkshopId};
use order_domain::order::{OrderEvent, OrderFact};
use serde_json::{Map, Value};

use crate::orders::{OrderDetail, OrderItem, RecordedEvent, TimelineEntry, summary};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Sees the orders that it placed.
    Commissioner(CommissionerId),
    /// Sees the orders that it was ever invited to, its own side of them.
    Workshop(WorkshopId),
    /// An operator or an analyst: sees everything.
    Marketplace,
}

impl From<Actor> for Viewer {
    fn from(actor: Actor) -> Self {
        match actor.role {
            Role::Commissioner => Self::Commissioner(CommissionerId::from_uuid(actor.id)),
            Role::Workshop => Self::Workshop(WorkshopId::from_uuid(actor.id)),
            Role::Operator | Role::Analyst => Self::Marketplace,
        }
    }
}

/// What a viewer sees of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everything.
    Whole,
    /// Its own seat, and the work.
    Confirmed(WorkshopId),
    /// Its own seat.
    Invited(WorkshopId),
}

impl Viewer {
    /// What the viewer sees of an order; none if it may not know of it.
    pub(crate) fn sight(
        self,
        commissioner_id: CommissionerId,
        confirmed: Option<WorkshopId>,
        has_seat: impl FnOnce(WorkshopId) -> bool,
    ) -> Option<Sight> {
        match self {
            Self::Marketplace => Some(Sight::Whole),
            Self::Commissioner(id) => (id == commissioner_id).then_some(Sight::Whole),
            Self::Workshop(id) if confirmed == Some(id) => Some(Sight::Confirmed(id)),
            Self::Workshop(id) => has_seat(id).then_some(Sight::Invited(id)),
        }
    }
}

/// A whole order, cut to its viewer; none for who is no party to it.
#[must_use]
pub fn redact_detail(viewer: Viewer, order: OrderDetail) -> Option<OrderDetail> {
    let sight = viewer.sight(order.commissioner_id, order.workshop_id, |id| {
        order.invitations.iter().any(|seat| seat.workshop_id == id)
    })?;
    Some(cut_detail(sight, order))
}

/// A whole order, cut to what is seen of it.
pub(crate) fn cut_detail(sight: Sight, mut order: OrderDetail) -> OrderDetail {
    match sight {
        Sight::Whole => {}
        Sight::Confirmed(workshop_id) => {
            order
                .invitations
                .retain(|seat| seat.workshop_id == workshop_id);
        }
        Sight::Invited(workshop_id) => {
            order
                .invitations
                .retain(|seat| seat.workshop_id == workshop_id);
            order.workshop_id = None;
            order.terms = None;
            order.stages.clear();
            order.current_stage = None;
            order.dispute = None;
        }
    }
    order
}

/// An order of a list, cut to its viewer. A workshop's list holds only orders that it has a seat
/// at; the item itself does not tell.
pub(crate) fn redact_item(viewer: Viewer, mut order: OrderItem) -> Option<OrderItem> {
    match viewer.sight(order.commissioner_id, order.workshop_id, |_| true)? {
        Sight::Whole | Sight::Confirmed(_) => {}
        Sight::Invited(_) => {
            order.workshop_id = None;
            order.current_stage = None;
            order.dispute = None;
        }
    }
    Some(order)
}

/// A fact as a viewer is told it; none if it is not.
pub(crate) fn redact_event(sight: Sight, recorded: &RecordedEvent) -> Option<TimelineEntry> {
    let told = match sight {
        Sight::Whole => Told::Whole(recorded.event.fact.clone()),
        Sight::Confirmed(workshop_id) | Sight::Invited(workshop_id) => {
            let acted = [Some(recorded.actor), recorded.on_behalf_of];
            if acted
                .into_iter()
                .flatten()
                .any(|actor| is_rival(actor, workshop_id))
            {
                return None;
            }
            let confirmed = matches!(sight, Sight::Confirmed(_));
            tell_workshop(&recorded.event.fact, workshop_id, confirmed)?
        }
    };
    let (fact, withheld) = match told {
        Told::Whole(fact) => (fact, false),
        Told::Outcome(fact) => (fact, true),
    };
    let event = OrderEvent {
        fact,
        ..recorded.event.clone()
    };
    let (name, mut data) = public(&event);
    if withheld {
        for key in ["workshopId", "terms", "reason", "note"] {
            if let Some(value) = data.get_mut(key) {
                *value = Value::Null;
            }
        }
    }
    Some(TimelineEntry {
        version: recorded.version.get(),
        event: name.to_owned(),
        occurred_at: event.occurred_at,
        actor: recorded.actor.into(),
        on_behalf_of: recorded.on_behalf_of.map(Into::into),
        summary: summary::of(&event.fact, withheld),
        data,
    })
}

/// The name and the payload by which the public knows a fact.
fn public(event: &OrderEvent) -> (&'static str, Map<String, Value>) {
    let payload = publishing::order::publish(event);
    #[expect(
        clippy::expect_used,
        reason = "a public event is a struct of texts, numbers and lists: a JSON object"
    )]
    let data = serde_json::to_value(&payload)
        .and_then(serde_json::from_value)
        .expect("a public event is a JSON object");
    (payload.fact.name(), data)
}

fn is_rival(actor: Actor, workshop_id: WorkshopId) -> bool {
    actor.role == Role::Workshop && actor.id != workshop_id.as_uuid()
}

/// How much a workshop is told of a fact.
enum Told {
    /// All of it.
    Whole(OrderFact),
    /// That it happened, but not with whom, on which terms and why.
    Outcome(OrderFact),
}

fn tell_workshop(fact: &OrderFact, viewer: WorkshopId, confirmed: bool) -> Option<Told> {
    let only_viewer = |workshops: &[WorkshopId]| -> Vec<WorkshopId> {
        workshops
            .iter()
            .copied()
            .filter(|id| *id == viewer)
            .collect()
    };
    let outcome = |fact: OrderFact| {
        if confirmed {
            Told::Whole(fact)
        } else {
            Told::Outcome(fact)
        }
    };
    match fact {
        OrderFact::OrderPlaced { request, workshops } => {
            Some(Told::Whole(OrderFact::OrderPlaced {
                request: request.clone(),
                workshops: only_viewer(workshops),
            }))
        }
        OrderFact::RequestEdited { .. } => Some(Told::Whole(fact.clone())),
        OrderFact::WorkshopsInvited { workshops } => workshops.contains(&viewer).then(|| {
            Told::Whole(OrderFact::WorkshopsInvited {
                workshops: vec![viewer],
            })
        }),
        OrderFact::OfferSubmitted { workshop_id, .. }
        | OrderFact::OfferRevised { workshop_id, .. }
        | OrderFact::OfferWithdrawn { workshop_id, .. }
        | OrderFact::InvitationDeclined { workshop_id, .. } => {
            (*workshop_id == viewer).then(|| Told::Whole(fact.clone()))
        }
        OrderFact::AllResponsesReceived { .. } | OrderFact::AllInvitationsClosed {} => None,
        OrderFact::OfferConfirmed {
            workshop_id,
            terms,
            not_selected,
        } => Some(outcome(OrderFact::OfferConfirmed {
            workshop_id: *workshop_id,
            terms: terms.clone(),
            not_selected: only_viewer(not_selected),
        })),
        OrderFact::StageMarkedComplete { .. }
        | OrderFact::StageApproved { .. }
        | OrderFact::StageChangesRequested { .. } => confirmed.then(|| Told::Whole(fact.clone())),
        OrderFact::OrderFinished { .. }
        | OrderFact::OrderCompleted { .. }
        | OrderFact::OrderCancelled { .. }
        | OrderFact::CancellationDisputed { .. }
        | OrderFact::DisputeResolved { .. } => Some(outcome(fact.clone())),
    }
}

#[cfg(test)]
mod tests;
