//! Why a command is refused. A refused command changes nothing.

mod detail;

use kernel::{Role, WorkshopId};

use super::{CommandName, InvitationStatus, Order, OrderState};
use crate::value::{Fault, OfferRevision, Outdated, StageNumber};

/// A command that was refused: which one, in which state of the order, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{command} is refused while the order is {}: {why}",
    state.map_or("notPlaced", OrderState::as_str)
)]
pub struct Rejection {
    /// The command.
    pub command: CommandName,
    /// The state that the order is in; none before it is placed.
    pub state: Option<OrderState>,
    /// Why.
    pub why: Refusal,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or nothing that the actor may know of.
    #[error("{0} does not exist")]
    NotFound(Missing),
    /// The actor may not give the command.
    #[error("it is not for this {role} to give")]
    Forbidden {
        /// The part that the actor plays.
        role: Role,
        /// Who may give it.
        by: &'static str,
    },
    /// The command's values are refused.
    #[error("it brings {} illegal values", faults.len())]
    Invalid {
        /// What is wrong, in the order of the body.
        faults: Vec<Fault>,
    },
    /// The state does not allow the command.
    #[error("this state does not allow it")]
    IllegalTransition,
    /// Workshops are named that cannot be invited; none is.
    #[error("{} of the named workshops cannot be invited", faults.len())]
    UnknownWorkshop {
        /// One entry for each of them.
        faults: Vec<Fault>,
    },
    /// Workshops are named that have a seat with an answer to come or an offer that stands; none is
    /// invited.
    #[error("{} of the named workshops are invited already", faults.len())]
    AlreadyInvited {
        /// One entry for each of them.
        faults: Vec<Fault>,
    },
    /// The command would leave everything as it is.
    #[error("it changes nothing")]
    NothingToChange,
    /// The workshop has answered, or is out.
    #[error("the invitation of workshop {workshop_id} is {status}, not pending")]
    InvitationNotOpen {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Where its seat stands.
        status: InvitationStatus,
    },
    /// The workshop has no offer that could be taken, revised or withdrawn.
    #[error("no offer of workshop {workshop_id} stands, its invitation is {status}")]
    OfferNotStanding {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Where its seat stands.
        status: InvitationStatus,
    },
    /// The offer answers another revision of the request than the current one, or its deadline has
    /// passed.
    #[error("the offer of workshop {workshop_id} is outdated: {}", reason.as_str())]
    OfferOutdated {
        /// The workshop.
        workshop_id: WorkshopId,
        /// In which way.
        reason: Outdated,
    },
    /// Another revision of the offer stands than the one named.
    #[error("the offer of workshop {workshop_id} stands at revision {current}")]
    OfferChanged {
        /// The workshop.
        workshop_id: WorkshopId,
        /// The revision that stands.
        current: OfferRevision,
    },
    /// Another stage is the current one.
    #[error("stage {stage} is not the current stage, {current} is")]
    NotCurrentStage {
        /// The stage that was named.
        stage: StageNumber,
        /// The current stage.
        current: StageNumber,
    },
    /// The current stage was marked already, and waits for the commissioner.
    #[error("stage {current} awaits approval")]
    StageAwaitingApproval {
        /// The current stage.
        current: StageNumber,
    },
    /// The current stage was not marked.
    #[error("stage {current} does not await approval")]
    StageNotAwaitingApproval {
        /// The current stage.
        current: StageNumber,
    },
    /// The offer of a seat, or the request, was put as often as it may be.
    #[error("revision {most} is the last")]
    RevisionLimit {
        /// The last revision that there may be.
        most: u32,
    },
    /// The order would take more room than it may.
    #[error("the order would be larger than {most} bytes")]
    OrderTooLarge {
        /// The most bytes that the order may have before such a command is refused.
        most: usize,
    },
}

/// What does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The order, for this actor.
    Order,
    /// A seat at the negotiation.
    Invitation(WorkshopId),
    /// A stage beyond the last.
    Stage(StageNumber),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Order => f.write_str("the order"),
            Self::Invitation(workshop_id) => {
                write!(f, "an invitation of workshop {workshop_id}")
            }
            Self::Stage(stage) => write!(f, "stage {stage}"),
        }
    }
}

