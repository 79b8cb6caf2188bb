//! From what is asked for to the function that does it, which is that of the command line.

use std::num::NonZeroU32;

use bonus_domain::{Beneficiary, PolicyVersion};
use chrono::{DateTime, Utc};
use event_store::acts::{
    Account, AccountRole, ActKind, OfPolicy, ReadModel, Rebuilding, Requested,
};
use kernel::Role;
use messaging::Kafka;
use projections::Model;

use super::Tools;
use crate::acting::Acting;
use crate::dlq::redrive::preview;
use crate::dlq::selection::asked;
use crate::dlq::{discard, redrive};
use crate::policy::{activate, backfill, recompute};
use crate::session::Failure;
use crate::{rebuild, rebuild_back, replay};

/// Does what is asked for.
pub(super) async fn carry_out(
    acting: &Acting<'_>,
    tools: &Tools,
    requested: &Requested,
    asked_at: DateTime<Utc>,
) -> Result<(), Failure> {
    let asked = |letters| asked(letters, asked_at);
    let kafka = || Kafka::new(&tools.brokers);
    match requested {
        Requested::Redrive(letters) => redrive::carry_out(acting, kafka(), &asked(letters)).await,
        Requested::RedrivePreview(letters) => {
            preview::carry_out(acting, tools.conflict, &asked(letters)).await
        }
        Requested::Discard(letters) => discard::carry_out(acting, &asked(letters)).await,
        Requested::Replay(range) => {
            let sending = replay::Sending {
                kafka: kafka(),
                retention: tools.retention,
                lease: tools.lease,
            };
            let what = replay::What {
                from: range.from,
                to: range.to,
                order: range.order,
                max_rate: range.max_rate.and_then(NonZeroU32::new),
            };
            replay::carry_out(acting, sending, &what).await
        }
        Requested::Rebuild(plan) => {
            rebuild::carry_out(acting, tools.lease, &rebuilding(plan)).await
        }
        Requested::RebuildBack(of) => {
            rebuild_back::carry_out(acting, tools.lease, model(of.model)).await
        }
        Requested::Activate(of) => activate::carry_out(acting, version(of)?, tools.conflict).await,
        Requested::Recompute(of) => recompute::carry_out(acting, whom(of)).await,
        Requested::Backfill(of) => backfill::carry_out(acting, version(of)?).await,
    }
}

/// The fact of an act that is one transaction.
pub(super) const fn at_once(requested: &Requested) -> Option<ActKind> {
    match requested {
        Requested::Discard(_) => Some(ActKind::Discard),
        Requested::Activate(_) => Some(ActKind::Activate),
        Requested::RebuildBack(_) => Some(ActKind::Back),
        Requested::Redrive(_)
        | Requested::RedrivePreview(_)
        | Requested::Replay(_)
        | Requested::Rebuild(_)
        | Requested::Recompute(_)
        | Requested::Backfill(_) => None,
    }
}

fn rebuilding(plan: &Rebuilding) -> rebuild::What {
    rebuild::What {
        model: model(plan.model),
        max_rate: plan.max_rate.and_then(NonZeroU32::new),
        keep: plan.keep,
        accept: plan.accept_differences,
        certificate: None,
    }
}

const fn model(name: ReadModel) -> Model {
    match name {
        ReadModel::Orders => Model::Orders,
        ReadModel::Workshops => Model::Workshops,
        ReadModel::Bonus => Model::Bonus,
    }
}

fn version(of: &OfPolicy) -> Result<PolicyVersion, Failure> {
    let version = PolicyVersion::new(of.version);
    version.ok_or_else(|| Failure::refused(format!("{} is no version of a policy", of.version)))
}

fn whom(of: &Account) -> recompute::Whom {
    let role = match of.role {
        AccountRole::Commissioner => Role::Commissioner,
        AccountRole::Workshop => Role::Workshop,
    };
    recompute::Whom {
        account: of.account.map(|id| Beneficiary::new(role, id)),
        max_rate: of.max_rate.unwrap_or_default(),
    }
}
