//! What each event does to the rows of its order.

use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use kernel::WorkshopId;
use order_domain::order::{MarkedStatus, OrderEvent, OrderFact, ResolvedState};
use order_domain::value::StageNumber;

use super::rows::{DisputeRow, InvitationRow, OfferRow, OrderRow, OrderRows, StageRow, Touched};
use super::status::{DisputedFrom, InvitationStatus, OrderState, StageStatus};
use super::view::{RequestView, StagePlanView};

/// Why an event cannot follow what the rows say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inapplicable {
    /// Something was to happen to an order that was never placed.
    #[error("the order has no row")]
    NotPlaced,
    /// The order is placed a second time.
    #[error("the order has a row already")]
    AlreadyPlaced,
    /// A workshop acts that was never invited.
    #[error("workshop {0} has no seat")]
    NoSeat(WorkshopId),
    /// A stage moves that the agreed terms do not have.
    #[error("there is no stage {0}")]
    NoStage(i64),
    /// The event does not say who acted.
    #[error("nobody is named as the actor")]
    NoActor,
    /// The event tells no fact.
    #[error("it tells nothing")]
    NoFact,
}

/// The rows of an order that was just placed by the event at `position`.
pub(super) fn placed(
    event: &OrderEvent,
    version: Version,
    position: Position,
) -> Result<OrderRows, Inapplicable> {
    let OrderFact::OrderPlaced { request, workshops } = &event.fact else {
        return Err(Inapplicable::NotPlaced);
    };
    Ok(OrderRows {
        order: OrderRow {
            order_id: event.order_id,
            version,
            state: OrderState::Negotiating,
            commissioner_id: event.commissioner_id,
            workshop_id: None,
            request: RequestView::from(request),
            current_stage: None,
            dispute: None,
            created_at: event.occurred_at,
            updated_at: event.occurred_at,
            touched: Touched::at(position),
        },
        invitations: (1..)
            .zip(workshops)
            .map(|(seat, &workshop_id)| InvitationRow {
                workshop_id,
                seat,
                status: InvitationStatus::Pending,
                invited_at: event.occurred_at,
                offer: None,
                touched: Touched::at(position),
            })
            .collect(),
        stages: Vec::new(),
    })
}

impl OrderRows {
    /// Applies the event that comes next after what the rows hold.
    pub(super) fn apply(
        &mut self,
        event: &OrderEvent,
        version: Version,
        position: Position,
    ) -> Result<(), Inapplicable> {
        self.apply_fact(event, position)?;
        self.order.current_stage = match self.order.state {
            OrderState::InProgress => self
                .stages
                .iter()
                .find(|stage| stage.status != StageStatus::Completed)
                .map(|stage| stage.number),
            OrderState::Negotiating
            | OrderState::Finished
            | OrderState::Disputed
            | OrderState::Completed
            | OrderState::Cancelled => None,
        };
        self.order.version = version;
        self.order.updated_at = event.occurred_at;
        self.order.touched.last = position;
        Ok(())
    }

