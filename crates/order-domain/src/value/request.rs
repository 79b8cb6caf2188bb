//! What a commissioner asks for, and how they change it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Brief, Deadline, Fault, FaultKind, Faults, Money, MoneyInput, RequestRevision, Title};

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

/// A part of a request that can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestField {
    /// See [`Request::title`].
    Title,
    /// See [`Request::brief`].
    Brief,
    /// See [`Request::budget`].
    Budget,
    /// See [`Request::deadline`].
    Deadline,
}

impl RequestField {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Brief => "brief",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
        }
    }
}

/// What a request is to say from here on; what is not given stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestEdit {
    /// What it is called.
    pub title: Option<Title>,
    /// What it is about.
    pub brief: Option<Brief>,
    /// What the commissioner means to pay.
    pub budget: Option<Money>,
    /// When it should be there.
    pub deadline: Option<Deadline>,
}

impl RequestEdit {
    /// The request at its next revision, and which parts of it have changed: none, if it says all
    /// this already.
    #[must_use]
    pub fn apply(self, request: &Request) -> (Request, Vec<RequestField>) {
        let edited = Request {
            title: self.title.unwrap_or_else(|| request.title.clone()),
            brief: self.brief.unwrap_or_else(|| request.brief.clone()),
            budget: self.budget.unwrap_or(request.budget),
            deadline: self.deadline.unwrap_or(request.deadline),
            revision: request.revision.next(),
        };
        let changed = [
            (RequestField::Title, edited.title != request.title),
            (RequestField::Brief, edited.brief != request.brief),
            (RequestField::Budget, edited.budget != request.budget),
            (RequestField::Deadline, edited.deadline != request.deadline),
        ];
        let changed = changed.into_iter().filter(|(_, differs)| *differs);
        let changed = changed.map(|(field, _)| field).collect();
        (edited, changed)
    }
}

/// An edit as a client sends it. The outer option is none where the field is absent, the inner one
/// where it is null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestEditInput {
    /// 1 to 200 characters.
    pub title: Option<Option<String>>,
    /// 1 to 10 000 characters.
    pub brief: Option<Option<String>>,
    /// Amount and currency.
    pub budget: Option<Option<MoneyInput>>,
    /// An RFC 3339 instant, later than now.
    pub deadline: Option<Option<String>>,
}

impl RequestEditInput {
    /// Reads the edit that is the whole body.
    ///
    /// # Errors
    /// As [`RequestInput::parse`].
    pub fn parse(self, now: DateTime<Utc>) -> Result<RequestEdit, Vec<Fault>> {
        let mut faults = Faults::default();
        let edit = self.read(now, &mut faults);
        faults.finish(edit)
    }

    fn read(self, now: DateTime<Utc>, faults: &mut Faults) -> Option<RequestEdit> {
        fn given<T>(field: Option<T>) -> Result<T, FaultKind> {
            field.ok_or(FaultKind::Null)
        }
        let title = faults.optional("/title", self.title, |t| Title::parse(&given(t)?));
        let brief = faults.optional("/brief", self.brief, |t| Brief::parse(&given(t)?));
        let budget = match faults.optional("/budget", self.budget, given) {
            Some(Some(budget)) => budget.read("/budget", faults).map(Some),
            absent_or_null => absent_or_null.map(|_| None),
        };
        let deadline = match faults.optional("/deadline", self.deadline, given) {
            Some(text @ Some(_)) => {
                Deadline::read("/deadline".to_owned(), text, now, faults).map(Some)
            }
            absent_or_null => absent_or_null.map(|_| None),
        };
        Some(RequestEdit {
            title: title?,
            brief: brief?,
            budget: budget?,
            deadline: deadline?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_told_by_the_name_under_which_it_is_stored() {
        for field in [
            RequestField::Title,
            RequestField::Brief,
            RequestField::Budget,
            RequestField::Deadline,
        ] {
            assert_eq!(serde_json::to_value(field).unwrap(), field.as_str());
        }
    }
}