/// The code of a refusal, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// There is no such thing, or nothing that the actor may know of.
    NotFound,
    /// The actor may not give the command.
    Forbidden,
    /// Values are refused.
    ValidationFailed,
    /// The state does not allow the command.
    IllegalTransition,
    /// Workshops are named that cannot be invited.
    UnknownWorkshop,
    /// Workshops are named that are invited already.
    AlreadyInvited,
    /// The command would leave everything as it is.
    NothingToChange,
    /// The workshop has answered, or is out.
    InvitationNotOpen,
    /// No offer stands.
    OfferNotStanding,
    /// The offer has to be revised first.
    OfferOutdated,
    /// Another revision of the offer stands.
    OfferChanged,
    /// Another stage is the current one.
    NotCurrentStage,
    /// The stage waits for the commissioner.
    StageAwaitingApproval,
    /// The stage does not wait for the commissioner.
    StageNotAwaitingApproval,
    /// There may be no further revision.
    RevisionLimit,
    /// The order may not grow by such a command any more.
    OrderTooLarge,
}

impl Code {
    /// The code used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::Forbidden => "FORBIDDEN",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::IllegalTransition => "ILLEGAL_TRANSITION",
            Self::UnknownWorkshop => "UNKNOWN_WORKSHOP",
            Self::AlreadyInvited => "ALREADY_INVITED",
            Self::NothingToChange => "NOTHING_TO_CHANGE",
            Self::InvitationNotOpen => "INVITATION_NOT_OPEN",
            Self::OfferNotStanding => "OFFER_NOT_STANDING",
            Self::OfferOutdated => "OFFER_OUTDATED",
            Self::OfferChanged => "OFFER_CHANGED",
            Self::NotCurrentStage => "NOT_CURRENT_STAGE",
            Self::StageAwaitingApproval => "STAGE_AWAITING_APPROVAL",
            Self::StageNotAwaitingApproval => "STAGE_NOT_AWAITING_APPROVAL",
            Self::RevisionLimit => "REVISION_LIMIT",
            Self::OrderTooLarge => "ORDER_TOO_LARGE",
        }
    }
}

impl Rejection {
    /// The code that clients see.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.why.code()
    }
}

impl Refusal {
    /// The refusal of this command on this order.
    pub(super) const fn of(self, command: CommandName, order: &Order) -> Rejection {
        Rejection {
            command,
            state: order.state(),
            why: self,
        }
    }

    /// The code that clients see.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::NotFound,
            Self::Forbidden { .. } => Code::Forbidden,
            Self::Invalid { .. } => Code::ValidationFailed,
            Self::IllegalTransition => Code::IllegalTransition,
            Self::UnknownWorkshop { .. } => Code::UnknownWorkshop,
            Self::AlreadyInvited { .. } => Code::AlreadyInvited,
            Self::NothingToChange => Code::NothingToChange,
            Self::InvitationNotOpen { .. } => Code::InvitationNotOpen,
            Self::OfferNotStanding { .. } => Code::OfferNotStanding,
            Self::OfferOutdated { .. } => Code::OfferOutdated,
            Self::OfferChanged { .. } => Code::OfferChanged,
            Self::NotCurrentStage { .. } => Code::NotCurrentStage,
            Self::StageAwaitingApproval { .. } => Code::StageAwaitingApproval,
            Self::StageNotAwaitingApproval { .. } => Code::StageNotAwaitingApproval,
            Self::RevisionLimit { .. } => Code::RevisionLimit,
            Self::OrderTooLarge { .. } => Code::OrderTooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::scenario::*;

    #[test]
    fn a_rejection_says_in_one_line_what_was_refused_where_and_why() {
        let rejection = given(alder_offered()).when(COMMISSIONER, confirm(BIRCH));
        assert_eq!(
            rejection.outcome.unwrap_err().to_string(),
            format!(
                "ConfirmOffer is refused while the order is negotiating: no offer of workshop \
                 {BIRCH} stands, its invitation is pending"
            )
        );
        let rejection = given([]).when(COMMISSIONER, confirm(BIRCH));
        assert_eq!(
            rejection.outcome.unwrap_err().to_string(),
            "ConfirmOffer is refused while the order is notPlaced: the order does not exist"
        );
        let missing = Refusal::NotFound(Missing::Invitation(ALDER));
        assert_eq!(
            missing.to_string(),
            format!("an invitation of workshop {ALDER} does not exist")
        );
        let missing = Refusal::NotFound(Missing::Stage(stage(3)));
        assert_eq!(missing.to_string(), "stage 3 does not exist");
    }
}
