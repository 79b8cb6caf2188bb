//! The codes that a problem may carry, each with its status and what it means.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

macro_rules! codes {
    ($($name:ident = $text:literal, $status:ident, $title:literal, $when:literal;)*) => {
        /// What went wrong, for a client's program to act on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(as = ProblemCode)]
        pub enum Code {
            $(
                #[doc = $when]
                #[schema(rename = $text)]
                $name,
            )*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it is sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The HTTP status that it is sent with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }

            /// The code in words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// When it is sent.
            #[must_use]
            pub const fn when(self) -> &'static str {
                match self {
                    $(Self::$name => $when,)*
                }
            }
        }
    };
}

codes! {
    MalformedRequest = "MALFORMED_REQUEST", BAD_REQUEST, "Malformed request",
        "not JSON, wrong types, a bad header, path or cursor";
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED, "Unauthenticated",
        "no bearer token, or one that is not valid here";
    Forbidden = "FORBIDDEN", FORBIDDEN, "Forbidden",
        "this principal may not do this";
    NotFound = "NOT_FOUND", NOT_FOUND, "Not found",
        "no such thing, or nothing that this principal may know of";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "Method not allowed",
        "the path exists, but not with this method";
    IllegalTransition = "ILLEGAL_TRANSITION", CONFLICT, "Illegal transition",
        "the state does not allow the command";
    NotCurrentStage = "NOT_CURRENT_STAGE", CONFLICT, "Not the current stage",
        "another stage is the current one";
    StageAwaitingApproval = "STAGE_AWAITING_APPROVAL", CONFLICT, "Stage awaits approval",
        "the stage was marked complete already and awaits approval";
    StageNotAwaitingApproval = "STAGE_NOT_AWAITING_APPROVAL", CONFLICT,
        "Stage does not await approval", "the stage was not marked complete";
    OfferOutdated = "OFFER_OUTDATED", CONFLICT, "Offer outdated",
        "the offer answers an older request, or its deadline has passed";
    OfferChanged = "OFFER_CHANGED", CONFLICT, "Offer changed",
        "another revision of the offer stands";
    InvitationNotOpen = "INVITATION_NOT_OPEN", CONFLICT, "Invitation not open",
        "the workshop's invitation is not pending";
    OfferNotStanding = "OFFER_NOT_STANDING", CONFLICT, "Offer does not stand",
        "the workshop has no offer that stands";
    AlreadyInvited = "ALREADY_INVITED", CONFLICT, "Already invited",
        "a workshop's invitation is pending or answered by an offer";
    UnknownWorkshop = "UNKNOWN_WORKSHOP", CONFLICT, "Unknown workshop",
        "a workshop is not in the directory, or takes no commissions";
    NothingToChange = "NOTHING_TO_CHANGE", CONFLICT, "Nothing to change",
        "what was sent is what stands already";
    RevisionLimit = "REVISION_LIMIT", CONFLICT, "Revision limit",
        "the offer, or the request, was revised as often as it may be";
    OrderTooLarge = "ORDER_TOO_LARGE", CONFLICT, "Order too large",
        "the order takes so much room that it takes no more of this";
    ConcurrentModification = "CONCURRENT_MODIFICATION", CONFLICT, "Concurrent modification",
        "others changed the same thing meanwhile";
    PositionForeign = "POSITION_FOREIGN", CONFLICT, "Position of another store",
        "the position token is of another generation of the store";
    VersionMismatch = "VERSION_MISMATCH", PRECONDITION_FAILED, "Version mismatch",
        "If-Match names another version than the current one";
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE, "Payload too large",
        "the body is larger than 256 KiB";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE,
        "Unsupported media type", "the body is not declared as JSON";
    ValidationFailed = "VALIDATION_FAILED", UNPROCESSABLE_ENTITY, "Validation failed",
        "values that no rule allows; all of them are listed in errors";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY,
        "Idempotency key reused", "the Idempotency-Key was used for another request";
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS, "Rate limited",
        "too many requests; Retry-After says when to come back";
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, "Internal error",
        "a bug on this side";
    ProjectionLagging = "PROJECTION_LAGGING", SERVICE_UNAVAILABLE, "Projection lagging",
        "what is read has not reached Atlas-Min-Position in time";
    Overloaded = "OVERLOADED", SERVICE_UNAVAILABLE, "Overloaded",
        "too many requests are under way";
    StoreUnavailable = "STORE_UNAVAILABLE", SERVICE_UNAVAILABLE, "Store unavailable",
        "the store is out of reach";
    KeysUnavailable = "KEYS_UNAVAILABLE", SERVICE_UNAVAILABLE, "Keys unavailable",
        "the keys that verify tokens could not be fetched yet";
    UnreadableEvent = "UNREADABLE_EVENT", SERVICE_UNAVAILABLE, "Unreadable event",
        "the order holds an event that this release does not know";
    Timeout = "TIMEOUT", GATEWAY_TIMEOUT, "Timeout",
        "the request took too long";
}

impl Code {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::ConcurrentModification
                | Self::RateLimited
                | Self::ProjectionLagging
                | Self::Overloaded
                | Self::StoreUnavailable
                | Self::KeysUnavailable
                | Self::UnreadableEvent
                | Self::Timeout
        )
    }

    /// After how many seconds it is worth to try again, where that can be said for the code.
    #[must_use]
    pub const fn retry_after(self) -> Option<u32> {
        if matches!(self, Self::KeysUnavailable) {
            Some(30)
        } else if matches!(
            self,
            Self::ProjectionLagging | Self::Overloaded | Self::StoreUnavailable
        ) {
            Some(1)
        } else {
            None
        }
    }

    /// The URN that names the problem's type.
    #[must_use]
    pub fn urn(self) -> String {
        let name = self.as_str().to_ascii_lowercase().replace('_', "-");
        format!("urn:atlas:problem:{name}")
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
