//! Waiting for a state, with a bound: what tests do instead of sleeping.

use std::fmt::Display;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(10);
/// Bounds are said for a machine that does nothing else; one that is busy gets this many times as
/// long before a test fails.
const BUSY: u32 = 4;

/// Asks `probe` again and again until it answers `Ok`, and returns what it found. `Err` means "not
/// yet", and says what was seen instead.
///
/// # Panics
/// When four times `bound` has passed, with `what` was waited for and what was seen last.
pub async fn eventually<T, Seen, Probe, Answer>(what: &str, bound: Duration, mut probe: Probe) -> T
where
    Seen: Display,
    Probe: FnMut() -> Answer,
    Answer: Future<Output = Result<T, Seen>>,
{
    let start = Instant::now();
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(seen) => assert!(
                start.elapsed() < bound * BUSY,
                "waited {BUSY} times {bound:?} for {what}; last seen: {seen}"
            ),
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_what_the_probe_found() {
        let mut asked = 0;
        let found = eventually("three", Duration::from_secs(5), || {
            asked += 1;
            let answer = if asked == 3 { Ok(asked) } else { Err(asked) };
            async move { answer }
        })
        .await;
        assert_eq!(found, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "waited 4 times 0ns for the moon; last seen: the sun")]
    async fn says_what_it_waited_for() {
        eventually("the moon", Duration::ZERO, || async {
            Err::<(), _>("the sun")
        })
        .await;
    }
}