    fn apply_fact(&mut self, event: &OrderEvent, position: Position) -> Result<(), Inapplicable> {
        match &event.fact {
            OrderFact::OrderPlaced { .. } => return Err(Inapplicable::AlreadyPlaced),
            OrderFact::RequestEdited { request, .. } => {
                self.order.request = RequestView::from(request);
            }
            OrderFact::WorkshopsInvited { workshops } => {
                for workshop_id in workshops {
                    self.invite(*workshop_id, event.occurred_at, position);
                }
            }
            OrderFact::OfferSubmitted { workshop_id, offer }
            | OrderFact::OfferRevised { workshop_id, offer } => {
                let seat = self.seat(*workshop_id, position)?;
                seat.status = InvitationStatus::Offered;
                seat.offer = Some(OfferRow::from(offer));
            }
            OrderFact::OfferWithdrawn { workshop_id, .. } => {
                let seat = self.seat(*workshop_id, position)?;
                seat.status = InvitationStatus::Withdrawn;
                seat.offer = None;
            }
            OrderFact::InvitationDeclined { workshop_id, .. } => {
                let seat = self.seat(*workshop_id, position)?;
                seat.status = InvitationStatus::Declined;
                seat.offer = None;
            }
            OrderFact::AllResponsesReceived { .. } | OrderFact::AllInvitationsClosed {} => {}
            OrderFact::OfferConfirmed {
                workshop_id,
                terms,
                not_selected,
            } => {
                let seat = self.seat(*workshop_id, position)?;
                seat.status = InvitationStatus::Confirmed;
                seat.offer = Some(OfferRow::from(terms));
                for rival in not_selected {
                    self.seat(*rival, position)?.status = InvitationStatus::NotSelected;
                }
                self.order.state = OrderState::InProgress;
                self.order.workshop_id = Some(*workshop_id);
                self.stages = (1..)
                    .zip(terms.stages.as_slice())
                    .map(|(number, plan)| StageRow {
                        number,
                        plan: StagePlanView::from(plan),
                        status: StageStatus::Pending,
                        completed_at: None,
                        touched: Touched::at(position),
                    })
                    .collect();
            }
            OrderFact::StageMarkedComplete { stage, status, .. } => {
                let row = self.stage(*stage, position)?;
                match status {
                    MarkedStatus::Completed => row.complete(event.occurred_at),
                    MarkedStatus::AwaitingApproval => row.status = StageStatus::AwaitingApproval,
                }
            }
            OrderFact::StageApproved { stage, .. } => {
                self.stage(*stage, position)?.complete(event.occurred_at);
            }
            OrderFact::StageChangesRequested { stage, .. } => {
                self.stage(*stage, position)?.status = StageStatus::Pending;
            }
            OrderFact::OrderFinished { .. } => self.order.state = OrderState::Finished,
            OrderFact::OrderCompleted { .. } => {
                self.order.state = OrderState::Completed;
                self.order.dispute = None;
            }
            OrderFact::OrderCancelled { .. } => {
                self.close_seats(position);
                self.order.state = OrderState::Cancelled;
                self.order.dispute = None;
            }
            OrderFact::CancellationDisputed {
                reason,
                from,
                opened_by,
                ..
            } => {
                self.order.state = OrderState::Disputed;
                self.order.dispute = Some(DisputeRow {
                    opened_by: *opened_by,
                    reason: reason.as_str().to_owned(),
                    opened_at: event.occurred_at,
                    from: DisputedFrom::from(*from),
                });
            }
            OrderFact::DisputeResolved { state, .. } => match state {
                ResolvedState::InProgress => self.resume(OrderState::InProgress),
                ResolvedState::Finished => self.resume(OrderState::Finished),
                // The fact that follows ends the order.
                ResolvedState::Cancelled | ResolvedState::Completed => {}
            },
        }
        Ok(())
    }

    /// The order goes on where the dispute stopped it.
    fn resume(&mut self, state: OrderState) {
        self.order.state = state;
        self.order.dispute = None;
    }

    /// Gives a workshop a seat, or the one that it had before once more.
    fn invite(&mut self, workshop_id: WorkshopId, at: DateTime<Utc>, position: Position) {
        if let Ok(seat) = self.seat(workshop_id, position) {
            seat.status = InvitationStatus::Pending;
            seat.invited_at = at;
            seat.offer = None;
            return;
        }
        let last = self.invitations.iter().map(|row| row.seat).max();
        self.invitations.push(InvitationRow {
            workshop_id,
            seat: last.unwrap_or(0) + 1,
            status: InvitationStatus::Pending,
            invited_at: at,
            offer: None,
            touched: Touched::at(position),
        });
    }

    fn seat(
        &mut self,
        workshop_id: WorkshopId,
        position: Position,
    ) -> Result<&mut InvitationRow, Inapplicable> {
        let seat = self
            .invitations
            .iter_mut()
            .find(|seat| seat.workshop_id == workshop_id)
            .ok_or(Inapplicable::NoSeat(workshop_id))?;
        seat.touched.last = position;
        Ok(seat)
    }

    fn stage(
        &mut self,
        number: StageNumber,
        position: Position,
    ) -> Result<&mut StageRow, Inapplicable> {
        let number = i64::from(number.get());
        let stage = self
            .stages
            .iter_mut()
            .find(|stage| stage.number == number)
            .ok_or(Inapplicable::NoStage(number))?;
        stage.touched.last = position;
        Ok(stage)
    }

    /// The seats that were still in the running are out.
    fn close_seats(&mut self, position: Position) {
        for seat in &mut self.invitations {
            match seat.status {
                InvitationStatus::Pending | InvitationStatus::Offered => {
                    seat.status = InvitationStatus::NotSelected;
                    seat.touched.last = position;
                }
                InvitationStatus::Confirmed
                | InvitationStatus::Declined
                | InvitationStatus::Withdrawn
                | InvitationStatus::NotSelected => {}
            }
        }
    }
}

impl StageRow {
    fn complete(&mut self, at: DateTime<Utc>) {
        self.status = StageStatus::Completed;
        self.completed_at = Some(at);
    }
}
