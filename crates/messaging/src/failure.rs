//! How failures are told in the log.

pub(crate) use event_store::failure::chain;
