//! Several batches in one transaction, while a reader is far behind: a row that many of their events
//! move is written once.

use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::leader::{CommitError, Leader};
use super::pace::Pace;
use super::{Reader, ReaderError, Step, reason};
use crate::feed::Selection;
use crate::instruments::FEED_BATCH_SECONDS;
use crate::{Sink, SinkError};

impl Reader {
    /// Which events it reads.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            to: self.options.to,
            stream: self.options.stream.clone(),
        }
    }

    /// Takes as many batches as the sink gathers, each bounded as ever, within a quarter of the
    /// lease. Whatever the sink does not take, nothing of them is kept, and they are taken one by
    /// one.
    pub(super) async fn gather(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        pace: &mut Pace,
        stop: &CancellationToken,
    ) -> Result<Step, ReaderError> {
        let (selection, bound) = (self.selection(), pace.bound());
        let from = leader.checkpoint();
        let started = Instant::now();
        let mut reached = false;
        let committing = leader.commit_beside(&self.connect, async |transaction, feed| {
            let mut to = from;
            let mut batch = feed.next_batch(to.position, &selection, bound).await?;
            for left in (0..sink.gathers()).rev() {
                reached = selection.to.is_some_and(|to| batch.watermark >= to);
                pace.saw(&batch.events);
                if batch.events.is_empty() {
                    break;
                }
                to = to.after(&batch.events);
                let applied = sink.apply(transaction, &batch.events);
                if left == 0 || started.elapsed() > self.options.lease / 4 {
                    applied.await?;
                    break;
                }
                let next = feed.next_batch(to.position, &selection, bound);
                let (applied, next) = tokio::join!(applied, next);
                applied?;
                batch = next?;
            }
            sink.flush(transaction).await?;
            Ok::<_, SinkError>(to)
        });
        let gathered = tokio::select! {
            gathered = committing => gathered,
            // So much cannot be finished in time: the next owner takes it.
            () = stop.cancelled() => {
                sink.abandon();
                return Ok(Step::Took(0));
            }
        };
        FEED_BATCH_SECONDS
            .of([&self.options.name])
            .record(started.elapsed());
        match gathered {
            Ok(()) => {
                let passed = leader.checkpoint().delivered - from.delivered;
                Ok(match usize::try_from(passed) {
                    Ok(0) | Err(_) => Step::Nothing { reached },
                    Ok(passed) => Step::Took(passed),
                })
            }
            Err(CommitError::Reader(error)) => Err(error),
            Err(CommitError::Refused(error)) => {
                sink.abandon();
                info!(reader = %self.options.name, reason = reason(&error), "reader.scatters");
                pace.scatter(sink.gathers());
                Ok(Step::Took(0))
            }
        }
    }
}
