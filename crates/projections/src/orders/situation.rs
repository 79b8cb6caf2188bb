//! Where an order stands for one viewer: whom it waits for, what time alone will bring, and what the
//! viewer could do now.

use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::{Actor, OrderId, Role};
use order_domain::order::{Context, Intent, Order, Task, Wait, Whom, intents, possible};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::status::{OrderState, PassingName, RoleName, TaskName, Turn};
use crate::redaction::{Sight, waits_seen};

/// Where an order stands, for its viewer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Situation {
    /// The order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// The order's number of events.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Where the order stands.
    pub state: OrderState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whose turn it is.
    pub turn: Turn,
    /// Who has to act before the order goes on, as far as the viewer may know it.
    pub waits_for: Vec<WaitView>,
    /// The same in a sentence.
    pub sentence: String,
    /// What will follow if nobody acts, the next first.
    pub by_time: Vec<PassingView>,
    /// Every command that the viewer could give, now or in another state of the order.
    pub commands: Vec<CommandView>,
    /// What holds the order up on our side.
    pub house: HouseView,
}

/// Somebody who has to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitView {
    /// The part that they play.
    pub role: RoleName,
    /// Who it is; null where any operator may act.
    #[schema(required)]
    pub id: Option<Uuid>,
    /// What they have to do.
    pub what: TaskName,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// What will follow by time alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PassingView {
    /// What.
    pub what: PassingName,
    /// When.
    pub at: DateTime<Utc>,
}

/// A command, and whether it would be taken if it came now with legal words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommandView {
    /// Its name.
    #[schema(example = "ConfirmOffer")]
    pub command: &'static str,
    /// The method that gives it.
    #[schema(example = "POST")]
    pub method: &'static str,
    /// The path at the command API.
    pub path: String,
    /// Whether it would be taken, if what it says is legal: values in range, something that
    /// changes, workshops that take commissions.
    pub allowed: bool,
    /// The code with which it would be refused; null if it would be taken.
    #[schema(required, example = "OFFER_NOT_STANDING")]
    pub code: Option<&'static str>,
    /// Why it would be refused, and what to do; null if it would be taken.
    #[schema(required)]
    pub detail: Option<String>,
}

/// What holds an order up on our side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HouseView {
    /// Whether something that follows the events waits at one of this order that it could not take.
    pub parked: bool,
    /// The age in seconds of the oldest event that the answer may lack.
    pub lag_seconds: f64,
}

/// Who asks, when, and what is known beside the order.
pub(super) struct Asked {
    pub(super) actor: Actor,
    pub(super) now: DateTime<Utc>,
    /// How much room the order's events take.
    pub(super) stored_bytes: usize,
    pub(super) house: HouseView,
}

impl Situation {
    /// The situation of `order` after `version` events; none before it is placed.
    pub(super) fn of(order: &Order, version: Version, sight: Sight, asked: &Asked) -> Option<Self> {
        let (placement, state) = (order.placement()?, order.state()?);
        let waits = waits_seen(sight, order);
        Some(Self {
            order_id: placement.order_id(),
            version: version.get(),
            state: state.into(),
            since: placement.state_since(),
            turn: turn(&waits, asked.actor),
            sentence: sentence(order, &waits, asked.actor),
            waits_for: waits.iter().map(wait).collect(),
            by_time: by_time(order, sight, asked.now),
            commands: commands(order, placement.order_id(), asked),
            house: asked.house,
        })
    }
}

fn turn(waits: &[Wait], actor: Actor) -> Turn {
    if waits.is_empty() {
        Turn::Nobody
    } else if waits.iter().any(|wait| wait.is_for(actor)) {
        Turn::Yours
    } else if waits.iter().any(|wait| wait.role() == Role::Operator) {
        Turn::Operator
    } else {
        Turn::Theirs
    }
}

fn wait(wait: &Wait) -> WaitView {
    WaitView {
        role: wait.role().into(),
        id: match wait.whom {
            Whom::Party(party) => Some(party.id),
            Whom::AnyOperator => None,
        },
        what: wait.task.into(),
        since: wait.since,
    }
}

/// The deadlines of offers that stand for the request as it is: from then on they are outdated.
fn by_time(order: &Order, sight: Sight, now: DateTime<Utc>) -> Vec<PassingView> {
    let Some(placement) = order.placement() else {
        return vec![];
    };
    let seen = placement.invitations().iter().filter(|seat| match sight {
        Sight::Whole => true,
        Sight::Confirmed(id) | Sight::Invited(id) => seat.workshop_id() == id,
    });
    let standing = seen.filter_map(|seat| seat.standing_offer());
    let mut passing: Vec<_> = standing
        .filter(|offer| offer.outdated(placement.request().revision, now).is_none())
        .map(|offer| PassingView {
            what: PassingName::OfferOutdated,
            at: offer.deadline.instant(),
        })
        .collect();
    passing.sort_by_key(|passing| passing.at);
    passing
}

