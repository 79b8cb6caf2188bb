//! Who may know of an order, and who may give which command on it: the checks that come before
//! the order's version and state are looked at.

use kernel::{Actor, CommissionerId, Role, WorkshopId};

use super::{Context, Intent, Missing, Order, OrderCommand, Refusal, Rejection};
use crate::value::StageNumber;

/// The party whose command it is, by the rules.
#[derive(Clone, Copy)]
enum Party {
    /// The commissioner who places the order; there is none before.
    Placing(CommissionerId),
    /// The order's commissioner.
    Commissioner,
    /// The named workshop, which was invited.
    Invited(WorkshopId),
    /// The workshop whose offer was confirmed.
    Confirmed,
    /// The order's commissioner, or the workshop whose offer was confirmed.
    EitherSide,
    /// Those who run the marketplace, in nobody's place.
    Operators,
}

/// What the rules say of a command: whose it is, and what it names that has to be there.
struct Row {
    by: Party,
    seat: Option<WorkshopId>,
    stage: Option<StageNumber>,
}

/// Decides whether the actor may give the command at all. In this order: a passed deadline, an
/// order or a part of it that is not there for the actor, a command that is not the actor's.
///
/// Comes before the comparison with `If-Match`; [`super::decide`] repeats it.
///
/// # Errors
/// [`Refusal::Invalid`], [`Refusal::NotFound`] or [`Refusal::Forbidden`].
pub fn admit(order: &Order, command: &OrderCommand, context: &Context) -> Result<(), Rejection> {
    check(order, command, context).map_err(|why| why.of(command.name(), order))
}

pub(super) fn check(
    order: &Order,
    command: &OrderCommand,
    context: &Context,
) -> Result<(), Refusal> {
    if let Some(fault) = command.passed_deadline(order.instant(context.now)) {
        return Err(Refusal::Invalid {
            faults: vec![fault],
        });
    }
    Row::of(command).check(order, context.actor)
}

/// The same of a command of which only the intent is known.
pub(super) fn check_intent(order: &Order, intent: Intent, actor: Actor) -> Result<(), Refusal> {
    Row::of_intent(intent).check(order, actor)
}

/// Whether a command of this intent is ever for this role to give on an order.
pub(super) fn is_for(intent: Intent, role: Role) -> bool {
    match (Row::of_intent(intent).by, role) {
        (_, Role::Operator) => true,
        (_, Role::Analyst) => false,
        (Party::Placing(_) | Party::Commissioner | Party::EitherSide, Role::Commissioner)
        | (Party::Invited(_) | Party::Confirmed | Party::EitherSide, Role::Workshop) => true,
        (Party::Invited(_) | Party::Confirmed | Party::Operators, Role::Commissioner)
        | (Party::Placing(_) | Party::Commissioner | Party::Operators, Role::Workshop) => false,
    }
}

impl Party {
    /// Who that is, for people.
    const fn words(self) -> &'static str {
        match self {
            Self::Placing(_) => "the commissioner who places the order",
            Self::Commissioner => "its commissioner, or an operator in their place",
            Self::Invited(_) => "the workshop that the path names, or an operator in its place",
            Self::Confirmed => "its confirmed workshop, or an operator in its place",
            Self::EitherSide => {
                "its commissioner, its confirmed workshop, or an operator in the commissioner's \
                 place"
            }
            Self::Operators => "an operator",
        }
    }
}
/// In whose place an operator acts; none if the actor is no operator, or if the command is nobody
/// else's.
#[must_use]
pub fn on_behalf_of(order: &Order, command: &OrderCommand, actor: Actor) -> Option<Actor> {
    if actor.role != Role::Operator {
        return None;
    }
    match Row::of(command).by {
        Party::Placing(_) | Party::Operators => None,
        Party::Commissioner | Party::EitherSide => order.commissioner(),
        Party::Invited(workshop_id) => Some(workshop(workshop_id)),
        Party::Confirmed => order.confirmed_workshop(),
    }
}

impl Row {
    fn of(command: &OrderCommand) -> Self {
        match command.intent() {
            Ok(intent) => Self::of_intent(intent),
            Err(place) => Self {
                by: Party::Placing(place.commissioner_id),
                seat: None,
                stage: None,
            },
        }
    }

    const fn of_intent(intent: Intent) -> Self {
        let (by, seat, stage) = match intent {
            Intent::EditRequest | Intent::InviteWorkshops | Intent::AcceptWork => {
                (Party::Commissioner, None, None)
            }
            Intent::SubmitOffer(id)
            | Intent::ReviseOffer(id)
            | Intent::WithdrawOffer(id)
            | Intent::DeclineInvitation(id) => (Party::Invited(id), Some(id), None),
            Intent::ConfirmOffer(id) => (Party::Commissioner, Some(id), None),
            Intent::CompleteStage(stage) => (Party::Confirmed, None, Some(stage)),
            Intent::ApproveStage(stage) | Intent::RequestStageChanges(stage) => {
                (Party::Commissioner, None, Some(stage))
            }
            Intent::CancelOrder => (Party::EitherSide, None, None),
            Intent::ResolveDispute => (Party::Operators, None, None),
        };
        Self { by, seat, stage }
    }

