//! A sink whose batches are seen as traces: the batch has a span that links to every cause, and each
//! effect one in the trace of its own cause.

use async_trait::async_trait;
use event_store::{Sent, Sink, SinkError, StoredEvent};
use service_runtime::{continue_trace, link_trace};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, info_span};

/// The relay, seen.
pub(crate) struct Traced<S>(pub(crate) S);

/// The spans of one batch. Dropped they end.
pub(crate) struct Spans {
    /// Of the batch, to be entered.
    pub(crate) batch: Span,
    /// Of each effect: they last as long as the batch.
    _effects: Vec<Span>,
}

impl Spans {
    /// The span `batch`, which links to these causes, and one of `effect` in the trace of each.
    pub(crate) fn of<'a>(
        batch: Span,
        causes: impl Iterator<Item = Option<&'a str>>,
        effect: fn() -> Span,
    ) -> Self {
        let mut effects = Vec::new();
        for cause in causes.flatten() {
            link_trace(&batch, cause);
            let span = effect();
            continue_trace(&span, Some(cause));
            effects.push(span);
        }
        Self {
            batch,
            _effects: effects,
        }
    }
}

#[async_trait]
impl<S: Sink> Sink for Traced<S> {
    async fn begin(&mut self) -> Result<(), SinkError> {
        self.0.begin().await
    }

    async fn send(&mut self, events: &[StoredEvent], hurry: &CancellationToken) -> Sent {
        let traces: Vec<Option<String>> = events
            .iter()
            .map(|event| event.metadata().ok()?.traceparent)
            .collect();
        let spans = Spans::of(
            info_span!("relay.send", otel.kind = "producer", events = events.len()),
            traces.iter().map(Option::as_deref),
            || info_span!("relay.publish", otel.kind = "producer"),
        );
        let sent = self.0.send(events, hurry);
        sent.instrument(spans.batch.clone()).await
    }

    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        self.0.apply(transaction, events).await
    }

    fn gathers(&self) -> usize {
        self.0.gathers()
    }

    async fn flush(&mut self, transaction: &mut PgConnection) -> Result<(), SinkError> {
        self.0.flush(transaction).await
    }

    fn abandon(&mut self) {
        self.0.abandon();
    }

    fn waits_for(&self) -> &'static str {
        self.0.waits_for()
    }
}
