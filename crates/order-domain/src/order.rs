//! Orders: commands come in, facts come out, and the facts make the state.

mod admit;
mod aggregate;
mod command;
mod context;
mod decide;
mod event;
mod evolve;
mod invitation;
#[cfg(test)]
mod page;
mod possible;
mod rejection;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod shape;
mod size;
mod state;
pub mod stored;
mod subject;
mod turn;
mod work;

pub use admit::{admit, on_behalf_of};
pub use aggregate::{OrderAggregate, OrderAggregateError, OrderUpcaster};
pub use command::{
    ApproveStage, CancelOrder, CommandName, CompleteStage, ConfirmOffer, DeclineInvitation,
    EditRequest, InviteWorkshops, OrderCommand, PlaceOrder, PlaceOrderInput, RequestStageChanges,
    ResolveDispute, ReviseOffer, SubmitOffer, WithdrawOffer,
};
pub use context::Context;
pub use decide::decide;
pub use event::{
    CancelledFrom, DisputedFrom, MarkedStatus, OrderEvent, OrderFact, Resolution, ResolvedState,
};
pub use evolve::{Corrupt, evolve, fold};
pub use invitation::{Invitation, InvitationStatus};
pub use possible::{Intent, intents, possible};
pub use rejection::{Code, Missing, Refusal, Rejection};
pub use state::{Dispute, Ending, ORDER_SHAPE, Order, OrderState, Placement};
pub use subject::{Cancellable, Subject, subject_of};
pub use turn::{Task, Wait, Whom};
pub use work::{Stage, StageStatus, Work};
