//! A projector that is killed again and again: no half effect, no doubled one.

use std::time::Duration;

use rand::Rng as _;

use crate::load::Load;
use crate::system::System;
use crate::{audit, kafka};

const COMMISSIONS: usize = 200;
/// About eight commands a commission.
const COMMANDS: usize = COMMISSIONS * 7;
const KILLS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_killed_at_random_moments_loses_and_doubles_nothing() {
    let broker = kafka::start().await;
    let mut system = System::start(&broker.address()).await;
    let load = Load::start(
        &system.commands,
        Some(COMMISSIONS),
        Duration::from_millis(1),
    )
    .await;
    for kill in 1..=KILLS {
        let part = COMMANDS / KILLS;
        let moment = part * (kill - 1) + rand::rng().random_range(0..part);
        load.until(moment).await;
        system.projector.kill();
        system.projector.start();
    }
    let commissions = load.finish().await;
    assert_eq!(commissions, COMMISSIONS);
    audit::everything(&system.database, &broker.address()).await;
}
