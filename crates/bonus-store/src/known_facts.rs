//! What a decision has to know of the ledger: the facts of an order, and the newest ones. Nobody
//! reads a whole ledger for an award.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{Beneficiary, Fact, KnownFacts, MoreFacts, Policy, SourceType};
use chrono::{DateTime, Utc};
use kernel::OrderId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::accounts::columns;
use crate::ledger::{FactRecord, MOST_FACTS, within_bounds};

/// How many facts are read beside those that decide about VIP: some of them may be reversed.
const SPARE: usize = 8;
/// How many older facts are read at least where those did not suffice.
const OLDER: usize = 256;

/// Facts of each of several beneficiaries.
pub(crate) type Known = BTreeMap<Beneficiary, KnownFacts>;

/// Reads the newest facts that each account counts, as far as they decide about VIP under its own
/// policy.
pub(crate) async fn newest(
    connection: &mut PgConnection,
    accounts: &BTreeMap<Beneficiary, &Policy>,
) -> Result<Known, sqlx::Error> {
    let mut known = Known::new();
    let mut alike: BTreeMap<_, (&Policy, Vec<Uuid>)> = BTreeMap::new();
    for (beneficiary, policy) in accounts {
        known.insert(*beneficiary, KnownFacts::default());
        let group = (policy.version(), beneficiary.role);
        let (_, ids) = alike.entry(group).or_insert((policy, Vec::new()));
        ids.push(beneficiary.id);
    }
    for ((_, role), (policy, ids)) in alike {
        let Some(enough) = policy.facts_that_make_vip(role) else {
            continue;
        };
        let first = ids.first().copied().unwrap_or_default();
        let page = Page {
            policy,
            of: Beneficiary::new(role, first),
            until: None,
            after: None,
            limit: enough + SPARE,
        };
        let mut rows: BTreeMap<Uuid, Vec<Fact>> = BTreeMap::new();
        for fact in page.read(connection, &ids).await? {
            rows.entry(fact.beneficiary.id).or_default().push(fact);
        }
        let facts = rows.values().flatten().copied();
        let reversing = reversing(connection, policy, facts).await?;
        for (id, facts) in rows {
            let after = page.reaches(&facts, None);
            let mut read = KnownFacts::default();
            read.reach_back(after, facts);
            known.insert(Beneficiary::new(role, id), read);
        }
        for fact in reversing {
            insert(&mut known, fact);
        }
    }
    Ok(known)
}

/// Reads on where older facts may decide.
pub(crate) async fn reach_back(
    connection: &mut PgConnection,
    beneficiary: Beneficiary,
    policy: &Policy,
    known: &mut KnownFacts,
    more: MoreFacts,
) -> Result<(), sqlx::Error> {
    let page = Page {
        policy,
        of: beneficiary,
        until: known.after(),
        after: Some(more.back_to),
        // It grows, so that facts of one instant never fill every page.
        limit: OLDER.max(known.facts().len() * 2),
    };
    let mut older = page.read(connection, &[beneficiary.id]).await?;
    let after = page.reaches(&older, Some(more.back_to));
    let reversing = reversing(connection, policy, older.iter().copied()).await?;
    older.extend(reversing);
    known.reach_back(after, older);
    Ok(())
}

/// Adds every fact that the accounts count of these orders.
pub(crate) async fn of_orders(
    connection: &mut PgConnection,
    known: &mut Known,
    orders: &BTreeSet<(Beneficiary, OrderId)>,
) -> Result<(), sqlx::Error> {
    for fact in counted(connection, orders, None).await? {
        insert(known, fact);
    }
    Ok(())
}

fn insert(known: &mut Known, fact: Fact) {
    known.entry(fact.beneficiary).or_default().insert(fact);
}

/// A piece of a ledger, newest first.
struct Page<'a> {
    policy: &'a Policy,
    /// The beneficiary, or one in the same role.
    of: Beneficiary,
    until: Option<DateTime<Utc>>,
    after: Option<DateTime<Utc>>,
    limit: usize,
}

impl Page<'_> {
    async fn read(
        &self,
        connection: &mut PgConnection,
        ids: &[Uuid],
    ) -> Result<Vec<Fact>, sqlx::Error> {
        let rewarded: Vec<&str> = self
            .policy
            .rewarded(self.of.role)
            .map(SourceType::as_str)
            .collect();
        let rows = sqlx::query_file_as!(
            FactRecord,
            "queries/newest_facts.sql",
            self.of.role.as_str(),
            ids,
            self.until,
            &rewarded as &[&str],
            self.after,
            i64::try_from(self.limit).unwrap_or(i64::MAX),
        )
        .fetch_all(connection)
        .await?;
        facts(rows)
    }

    /// The instant after which the facts of one account are known once they were read. Of the last
    /// instant of a full page some may be missing.
    fn reaches(&self, facts: &[Fact], all_back_to: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        if facts.len() < self.limit {
            return all_back_to;
        }
        facts.last().map(|fact| fact.occurred_at)
    }
}

/// The facts that reverse some of these.
async fn reversing(
    connection: &mut PgConnection,
    policy: &Policy,
    facts: impl Iterator<Item = Fact>,
) -> Result<Vec<Fact>, sqlx::Error> {
    let types: Vec<&str> = policy.reversals().map(|it| it.event.as_str()).collect();
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let orders = facts.filter_map(|fact| Some((fact.beneficiary, fact.order_id?)));
    counted(connection, &orders.collect(), Some(&types)).await
}

async fn counted(
    connection: &mut PgConnection,
    orders: &BTreeSet<(Beneficiary, OrderId)>,
    types: Option<&[&str]>,
) -> Result<Vec<Fact>, sqlx::Error> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let (roles, ids) = columns(orders.iter().map(|(beneficiary, _)| beneficiary));
    let order_ids: Vec<Uuid> = orders.iter().map(|(_, order)| order.as_uuid()).collect();
    let rows = sqlx::query_file_as!(
        FactRecord,
        "queries/counted_facts_of_orders.sql",
        &roles as &[&str],
        &ids,
        &order_ids,
        types as Option<&[&str]>,
        MOST_FACTS + 1,
    )
    .fetch_all(connection)
    .await?;
    facts(within_bounds(rows)?)
}

fn facts(rows: Vec<FactRecord>) -> Result<Vec<Fact>, sqlx::Error> {
    let facts = rows.into_iter().map(FactRecord::read);
    facts.filter_map(Result::transpose).collect()
}
