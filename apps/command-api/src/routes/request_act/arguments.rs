//! What each act is asked for with, as clients send it, and how it is read: all faults at once.

use event_store::acts::{
    Account, AccountRole, Letters, OfModel, OfPolicy, ReadModel, Rebuilding, Requested, Resending,
};
use kernel::OrderId;
use order_domain::value::{Fault, FaultKind, parse_instant};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::faults::Faults;

/// How many dead letters are named at most.
const MOST_IDS: usize = 1_000;
/// How many characters of a word are taken that dead letters are picked by.
const LONGEST: usize = 255;

/// Which of the open dead letters: those that everything given agrees to; all that are open, if
/// nothing is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeadLetterSelection)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LettersBody {
    /// Of this code, such as `ACCOUNT_REJECTED`.
    #[schema(min_length = 1, max_length = 255)]
    code: Option<String>,
    /// Of this kind, such as `domain`.
    #[schema(min_length = 1, max_length = 255)]
    kind: Option<String>,
    /// From this topic.
    #[schema(min_length = 1, max_length = 255)]
    topic: Option<String>,
    /// Of this event type, such as `atlas.order.OrderPlaced`.
    #[schema(min_length = 1, max_length = 255)]
    ce_type: Option<String>,
    /// Of this group, as the list of groups names it.
    #[schema(min_length = 1, max_length = 255)]
    group: Option<String>,
    /// That failed first before this.
    #[schema(format = DateTime)]
    failed_before: Option<String>,
    /// That failed first after this.
    #[schema(format = DateTime)]
    failed_after: Option<String>,
    /// One of these.
    #[schema(value_type = Option<Vec<Uuid>>, min_items = 1, max_items = 1000)]
    ids: Option<Vec<String>>,
}

/// Which stored events are sent again, and how fast.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ReplayRange)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResendingBody {
    /// The first position.
    #[schema(value_type = i64, minimum = 1)]
    from: Option<i64>,
    /// The last position; as far as the relay has come if not given, and no further.
    #[schema(minimum = 1)]
    to: Option<i64>,
    /// Only the events of this order.
    #[schema(value_type = Option<String>, format = Uuid, pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    order: Option<String>,
    /// Events a second at most; as many as there are if not given.
    #[schema(minimum = 1, maximum = 1000000)]
    max_rate: Option<i64>,
}

/// Which read model is rebuilt, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RebuildPlan)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RebuildingBody {
    /// Which.
    #[schema(value_type = String, pattern = "^(orders|workshops|bonus)$", example = "orders")]
    model: Option<String>,
    /// Whether the version before is kept, followed on, to go back to; false unless given.
    keep: Option<bool>,
    /// The new version is served though exactly so many rows differ.
    #[schema(minimum = 1)]
    accept_differences: Option<i64>,
    /// Events a second at most; as many as there are if not given.
    #[schema(minimum = 1, maximum = 1000000)]
    max_rate: Option<i64>,
}

/// Which read model goes back to the version before.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OfReadModel)]
pub(crate) struct ModelBody {
    /// Which.
    #[schema(value_type = String, pattern = "^(orders|workshops|bonus)$", example = "orders")]
    model: Option<String>,
}

/// Which policy it is about.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OfPolicy)]
pub(crate) struct PolicyBody {
    /// Its version.
    #[schema(value_type = i64, minimum = 1, maximum = 65535)]
    version: Option<i64>,
}

/// Which accounts are computed anew, and how fast.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RecomputeOf)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountBody {
    /// This one alone, whatever policy it is of; those that are not of the policy in force if not
    /// given.
    #[schema(value_type = Option<String>, format = Uuid, pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    account: Option<String>,
    /// The role in which it is one; commissioner unless given.
    #[schema(pattern = "^(commissioner|workshop)$", example = "commissioner")]
    role: Option<String>,
    /// Events a second at most; as many as there are if not given.
    #[schema(minimum = 1, maximum = 1000000)]
    max_rate: Option<i64>,
}

/// The arguments of an act, as they were sent.
#[derive(Debug)]
pub(crate) enum Arguments {
    Redrive(LettersBody),
    RedrivePreview(LettersBody),
    Discard(LettersBody),
    Replay(ResendingBody),
    Rebuild(RebuildingBody),
    RebuildBack(ModelBody),
    Activate(PolicyBody),
    Recompute(AccountBody),
    Backfill(PolicyBody),
    /// Of no act that there is.
    OfNoAct,
}

impl Arguments {
    /// What is asked for, if nothing is wrong with it.
    pub(super) fn read(self, faults: &mut Faults) -> Option<Requested> {
        Some(match self {
            Self::Redrive(body) => Requested::Redrive(body.read(faults)),
            Self::RedrivePreview(body) => Requested::RedrivePreview(body.read(faults)),
            Self::Discard(body) => Requested::Discard(body.read(faults)),
            Self::Replay(body) => Requested::Replay(body.read(faults)?),
            Self::Rebuild(body) => Requested::Rebuild(body.read(faults)?),
            Self::RebuildBack(body) => {
                let model = model(faults, body.model)?;
                Requested::RebuildBack(OfModel { model })
            }
            Self::Activate(body) => Requested::Activate(body.read(faults)?),
            Self::Recompute(body) => Requested::Recompute(body.read(faults)),
            Self::Backfill(body) => Requested::Backfill(body.read(faults)?),
            Self::OfNoAct => return None,
        })
    }
}

