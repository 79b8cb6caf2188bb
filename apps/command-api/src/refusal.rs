//! What every refusal looks like to a client: one match, from why a command has no answer to the
//! problem that says so.

use event_store::{ExecuteError, Outcome};
use http_edge::{Code, FieldError, Problem};
use order_domain::order::{OrderState, Refusal, Rejection};
use order_domain::value::Fault;
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
    let detail = rejection.detail();
    let Rejection {
        command,
        state,
        why,
    } = rejection;
    let problem = |code| Problem::new(code, detail);
    match why {
        Refusal::NotFound(_) => problem(Code::NotFound),
        Refusal::Forbidden { .. } => problem(Code::Forbidden),
        Refusal::Invalid { faults } => invalid(faults),
        Refusal::IllegalTransition => {
            let state = state.map_or("notPlaced", OrderState::as_str);
            problem(Code::IllegalTransition).with_transition(state, command.as_str())
        }
        Refusal::UnknownWorkshop { faults } => {
            problem(Code::UnknownWorkshop).with_errors(field_errors(faults))
        }
        Refusal::AlreadyInvited { faults } => {
            problem(Code::AlreadyInvited).with_errors(field_errors(faults))
        }
        Refusal::NothingToChange => problem(Code::NothingToChange),
        Refusal::InvitationNotOpen { .. } => problem(Code::InvitationNotOpen),
        Refusal::OfferNotStanding { .. } => problem(Code::OfferNotStanding),
        Refusal::OfferOutdated { reason, .. } => {
            problem(Code::OfferOutdated).with_reason(reason.as_str())
        }
        Refusal::OfferChanged { current, .. } => {
            problem(Code::OfferChanged).with_current_offer_revision(current.get())
        }
        Refusal::NotCurrentStage { current, .. } => {
            problem(Code::NotCurrentStage).with_current_stage(current.get())
        }
        Refusal::StageAwaitingApproval { current } => {
            problem(Code::StageAwaitingApproval).with_current_stage(current.get())
        }
        Refusal::StageNotAwaitingApproval { current } => {
            problem(Code::StageNotAwaitingApproval).with_current_stage(current.get())
        }
        Refusal::RevisionLimit { .. } => problem(Code::RevisionLimit),
        Refusal::OrderTooLarge { .. } => problem(Code::OrderTooLarge),
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