    /// An order or a part of it that is not there for the actor comes before a command that is not
    /// the actor's.
    fn check(&self, order: &Order, actor: Actor) -> Result<(), Refusal> {
        let forbidden = Refusal::Forbidden {
            role: actor.role,
            by: self.by.words(),
        };
        if !matches!(self.by, Party::Placing(_)) {
            if !order.is_known_to(actor) {
                return Err(Refusal::NotFound(Missing::Order));
            }
            // A workshop learns nothing of rivals: what it may not ask about is refused before
            // anybody looks whether it is there.
            if actor.role == Role::Workshop && !self.is_within_reach_of(actor, order) {
                return Err(forbidden);
            }
            self.names_what_exists(order)?;
        }
        if self.belongs_to(actor, order) {
            Ok(())
        } else {
            Err(forbidden)
        }
    }

    /// Whether a workshop may ask about what the command names: its own seat, and the stages of
    /// work that is not another's.
    fn is_within_reach_of(&self, actor: Actor, order: &Order) -> bool {
        let confirmed = order.confirmed_workshop();
        self.seat.is_none_or(|seat| workshop(seat) == actor)
            && (self.stage.is_none() || confirmed.is_none_or(|confirmed| confirmed == actor))
    }

    /// The seat and the stage that the command names are there. Before an offer is confirmed there
    /// is no last stage to be beyond of, and it is the state that refuses the command.
    fn names_what_exists(&self, order: &Order) -> Result<(), Refusal> {
        if let Some(workshop_id) = self.seat
            && order.invitation(workshop_id).is_none()
        {
            return Err(Refusal::NotFound(Missing::Invitation(workshop_id)));
        }
        if let Some((stage, terms)) = self.stage.zip(order.terms())
            && terms.stages.get(stage).is_none()
        {
            return Err(Refusal::NotFound(Missing::Stage(stage)));
        }
        Ok(())
    }

    fn belongs_to(&self, actor: Actor, order: &Order) -> bool {
        let is_commissioner = || order.commissioner() == Some(actor);
        let is_confirmed = || order.confirmed_workshop() == Some(actor);
        match (self.by, actor.role) {
            (Party::Placing(id), _) => commissioner(id) == actor,
            (_, Role::Operator) => true,
            (_, Role::Analyst) => false,
            (Party::Commissioner, Role::Commissioner | Role::Workshop) => is_commissioner(),
            (Party::Invited(id), Role::Commissioner | Role::Workshop) => workshop(id) == actor,
            // While nobody is confirmed, it is the state that refuses a workshop's command.
            (Party::Confirmed, Role::Workshop) => order.work().is_none() || is_confirmed(),
            (Party::Confirmed, Role::Commissioner) => false,
            (Party::EitherSide, Role::Commissioner | Role::Workshop) => {
                is_commissioner() || is_confirmed()
            }
            (Party::Operators, Role::Commissioner | Role::Workshop) => false,
        }
    }
}

impl Order {
    /// Whether `actor` may know of the order: its commissioner, a workshop that was ever invited,
    /// and those who run or watch the marketplace.
    #[must_use]
    pub fn is_known_to(&self, actor: Actor) -> bool {
        match actor.role {
            Role::Commissioner => self.commissioner() == Some(actor),
            Role::Workshop => self.invitation(WorkshopId::from_uuid(actor.id)).is_some(),
            Role::Operator | Role::Analyst => self.placement().is_some(),
        }
    }

    pub(super) fn commissioner(&self) -> Option<Actor> {
        self.placement()
            .map(|placement| commissioner(placement.commissioner_id()))
    }

    pub(super) fn confirmed_workshop(&self) -> Option<Actor> {
        self.work().map(|work| workshop(work.workshop_id()))
    }
}

const fn commissioner(id: CommissionerId) -> Actor {
    Actor::new(Role::Commissioner, id.as_uuid())
}

