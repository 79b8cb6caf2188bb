//! Back to the version that was served before: it is followed on for as long as it is kept.

use std::time::Duration;

use event_store::acts::{self, ActKind};
use event_store::{Position, Reader, ReaderOptions, checkpoint};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::hold::{Hold, LONGEST, pause_before};
use super::show::delivered;
use super::{Authority, Hears, RebuildError, Rebuilder, Told};
use crate::{Model, Version};

/// How often it is looked how far the kept version has come.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is told.
const TELL: Duration = Duration::from_millis(250);

impl Rebuilder {
    /// Serves the version that is kept, as soon as it has come as far as the served one, which is
    /// kept in its turn. Where nobody follows the kept version, it is brought up here.
    ///
    /// # Errors
    /// [`RebuildError::NothingKept`], or [`RebuildError::Held`] while a rebuild is under way.
    pub async fn back(
        &self,
        model: Model,
        authority: &Authority,
        stop: &CancellationToken,
        hears: Hears<'_>,
    ) -> Result<(Version, Version), RebuildError> {
        let mut connection = self.pool.acquire().await?;
        let (served, kept) = model.served_and_retired(&mut connection).await?;
        let Some(kept) = kept else {
            return Err(RebuildError::NothingKept { model, served });
        };
        if let Some(held @ RebuildError::Held { seconds: 1.., .. }) =
            self.holder(&mut connection, model).await?
        {
            return Err(held);
        }
        drop(connection);

        let options = ReaderOptions::new(&kept.to_string(), &self.owner, self.lease);
        let reader = Reader::new(kept.connect(self.connect.clone()), options);
        let halt = stop.child_token();
        let mut sink = model.sink();
        let (_, gone) = tokio::join!(reader.drive(&mut *sink, &halt), async {
            let gone = self.go_back(served, kept, authority, &halt, hears).await;
            halt.cancel();
            gone
        });
        gone.map(|()| (served, kept))
    }

    async fn go_back(
        &self,
        served: Version,
        kept: Version,
        authority: &Authority,
        halt: &CancellationToken,
        hears: Hears<'_>,
    ) -> Result<(), RebuildError> {
        let mut tried = 0;
        loop {
            let to = self.position(served).await?;
            self.come_to(served, kept, to, halt, hears).await?;
            if self.try_back(served, kept, authority, hears).await? {
                return Ok(());
            }
            tried += 1;
            pause_before(tried).await?;
        }
    }

    async fn try_back(
        &self,
        served: Version,
        kept: Version,
        authority: &Authority,
        hears: Hears<'_>,
    ) -> Result<bool, RebuildError> {
        let Some(mut hold) = Hold::served(&self.pool, served, kept, hears).await? else {
            return Ok(false);
        };
        let to = hold.served.checkpoint.position;
        let comes = async {
            while self.position(kept).await? < to {
                sleep(LOOK).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        match timeout(LONGEST, comes).await {
            Ok(came) => came?,
            Err(_) => return Ok(false),
        }
        if hold.other(kept).await?.is_none() || !hold.serve(served, kept, true).await? {
            return Ok(false);
        }
        let subject = json!({
            "model": kept.model.as_str(), "from": served.to_string(), "to": kept.to_string(),
            "position": to.get(),
        });
        let act = authority.act(ActKind::Back, subject);
        acts::record(&mut hold.transaction, &act).await?;
        hold.transaction.commit().await?;
        Ok(true)
    }

    /// Waits until the kept version has come to `to`.
    async fn come_to(
        &self,
        served: Version,
        kept: Version,
        to: Position,
        halt: &CancellationToken,
        hears: Hears<'_>,
    ) -> Result<(), RebuildError> {
        let mut told = Instant::now();
        while self.position(kept).await? < to {
            if halt.is_cancelled() {
                return Err(RebuildError::Stopped);
            }
            if told.elapsed() >= TELL {
                let mut connection = self.pool.acquire().await?;
                hears(Told::Built {
                    done: delivered(&mut connection, kept).await?.cast_unsigned(),
                    total: delivered(&mut connection, served).await?.cast_unsigned(),
                });
                told = Instant::now();
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn position(&self, version: Version) -> Result<Position, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let reached = checkpoint::reached(&mut connection, &version.to_string()).await?;
        Ok(reached.unwrap_or_default().checkpoint.position)
    }
}
