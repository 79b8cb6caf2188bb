//! Commands with values that are legal, unless a scenario says otherwise.

use kernel::WorkshopId;

use super::*;
use crate::order::{
    ApproveStage, CancelOrder, CompleteStage, ConfirmOffer, DeclineInvitation, EditRequest,
    InviteWorkshops, OrderCommand, PlaceOrder, PlaceOrderInput, RequestStageChanges, Resolution,
    ResolveDispute, ReviseOffer, SubmitOffer, WithdrawOffer,
};
use crate::value::{OfferInput, RequestEditInput};

pub(crate) fn place(workshops: &[WorkshopId]) -> OrderCommand {
    let input = PlaceOrderInput {
        request: Some(request_input()),
        workshops: Some(workshops.iter().map(WorkshopId::to_string).collect()),
    };
    OrderCommand::PlaceOrder(PlaceOrder::parse(ORDER, CLIENT, input, minute(0)).unwrap())
}

pub(crate) fn edit(input: RequestEditInput) -> OrderCommand {
    OrderCommand::EditRequest(EditRequest::parse(input, minute(0)).unwrap())
}

/// Gives the request another title.
pub(crate) fn retitle(title: &str) -> OrderCommand {
    edit(RequestEditInput {
        title: Some(Some(title.to_owned())),
        ..RequestEditInput::default()
    })
}

pub(crate) fn invite(workshops: &[WorkshopId]) -> OrderCommand {
    let ids = workshops.iter().map(WorkshopId::to_string).collect();
    OrderCommand::InviteWorkshops(InviteWorkshops::parse(Some(ids)).unwrap())
}

pub(crate) fn submit(workshop_id: WorkshopId, stages: &[&str]) -> OrderCommand {
    submit_input(workshop_id, offer_input(stages))
}

pub(crate) fn submit_input(workshop_id: WorkshopId, input: OfferInput) -> OrderCommand {
    OrderCommand::SubmitOffer(SubmitOffer::parse(workshop_id, input, minute(0)).unwrap())
}

pub(crate) fn revise(workshop_id: WorkshopId, stages: &[&str]) -> OrderCommand {
    revise_input(workshop_id, offer_input(stages))
}

pub(crate) fn revise_input(workshop_id: WorkshopId, input: OfferInput) -> OrderCommand {
    let offer = input.parse("", minute(0)).unwrap();
    OrderCommand::ReviseOffer(ReviseOffer { workshop_id, offer })
}

pub(crate) fn withdraw(workshop_id: WorkshopId) -> OrderCommand {
    OrderCommand::WithdrawOffer(WithdrawOffer {
        workshop_id,
        reason: Some(reason()),
    })
}

pub(crate) fn decline(workshop_id: WorkshopId) -> OrderCommand {
    OrderCommand::DeclineInvitation(DeclineInvitation {
        workshop_id,
        reason: Some(reason()),
    })
}

pub(crate) fn confirm(workshop_id: WorkshopId) -> OrderCommand {
    OrderCommand::ConfirmOffer(ConfirmOffer {
        workshop_id,
        offer_revision: None,
    })
}

pub(crate) fn complete(number: u32) -> OrderCommand {
    OrderCommand::CompleteStage(CompleteStage {
        stage: stage(number),
    })
}

pub(crate) fn approve(number: u32) -> OrderCommand {
    OrderCommand::ApproveStage(ApproveStage {
        stage: stage(number),
    })
}

pub(crate) fn request_changes(number: u32) -> OrderCommand {
    OrderCommand::RequestStageChanges(RequestStageChanges {
        stage: stage(number),
        note: note(),
    })
}

pub(crate) fn resolve(resolution: Resolution) -> OrderCommand {
    OrderCommand::ResolveDispute(ResolveDispute {
        resolution,
        note: note(),
    })
}

pub(crate) fn cancel() -> OrderCommand {
    OrderCommand::CancelOrder(CancelOrder { reason: reason() })
}
