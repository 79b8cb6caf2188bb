//! A second telling of the rules, from their page and in its order of checks, in plain numbers: it
//! uses nothing of the crate, so that the two can only agree by being right.

/// The most seats of an order.
const MOST_SEATS: usize = 20;
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

    fn judge(&self, who: Who, ask: &Ask, now: i64) -> Result<(), &'static str> {
        if due(ask).is_some_and(|due| due <= now) {
            return Err("VALIDATION_FAILED");
        }
        if let Ask::Place { workshops } = ask {
            return self.judge_placing(who, workshops);
        }
        if self.phase == Phase::Nowhere || !self.is_party(who) {
            return Err("NOT_FOUND");
        }
        self.judge_right(who, ask)?;
        if !self.allows(ask) {
            return Err("ILLEGAL_TRANSITION");
        }
        self.judge_row(ask, now)
    }

    fn judge_placing(&self, who: Who, workshops: &[usize]) -> Result<(), &'static str> {
        if who != Who::Commissioner {
            return Err("FORBIDDEN");
        }
        if self.phase != Phase::Nowhere {
            return Err("ILLEGAL_TRANSITION");
        }
        judge_directory(workshops)
    }

    fn is_party(&self, who: Who) -> bool {
        match who {
            Who::Commissioner | Who::Operator | Who::Analyst => true,
            Who::AnotherCommissioner => false,
            Who::Workshop(workshop) => self.seat(workshop).is_some(),
        }
    }

    /// 403, or 404 for a seat or a stage that is not there; a workshop is told nothing of what is
    /// another's, not even whether it is there.
    fn judge_right(&self, who: Who, ask: &Ask) -> Result<(), &'static str> {
        let (seat, stage) = named(ask);
        let confirmed = self.work.map(|work| work.workshop);
        if let Who::Workshop(me) = who {
            let anothers_seat = seat.is_some_and(|seat| seat != me);
            let anothers_work = stage.is_some() && confirmed.is_some_and(|one| one != me);
            if anothers_seat || anothers_work {
                return Err("FORBIDDEN");
            }
        }
        if seat.is_some_and(|seat| self.seat(seat).is_none()) {
            return Err("NOT_FOUND");
        }
        if let (Some(stage), Some(work)) = (stage, self.work)
            && stage > PLANS[work.plan].len()
        {
            return Err("NOT_FOUND");
        }
        let may = match (who, ask) {
            (Who::Operator, _) => true,
            (Who::Analyst | Who::AnotherCommissioner, _) => false,
            (
                Who::Commissioner,
                Ask::Edit(_)
                | Ask::Invite { .. }
                | Ask::Confirm { .. }
                | Ask::Approve { .. }
                | Ask::SendBack { .. }
                | Ask::Accept
                | Ask::Cancel,
            ) => true,
            (Who::Commissioner, _) => false,
            (
                Who::Workshop(_),
                Ask::Submit(_) | Ask::Revise(_) | Ask::Withdraw { .. } | Ask::Decline { .. },
            ) => true,
            // Nobody is confirmed yet: the state is what refuses.
            (Who::Workshop(_), Ask::Complete { .. }) => true,
            (Who::Workshop(me), Ask::Cancel) => confirmed == Some(me),
            (Who::Workshop(_), _) => false,
        };
        if may { Ok(()) } else { Err("FORBIDDEN") }
    }

    fn allows(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Place { .. } => self.phase == Phase::Nowhere,
            Ask::Edit(_)
            | Ask::Invite { .. }
            | Ask::Submit(_)
            | Ask::Revise(_)
            | Ask::Withdraw { .. }
            | Ask::Decline { .. }
            | Ask::Confirm { .. } => self.phase == Phase::Talks,
            Ask::Complete { .. } | Ask::Approve { .. } | Ask::SendBack { .. } => {
                self.phase == Phase::Work
            }
            Ask::Accept => self.phase == Phase::Done,
            Ask::Cancel => matches!(self.phase, Phase::Talks | Phase::Work | Phase::Done),
            Ask::Resolve(_) => matches!(self.phase, Phase::Dispute { .. }),
        }
    }

    /// The last column of the table.
    fn judge_row(&self, ask: &Ask, now: i64) -> Result<(), &'static str> {
        match ask {
            Ask::Place { .. } | Ask::Accept | Ask::Cancel | Ask::Resolve(_) => Ok(()),
            Ask::Edit(edit) if self.edited(edit) == self.request => Err("NOTHING_TO_CHANGE"),
            Ask::Edit(_) => Ok(()),
            Ask::Invite { workshops } => self.judge_inviting(workshops),
            Ask::Submit(put) => {
                self.judge_pending(put.workshop)?;
                self.judge_answer(put)
            }
            Ask::Decline { workshop } => self.judge_pending(*workshop),
            Ask::Revise(put) => {
                let stands = self.standing(put.workshop)?;
                self.judge_answer(put)?;
                if stands.terms == put.terms && !self.is_outdated(&stands, now) {
                    return Err("NOTHING_TO_CHANGE");
                }
                Ok(())
            }
            Ask::Withdraw { workshop } => self.standing(*workshop).map(|_| ()),
            Ask::Confirm { workshop, revision } => {
                let stands = self.standing(*workshop)?;
                if revision.is_some_and(|revision| revision != stands.revision) {
                    return Err("OFFER_CHANGED");
                }
                if self.is_outdated(&stands, now) {
                    return Err("OFFER_OUTDATED");
                }
                Ok(())
            }
            Ask::Complete { stage } => self.judge_stage(*stage, false),
            Ask::Approve { stage } | Ask::SendBack { stage } => self.judge_stage(*stage, true),
        }
    }

    fn judge_inviting(&self, workshops: &[usize]) -> Result<(), &'static str> {
        let new = workshops.iter().filter(|one| self.seat(**one).is_none());
        if workshops.contains(&ONESELF) || self.seats.len() + new.count() > MOST_SEATS {
            return Err("VALIDATION_FAILED");
        }
        judge_directory(workshops)?;
        let invited = |one: &usize| self.seat(*one).is_some_and(|seat| seat.is_in_the_running());
        if workshops.iter().any(invited) {
            return Err("ALREADY_INVITED");
        }
        Ok(())
    }

    fn judge_pending(&self, workshop: usize) -> Result<(), &'static str> {
        if self
            .seat(workshop)
            .is_some_and(|seat| seat.status == "pending")
        {
            Ok(())
        } else {
            Err("INVITATION_NOT_OPEN")
        }
    }

    fn judge_answer(&self, put: &Put) -> Result<(), &'static str> {
        if put
            .answers
            .is_some_and(|revision| revision != self.request.revision)
        {
            return Err("OFFER_OUTDATED");
        }
        if put.terms.price.in_dollars != self.request.budget.in_dollars {
            return Err("VALIDATION_FAILED");
        }
        Ok(())
    }

    fn judge_stage(&self, stage: usize, marked: bool) -> Result<(), &'static str> {
        let Some(work) = self.work else { return Ok(()) };
        if stage != work.done + 1 {
            Err("NOT_CURRENT_STAGE")
        } else if work.marked == marked {
            Ok(())
        } else if work.marked {
            Err("STAGE_AWAITING_APPROVAL")
        } else {
            Err("STAGE_NOT_AWAITING_APPROVAL")
        }
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

    /// What follows from a command that is allowed.
    fn follow(&mut self, ask: &Ask) -> Vec<&'static str> {
        match ask {
            Ask::Place { workshops } => {
                self.phase = Phase::Talks;
                self.invite(workshops);
                vec!["OrderPlaced"]
            }
            Ask::Edit(edit) => {
                self.request = self.edited(edit);
                self.request.revision += 1;
                vec!["RequestEdited"]
            }
            Ask::Invite { workshops } => {
                self.invite(workshops);
                vec!["WorkshopsInvited"]
            }
            Ask::Submit(put) => {
                self.offer(put);
                self.with_end_of_round("OfferSubmitted")
            }
            Ask::Revise(put) => {
                self.offer(put);
                vec!["OfferRevised"]
            }
            Ask::Withdraw { workshop } => {
                self.leave(*workshop, "withdrawn");
                if self.seats.iter().any(Seat::is_in_the_running) {
                    vec!["OfferWithdrawn"]
                } else {
                    vec!["OfferWithdrawn", "AllInvitationsClosed"]
                }
            }
            Ask::Decline { workshop } => {
                self.leave(*workshop, "declined");
                self.with_end_of_round("InvitationDeclined")
            }
            Ask::Confirm { workshop, .. } => self.confirm(*workshop),
            Ask::Complete { .. } => self.complete(),
            Ask::Approve { .. } => {
                let mut facts = vec!["StageApproved"];
                facts.extend(self.stage_done());
                facts
            }
            Ask::SendBack { .. } => {
                self.mark(false);
                vec!["StageChangesRequested"]
            }
            Ask::Accept => {
                self.phase = Phase::Accepted;
                vec!["OrderCompleted"]
            }
            Ask::Cancel => self.cancel(),
            Ask::Resolve(ending) => self.resolve(*ending),
        }
    }

    fn invite(&mut self, workshops: &[usize]) {
        for workshop in workshops {
            if self.seat(*workshop).is_some() {
                self.leave(*workshop, "pending");
            } else {
                self.seats.push(Seat {
                    workshop: *workshop,
                    status: "pending",
                    offer: None,
                    offers: 0,
                });
            }
        }
    }

    fn seat_mut(&mut self, workshop: usize) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.workshop == workshop)
    }

    fn offer(&mut self, put: &Put) {
        let answers = self.request.revision;
        if let Some(seat) = self.seat_mut(put.workshop) {
            seat.offers += 1;
            seat.status = "offered";
            seat.offer = Some(Offer {
                terms: put.terms,
                answers,
                revision: seat.offers,
            });
        }
    }

    fn leave(&mut self, workshop: usize, status: &'static str) {
        if let Some(seat) = self.seat_mut(workshop) {
            seat.status = status;
            seat.offer = None;
        }
    }

    /// Nobody is left to answer: one more fact says so.
    fn with_end_of_round(&self, fact: &'static str) -> Vec<&'static str> {
        let anybody = |status| self.seats.iter().any(|seat| seat.status == status);
        if anybody("pending") {
            vec![fact]
        } else if anybody("offered") {
            vec![fact, "AllResponsesReceived"]
        } else {
            vec![fact, "AllInvitationsClosed"]
        }
    }

    fn confirm(&mut self, workshop: usize) -> Vec<&'static str> {
        for seat in self
            .seats
            .iter_mut()
            .filter(|seat| seat.is_in_the_running())
        {
            if seat.workshop == workshop {
                seat.status = "confirmed";
                self.work = seat.offer.map(|offer| Work {
                    workshop,
                    plan: offer.terms.plan,
                    done: 0,
                    marked: false,
                });
            } else {
                seat.status = "notSelected";
            }
        }
        self.phase = Phase::Work;
        vec!["OfferConfirmed"]
    }

    fn mark(&mut self, marked: bool) {
        if let Some(work) = &mut self.work {
            work.marked = marked;
        }
    }

    fn complete(&mut self) -> Vec<&'static str> {
        let blocks = self.work.is_some_and(|work| PLANS[work.plan][work.done]);
        let mut facts = vec!["StageMarkedComplete"];
        if blocks {
            self.mark(true);
        } else {
            facts.extend(self.stage_done());
        }
        facts
    }

    fn stage_done(&mut self) -> Option<&'static str> {
        self.mark(false);
        let work = self.work.as_mut()?;
        work.done += 1;
        if work.done < PLANS[work.plan].len() {
            return None;
        }
        self.phase = Phase::Done;
        Some("OrderFinished")
    }

    fn cancel(&mut self) -> Vec<&'static str> {
        if self.phase == Phase::Talks {
            for seat in self
                .seats
                .iter_mut()
                .filter(|seat| seat.is_in_the_running())
            {
                seat.status = "notSelected";
            }
            self.phase = Phase::Off;
            vec!["OrderCancelled"]
        } else {
            self.phase = Phase::Dispute {
                was_done: self.phase == Phase::Done,
            };
            vec!["CancellationDisputed"]
        }
    }

    fn resolve(&mut self, ending: Ending) -> Vec<&'static str> {
        let was_done = self.phase == Phase::Dispute { was_done: true };
        match ending {
            Ending::Resume => {
                self.phase = if was_done { Phase::Done } else { Phase::Work };
                vec!["DisputeResolved"]
            }
            Ending::Cancel => {
                self.phase = Phase::Off;
                vec!["DisputeResolved", "OrderCancelled"]
            }
            Ending::Complete => {
                self.phase = Phase::Accepted;
                vec!["DisputeResolved", "OrderCompleted"]
            }
        }
    }
}

