//! Ctrl-C and its like, as a flag that commands which stay look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

const POLL: Duration = Duration::from_millis(50);

/// Whether somebody asked us to end.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the first signal only sets the flag, so that servers are stopped in order; a
    /// second one ends us at once, and the servers with us.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
                .and_then(|_| flag::register(signal, Arc::clone(&flag)))
                .map_err(Failure::Signals)?;
        }
        Ok(Self(flag))
    }

    /// Waits a moment for what nothing announces; [`Failure::Interrupted`] once we were asked to
    /// end.
    pub(crate) fn pause(&self) -> Result<(), Failure> {
        self.check()?;
        thread::sleep(POLL);
        self.check()
    }

    /// [`Failure::Interrupted`] once we were asked to end.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        Ok(())
    }
}
