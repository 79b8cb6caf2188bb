//! A proxy in front of Postgres that makes every statement fail once and be repeated once: the first
//! time its request is lost, another time its answer.
//!
//! A statement is told by its text, and what begins or ends a transaction by the statement before
//! it too. Which comes first, and which time it is, the seed says.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::Cut;

mod frontend;

use frontend::Frontend;

const CHUNK: usize = 64 * 1024;
/// Between two cuts something gets done.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sabotaged {
    /// Its request was lost.
    pub failed: bool,
    /// Its answer was lost, so that whoever sent it does it once more.
    pub repeated: bool,
}

/// The proxy. It ends with the test.
#[derive(Debug, Clone)]
pub struct Saboteur {
    port: u16,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug)]
struct Plan {
    dice: u64,
    is_at_work: bool,
    last_cut: Instant,
    steps: BTreeMap<String, Sabotaged>,
}

impl Saboteur {
    /// A proxy in front of the Postgres that listens on this port of 127.0.0.1. It lets everything
    /// pass until it [begins](Self::begin).
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(port: u16, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap_or_else(|error| panic!("no port for a proxy: {error}"));
        let own = listener.local_addr().map_or(0, |address| address.port());
        let plan = Arc::new(Mutex::new(Plan {
            dice: seed,
            is_at_work: false,
            last_cut: Instant::now(),
            steps: BTreeMap::new(),
        }));
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        tokio::spawn(accept(listener, server, Arc::clone(&plan)));
        Self { port: own, plan }
    }

    /// The port of 127.0.0.1 that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on statements fail.
    pub fn begin(&self) {
        lock(&self.plan).is_at_work = true;
    }

    /// From now on everything passes again.
    pub fn end(&self) {
        lock(&self.plan).is_at_work = false;
    }

    /// Every statement that was seen since it began, and what became of it.
    #[must_use]
    pub fn steps(&self) -> BTreeMap<String, Sabotaged> {
        lock(&self.plan).steps.clone()
    }
}

impl Plan {
    /// How a statement is cut off, if it is.
    fn cut(&mut self, step: &str) -> Option<Cut> {
        if !self.is_at_work {
            return None;
        }
        let toss = self.toss();
        let became = self.steps.entry(step.to_owned()).or_default();
        if toss.is_multiple_of(3) || self.last_cut.elapsed() < PAUSE {
            return None;
        }
        if became.failed && became.repeated {
            return None;
        }
        let loses_request = !became.failed && (became.repeated || toss.is_multiple_of(2));
        let cut = if loses_request {
            became.failed = true;
            Cut::BeforeTheRequest
        } else {
            became.repeated = true;
            Cut::BeforeTheAnswer
        };
        self.last_cut = Instant::now();
        Some(cut)
    }

    /// The next of the numbers that follow from the seed: splitmix64.
    fn toss(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, plan: Arc<Mutex<Plan>>) {
    while let Ok((client, _)) = listener.accept().await {
        let plan = Arc::clone(&plan);
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else {
                return;
            };
            for stream in [&client, &server] {
                stream.set_nodelay(true).ok();
            }
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let (cut, was_cut) = watch::channel(false);
            tokio::select! {
                () = upwards(from_client, to_server, &plan, &cut) => {}
                () = downwards(from_server, to_client, was_cut) => {}
            }
        });
    }
}

/// From the client to the server, until either leaves or the connection is cut.
async fn upwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: &Mutex<Plan>,
    cut: &watch::Sender<bool>,
) {
    let mut frontend = Frontend::default();
    let mut bytes = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let sent = bytes.get(..count).unwrap_or_default();
        let steps = frontend.hears(sent);
        let how = steps.iter().find_map(|step| lock(plan).cut(step));
        match how {
            Some(Cut::BeforeTheRequest) => return,
            Some(Cut::BeforeTheAnswer) => {
                cut.send_replace(true);
                to.write_all(sent).await.ok();
                // The answer ends the other direction, and both with it.
                return std::future::pending().await;
            }
            None => {}
        }
        if to.write_all(sent).await.is_err() {
            return;
        }
    }
}

/// From the server to the client, until either leaves, or an answer comes that is to be lost.
async fn downwards(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: watch::Receiver<bool>) {
    let mut bytes = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *cut.borrow() {
            return;
        }
        let answer = bytes.get(..count).unwrap_or_default();
        if to.write_all(answer).await.is_err() {
            return;
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
