//! The whole system as its users have it: real processes on real servers, spoken to over HTTP and
//! Kafka, and pulled at from outside.
//!
//! Deliberately absent: any code. The scenarios are this crate's tests; they run the binaries of
//! the applications beside them (`cargo xtask test` builds those first).
