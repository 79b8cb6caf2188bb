//! A second telling of the rules, from their page and in its order of checks, in plain numbers: it
//! uses nothing of the crate, so that the two can only agree by being right.

// The scenarios over HTTP take this file in by its path, from where modules are found by theirs.
#[path = "model/follow.rs"]
mod follow;
#[path = "model/judge.rs"]
mod judge;

/// The most seats of an order.
const MOST_SEATS: usize = 20;
/// The most revisions of a request, and of the offer of a seat.
const MOST_REQUESTS: u32 = 100;
const MOST_OFFERS: u32 = 50;
/// The workshops numbered below this take commissions.
pub(crate) const OPEN_WORKSHOPS: usize = 40;
/// A workshop of the directory that takes no commissions at present.
pub(crate) const CLOSED: usize = 90;
/// A workshop that the directory does not have.
pub(crate) const UNLISTED: usize = 91;
/// The commissioner, named as a workshop.
pub(crate) const ONESELF: usize = 92;
/// The plans that workshops offer: for each stage, whether it blocks.
pub(crate) const PLANS: [&[bool]; 4] = [&[false], &[true], &[true, false], &[false, true, false]];

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Commissioner,
    AnotherCommissioner,
    Workshop(usize),
    Operator,
    Analyst,
}

/// What is asked of the order, by workshops' numbers and in minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Place {
        workshops: Vec<usize>,
    },
    Edit(Edit),
    Invite {
        workshops: Vec<usize>,
    },
    Submit(Put),
    Revise(Put),
    Withdraw {
        workshop: usize,
    },
    Decline {
        workshop: usize,
    },
    Confirm {
        workshop: usize,
        revision: Option<u32>,
    },
    Complete {
        stage: usize,
    },
    Approve {
        stage: usize,
    },
    SendBack {
        stage: usize,
    },
    Accept,
    Cancel,
    Resolve(Ending),
}

/// A workshop puts its terms, and may say which revision of the request they answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) workshop: usize,
    pub(crate) terms: Terms,
    pub(crate) answers: Option<u32>,
}

/// An edit: what is not given stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Edit {
    pub(crate) title: Option<u32>,
    pub(crate) budget: Option<Price>,
    pub(crate) due: Option<i64>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) title: u32,
    pub(crate) budget: Price,
    pub(crate) due: i64,
    pub(crate) revision: u32,
}

/// So many of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) amount: u32,
    pub(crate) in_dollars: bool,
}

/// What a workshop offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) price: Price,
    pub(crate) due: i64,
    pub(crate) plan: usize,
}

/// An offer on the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) terms: Terms,
    pub(crate) answers: u32,
    pub(crate) revision: u32,
}

/// How a dispute is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Resume,
    Cancel,
    Complete,
}

/// Where the order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Nowhere,
    Talks,
    Work,
    Done,
    /// Whether the work was done already.
    Dispute {
        was_done: bool,
    },
    Accepted,
    Off,
}

/// A workshop's seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) workshop: usize,
    pub(crate) status: &'static str,
    pub(crate) offer: Option<Offer>,
    /// How many offers it has seen over its life.
    pub(crate) offers: u32,
}

impl Seat {
    fn is_in_the_running(&self) -> bool {
        matches!(self.status, "pending" | "offered")
    }
}

/// The work that was agreed: with whom, how much of it is done, whether the next stage is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) workshop: usize,
    pub(crate) plan: usize,
    pub(crate) done: usize,
    pub(crate) marked: bool,
}

/// The whole order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) phase: Phase,
    pub(crate) request: Request,
    pub(crate) seats: Vec<Seat>,
    pub(crate) work: Option<Work>,
    /// What the clock says; it may run back.
    pub(crate) clock: i64,
    /// When the last fact happened.
    pub(crate) last: i64,
}

/// The names of the facts that follow, or the code of the refusal.
pub(crate) type Outcome = Result<Vec<&'static str>, &'static str>;

/// What everybody asks for at first.
pub(crate) const FIRST_REQUEST: Request = Request {
    title: 0,
    budget: Price {
        amount: 1_000,
        in_dollars: false,
    },
    due: 400,
    revision: 1,
};

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Nowhere,
            request: FIRST_REQUEST,
            seats: Vec::new(),
            work: None,
            clock: 0,
            last: i64::MIN,
        }
    }

    pub(crate) fn state(&self) -> Option<&'static str> {
        Some(match self.phase {
            Phase::Nowhere => return None,
            Phase::Talks => "negotiating",
            Phase::Work => "inProgress",
            Phase::Done => "finished",
            Phase::Dispute { .. } => "disputed",
            Phase::Accepted => "completed",
            Phase::Off => "cancelled",
        })
    }

    /// The stage to do next, from 1, while there is work to do.
    pub(crate) fn current_stage(&self) -> Option<usize> {
        let work = self.work.filter(|_| self.phase == Phase::Work)?;
        Some(work.done + 1)
    }

    /// Takes one command in; a refused one changes nothing.
    pub(crate) fn take(&mut self, who: Who, ask: &Ask) -> Outcome {
        let now = self.clock.max(self.last);
        self.judge(who, ask, now)?;
        self.last = now;
        Ok(self.follow(ask))
    }

    pub(crate) fn seat(&self, workshop: usize) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.workshop == workshop)
    }

    fn standing(&self, workshop: usize) -> Result<Offer, &'static str> {
        self.seat(workshop)
            .filter(|seat| seat.status == "offered")
            .and_then(|seat| seat.offer)
            .ok_or("OFFER_NOT_STANDING")
    }

    pub(crate) fn is_outdated(&self, offer: &Offer, now: i64) -> bool {
        offer.answers < self.request.revision || offer.terms.due <= now
    }

    fn edited(&self, edit: &Edit) -> Request {
        Request {
            title: edit.title.unwrap_or(self.request.title),
            budget: edit.budget.unwrap_or(self.request.budget),
            due: edit.due.unwrap_or(self.request.due),
            revision: self.request.revision,
        }
    }
}