const fn workshop(id: WorkshopId) -> Actor {
    Actor::new(Role::Workshop, id.as_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Resolution;
    use crate::order::scenario::*;

    const NOT_FOUND: Refusal = Refusal::NotFound(Missing::Order);

    fn admitted(given: &Given, actor: Actor, command: &OrderCommand) -> Result<(), Refusal> {
        admit(&given.order, command, &Context::new(actor, minute(100))).map_err(|rejection| {
            assert_eq!(rejection.command, command.name());
            assert_eq!(rejection.state, given.order.state());
            rejection.why
        })
    }

    fn forbidden(actor: Actor, command: &OrderCommand) -> Result<(), Refusal> {
        Err(Refusal::Forbidden {
            role: actor.role,
            by: Row::of(command).by.words(),
        })
    }

    fn every_command() -> Vec<OrderCommand> {
        vec![
            retitle("Elm table"),
            invite(&[STRANGER]),
            submit(ALDER, &["Make"]),
            revise(ALDER, &["Make"]),
            withdraw(ALDER),
            decline(ALDER),
            confirm(ALDER),
            complete(1),
            approve(1),
            request_changes(1),
            OrderCommand::AcceptWork,
            cancel(),
            resolve(Resolution::Resume),
        ]
    }

    #[test]
    fn who_is_no_party_learns_nothing_of_the_order() {
        let order = given(alder_works(&["Make"]));
        // An id is a principal only together with its role.
        let same_id = Actor::new(Role::Workshop, COMMISSIONER.id);
        for actor in [OTHER_COMMISSIONER, by(STRANGER), same_id] {
            for command in every_command() {
                assert_eq!(admitted(&order, actor, &command), Err(NOT_FOUND));
            }
        }
    }

    #[test]
    fn an_order_that_was_never_placed_is_there_for_nobody() {
        for actor in [COMMISSIONER, by(ALDER), OPERATOR] {
            for command in every_command() {
                assert_eq!(admitted(&given([]), actor, &command), Err(NOT_FOUND));
            }
        }
    }

    #[test]
    fn each_side_gives_its_own_commands() {
        let order = given(alder_works(&["Make"]));
        for command in every_command() {
            let (commissioner, workshop) = match Row::of(&command).by {
                Party::Placing(_) | Party::Commissioner => (true, false),
                Party::Invited(_) | Party::Confirmed => (false, true),
                Party::EitherSide => (true, true),
                Party::Operators => (false, false),
            };
            for (actor, may) in [(COMMISSIONER, commissioner), (by(ALDER), workshop)] {
                let expected = if may {
                    Ok(())
                } else {
                    forbidden(actor, &command)
                };
                assert_eq!(admitted(&order, actor, &command), expected, "{command:?}");
            }
        }
    }

    #[test]
    fn an_operator_gives_any_command_in_its_partys_place() {
        let order = given(alder_works(&["Make"]));
        for command in every_command() {
            assert_eq!(admitted(&order, OPERATOR, &command), Ok(()));
            let party = match Row::of(&command).by {
                Party::Placing(_) | Party::Operators => None,
                Party::Commissioner | Party::EitherSide => Some(COMMISSIONER),
                Party::Invited(_) | Party::Confirmed => Some(by(ALDER)),
            };
            assert_eq!(
                party.is_none(),
                matches!(command, OrderCommand::ResolveDispute(_))
            );
            assert_eq!(on_behalf_of(&order.order, &command, OPERATOR), party);
            assert_eq!(on_behalf_of(&order.order, &command, COMMISSIONER), None);
        }
        let placing = place(&[ALDER]);
        assert_eq!(on_behalf_of(&order.order, &placing, OPERATOR), None);
    }

    #[test]
    fn an_analyst_gives_no_command() {
        let order = given(alder_works(&["Make"]));
        for command in every_command() {
            let refused = forbidden(ANALYST, &command);
            assert_eq!(admitted(&order, ANALYST, &command), refused);
        }
    }

    #[test]
    fn a_seat_that_was_never_given_is_not_there() {
        let order = given(alder_offered());
        for command in [
            submit(STRANGER, &["Make"]),
            decline(STRANGER),
            confirm(STRANGER),
        ] {
            for actor in [COMMISSIONER, OPERATOR] {
                assert_eq!(
                    admitted(&order, actor, &command),
                    Err(Refusal::NotFound(Missing::Invitation(STRANGER)))
                );
            }
        }
    }

    #[test]
    fn a_workshop_cannot_tell_which_others_are_invited() {
        let order = given(alder_offered());
        for other in [BIRCH, STRANGER] {
            for command in [submit(other, &["Make"]), decline(other), confirm(other)] {
                let refused = forbidden(by(ALDER), &command);
                assert_eq!(admitted(&order, by(ALDER), &command), refused);
            }
        }
    }

    #[test]
    fn a_stage_beyond_the_last_is_not_there() {
        let order = given(alder_works(&["Make"]));
        let missing = Err(Refusal::NotFound(Missing::Stage(stage(2))));
        for command in [complete(2), approve(2)] {
            for actor in [COMMISSIONER, by(ALDER), OPERATOR] {
                assert_eq!(admitted(&order, actor, &command), missing);
            }
        }
    }

    #[test]
    fn a_workshop_that_was_not_chosen_cannot_tell_how_many_stages_there_are() {
        let order = given(alder_works(&["Make"]));
        for command in [complete(1), complete(2), approve(1), approve(2), cancel()] {
            let refused = forbidden(by(BIRCH), &command);
            assert_eq!(admitted(&order, by(BIRCH), &command), refused);
        }
    }

    #[test]
    fn while_nobody_is_confirmed_it_is_the_state_that_refuses_a_stage() {
        let order = given(alder_offered());
        for actor in [by(ALDER), OPERATOR] {
            assert_eq!(admitted(&order, actor, &complete(3)), Ok(()));
        }
        assert_eq!(admitted(&order, COMMISSIONER, &approve(3)), Ok(()));
        assert_eq!(on_behalf_of(&order.order, &complete(1), OPERATOR), None);
    }
}
