//! Random steps: mostly what somebody would do next, by whoever may do it, and a tenth of
//! anything by anybody.

use proptest::prelude::*;

use crate::model::{
    Ask, CLOSED, Edit, Ending, Model, ONESELF, PLANS, Phase, Price, Put, Terms, UNLISTED, Who,
};

/// One command of a run, and by how many minutes the clock moves before it, either way.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) minutes: i64,
    pub(crate) who: Who,
    pub(crate) ask: Ask,
}

/// What a step is made of: numbers only, which are quick to draw and shrink towards zero.
type Dice = (u8, u8, usize, usize, u32, i64);

pub(crate) fn step(model: &Model) -> impl Strategy<Value = Step> + use<> {
    let model = model.clone();
    let dice = (
        0..100_u8,
        0..16_u8,
        0..12_usize,
        0..12_usize,
        0..16_u32,
        -3..12_i64,
    );
    dice.prop_map(move |dice| fall(&model, dice))
}

fn fall(model: &Model, (what, who, first, second, number, minutes): Dice) -> Step {
    let table = Table {
        model,
        now: (model.clock + minutes).max(model.last),
        first,
        second,
        number,
    };
    let ask = table.ask(what);
    let who = table.who(who, &ask);
    Step { minutes, who, ask }
}

struct Table<'a> {
    model: &'a Model,
    now: i64,
    first: usize,
    second: usize,
    number: u32,
}

impl Table<'_> {
    fn ask(&self, what: u8) -> Ask {
        match self.model.phase {
            _ if what >= 90 => self.any(what - 90),
            Phase::Nowhere => self.place(),
            Phase::Talks => self.in_talks(what),
            Phase::Work => self.at_work(what),
            Phase::Done if what < 50 => Ask::Accept,
            Phase::Done => Ask::Cancel,
            Phase::Dispute { .. } => self.ending(),
            Phase::Accepted | Phase::Off => self.any(what % 10),
        }
    }

    fn any(&self, what: u8) -> Ask {
        match what {
            0 => self.at_work(0),
            1 => self.at_work(50),
            2 => self.at_work(80),
            3 => Ask::Accept,
            4 => Ask::Cancel,
            5 => self.ending(),
            6 => self.place(),
            7 => Ask::Complete {
                stage: self.first + 1,
            },
            _ => self.in_talks(self.first as u8 * 8),
        }
    }

    fn in_talks(&self, what: u8) -> Ask {
        let (invited, bidder) = (self.seated("pending"), self.seated("offered"));
        match what {
            0..28 => Ask::Submit(self.put(invited)),
            28..40 => Ask::Revise(self.put(bidder)),
            40..46 => Ask::Withdraw { workshop: bidder },
            46..53 => Ask::Decline { workshop: invited },
            53..59 => Ask::Edit(self.edit()),
            59..68 => self.invite(),
            68 => Ask::Cancel,
            _ => Ask::Confirm {
                workshop: bidder,
                revision: (self.number > 11).then(|| self.number - 11),
            },
        }
    }

    fn at_work(&self, what: u8) -> Ask {
        let current = self.model.work.map_or(1, |work| work.done + 1);
        let stage = if self.number > 13 {
            self.first + 1
        } else {
            current
        };
        match what {
            0..45 => Ask::Complete { stage },
            45..65 => Ask::Approve { stage },
            65..82 => Ask::SendBack { stage },
            _ => Ask::Cancel,
        }
    }

    fn ending(&self) -> Ask {
        Ask::Resolve(match self.number {
            0..8 => Ending::Resume,
            8..12 => Ending::Cancel,
            _ => Ending::Complete,
        })
    }

    /// Mostly a workshop whose seat stands so, seldom one that may have none at all.
    fn seated(&self, status: &str) -> usize {
        let seats = &self.model.seats;
        let so = seats.iter().filter(|seat| seat.status == status);
        let so: Vec<_> = so.map(|seat| seat.workshop).collect();
        let anybody = || {
            seats
                .get(self.second)
                .map_or(self.second, |seat| seat.workshop)
        };
        let one = so.get(self.first % so.len().max(1));
        one.filter(|_| self.first < 10)
            .copied()
            .unwrap_or_else(anybody)
    }

    /// Now and then many, or one who cannot be invited.
    fn place(&self) -> Ask {
        let mut workshops = self.guests();
        match self.number {
            12 => workshops.push(CLOSED),
            13 => workshops.push(UNLISTED),
            14 => workshops.extend(10..26),
            _ => {}
        }
        Ask::Place { workshops }
    }

    /// The same, or the commissioner themselves.
    fn invite(&self) -> Ask {
        let mut workshops = self.guests();
        match self.number {
            12 => workshops.push(CLOSED),
            13 => workshops.push(UNLISTED),
            14 => workshops.push(ONESELF),
            15 => workshops.extend(20..36),
            _ => {}
        }
        Ask::Invite { workshops }
    }

    fn guests(&self) -> Vec<usize> {
        let first = self.first % 4;
        if self.second < 6 {
            vec![first, self.second + 4]
        } else {
            vec![first]
        }
    }

    fn put(&self, workshop: usize) -> Put {
        let stands = self.model.seat(workshop).and_then(|seat| seat.offer);
        let again = stands.filter(|_| self.number.is_multiple_of(3));
        let price = Price {
            amount: self.number % 2 + 1,
            in_dollars: self.model.request.budget.in_dollars != (self.number == 15),
        };
        let terms = Terms {
            price,
            due: self.now + [200, 30, 5, -1][self.second % 4],
            plan: self.second % PLANS.len(),
        };
        Put {
            workshop,
            terms: again.map_or(terms, |offer| offer.terms),
            answers: (self.number > 10).then_some(self.model.request.revision + self.number / 14),
        }
    }

    fn edit(&self) -> Edit {
        let said = |bit: u32| self.number & bit != 0;
        Edit {
            title: said(1).then_some(self.first as u32 % 3),
            budget: said(2).then_some(Price {
                amount: 1_000 + self.second as u32 % 2,
                in_dollars: self.first > 8,
            }),
            due: said(4).then_some(self.now + [500, 700, -1][self.second % 3]),
        }
    }

    /// Mostly whoever may, or an operator in their place.
    fn who(&self, dice: u8, ask: &Ask) -> Who {
        match dice {
            0..9 => self.rightful(ask),
            9..12 => Who::Operator,
            12 => Who::Workshop(self.second),
            13 => Who::AnotherCommissioner,
            14 => Who::Analyst,
            _ => Who::Commissioner,
        }
    }

    fn rightful(&self, ask: &Ask) -> Who {
        match ask {
            Ask::Submit(Put { workshop, .. })
            | Ask::Revise(Put { workshop, .. })
            | Ask::Withdraw { workshop }
            | Ask::Decline { workshop } => Who::Workshop(*workshop),
            Ask::Complete { .. } => {
                let confirmed = self.model.work.map(|work| work.workshop);
                Who::Workshop(confirmed.unwrap_or(self.second))
            }
            Ask::Cancel if self.number % 2 == 1 => {
                let confirmed = self.model.work.map(|work| Who::Workshop(work.workshop));
                confirmed.unwrap_or(Who::Commissioner)
            }
            Ask::Place { .. }
            | Ask::Edit(_)
            | Ask::Invite { .. }
            | Ask::Confirm { .. }
            | Ask::Approve { .. }
            | Ask::SendBack { .. }
            | Ask::Accept
            | Ask::Cancel => Who::Commissioner,
            Ask::Resolve(_) => Who::Operator,
        }
    }
}
