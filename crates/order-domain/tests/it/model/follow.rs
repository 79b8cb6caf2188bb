//! What follows from a command that is taken: the names of the facts, and the order after them.

use super::{Ask, Ending, Model, Offer, PLANS, Phase, Put, Seat, Work};

impl Model {
    /// What follows from a command that is allowed.
    pub(super) fn follow(&mut self, ask: &Ask) -> Vec<&'static str> {
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