impl LettersBody {
    fn read(self, faults: &mut Faults) -> Letters {
        Letters {
            code: word(faults, "/arguments/code", self.code),
            kind: word(faults, "/arguments/kind", self.kind),
            topic: word(faults, "/arguments/topic", self.topic),
            ce_type: word(faults, "/arguments/ceType", self.ce_type),
            group: word(faults, "/arguments/group", self.group),
            failed_before: faults.taken("/arguments/failedBefore", self.failed_before, |text| {
                parse_instant(&text).map_err(|kind| kind.to_string())
            }),
            failed_after: faults.taken("/arguments/failedAfter", self.failed_after, |text| {
                parse_instant(&text).map_err(|kind| kind.to_string())
            }),
            ids: self.ids.map(|ids| ids_of(faults, ids)),
        }
    }
}

impl ResendingBody {
    fn read(self, faults: &mut Faults) -> Option<Resending> {
        let from = faults.required("/arguments/from", self.from);
        let from = faults.taken("/arguments/from", from, |from| number(from, 1, i64::MAX));
        let to = faults.taken("/arguments/to", self.to, |to| number(to, 1, i64::MAX));
        let order = faults.taken("/arguments/order", self.order, |text| id(&text));
        let max_rate = rate(faults, self.max_rate);
        Some(Resending {
            from: from?,
            to,
            order: order.map(OrderId::from_uuid),
            max_rate,
        })
    }
}

impl RebuildingBody {
    fn read(self, faults: &mut Faults) -> Option<Rebuilding> {
        let model = model(faults, self.model);
        let accept = "/arguments/acceptDifferences";
        let accept_differences = faults.taken(accept, self.accept_differences, |rows| {
            number(rows, 1, i64::MAX)
        });
        let max_rate = rate(faults, self.max_rate);
        Some(Rebuilding {
            model: model?,
            keep: self.keep.unwrap_or_default(),
            accept_differences,
            max_rate,
        })
    }
}

impl PolicyBody {
    fn read(self, faults: &mut Faults) -> Option<OfPolicy> {
        let version = faults.required("/arguments/version", self.version);
        let version = faults.taken("/arguments/version", version, |version| {
            let most = i64::from(u16::MAX);
            let version = number(version, 1, most)?;
            u16::try_from(version).map_err(|_| between(1, most))
        });
        version.map(|version| OfPolicy { version })
    }
}

impl AccountBody {
    fn read(self, faults: &mut Faults) -> Account {
        let role = faults.taken("/arguments/role", self.role, |role| match role.as_str() {
            "commissioner" => Ok(AccountRole::Commissioner),
            "workshop" => Ok(AccountRole::Workshop),
            _ => Err("must be commissioner or workshop".to_owned()),
        });
        if role.is_some() && self.account.is_none() {
            let why = "is that of an account: name the account, or leave it out";
            faults.add("/arguments/role", why);
        }
        Account {
            account: faults.taken("/arguments/account", self.account, |text| id(&text)),
            role: role.unwrap_or_default(),
            max_rate: rate(faults, self.max_rate),
        }
    }
}

fn model(faults: &mut Faults, name: Option<String>) -> Option<ReadModel> {
    let name = faults.required("/arguments/model", name);
    faults.taken("/arguments/model", name, |name| match name.as_str() {
        "orders" => Ok(ReadModel::Orders),
        "workshops" => Ok(ReadModel::Workshops),
        "bonus" => Ok(ReadModel::Bonus),
        _ => Err("must be orders, workshops or bonus".to_owned()),
    })
}

fn word(faults: &mut Faults, pointer: &str, word: Option<String>) -> Option<String> {
    faults.taken(pointer, word, |word| {
        let actual = word.chars().count();
        if word.trim().is_empty() || actual > LONGEST {
            let max = LONGEST;
            return Err(FaultKind::TextLength { max, actual }.to_string());
        }
        if word
            .chars()
            .any(|it| it.is_control() && !matches!(it, '\n' | '\t'))
        {
            return Err(FaultKind::ControlCharacter.to_string());
        }
        Ok(word)
    })
}

fn ids_of(faults: &mut Faults, texts: Vec<String>) -> Vec<Uuid> {
    let named = texts.len();
    if !(1..=MOST_IDS).contains(&named) {
        let why = format!("must name 1 to {MOST_IDS} dead letters, and names {named}");
        faults.add("/arguments/ids", &why);
        return Vec::new();
    }
    let ids = texts.into_iter().enumerate().filter_map(|(index, text)| {
        faults.taken(&format!("/arguments/ids/{index}"), Some(text), |text| {
            id(&text)
        })
    });
    ids.collect()
}

fn id(text: &str) -> Result<Uuid, String> {
    let id: Result<OrderId, _> = text.parse();
    id.map(OrderId::as_uuid)
        .map_err(|_| Fault::new("", FaultKind::MalformedId).detail())
}

fn rate(faults: &mut Faults, rate: Option<i64>) -> Option<u32> {
    faults.taken("/arguments/maxRate", rate, |rate| {
        let most = 1_000_000;
        let rate = number(rate, 1, most)?;
        u32::try_from(rate).map_err(|_| between(1, most))
    })
}

fn number(number: i64, least: i64, most: i64) -> Result<i64, String> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(between(least, most))
}

fn between(least: i64, most: i64) -> String {
    if most == i64::MAX {
        return format!("must be {least} or more");
    }
    format!("must be from {least} to {most}")
}
