//! What a commissioner asks for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Brief, Deadline, Fault, Faults, Money, MoneyInput, RequestRevision, Title};

/// What is asked for, at one of its revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// What it is called.
    pub title: Title,
    /// What it is about.
    pub brief: Brief,
    /// What the commissioner means to pay.
    pub budget: Money,
    /// When it should be there.
    pub deadline: Deadline,
    /// Which putting of the request this is.
    pub revision: RequestRevision,
}

/// A request on its way into an order: legal, but for the clock's word on its deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDraft {
    /// What it is called.
    pub title: Title,
    /// What it is about.
    pub brief: Brief,
    /// What the commissioner means to pay.
    pub budget: Money,
    /// When it should be there.
    pub deadline: Deadline,
}

impl RequestDraft {
    /// The request that this draft becomes.
    #[must_use]
    pub fn at_revision(self, revision: RequestRevision) -> Request {
        Request {
            title: self.title,
            brief: self.brief,
            budget: self.budget,
            deadline: self.deadline,
            revision,
        }
    }
}

/// A request as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestInput {
    /// 1 to 200 characters.
    pub title: Option<String>,
    /// 1 to 10 000 characters.
    pub brief: Option<String>,
    /// Amount and currency.
    pub budget: Option<MoneyInput>,
    /// An RFC 3339 instant, later than now.
    pub deadline: Option<String>,
}

impl RequestInput {
    /// Reads the request that stands at `base`, a JSON pointer (empty for the whole body).
    ///
    /// # Errors
    /// All faults at once, a passed deadline among them. A passed deadline alone is left to the
    /// decision.
    pub fn parse(self, base: &str, now: DateTime<Utc>) -> Result<RequestDraft, Vec<Fault>> {
        let mut faults = Faults::default();
        let draft = self.read(base, now, &mut faults);
        faults.finish(draft)
    }

    pub(crate) fn read(
        self,
        base: &str,
        now: DateTime<Utc>,
        faults: &mut Faults,
    ) -> Option<RequestDraft> {
        let title = faults.required(format!("{base}/title"), self.title, |t| Title::parse(&t));
        let brief = faults.required(format!("{base}/brief"), self.brief, |t| Brief::parse(&t));
        let at = format!("{base}/budget");
        let budget = faults
            .required(at.as_str(), self.budget, Ok)
            .and_then(|budget| budget.read(&at, faults));
        let deadline = Deadline::read(format!("{base}/deadline"), self.deadline, now, faults);
        Some(RequestDraft {
            title: title?,
            brief: brief?,
            budget: budget?,
            deadline: deadline?,
        })
    }
}
