//! What every act of an operator is given: who does it, why, and whether to ask first. It becomes a
//! fact of the store.

use clap::Args;
use event_store::acts::{ActKind, NewAct};
use order_domain::value::{FaultKind, Reason};
use serde_json::Value;
use uuid::Uuid;

use super::{Failure, Output, Terminal, agreed};
use crate::acting::By;

/// Who does it, and why; kept with what was done.
#[derive(Debug, Clone, Args)]
pub(crate) struct ActOptions {
    /// Who does this: your id as an operator.
    #[arg(long, value_name = "UUID", env = "ATLAS_OPERATOR")]
    operator: Uuid,
    /// Why, in 1 to 2000 characters.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Reason,
    /// Do not ask first.
    #[arg(long)]
    yes: bool,
}

impl ActOptions {
    /// Who acts, and why.
    pub(crate) fn by(&self) -> By {
        By {
            operator: self.operator,
            reason: self.reason.as_str().to_owned(),
            request: None,
        }
    }

    /// The act as it is recorded. `subject` is a JSON object that says what it is done to.
    pub(crate) fn act(&self, kind: ActKind, subject: Value) -> NewAct {
        self.by().act(kind, subject)
    }

    /// The terminal that hears how it goes on, and that is asked unless told not to. What was found
    /// is shown as `output` has it.
    pub(crate) fn terminal(&self, output: Option<Output>) -> Terminal {
        Terminal::new(self.yes, output)
    }

    /// Asks, unless told not to.
    ///
    /// # Errors
    /// If the answer is no.
    pub(crate) fn agreed(&self, question: &str) -> Result<(), Failure> {
        agreed(question, self.yes)
    }

    /// Who acts.
    pub(crate) const fn operator(&self) -> Uuid {
        self.operator
    }
}

fn reason(text: &str) -> Result<Reason, FaultKind> {
    Reason::parse(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        act: ActOptions,
    }

    const ANNA: &str = "00000000-0000-0000-0000-000000000001";

    #[test]
    fn who_and_why_are_required_and_a_reason_is_a_text_as_everywhere() {
        for (arguments, missing) in [
            (&["--reason", "because"][..], "--operator <UUID>"),
            (&["--operator", ANNA], "--reason <TEXT>"),
            (&["--operator", "anna", "--reason", "because"], "--operator"),
            (
                &["--operator", ANNA, "--reason", " "],
                "1 to 2000 characters",
            ),
            (&["--operator", ANNA, "--reason", "a\u{1b}b"], "control"),
        ] {
            let given = [&["projector"], arguments].concat();
            let error = Cli::try_parse_from(given).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(missing), "{error}");
        }
        let given = ["projector", "--operator", ANNA, "--reason", " because "];
        let options = Cli::try_parse_from(given).unwrap().act;
        let act = options.act(ActKind::Redrive, json!({ "count": 1 }));
        assert_eq!(act.operator.to_string(), ANNA);
        assert_eq!(act.reason, "because");
    }
}
