//! A TCP proxy that a test puts in front of a server, to slow what passes or to cut it off.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is read at once; a longer message comes in parts.
const CHUNK: usize = 64 * 1024;

/// Where a connection is cut, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server has answered what the client sent, and the client never learns.
    BeforeTheAnswer,
    /// The server never learns what the client sent.
    BeforeTheRequest,
}

/// A proxy in front of a server of 127.0.0.1. It ends with the test.
#[derive(Debug, Clone)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// Where new connections lead.
    target: Mutex<SocketAddr>,
    delay: Mutex<Duration>,
    trap: Mutex<Option<Trap>>,
    cuts: AtomicU32,
    /// What the next message is held up for.
    hold: Mutex<Option<Vec<u8>>>,
    /// Whether a message is held up.
    held: watch::Sender<bool>,
    /// Counts how often everything was cut off.
    severed: watch::Sender<u32>,
    /// Whether nothing passes.
    frozen: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
struct Trap {
    marker: Vec<u8>,
    cut: Cut,
}

impl Proxy {
    /// A proxy in front of what listens on this port.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap_or_else(|error| panic!("no port for a proxy: {error}"));
        let own = listener.local_addr().map_or(0, |address| address.port());
        let state = Arc::new(State {
            target: Mutex::new(at(port)),
            delay: Mutex::new(Duration::ZERO),
            trap: Mutex::new(None),
            cuts: AtomicU32::new(0),
            hold: Mutex::default(),
            held: watch::Sender::new(false),
            severed: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
        });
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port: own, state }
    }

    /// The port of 127.0.0.1 that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, new connections lead to what listens on this port.
    pub fn lead_to(&self, port: u16) {
        *lock(&self.state.target) = at(port);
    }

    /// From now on, whatever a client sends is held up for so long.
    pub fn slow_by(&self, delay: Duration) {
        *lock(&self.state.delay) = delay;
    }

    /// Cuts the next connection on which a client sends these bytes.
    pub fn cut_at(&self, marker: impl Into<Vec<u8>>, cut: Cut) {
        let marker = marker.into();
        *lock(&self.state.trap) = Some(Trap { marker, cut });
    }

    /// How many connections were cut by [`cut_at`](Self::cut_at).
    #[must_use]
    pub fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// Holds up the next message of a client that has these bytes, until it is
    /// [released](Self::release).
    pub fn hold_at(&self, marker: impl Into<Vec<u8>>) {
        *lock(&self.state.hold) = Some(marker.into());
    }

    /// Waits until a message is held up.
    pub async fn held(&self) {
        let mut held = self.state.held.subscribe();
        held.wait_for(|held| *held).await.ok();
    }

    /// Lets the message that is held up pass.
    pub fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Lets nothing pass in either direction until it [thaws](Self::thaw): connections stay, and
    /// neither end learns of it.
    pub fn freeze(&self) {
        self.state.frozen.send_replace(true);
    }

    /// Lets everything pass again, what was held up first.
    pub fn thaw(&self) {
        self.state.frozen.send_replace(false);
    }

    /// Cuts every connection there is now.
    pub fn sever(&self) {
        self.state.severed.send_modify(|count| *count += 1);
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut severed = state.severed.subscribe();
            let target = *lock(&state.target);
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            for stream in [&client, &server] {
                stream.set_nodelay(true).ok();
            }
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let (cut, was_cut) = watch::channel(false);
            tokio::select! {
                () = upwards(from_client, to_server, &state, &cut) => {}
                () = downwards(from_server, to_client, &state, was_cut) => {}
                _ = severed.changed() => {}
            }
        });
    }
}

/// From the client to the server, until either leaves or the connection is cut.
async fn upwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    cut: &watch::Sender<bool>,
) {
    let mut bytes = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let delay = *lock(&state.delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let sent = bytes.get(..count).unwrap_or_default();
        state.hold_up(sent).await;
        state.thawed().await;
        match state.spring(sent) {
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
async fn downwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    cut: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *cut.borrow() {
            return;
        }
        state.thawed().await;
        let answer = bytes.get(..count).unwrap_or_default();
        if to.write_all(answer).await.is_err() {
            return;
        }
    }
}

impl State {
    /// Waits while nothing may pass.
    async fn thawed(&self) {
        let mut frozen = self.frozen.subscribe();
        frozen.wait_for(|frozen| !frozen).await.ok();
    }

    /// Waits here, if this is what is to be held up; once.
    async fn hold_up(&self, sent: &[u8]) {
        let mut held = {
            let mut hold = lock(&self.hold);
            let Some(marker) = hold.take_if(|marker| contains(sent, marker)) else {
                return;
            };
            drop(marker);
            self.held.send_replace(true);
            self.held.subscribe()
        };
        held.wait_for(|held| !held).await.ok();
    }

    /// How the connection is cut, if this is where the trap was set; it springs once.
    fn spring(&self, sent: &[u8]) -> Option<Cut> {
        let mut trap = lock(&self.trap);
        let Trap { marker, cut } = trap.as_ref()?;
        let cut = *cut;
        contains(sent, marker).then(|| {
            *trap = None;
            self.cuts.fetch_add(1, Ordering::SeqCst);
            cut
        })
    }
}

fn contains(sent: &[u8], marker: &[u8]) -> bool {
    sent.windows(marker.len()).any(|part| part == marker)
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
