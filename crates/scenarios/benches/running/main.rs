//! The whole system as its users have it, measured from outside: how fresh what they read is, what
//! an order costs each process, how queries answer over a large store, and what a rebuild beside
//! the live system takes of either.
//!
//! Run by `cargo xtask bench running [PART…]`, in release; every part starts servers and programs
//! of its own, with fsync on, and a real Apache Kafka where one is needed.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

#[path = "../../tests/it/commission.rs"]
#[expect(dead_code, reason = "scenarios need more of them")]
mod commission;
#[path = "../../tests/it/kafka.rs"]
#[expect(dead_code, reason = "scenarios read topics another way")]
mod kafka;
#[path = "../../tests/it/system.rs"]
#[expect(dead_code, reason = "nothing is crashed here")]
mod system;

mod figures;
mod fresh;
mod history;
mod large;
mod pace;
mod queries;
mod rebuild;
mod size;
mod watch;

use std::time::Instant;

use mimalloc::MiMalloc;

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const PARTS: [&str; 4] = ["fresh", "queries", "rebuild", "size"];

/// Measures the parts that are named, or all.
async fn measure(named: &[String]) {
    for name in named {
        assert!(
            PARTS.contains(&name.as_str()),
            "no part {name}: there are {PARTS:?}"
        );
    }
    let wanted = |part: &&&str| named.is_empty() || named.iter().any(|name| name == **part);
    for part in PARTS.iter().filter(wanted) {
        let began = Instant::now();
        println!("\n== {part}");
        match *part {
            "fresh" => fresh::measure().await,
            "queries" => queries::measure().await,
            "rebuild" => rebuild::measure().await,
            _ => size::measure().await,
        }
        println!("== {part}: {:.0} s", began.elapsed().as_secs_f64());
    }
}

fn main() {
    // Cargo names itself to every benchmark.
    let parts: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(measure(&parts));
}
