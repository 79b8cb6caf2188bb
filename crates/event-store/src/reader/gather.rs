//! Several batches in one transaction, while a reader is far behind: a row that many of their events
//! move is written once.

use std::time::Instant;

use tracing::info;

use super::leader::{CommitError, Leader};
use super::pace::Pace;
use super::{Reader, ReaderError, Step, reason};
use crate::feed::{Selection, next_batch};
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
    ) -> Result<Step, ReaderError> {
        let (selection, bound) = (self.selection(), pace.bound());
        let from = leader.checkpoint();
        let started = Instant::now();
        let mut reached = false;
        let gathered = leader
            .commit(async |transaction, _| {
                let mut to = from;
                for _ in 0..sink.gathers() {
                    let batch = next_batch(transaction, to.position, &selection, bound).await?;
                    reached = selection.to.is_some_and(|to| batch.watermark >= to);
                    pace.saw(&batch.events);
                    if batch.events.is_empty() {
                        break;
                    }
                    to = to.after(&batch.events);
                    sink.apply(transaction, &batch.events).await?;
                    if started.elapsed() > self.options.lease / 4 {
                        break;
                    }
                }
                sink.flush(transaction).await?;
                Ok::<_, SinkError>(to)
            })
            .await;
        metrics::histogram!(
            "atlas_feed_batch_seconds", "reader" => self.options.name.clone()
        )
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
