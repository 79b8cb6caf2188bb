//! What every refusal looks like to a client: one match, from why a command has no answer to the
//! problem that says so.

use event_store::{ExecuteError, Outcome};
use http_edge::{Code, FieldError, Problem};
use order_domain::order::{Missing, OrderState, Refusal, Rejection};
use order_domain::value::{Fault, Outdated};
use order_domain::workshop;

use crate::decision::Refused;

/// The problem that values are, which need neither an order nor the clock to be refused.
pub(crate) fn invalid(faults: Vec<Fault>) -> Problem {
    Problem::invalid(field_errors(faults))
}

/// The problem that a failed command is.
pub(crate) fn problem(error: ExecuteError<Refused>) -> Problem {
    match error {
        ExecuteError::Rejected(Refused::Order(rejection)) => by_order(rejection),
        ExecuteError::Rejected(Refused::Workshop(workshop::Rejection::Forbidden { role })) => {
            Problem::forbidden(format!("the directory is not kept by a {role}"))
        }
        ExecuteError::Rejected(Refused::SubjectChanged) => Problem::new(
            Code::ConcurrentModification,
            "what this acts on became another while it was being carried out; nothing was changed: \
             read the order, and send it again if you still mean it",
        ),
        ExecuteError::Rejected(Refused::Limited(limited)) => limited.into(),
        ExecuteError::VersionMismatch { current } => Problem::new(
            Code::VersionMismatch,
            format!("If-Match names another version than {current}, where the order is now"),
        )
        .with_current_version(current.get()),
        ExecuteError::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "this Idempotency-Key was used for another request; take a fresh key for each command",
        ),
        ExecuteError::Conflict => Problem::new(
            Code::ConcurrentModification,
            "others changed the same thing again and again meanwhile; nothing was changed: try \
             again",
        ),
        ExecuteError::Overloaded => Problem::new(
            Code::Overloaded,
            "too many commands wait for the same thing; nothing was changed: try again in a moment",
        )
        .with_outcome(http_edge::Outcome::None),
        ExecuteError::Unreadable(source) => Problem::new(
            Code::UnreadableEvent,
            "the order holds an event that this release does not know; nothing was changed: try \
             again when the newer release has been rolled out",
        )
        .with_outcome(http_edge::Outcome::None)
        .caused_by(source),
        ExecuteError::TimedOut { outcome } => timed_out(outcome),
        ExecuteError::Unavailable { outcome, source } => unavailable(outcome).caused_by(source),
        ExecuteError::Internal(source) => Problem::internal(source),
        died @ ExecuteError::Died { .. } => Problem::internal(died.to_string()),
    }
}

fn by_order(rejection: Rejection) -> Problem {
    let Rejection {
        command,
        state,
        why,
    } = rejection;
    match why {
        Refusal::NotFound(missing) => Problem::not_found(match missing {
            Missing::Order => "there is no such order, or you are no party to it".to_owned(),
            Missing::Invitation(workshop_id) => {
                format!("workshop {workshop_id} was never invited to this order")
            }
            Missing::Stage(stage) => format!("this order has no stage {stage}"),
        }),
        Refusal::Forbidden { role } => Problem::forbidden(format!(
            "{command} is for another party of this order to give, not for this {role}"
        )),
        Refusal::Invalid { faults } => invalid(faults),
        Refusal::IllegalTransition => {
            let state = state.map_or("notPlaced", OrderState::as_str);
            Problem::new(
                Code::IllegalTransition,
                format!("{command} is not allowed while the order is {state}"),
            )
            .with_transition(state, command.as_str())
        }
        Refusal::UnknownWorkshop { faults } => Problem::new(
            Code::UnknownWorkshop,
            "some of the workshops cannot be invited, so none was; errors lists each of them",
        )
        .with_errors(field_errors(faults)),
        Refusal::AlreadyInvited { faults } => Problem::new(
            Code::AlreadyInvited,
            "some of the workshops are invited already, so none was invited; errors lists each of \
             them",
        )
        .with_errors(field_errors(faults)),
        Refusal::NothingToChange => Problem::new(
            Code::NothingToChange,
            format!("{command} would leave everything as it is: what was sent stands already"),
        ),
        Refusal::InvitationNotOpen {
            workshop_id,
            status,
        } => Problem::new(
            Code::InvitationNotOpen,
            format!(
                "the invitation of workshop {workshop_id} is {status}; only a pending one can be \
                 answered"
            ),
        ),
        Refusal::OfferNotStanding {
            workshop_id,
            status,
        } => Problem::new(
            Code::OfferNotStanding,
            format!("workshop {workshop_id} has no offer that stands: its invitation is {status}"),
        ),
        Refusal::OfferOutdated { reason, .. } => {
            Problem::new(Code::OfferOutdated, outdated(reason)).with_reason(reason.as_str())
        }
        Refusal::OfferChanged {
            workshop_id,
            current,
        } => Problem::new(
            Code::OfferChanged,
            format!(
                "the offer of workshop {workshop_id} stands at revision {current}, not at the one \
                 that you name; read it before you confirm it"
            ),
        )
        .with_current_offer_revision(current.get()),
        Refusal::NotCurrentStage { stage, current } => Problem::new(
            Code::NotCurrentStage,
            format!("stages run in order: stage {current} is the current one, not stage {stage}"),
        )
        .with_current_stage(current.get()),
        Refusal::StageAwaitingApproval { current } => Problem::new(
            Code::StageAwaitingApproval,
            format!("stage {current} is marked complete already; its commissioner has to approve"),
        )
        .with_current_stage(current.get()),
        Refusal::StageNotAwaitingApproval { current } => Problem::new(
            Code::StageNotAwaitingApproval,
            format!("stage {current} is not marked complete yet; its workshop has to do that"),
        )
        .with_current_stage(current.get()),
        Refusal::RevisionLimit { most } => Problem::new(
            Code::RevisionLimit,
            format!("revision {most} is the last: go on with what stands"),
        ),
        Refusal::OrderTooLarge { most } => Problem::new(
            Code::OrderTooLarge,
            format!(
                "the order would take more than {} MiB: it takes no more of this, but it can be \
                 brought to its end",
                most >> 20
            ),
        ),
    }
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

fn timed_out(outcome: Outcome) -> Problem {
    let detail = match outcome {
        Outcome::None => "the command took too long and was given up; nothing was changed",
        Outcome::Unknown => {
            "the command took too long and may still be carried out; if it was sent with an \
             Idempotency-Key, repeat it with the same to learn what came of it, else read"
        }
    };
    Problem::new(Code::Timeout, detail).with_outcome(told(outcome))
}

fn unavailable(outcome: Outcome) -> Problem {
    let detail = match outcome {
        Outcome::None => "the store is out of reach; nothing was changed: try again in a moment",
        Outcome::Unknown => {
            "the store went out of reach while it carried out the command; if it was sent with \
             an Idempotency-Key, repeat it with the same to learn what came of it, else read"
        }
    };
    Problem::new(Code::StoreUnavailable, detail).with_outcome(told(outcome))
}

const fn told(outcome: Outcome) -> http_edge::Outcome {
    match outcome {
        Outcome::None => http_edge::Outcome::None,
        Outcome::Unknown => http_edge::Outcome::Unknown,
    }
}

fn field_errors(faults: Vec<Fault>) -> Vec<FieldError> {
    faults
        .into_iter()
        .map(|fault| FieldError {
            detail: fault.detail(),
            pointer: fault.pointer,
        })
        .collect()
}
