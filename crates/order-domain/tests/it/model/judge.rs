//! Whether a command is taken, in the order of checks: the first that fails answers.

use super::{
    Ask, FIRST_REQUEST, MOST_OFFERS, MOST_REQUESTS, MOST_SEATS, Model, ONESELF, OPEN_WORKSHOPS,
    PLANS, Phase, Put, Who,
};

impl Model {
    pub(super) fn judge(&self, who: Who, ask: &Ask, now: i64) -> Result<(), &'static str> {
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
            Ask::Edit(_) if self.request.revision == MOST_REQUESTS => Err("REVISION_LIMIT"),
            Ask::Edit(_) => Ok(()),
            Ask::Invite { workshops } => self.judge_inviting(workshops),
            Ask::Submit(put) => {
                self.judge_pending(put.workshop)?;
                self.judge_answer(put)?;
                self.judge_revision(put.workshop)
            }
            Ask::Decline { workshop } => self.judge_pending(*workshop),
            Ask::Revise(put) => {
                let stands = self.standing(put.workshop)?;
                self.judge_answer(put)?;
                if stands.terms == put.terms && !self.is_outdated(&stands, now) {
                    return Err("NOTHING_TO_CHANGE");
                }
                self.judge_revision(put.workshop)
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

    fn judge_revision(&self, workshop: usize) -> Result<(), &'static str> {
        let put = self.seat(workshop).map_or(0, |seat| seat.offers);
        if put < MOST_OFFERS {
            Ok(())
        } else {
            Err("REVISION_LIMIT")
        }
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