fn judge_directory(workshops: &[usize]) -> Result<(), &'static str> {
    if workshops.iter().all(|workshop| *workshop < OPEN_WORKSHOPS) {
        Ok(())
    } else {
        Err("UNKNOWN_WORKSHOP")
    }
}

/// The deadline that a command brings.
fn due(ask: &Ask) -> Option<i64> {
    match ask {
        Ask::Place { .. } => Some(FIRST_REQUEST.due),
        Ask::Edit(edit) => edit.due,
        Ask::Submit(offer) | Ask::Revise(offer) => Some(offer.terms.due),
        Ask::Invite { .. }
        | Ask::Withdraw { .. }
        | Ask::Decline { .. }
        | Ask::Confirm { .. }
        | Ask::Complete { .. }
        | Ask::Approve { .. }
        | Ask::SendBack { .. }
        | Ask::Accept
        | Ask::Cancel
        | Ask::Resolve(_) => None,
    }
}

/// The seat and the stage that a command names.
fn named(ask: &Ask) -> (Option<usize>, Option<usize>) {
    match ask {
        Ask::Submit(Put { workshop, .. })
        | Ask::Revise(Put { workshop, .. })
        | Ask::Withdraw { workshop }
        | Ask::Decline { workshop }
        | Ask::Confirm { workshop, .. } => (Some(*workshop), None),
        Ask::Complete { stage } | Ask::Approve { stage } | Ask::SendBack { stage } => {
            (None, Some(*stage))
        }
        Ask::Place { .. }
        | Ask::Edit(_)
        | Ask::Invite { .. }
        | Ask::Accept
        | Ask::Cancel
        | Ask::Resolve(_) => (None, None),
    }
}
