//! The order domain from outside: random runs of commands against a small model of the rules that
//! shares no code with them.

mod audit;
mod model;
mod order;
mod runs;
mod toss;
