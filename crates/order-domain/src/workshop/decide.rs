//! Operators enter workshops into the directory, and change their entries.

use chrono::{DateTime, Utc};
use kernel::{Actor, Role, WorkshopId};

use super::{Workshop, WorkshopEvent, WorkshopFact};
use crate::value::{Fault, Faults, WorkshopName};

/// Make the entry of a workshop say this, whether it was there before or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutWorkshop {
    /// The workshop.
    pub workshop_id: WorkshopId,
    /// What it is called.
    pub name: WorkshopName,
    /// Whether it takes commissions.
    pub accepts_commissions: bool,
}

/// The body of [`PutWorkshop`], as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkshopInput {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Whether it takes commissions.
    pub accepts_commissions: Option<bool>,
}

impl PutWorkshop {
    /// Reads a client's body.
    ///
    /// # Errors
    /// All faults at once.
    pub fn parse(workshop_id: WorkshopId, input: WorkshopInput) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let name = faults.required("/name", input.name, |text| WorkshopName::parse(&text));
        let accepts = faults.required("/acceptsCommissions", input.accepts_commissions, Ok);
        let command = name.zip(accepts).map(|(name, accepts_commissions)| Self {
            workshop_id,
            name,
            accepts_commissions,
        });
        faults.finish(command)
    }
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Only operators keep the directory.
    #[error("the directory is not kept by a {role}")]
    Forbidden {
        /// The part that the actor plays.
        role: Role,
    },
}

/// Whether the actor keeps the directory.
///
/// # Errors
/// The actor is no operator.
pub fn admit(actor: Actor) -> Result<(), Rejection> {
    match actor.role {
        Role::Operator => Ok(()),
        Role::Commissioner | Role::Workshop | Role::Analyst => {
            Err(Rejection::Forbidden { role: actor.role })
        }
    }
}

/// The facts that follow from `command`: none if the entry says this already.
///
/// # Errors
/// See [`admit`].
pub fn decide(
    workshop: &Workshop,
    command: PutWorkshop,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Vec<WorkshopEvent>, Rejection> {
    admit(actor)?;
    let PutWorkshop {
        workshop_id,
        name,
        accepts_commissions,
    } = command;
    let (occurred_at, fact) = match workshop {
        Workshop::Registered(entry)
            if entry.name == name && entry.accepts_commissions == accepts_commissions =>
        {
            return Ok(Vec::new());
        }
        Workshop::Registered(entry) => (
            entry.updated_at.max(now),
            WorkshopFact::WorkshopChanged {
                name,
                accepts_commissions,
            },
        ),
        Workshop::Unregistered => (
            now,
            WorkshopFact::WorkshopRegistered {
                name,
                accepts_commissions,
            },
        ),
    };
    Ok(vec![WorkshopEvent {
        workshop_id,
        occurred_at,
        fact,
    }])
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::value::FaultKind;
    use crate::workshop::{evolve, fold};

    const OPERATOR: Actor = Actor::new(Role::Operator, Uuid::from_u128(0x0e));
    const ALDER: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(0xa1));
    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn put(name: &str, accepts_commissions: bool) -> PutWorkshop {
        PutWorkshop {
            workshop_id: ALDER,
            name: WorkshopName::parse(name).unwrap(),
            accepts_commissions,
        }
    }

    fn registered() -> Workshop {
        let events = decide(&Workshop::Unregistered, put("Alder", true), OPERATOR, START);
        fold(&events.unwrap()).unwrap()
    }

    #[test]
    fn a_workshop_is_registered_first() {
        let events = decide(&Workshop::Unregistered, put("Alder", true), OPERATOR, START).unwrap();
        assert_eq!(
            events,
            [WorkshopEvent {
                workshop_id: ALDER,
                occurred_at: START,
                fact: WorkshopFact::WorkshopRegistered {
                    name: WorkshopName::parse("Alder").unwrap(),
                    accepts_commissions: true,
                },
            }]
        );
    }

    #[test]
    fn a_registered_workshop_is_changed_and_its_time_never_runs_back() {
        let before = registered();
        let earlier = START - TimeDelta::days(1);
        for (name, accepts) in [("Alder & Sons", true), ("Alder", false)] {
            let events = decide(&before, put(name, accepts), OPERATOR, earlier).unwrap();
            let [event] = events.as_slice() else {
                panic!("{events:?}")
            };
            assert_eq!(event.fact.event_type(), "WorkshopChanged");
            assert_eq!(event.occurred_at, START);
            let after = evolve(before.clone(), event).unwrap();
            let entry = after.entry().unwrap();
            assert_eq!(entry.name.as_str(), name);
            assert_eq!(entry.accepts_commissions, accepts);
        }
    }

    #[test]
    fn nothing_happens_where_nothing_changes() {
        let events = decide(&registered(), put(" Alder ", true), OPERATOR, START);
        assert_eq!(events, Ok(vec![]));
    }

    #[test]
    fn only_operators_keep_the_directory() {
        for role in [Role::Commissioner, Role::Workshop, Role::Analyst] {
            let actor = Actor::new(role, ALDER.as_uuid());
            assert_eq!(
                decide(&registered(), put("Mine", true), actor, START),
                Err(Rejection::Forbidden { role })
            );
        }
    }

    #[test]
    fn a_body_lacks_nothing_it_needs() {
        assert_eq!(
            PutWorkshop::parse(ALDER, WorkshopInput::default()),
            Err(vec![
                Fault::new("/name", FaultKind::Missing),
                Fault::new("/acceptsCommissions", FaultKind::Missing),
            ])
        );
    }

    #[test]
    fn a_fact_that_cannot_follow_is_an_error() {
        let change = |before: &Workshop| decide(before, put("New", false), OPERATOR, START);
        let registration = change(&Workshop::Unregistered).unwrap();
        let changing = change(&registered()).unwrap();
        assert!(evolve(registered(), &registration[0]).is_err());
        assert!(evolve(Workshop::Unregistered, &changing[0]).is_err());
        let mut foreign = changing[0].clone();
        foreign.workshop_id = WorkshopId::from_uuid(Uuid::from_u128(0xb1));
        assert!(evolve(registered(), &foreign).is_err());
    }
}
