//! What a refusal tells people: what is wrong this time, and what to do.

use super::{Missing, Refusal, Rejection};
use crate::order::{CommandName, OrderState};
use crate::value::Outdated;

impl Rejection {
    /// What is wrong, and what to do, in plain English.
    #[must_use]
    pub fn detail(&self) -> String {
        let command = self.command;
        match &self.why {
            Refusal::NotFound(Missing::Order) => {
                "there is no such order, or you are no party to it".to_owned()
            }
            Refusal::NotFound(Missing::Invitation(workshop_id)) => {
                format!("workshop {workshop_id} was never invited to this order")
            }
            Refusal::NotFound(Missing::Stage(stage)) => format!("this order has no stage {stage}"),
            Refusal::Forbidden { role, by } => {
                format!("{command} is not for this {role} to give: it is for {by}")
            }
            Refusal::Invalid { .. } => {
                "some values are not allowed; errors lists each of them".to_owned()
            }
            Refusal::IllegalTransition => illegal(command, self.state),
            Refusal::UnknownWorkshop { .. } => "some of the workshops cannot be invited, so none \
                                                was; errors lists each of them"
                .to_owned(),
            Refusal::AlreadyInvited { .. } => "some of the workshops are invited already, so none \
                                               was invited; errors lists each of them"
                .to_owned(),
            Refusal::NothingToChange => {
                format!("{command} would leave everything as it is: what was sent stands already")
            }
            Refusal::InvitationNotOpen {
                workshop_id,
                status,
            } => format!(
                "the invitation of workshop {workshop_id} is {status}; only a pending one can be \
                 answered"
            ),
            Refusal::OfferNotStanding {
                workshop_id,
                status,
            } => format!(
                "workshop {workshop_id} has no offer that stands: its invitation is {status}"
            ),
            Refusal::OfferOutdated { reason, .. } => outdated(*reason).to_owned(),
            Refusal::OfferChanged {
                workshop_id,
                current,
            } => format!(
                "the offer of workshop {workshop_id} stands at revision {current}, not at the one \
                 that you name; read it before you confirm it"
            ),
            Refusal::NotCurrentStage { stage, current } => format!(
                "stages run in order: stage {current} is the current one, not stage {stage}"
            ),
            Refusal::StageAwaitingApproval { current } => format!(
                "stage {current} is marked complete already; its commissioner has to approve"
            ),
            Refusal::StageNotAwaitingApproval { current } => {
                format!("stage {current} is not marked complete yet; its workshop has to do that")
            }
            Refusal::RevisionLimit { most } => {
                format!("revision {most} is the last: go on with what stands")
            }
            Refusal::OrderTooLarge { most } => format!(
                "the order would take more than {} MiB: it takes no more of this, but it can be \
                 brought to its end",
                most >> 20
            ),
        }
    }
}

fn illegal(command: CommandName, state: Option<OrderState>) -> String {
    let is = state.map_or("notPlaced", OrderState::as_str);
    let states = command.states().iter().map(|state| state.as_str());
    let states: Vec<_> = states.collect();
    let when = match states.split_last() {
        None => return format!("{command} is not allowed while the order is {is}"),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    };
    format!("{command} is not allowed while the order is {is}, only while it is {when}")
}

const fn outdated(reason: Outdated) -> &'static str {
    match reason {
        Outdated::RequestRevised => {
            "the offer is not for the current revision of the request; the workshop has to read \
             the request and answer that revision"
        }
        Outdated::DeadlinePassed => {
            "the offer's own deadline has passed; the workshop has to revise it first"
        }
    }
}
