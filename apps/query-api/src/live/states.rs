//! The tail of how the readers of the feed are: states, of which the newest alone counts. It has no
//! past: it begins with every reader as it is, and goes on with those that have changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use event_store::PositionToken;
use tokio::sync::watch;

use super::{Look, Start, Tail, frame};
use crate::AppState;
use crate::refusal::ReadError;
use crate::surveys::Survey;

/// The tail of the readers' states.
pub(crate) struct States {
    /// The token that the client came with.
    after: Option<PositionToken>,
    last_id: Option<String>,
    /// What the client was sent last.
    sent: Option<Arc<Survey>>,
    surveys: Option<watch::Receiver<Option<Arc<Survey>>>>,
}

impl States {
    pub(crate) fn new(start: &Start) -> Self {
        Self {
            after: match start {
                Start::After(token) => Some(*token),
                Start::Now | Start::Since(_) => None,
            },
            last_id: start.last_id(),
            sent: None,
            surveys: None,
        }
    }

    /// What has changed; none where a reader is gone, which no item can tell.
    fn frames(&mut self, survey: &Survey) -> Option<String> {
        let sent = self.sent.as_deref();
        let names: BTreeSet<_> = survey.items.iter().map(|item| item.name()).collect();
        let before = sent.map_or(&[][..], |sent| sent.items.as_slice());
        if before.iter().any(|item| !names.contains(item.name())) {
            return None;
        }
        let mut frames = String::new();
        for item in &survey.items {
            if before.iter().any(|old| old.is_as(item)) {
                continue;
            }
            frame::item(&mut frames, self.last_id.as_deref(), None, item);
        }
        if sent.is_none() || !frames.is_empty() {
            let id = survey.token.encode();
            frame::caught_up(&mut frames, self.last_id.as_deref(), &id);
            self.last_id = Some(id);
        }
        Some(frames)
    }
}

impl Tail for States {
    async fn look(&mut self, app: &AppState) -> Result<Look, ReadError> {
        let survey = match &mut self.surveys {
            // Before there is an answer: a failure is to be told.
            None => Some(Arc::new(Survey::take(app).await?)),
            Some(surveys) => surveys.borrow_and_update().clone(),
        };
        self.surveys.get_or_insert_with(|| app.surveys.watch(app));
        let Some(survey) = survey else {
            return Ok(Look::Nothing);
        };
        if self
            .after
            .is_some_and(|after| after.generation != survey.token.generation)
        {
            return Ok(Look::Anew);
        }
        self.after = Some(survey.token);
        let Some(frames) = self.frames(&survey) else {
            return Ok(Look::Anew);
        };
        self.sent = Some(survey);
        Ok(match frames.is_empty() {
            true => Look::Nothing,
            false => Look::Frames(frames.into()),
        })
    }

    async fn moved(&mut self, _: &AppState) {
        if let Some(surveys) = &mut self.surveys {
            // The survey goes on for as long as somebody waits; where it failed, each looks for itself.
            if surveys.changed().await.is_err() {
                self.surveys = None;
            }
        }
    }
}