fn commands(order: &Order, order_id: OrderId, asked: &Asked) -> Vec<CommandView> {
    let context = Context::new(asked.actor, asked.now).with_stored_bytes(asked.stored_bytes);
    let command = |intent: Intent| {
        let refused = possible(order, intent, &context).err();
        let (method, path) = address(order_id, intent);
        CommandView {
            command: intent.command().as_str(),
            method,
            path,
            allowed: refused.is_none(),
            code: refused.as_ref().map(|it| it.code().as_str()),
            detail: refused.as_ref().map(|it| it.detail()),
        }
    };
    let intents = intents(order, asked.actor);
    intents.into_iter().map(command).collect()
}

/// Where the command API takes a command of this intent.
fn address(order_id: OrderId, intent: Intent) -> (&'static str, String) {
    let (method, rest) = match intent {
        Intent::EditRequest => ("PATCH", "request".to_owned()),
        Intent::InviteWorkshops => ("POST", "invitations".to_owned()),
        Intent::SubmitOffer(id) | Intent::ReviseOffer(id) => ("PUT", format!("offers/{id}")),
        Intent::WithdrawOffer(id) => ("POST", format!("offers/{id}/withdraw")),
        Intent::DeclineInvitation(id) => ("POST", format!("invitations/{id}/decline")),
        Intent::ConfirmOffer(id) => ("POST", format!("offers/{id}/confirm")),
        Intent::CompleteStage(stage) => ("POST", format!("stages/{stage}/complete")),
        Intent::ApproveStage(stage) => ("POST", format!("stages/{stage}/approve")),
        Intent::RequestStageChanges(stage) => ("POST", format!("stages/{stage}/request-changes")),
        Intent::AcceptWork => ("POST", "accept".to_owned()),
        Intent::CancelOrder => ("POST", "cancel".to_owned()),
        Intent::ResolveDispute => ("POST", "dispute/resolve".to_owned()),
    };
    (method, format!("/v1/orders/{order_id}/{rest}"))
}

/// Whom the order waits for, and for what, in one sentence.
fn sentence(order: &Order, waits: &[Wait], actor: Actor) -> String {
    let mut clauses: Vec<String> = Vec::new();
    let mut rest = waits;
    while let Some((first, _)) = rest.split_first() {
        // Waits for the same thing stand together.
        let alike = |wait: &&Wait| wait.task == first.task && !wait.is_for(actor);
        let alike = if first.is_for(actor) {
            1
        } else {
            rest.iter().take_while(alike).count().max(1)
        };
        clauses.push(format!(
            "for {} to {}",
            whom(first, alike, actor),
            task(order, first.task)
        ));
        rest = rest.get(alike..).unwrap_or_default();
    }
    if clauses.is_empty() {
        return match order {
            Order::Completed { .. } => "The order is completed.",
            Order::Cancelled { .. } => "The order is cancelled.",
            Order::NotPlaced
            | Order::Negotiating { .. }
            | Order::InProgress { .. }
            | Order::Finished { .. }
            | Order::Disputed { .. } => "There is nothing that the order waits for here.",
        }
        .to_owned();
    }
    format!("The order waits {}.", clauses.join(", and "))
}

fn whom(wait: &Wait, alike: usize, actor: Actor) -> String {
    match wait.role() {
        _ if wait.is_for(actor) => "you".to_owned(),
        Role::Commissioner => "the commissioner".to_owned(),
        Role::Workshop if alike > 1 => format!("{alike} workshops"),
        Role::Workshop => "the workshop".to_owned(),
        Role::Operator | Role::Analyst => "an operator".to_owned(),
    }
}

fn task(order: &Order, task: Task) -> String {
    let stage = || {
        let number = order.current_stage();
        number.map_or("the stage".to_owned(), |number| format!("stage {number}"))
    };
    match task {
        Task::AnswerInvitation => "answer the invitation".to_owned(),
        Task::ReviseOffer => "revise or withdraw an offer for an older request".to_owned(),
        Task::ChooseOffer => "choose an offer".to_owned(),
        Task::InviteWorkshops => "invite workshops, or to cancel".to_owned(),
        Task::CompleteStage => format!("complete {}", stage()),
        Task::ApproveStage => format!("approve {}, or to ask for changes", stage()),
        Task::AcceptWork => "accept the work".to_owned(),
        Task::ResolveDispute => "resolve the dispute".to_owned(),
    }
}
