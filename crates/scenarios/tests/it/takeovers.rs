//! Several projectors: how long a role is without an owner, what an owner does that slept through
//! its lease, and how much each process owns after a rolling restart.

use std::time::{Duration, Instant};

use dev_servers::{PrivateKafka, Signal};
use test_support::Proxy;

use crate::leases::{Leases, ROLES};
use crate::load::Load;
use crate::readers::Readers;
use crate::system::{App, System};
use crate::{audit, kafka};

/// As the scenarios' processes have it.
const LEASE: Duration = Duration::from_secs(2);
/// Up to twelve commissions a second in all.
const INTERVAL: Duration = Duration::from_millis(330);

/// A system under load whose two projectors share the roles.
struct Pair {
    broker: PrivateKafka,
    system: System,
    another: App,
    leases: Leases,
    load: Load,
    /// The names of the system's projector and of the other one.
    owners: [String; 2],
}

async fn pair() -> Pair {
    let broker = kafka::start().await;
    // Who asks for what was just committed waits for a crashed owner's lease to end.
    let patient = [
        ("ATLAS_MIN_POSITION_WAIT_MS", "60000"),
        ("ATLAS_REQUEST_TIMEOUT_MS", "70000"),
    ];
    let system = System::start_with(&broker.address(), &patient).await;
    let leases = Leases::watch(&system.database).await;
    let first = leases.newcomer(&[]).await;
    let mut another = system.another_projector();
    let second = leases.join(&mut another).await;
    leases.shared_by(2).await;
    let load = Load::start(&system.commands, None, INTERVAL).await;
    load.until(50).await;
    Pair {
        broker,
        system,
        another,
        leases,
        load,
        owners: [first, second],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_taken_over_within_a_second_of_sigterm_and_two_of_a_dead_owners_lease() {
    let Pair {
        broker,
        mut system,
        mut another,
        leases,
        load,
        owners: [first, second],
    } = pair().await;
    let readers = Readers::start(&system).await;
    let told = leases
        .taken_from(&first, || system.projector.signal(Signal::TERM))
        .await;
    system.projector.ended().await;
    leases.join(&mut system.projector).await;
    leases.shared_by(2).await;
    let killed = leases.taken_from(&second, || another.kill()).await;
    let answers = readers.stop().await;
    println!("taken over {told:?} after SIGTERM, {killed:?} after SIGKILL; {answers} answers");
    assert!(told < Duration::from_secs(1), "{told:?} after SIGTERM");
    assert!(
        killed < LEASE + Duration::from_secs(2),
        "{killed:?} after SIGKILL"
    );
    load.stop().await;
    leases.hold().await;
    audit::everything(&system.database, &broker.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_slept_through_its_lease_moves_nothing() {
    let Pair {
        broker,
        mut system,
        another: _another,
        leases,
        load,
        owners: [first, second],
    } = pair().await;
    let stopped = leases
        .taken_from(&first, || system.projector.signal(Signal::STOP))
        .await;
    load.go_on_for(LEASE * 2).await;
    let shares = leases.shares().await;
    assert_eq!(shares.get(&second), Some(&ROLES), "{shares:?}");
    system.projector.signal(Signal::CONT);
    // It is given its share again, by who has taken it.
    leases.shared_by(2).await;
    println!("taken over {stopped:?} after SIGSTOP");
    load.stop().await;
    leases.hold().await;
    audit::everything(&system.database, &broker.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_whose_database_does_not_answer_for_two_leases_moves_nothing() {
    let Pair {
        broker,
        system,
        another: _another,
        leases,
        load,
        owners,
    } = pair().await;
    let port = system.database.options("atlas_app").get_port();
    let proxy = Proxy::to(port).await;
    let behind = format!(":{}/", proxy.port());
    let url = system
        .database
        .url_app()
        .replace(&format!(":{port}/"), &behind);
    let mut third = system
        .another_projector()
        .with_variable("ATLAS_DATABASE_URL", &url);
    let name = leases.join(&mut third).await;
    leases.shared_by(3).await;
    let frozen = leases.taken_from(&name, || proxy.freeze()).await;
    load.go_on_for(LEASE * 2).await;
    let shares = leases.shares().await;
    assert_eq!(shares.values().sum::<i64>(), ROLES, "{shares:?}");
    assert!(owners.iter().all(|owner| shares.contains_key(owner)));
    assert_eq!(shares.get(&name), None, "{shares:?}");
    proxy.thaw();
    leases.shared_by(3).await;
    println!("taken over {frozen:?} after the database fell silent");
    load.stop().await;
    leases.hold().await;
    audit::everything(&system.database, &broker.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rolling_restart_each_of_three_has_its_share_and_keeps_it() {
    let Pair {
        broker,
        mut system,
        another: mut second,
        leases,
        load,
        owners: _,
    } = pair().await;
    let mut third = system.another_projector();
    leases.join(&mut third).await;
    leases.shared_by(3).await;
    for projector in [&mut system.projector, &mut second, &mut third] {
        projector.signal(Signal::TERM);
        projector.ended().await;
        leases.join(projector).await;
    }
    let restarted = Instant::now();
    leases.shared_by(3).await;
    let shared = restarted.elapsed();
    let (shares, taken) = (leases.shares().await, leases.taken().await);
    println!("{shares:?} {shared:?} after the restart");
    // No process has more than half of the roles and one, whatever their number.
    assert!(shares.values().all(|own| *own <= ROLES / 2 + 1));
    assert!(shared < Duration::from_secs(60), "{shared:?}");
    load.go_on_for(Duration::from_secs(8)).await;
    assert_eq!(leases.taken().await, taken, "shares went on to change");
    let gap = leases.longest_gap().await;
    println!("at most {gap:?} between two owners");
    assert!(gap < Duration::from_secs(1), "{gap:?} without an owner");
    load.stop().await;
    leases.hold().await;
    audit::everything(&system.database, &broker.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projectors_whose_sessions_are_ended_again_and_again_lose_and_double_nothing() {
    let Pair {
        broker,
        system,
        another: _another,
        leases,
        load,
        owners,
    } = pair().await;
    let [first, _] = &owners;
    let mut ended = 0;
    for round in 0..15 {
        // The first one alone for twenty seconds, then both.
        for owner in owners.iter().filter(|owner| round >= 10 || *owner == first) {
            ended += leases.end_sessions(owner).await;
        }
        load.go_on_for(Duration::from_secs(2)).await;
    }
    assert!(ended > 50, "{ended} sessions");
    let commissions = load.stop().await;
    println!("{ended} sessions ended during {commissions} commissions");
    leases.shared_by(2).await;
    leases.hold().await;
    audit::everything(&system.database, &broker.address()).await;
}
