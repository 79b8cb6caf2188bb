//! Who may see what of an order. Whatever leaves this crate about an order passes through here.
//!
//! Commissioners see their own orders, operators and analysts all, whole. A workshop sees an order
//! that it was ever invited to as if it were the only one invited: of seats, its own; of the work,
//! everything if it is the confirmed one, nothing if not.

use kernel::{Actor, CommissionerId, Role, WorkshopId};
use order_domain::order::{Order, Wait};
use serde_json::{Map, Value};

use crate::orders::{OrderDetail, OrderItem, Recorded, TimelineEntry, summary};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Sees the orders that it placed.
    Commissioner(CommissionerId),
    /// Sees the orders that it was ever invited to, its own side of them.
    Workshop(WorkshopId),
    /// Sees everything, and decides disputes.
    Operator,
    /// Sees everything, and does nothing: nothing ever waits for it.
    Analyst,
}

impl From<Actor> for Viewer {
    fn from(actor: Actor) -> Self {
        match actor.role {
            Role::Commissioner => Self::Commissioner(CommissionerId::from_uuid(actor.id)),
            Role::Workshop => Self::Workshop(WorkshopId::from_uuid(actor.id)),
            Role::Operator => Self::Operator,
            Role::Analyst => Self::Analyst,
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
    /// The workshop that looks, if one does.
    pub(crate) const fn workshop(self) -> Option<WorkshopId> {
        match self {
            Self::Workshop(id) => Some(id),
            Self::Commissioner(_) | Self::Operator | Self::Analyst => None,
        }
    }

    /// The commissioner who looks, if one does.
    pub(crate) const fn commissioner(self) -> Option<CommissionerId> {
        match self {
            Self::Commissioner(id) => Some(id),
            Self::Workshop(_) | Self::Operator | Self::Analyst => None,
        }
    }

    /// Whether every order is shown, whoever its parties are.
    pub(crate) const fn sees_all(self) -> bool {
        match self {
            Self::Operator | Self::Analyst => true,
            Self::Commissioner(_) | Self::Workshop(_) => false,
        }
    }

    /// What the viewer sees of an order; none if it may not know of it.
    pub(crate) fn sight(
        self,
        commissioner_id: CommissionerId,
        confirmed: Option<WorkshopId>,
        has_seat: impl FnOnce(WorkshopId) -> bool,
    ) -> Option<Sight> {
        match self {
            Self::Operator | Self::Analyst => Some(Sight::Whole),
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

/// Whom an order waits for, as far as it is seen. A workshop is told as if it were the only one
/// invited; of work that is another's, nothing.
pub(crate) fn waits_seen(sight: Sight, order: &Order) -> Vec<Wait> {
    match sight {
        Sight::Whole => order.waits_for(),
        Sight::Confirmed(workshop_id) => order.as_if_alone(workshop_id).waits_for(),
        Sight::Invited(workshop_id) if order.work().is_none() => {
            order.as_if_alone(workshop_id).waits_for()
        }
        Sight::Invited(_) => vec![],
    }
}

/// How much of an event a workshop is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Everyone with a seat, all of it.
    All,
    /// Everyone with a seat; the list of workshops at this key is cut to the viewer.
    Cut(&'static str),
    /// The workshops in the list at this key, and of it each itself.
    Listed(&'static str),
    /// The workshop that it is about.
    Own,
    /// The confirmed workshop.
    Work,
    /// Everyone with a seat, but who is not confirmed without whom, on which terms and why.
    Outcome,
    /// No workshop.
    None,
}

/// Who is told what, by the event's public name. An event that is not named here is told to no
/// workshop.
const RULES: [(&str, Rule); 18] = [
    ("OrderPlaced", Rule::Cut("workshops")),
    ("RequestEdited", Rule::All),
    ("WorkshopsInvited", Rule::Listed("workshops")),
    ("OfferSubmitted", Rule::Own),
    ("OfferRevised", Rule::Own),
    ("OfferWithdrawn", Rule::Own),
    ("InvitationDeclined", Rule::Own),
    ("AllResponsesReceived", Rule::None),
    ("AllInvitationsClosed", Rule::None),
    ("OfferConfirmed", Rule::Outcome),
    ("StageMarkedComplete", Rule::Work),
    ("StageApproved", Rule::Work),
    ("StageChangesRequested", Rule::Work),
    ("OrderFinished", Rule::Outcome),
    ("OrderCompleted", Rule::Outcome),
    ("OrderCancelled", Rule::Outcome),
    ("CancellationDisputed", Rule::Outcome),
    ("DisputeResolved", Rule::Outcome),
];

/// What an outcome does not tell those who were not chosen, wherever an event has it.
const WITHHELD: [&str; 4] = ["workshopId", "terms", "reason", "note"];
/// The list of rivals that an outcome names: each workshop sees itself in it.
const NOT_SELECTED: &str = "notSelected";

/// A fact as a viewer is told it; none if it is not.
pub(crate) fn redact_event(sight: Sight, mut fact: Recorded) -> Option<TimelineEntry> {
    match sight {
        Sight::Whole => {}
        Sight::Confirmed(viewer) => redact_data(&mut fact, viewer, true)?,
        Sight::Invited(viewer) => redact_data(&mut fact, viewer, false)?,
    }
    Some(TimelineEntry {
        version: fact.version.get(),
        summary: summary::of(&fact.event, &fact.data),
        event: fact.event,
        occurred_at: fact.occurred_at,
        actor: fact.actor.into(),
        on_behalf_of: fact.on_behalf_of.map(Into::into),
        data: fact.data,
    })
}

/// Cuts a fact to what a workshop with a seat is told; none if that is nothing.
fn redact_data(fact: &mut Recorded, viewer: WorkshopId, confirmed: bool) -> Option<()> {
    let acted = [Some(fact.actor), fact.on_behalf_of];
    if acted
        .into_iter()
        .flatten()
        .any(|actor| is_rival(actor, viewer))
    {
        return None;
    }
    let data = &mut fact.data;
    let own = viewer.as_uuid().to_string();
    let rules = RULES.iter().find(|(event, _)| *event == fact.event);
    match rules.map_or(Rule::None, |(_, rule)| *rule) {
        Rule::All => {}
        Rule::Cut(key) => cut(data, key, &own),
        Rule::Listed(key) => {
            cut(data, key, &own);
            data.get(key)?.as_array().filter(|list| !list.is_empty())?;
        }
        Rule::Own => {
            let about = data.get("workshopId").and_then(Value::as_str);
            about.filter(|id| *id == own)?;
        }
        Rule::Work => confirmed.then_some(())?,
        Rule::Outcome => {
            cut(data, NOT_SELECTED, &own);
            if !confirmed {
                let withheld = WITHHELD.iter();
                withheld.for_each(|key| drop(data.get_mut(*key).map(Value::take)));
            }
        }
        Rule::None => return None,
    }
    Some(())
}

/// Cuts a list of workshops to the one.
fn cut(data: &mut Map<String, Value>, key: &str, own: &str) {
    if let Some(Value::Array(list)) = data.get_mut(key) {
        list.retain(|id| id.as_str() == Some(own));
    }
}

fn is_rival(actor: Actor, workshop_id: WorkshopId) -> bool {
    actor.role == Role::Workshop && actor.id != workshop_id.as_uuid()
}

#[cfg(test)]
mod tests;
