//! What a commissioner sends to ask for a piece: placing, editing, inviting.

use chrono::{DateTime, Utc};
use kernel::{CommissionerId, OrderId};

use crate::value::{
    Fault, Faults, Invitees, RequestDraft, RequestEdit, RequestEditInput, RequestInput,
};

/// Ask for a piece, and invite workshops to make offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceOrder {
    /// A fresh id for the order.
    pub order_id: OrderId,
    /// Who asks.
    pub commissioner_id: CommissionerId,
    /// What is asked for.
    pub request: RequestDraft,
    /// Who may answer: 1 to 20, and never who asks. Only [`PlaceOrder::parse`] sets it.
    pub(in crate::order) workshops: Invitees,
}

/// The body of [`PlaceOrder`], as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceOrderInput {
    /// What is asked for.
    pub request: Option<RequestInput>,
    /// 1 to 20 different ids of workshops.
    pub workshops: Option<Vec<String>>,
}

impl PlaceOrder {
    /// Reads a client's body.
    ///
    /// # Errors
    /// All faults at once, a passed deadline among them. A passed deadline alone is left to the
    /// decision.
    pub fn parse(
        order_id: OrderId,
        commissioner_id: CommissionerId,
        input: PlaceOrderInput,
        now: DateTime<Utc>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let request = faults
            .required("/request", input.request, Ok)
            .and_then(|request| request.read("/request", now, &mut faults));
        let workshops =
            Invitees::read_first("/workshops", input.workshops, commissioner_id, &mut faults);
        let command = request.zip(workshops).map(|(request, workshops)| Self {
            order_id,
            commissioner_id,
            request,
            workshops,
        });
        faults.finish(command)
    }
}

/// Change what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditRequest {
    /// What the request is to say from here on.
    pub edit: RequestEdit,
}

impl EditRequest {
    /// Reads a client's body.
    ///
    /// # Errors
    /// As [`PlaceOrder::parse`].
    pub fn parse(input: RequestEditInput, now: DateTime<Utc>) -> Result<Self, Vec<Fault>> {
        let edit = input.parse(now)?;
        Ok(Self { edit })
    }
}

/// Invite more workshops, or some again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteWorkshops {
    /// Who may answer.
    pub workshops: Invitees,
}

impl InviteWorkshops {
    /// Reads a client's body.
    ///
    /// # Errors
    /// All faults at once. How many seats the order has left, and whether its commissioner is
    /// among the named, is left to the decision.
    pub fn parse(workshops: Option<Vec<String>>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let workshops = Invitees::read("/workshops", workshops, &mut faults);
        faults.finish(workshops.map(|workshops| Self { workshops }))
    }
}
