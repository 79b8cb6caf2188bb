//! An example of each problem, for the documents.

use serde_json::Value;

use crate::problem::Occurrence;
use crate::{Code, FieldError, Outcome, Problem};

/// The order of every example.
const ORDER: &str = "/v1/orders/01938f5e-7c00-7000-8000-000000000001";
/// A workshop that is in no directory.
const UNKNOWN: &str = "01938f5e-7c00-7000-8000-00000000000f";

/// What a client is sent, whole.
pub(crate) fn problem(code: Code) -> Value {
    let occurrence = Occurrence {
        path: ORDER,
        request_id: "01938f5e-7c00-7000-8000-0000000000ff",
        outcome: Outcome::None,
    };
    // Strings and numbers only: this cannot fail.
    serde_json::from_slice(&example(code).to_json(Some(occurrence))).unwrap_or_default()
}

fn example(code: Code) -> Problem {
    let problem = Problem::new(code, detail(code));
    match code {
        Code::ValidationFailed => problem.with_errors(vec![
            fault("/budget/amount", "must be greater than zero"),
            fault("/deadline", "must be later than now"),
        ]),
        Code::UnknownWorkshop => problem.with_errors(vec![fault(
            "/workshops/0",
            &format!("workshop {UNKNOWN} is not in the directory"),
        )]),
        Code::AlreadyInvited => problem.with_errors(vec![fault(
            "/workshops/0",
            &format!("workshop {UNKNOWN} is invited already; its invitation is pending"),
        )]),
        Code::IllegalTransition => problem.with_transition("completed", "CancelOrder"),
        Code::NotCurrentStage | Code::StageAwaitingApproval | Code::StageNotAwaitingApproval => {
            problem.with_current_stage(2)
        }
        Code::OfferOutdated => problem.with_reason("requestRevised"),
        Code::OfferChanged => problem.with_current_offer_revision(2),
        Code::VersionMismatch => problem.with_current_version(4),
        Code::RateLimited => problem.with_retry_after(Some(6)),
        Code::MalformedRequest
        | Code::Unauthenticated
        | Code::Forbidden
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::InvitationNotOpen
        | Code::OfferNotStanding
        | Code::NothingToChange
        | Code::RevisionLimit
        | Code::OrderTooLarge
        | Code::ConcurrentModification
        | Code::PositionForeign
        | Code::PayloadTooLarge
        | Code::UnsupportedMediaType
        | Code::IdempotencyKeyReused
        | Code::Internal
        | Code::ProjectionLagging
        | Code::Overloaded
        | Code::StoreUnavailable
        | Code::KeysUnavailable
        | Code::UnreadableEvent
        | Code::Timeout => problem,
    }
}

fn fault(pointer: &str, detail: &str) -> FieldError {
    FieldError {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    }
}

const fn detail(code: Code) -> &'static str {
    match code {
        Code::MalformedRequest => "the body is not JSON as we take it: EOF while parsing an object",
        Code::Unauthenticated => "the token has expired",
        Code::Forbidden => "the role analyst can never do this",
        Code::NotFound => "there is no such order, or you are no party to it",
        Code::MethodNotAllowed => "this path does not take this method",
        Code::IllegalTransition => "CancelOrder is not allowed while the order is completed",
        Code::NotCurrentStage => "stages run in order: stage 2 is the current one, not stage 3",
        Code::StageAwaitingApproval => "stage 2 is marked complete already",
        Code::StageNotAwaitingApproval => "stage 2 is not marked complete yet",
        Code::OfferOutdated => "the offer is not for the current revision of the request",
        Code::OfferChanged => "the offer stands at revision 2, not at the one that you name",
        Code::InvitationNotOpen => "the invitation of the workshop is declined",
        Code::OfferNotStanding => "the workshop has no offer that stands",
        Code::AlreadyInvited => "some of the workshops are invited already, so none was invited",
        Code::UnknownWorkshop => "some of the workshops cannot be invited, so none was",
        Code::NothingToChange => "what was sent stands already",
        Code::RevisionLimit => "revision 50 is the last: go on with what stands",
        Code::OrderTooLarge => "the order would take more than 16 MiB",
        Code::ConcurrentModification => "others changed the same thing again and again meanwhile",
        Code::PositionForeign => {
            "the position is of another store, or of another history of this one"
        }
        Code::VersionMismatch => "If-Match names another version than 4, where the order is now",
        Code::PayloadTooLarge => "the body is larger than 256 KiB",
        Code::UnsupportedMediaType => "send the body in UTF-8: JSON has no other charset",
        Code::ValidationFailed => "some values are not allowed; errors lists each of them",
        Code::IdempotencyKeyReused => "this Idempotency-Key was used for another request",
        Code::RateLimited => "you may send 10 orders at once and 10 a minute; come back in 6 s",
        Code::Internal => "something went wrong on our side; tell us the requestId",
        Code::ProjectionLagging => "what is read here has not come as far as Atlas-Min-Position",
        Code::Overloaded => "too many requests are under way; try again in a moment",
        Code::StoreUnavailable => "the store is out of reach; try again in a moment",
        Code::KeysUnavailable => "the keys that verify tokens could not be fetched yet",
        Code::UnreadableEvent => "the order holds an event that this release does not know",
        Code::Timeout => "the request took too long and was given up; nothing was changed",
    }
}
