//! What waits for an operator, measured by the process that audits.

use contracts::DeadLetterCode;
use instruments::{Gauge, Label, List};

const TOPIC: Label = Label::each_of("topic", "a topic on which messages were given up");
const CODE: Label = Label::one_of("code", || {
    DeadLetterCode::ALL.map(DeadLetterCode::as_str).to_vec()
});

/// How many wait.
pub const DEAD_LETTERS: Gauge<2> = Gauge {
    name: "atlas_dead_letters",
    unit: "messages",
    help: "Dead letters that are neither handled nor given up; counted up to 100 000.",
    labels: [TOPIC, CODE],
};

/// For how long.
pub const DEAD_LETTERS_OLDEST_SECONDS: Gauge<2> = Gauge {
    name: "atlas_dead_letters_oldest_seconds",
    unit: "seconds",
    help: "How long ago the oldest of them failed first; 0 where there is none.",
    labels: [TOPIC, CODE],
};

/// All of them.
pub const ALL: List = &[&DEAD_LETTERS, &DEAD_LETTERS_OLDEST_SECONDS];
