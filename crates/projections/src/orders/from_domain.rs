//! Domain values in the words of the views.

use kernel::Role;
use order_domain::order;
use order_domain::value::{Money, Request, StagePlan};

use super::status::{DisputedFrom, InvitationStatus, OrderState, RoleName, StageStatus, TaskName};
use super::view::{MoneyView, RequestView, StagePlanView};

impl From<Money> for MoneyView {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount(),
            currency: money.currency().to_string(),
        }
    }
}

impl From<&Request> for RequestView {
    fn from(request: &Request) -> Self {
        Self {
            title: request.title.to_string(),
            brief: request.brief.to_string(),
            budget: request.budget.into(),
            deadline: request.deadline.instant(),
            revision: request.revision.into(),
        }
    }
}

impl From<&StagePlan> for StagePlanView {
    fn from(plan: &StagePlan) -> Self {
        Self {
            name: plan.name.to_string(),
            description: plan.description.to_string(),
            duration_days: plan.duration_days.map(Into::into),
            requires_approval: plan.requires_approval,
        }
    }
}

impl From<order::DisputedFrom> for DisputedFrom {
    fn from(from: order::DisputedFrom) -> Self {
        match from {
            order::DisputedFrom::InProgress => Self::InProgress,
            order::DisputedFrom::Finished => Self::Finished,
        }
    }
}

impl From<order::OrderState> for OrderState {
    fn from(state: order::OrderState) -> Self {
        match state {
            order::OrderState::Negotiating => Self::Negotiating,
            order::OrderState::InProgress => Self::InProgress,
            order::OrderState::Finished => Self::Finished,
            order::OrderState::Disputed => Self::Disputed,
            order::OrderState::Completed => Self::Completed,
            order::OrderState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<order::InvitationStatus> for InvitationStatus {
    fn from(status: order::InvitationStatus) -> Self {
        match status {
            order::InvitationStatus::Pending => Self::Pending,
            order::InvitationStatus::Offered => Self::Offered,
            order::InvitationStatus::Declined => Self::Declined,
            order::InvitationStatus::Withdrawn => Self::Withdrawn,
            order::InvitationStatus::Confirmed => Self::Confirmed,
            order::InvitationStatus::NotSelected => Self::NotSelected,
        }
    }
}

impl From<order::StageStatus> for StageStatus {
    fn from(status: order::StageStatus) -> Self {
        match status {
            order::StageStatus::Pending => Self::Pending,
            order::StageStatus::AwaitingApproval => Self::AwaitingApproval,
            order::StageStatus::Completed { .. } => Self::Completed,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Commissioner => Self::Commissioner,
            Role::Workshop => Self::Workshop,
            Role::Operator => Self::Operator,
            Role::Analyst => Self::Analyst,
        }
    }
}

impl From<order::Task> for TaskName {
    fn from(task: order::Task) -> Self {
        match task {
            order::Task::AnswerInvitation => Self::AnswerInvitation,
            order::Task::ReviseOffer => Self::ReviseOffer,
            order::Task::ChooseOffer => Self::ChooseOffer,
            order::Task::InviteWorkshops => Self::InviteWorkshops,
            order::Task::CompleteStage => Self::CompleteStage,
            order::Task::ApproveStage => Self::ApproveStage,
            order::Task::AcceptWork => Self::AcceptWork,
            order::Task::ResolveDispute => Self::ResolveDispute,
        }
    }
}
