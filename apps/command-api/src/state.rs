//! What every route is given: the executor, time, ids and the gate.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use chrono::{DateTime, Utc};
use event_store::acts::NewRequest;
use event_store::{Answer, Claim, Conditions, Decision, Executor};
use http_edge::{Gate, Principal, Problem};
use kernel::{Actor, Clock, IdSource, OrderId};
use order_domain::order::{OrderCommand, PlaceOrder};
use order_domain::workshop::PutWorkshop;
use uuid::Uuid;

use crate::answer::{ActAnswer, OrderAnswer, WorkshopAnswer};
use crate::decision::{Circumstances, OrderDecision, Refused, RequestDecision, WorkshopDecision};
use crate::refusal;
use crate::request::Asked;

/// What every route is given. Cheap to clone: every layer of a route does.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    executor: Executor,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    patience: Duration,
}

impl AppState {
    /// The state of an application whose requests end after `request_timeout`. Commands end a
    /// twentieth earlier, so that it is the executor that answers: it knows whether an append was
    /// sent.
    #[must_use]
    pub fn new(
        executor: Executor,
        gate: Gate,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        request_timeout: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            executor,
            gate: Arc::new(gate),
            clock,
            ids,
            patience: request_timeout - request_timeout / 20,
        }))
    }

    /// The time of a command.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// A fresh id.
    pub(crate) fn next_id(&self) -> Uuid {
        self.0.ids.next()
    }

    /// Places an order, which spends of the principal's budget.
    pub(crate) async fn place_order(
        &self,
        principal: &Principal,
        order_id: OrderId,
        command: PlaceOrder,
        mut asked: Asked,
    ) -> Result<OrderAnswer, Problem> {
        let actor = principal.actor();
        let circumstances = self.circumstances(actor, &asked);
        let command = OrderCommand::PlaceOrder(command);
        let decision = OrderDecision::new(order_id, command, circumstances)
            .spending(principal.placing_budget());
        let ignored = std::mem::take(&mut asked.ignored);
        let answer = self.execute(decision, actor, asked).await?;
        Ok(OrderAnswer { answer, ignored })
    }

    /// Gives a command on an order.
    pub(crate) async fn command_order(
        &self,
        actor: Actor,
        order_id: OrderId,
        command: OrderCommand,
        mut asked: Asked,
    ) -> Result<OrderAnswer, Problem> {
        let circumstances = self.circumstances(actor, &asked);
        let decision = OrderDecision::new(order_id, command, circumstances);
        let ignored = std::mem::take(&mut asked.ignored);
        let answer = self.execute(decision, actor, asked).await?;
        Ok(OrderAnswer { answer, ignored })
    }

    /// Gives a command on an entry of the directory.
    pub(crate) async fn command_workshop(
        &self,
        actor: Actor,
        command: PutWorkshop,
        mut asked: Asked,
    ) -> Result<WorkshopAnswer, Problem> {
        let circumstances = self.circumstances(actor, &asked);
        let decision = WorkshopDecision::new(command, circumstances);
        let ignored = std::mem::take(&mut asked.ignored);
        let answer = self.execute(decision, actor, asked).await?;
        Ok(WorkshopAnswer { answer, ignored })
    }

    /// Keeps the request of an act.
    pub(crate) async fn request_act(
        &self,
        actor: Actor,
        request: NewRequest,
        mut asked: Asked,
    ) -> Result<ActAnswer, Problem> {
        let circumstances = self.circumstances(actor, &asked);
        let key = request.key.clone();
        let decision = RequestDecision::new(request, circumstances);
        let ignored = std::mem::take(&mut asked.ignored);
        let answer = self.execute(decision, actor, asked).await?;
        Ok(ActAnswer {
            act: NewRequest::id_at(actor.id, answer.version, &key),
            answer,
            ignored,
        })
    }

    async fn execute<D: Decision<Rejection = Refused>>(
        &self,
        decision: D,
        actor: Actor,
        asked: Asked,
    ) -> Result<Answer, Problem> {
        let fingerprint = asked.fingerprint;
        let conditions = Conditions {
            claim: asked.key.map(|key| Claim {
                scope: actor.to_string(),
                key,
                fingerprint,
            }),
            expected: asked.expected,
            deadline: asked.received + self.0.patience,
        };
        self.0
            .executor
            .execute(decision, conditions)
            .await
            .map_err(refusal::problem)
    }

    fn circumstances(&self, actor: Actor, asked: &Asked) -> Circumstances {
        Circumstances {
            clock: Arc::clone(&self.0.clock),
            ids: Arc::clone(&self.0.ids),
            actor,
            correlation_id: self.next_id(),
            traceparent: asked.traceparent.clone(),
            idempotency_key: asked.key.clone(),
        }
    }
}

impl FromRef<AppState> for Arc<Gate> {
    fn from_ref(state: &AppState) -> Self {
        Self::clone(&state.0.gate)
    }
}
