//! The words that the `orders` read model stores and shows: states of orders, invitations, stages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A stored word that this release does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {kind}")]
pub struct UnknownWord {
    /// What was expected.
    pub kind: &'static str,
    /// What was found.
    pub word: String,
}

macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] #[schema(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word, the same in the tables and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { kind: stringify!($name), word: word.to_owned() }),
                }
            }
        }
    };
}

words! {
    /// The state of an order.
    OrderState {
        /// Workshops are asked, offers come in.
        Negotiating = "negotiating",
        /// An offer is confirmed, its stages run.
        InProgress = "inProgress",
        /// The last stage is completed.
        Finished = "finished",
        /// A cancellation waits for an operator.
        Disputed = "disputed",
        /// The work was accepted.
        Completed = "completed",
        /// It ended without accepted work.
        Cancelled = "cancelled",
    }
}

words! {
    /// The status of a workshop's seat at an order.
    InvitationStatus {
        /// Invited, and no answer yet.
        Pending = "pending",
        /// Its offer stands.
        Offered = "offered",
        /// Its offer was taken.
        Confirmed = "confirmed",
        /// It will not make an offer.
        Declined = "declined",
        /// It took its offer back.
        Withdrawn = "withdrawn",
        /// Another offer was taken, or none.
        NotSelected = "notSelected",
    }
}

words! {
    /// The status of a stage.
    StageStatus {
        /// Not done yet.
        Pending = "pending",
        /// Done, says the workshop; the commissioner has to approve.
        AwaitingApproval = "awaitingApproval",
        /// Done.
        Completed = "completed",
    }
}

words! {
    /// The state that a dispute was opened in.
    DisputedFrom {
        /// During the work.
        InProgress = "inProgress",
        /// After the work.
        Finished = "finished",
    }
}

words! {
    /// The part that somebody plays.
    RoleName {
        /// Asks for a piece.
        Commissioner = "commissioner",
        /// Makes pieces.
        Workshop = "workshop",
        /// Runs the marketplace.
        Operator = "operator",
        /// Reads.
        Analyst = "analyst",
    }
}

words! {
    /// Whose turn it is.
    Turn {
        /// The viewer has to act.
        Yours = "yours",
        /// Others have to act.
        Theirs = "theirs",
        /// An operator has to act.
        Operator = "operator",
        /// The order waits for nothing, or for nothing that the viewer is told of.
        Nobody = "nobody",
    }
}

words! {
    /// What an order waits for.
    TaskName {
        /// A pending invitation is to be answered.
        AnswerInvitation = "answerInvitation",
        /// An offer that answers an older request is to be revised or withdrawn.
        ReviseOffer = "reviseOffer",
        /// An offer is to be chosen.
        ChooseOffer = "chooseOffer",
        /// Nobody is left to answer: workshops are to be invited, or the order ended.
        InviteWorkshops = "inviteWorkshops",
        /// The current stage is to be completed.
        CompleteStage = "completeStage",
        /// The current stage is to be approved or sent back.
        ApproveStage = "approveStage",
        /// The finished work is to be accepted.
        AcceptWork = "acceptWork",
        /// A dispute is to be resolved.
        ResolveDispute = "resolveDispute",
    }
}

words! {
    /// What follows by time alone.
    PassingName {
        /// An offer's own deadline passes: it cannot be confirmed any more until it is revised.
        OfferOutdated = "offerOutdated",
    }
}
